"""report.json: everything a check found, as report.schema.json describes it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Optional

from audacitorch.report.model import Report

_SCHEMA = Path(__file__).resolve().parents[1] / "data" / "report.schema.json"


def render(report: Report) -> str:
    """The whole report as JSON in ASCII, which no terminal and no log takes for anything else."""
    return dumps(report.to_json())


def dumps(value: Any, indent: Optional[int] = 2) -> str:
    """``value`` as JSON, indented or in one line.

    Characters that a terminal or GitHub's runner would act on are written as escapes.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=True, allow_nan=False)
    return text.replace("\x7f", "\\u007f").replace("##[", "\\u0023#[") + "\n"


def load(text: str) -> Report:
    """The report that :func:`render` wrote.

    Raises:
        ValueError: ``text`` is not JSON, or not a report that this version reads.
    """
    try:
        return from_json(json.loads(text))
    except RecursionError as error:
        raise ValueError("the JSON is nested too deep") from error


def from_json(data: Any) -> Report:
    """The report in ``data``, which may come from anybody: it is held against the schema first.

    Raises:
        ValueError: it is not a report that this version reads.
    """
    from jsonschema.exceptions import ValidationError

    try:
        _validator().validate(data)
        return Report.from_json(data)
    except ValidationError as error:
        raise ValueError(f"not a report of audacitorch: {error.message}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a report of audacitorch: {error}") from error


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(_SCHEMA.read_bytes()))
