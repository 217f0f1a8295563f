"""report.json: everything a check found as plain JSON values, as report.schema.json describes them, and back.

What comes from a repo is bounded in size, whatever it holds.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple

from audacitorch.facts import decode
from audacitorch.findings import SEVERITIES, Finding
from audacitorch.hosts import Host, host_named
from audacitorch.safetext import shorten

if TYPE_CHECKING:
    from audacitorch.facts import Archive, Metadata
    from audacitorch.report.model import Report
    from audacitorch.trial.observations import Failure, Output, Pass, Trial

#: What fits of one text, of one list or object, and of objects in objects.
TEXT_LIMIT = 2_000
ITEM_LIMIT = 1_000
DEPTH_LIMIT = 6
#: Native messages and stacks are what a report is read for: nearly all of them fits whole.
ERROR_LIMIT = 65_536
PASS_LIMIT = 200
OPERATOR_LIMIT = 5_000
#: Integers that every JSON reader keeps exactly.
_INTEGER_LIMIT = 2**63
#: Fields of the archive that report.json names in another way.
_ARCHIVE_NAMES = {"bytes": "size", "unpacked_bytes": "unpacked_size", "code_bytes": "code_size"}
_ARCHIVE_FIELDS = (
    "kind", "detail", "bytes", "unpacked_bytes", "code_bytes", "members", "format_version", "producer", "root_type",
    "operators", "parameters", "buffers", "dtypes", "constants", "unsafe", "code_problems",
)  # fmt: skip

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


def validated(data: Any) -> Any:
    """``data``, which may come from anybody, held against the schema.

    Raises:
        ValueError: it is not a report.
    """
    from jsonschema.exceptions import ValidationError

    try:
        _validator().validate(data)
    except ValidationError as error:
        raise ValueError(f"not a report of audacitorch: {error.message}") from error
    return data


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(_SCHEMA.read_bytes()))


def plain(value: Any, text_limit: int = TEXT_LIMIT, item_limit: int = ITEM_LIMIT, depth: int = DEPTH_LIMIT) -> Any:
    """``value`` as JSON values: NaN and infinity become None, huge values are cut, unknown types become text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return shorten(value, text_limit)
    if isinstance(value, int):
        return int(value) if abs(value) < _INTEGER_LIMIT else f"integer of {value.bit_length()} bits"
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        kept = list(value.items())[:item_limit]
        return {shorten(str(key), 200): plain(item, text_limit, item_limit, depth - 1) for key, item in kept}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else list(value)
        return [plain(item, text_limit, item_limit, depth - 1) for item in items[:item_limit]]
    return shorten(str(value), text_limit)


def metadata_to_json(metadata: Metadata) -> Dict[str, Any]:
    """The fields of metadata.json as they are written, bounded."""
    fields: Dict[str, Any] = plain(metadata.fields)
    return fields


def metadata_from_json(data: Any) -> Metadata:
    """What :func:`metadata_to_json` wrote."""
    from audacitorch.facts import Metadata

    return Metadata(fields=decode(Mapping[str, Any], data, "metadata", lenient=True))


def archive_to_json(archive: Archive) -> Dict[str, Any]:
    """What model.pt is: format, producer, operators with their number of calls, parameters, dtypes, sizes."""
    described = {name: getattr(archive, _ARCHIVE_NAMES.get(name, name)) for name in _ARCHIVE_FIELDS}
    described["operators"] = dict(sorted(archive.operators.items())[:OPERATOR_LIMIT])
    described["code_problems"] = [vars(problem) for problem in archive.code_problems]
    shown: Dict[str, Any] = plain(described, item_limit=OPERATOR_LIMIT)
    return shown


def archive_from_json(data: Mapping[str, Any]) -> Archive:
    """What :func:`archive_to_json` wrote."""
    from audacitorch.facts import Archive

    named = {_ARCHIVE_NAMES.get(name, name): data[name] for name in _ARCHIVE_FIELDS if name in data}
    named["counted"] = named.pop("operators", {})
    archive: Archive = decode(Archive, named, "archive", lenient=True)
    return archive


def trial_to_json(trial: Trial) -> Dict[str, Any]:
    """What happened when the model ran, from load to end: the trial's own fields, passes by input and output."""
    if trial.not_begun:
        return {"ended": trial.ended, "reason": plain(trial.reason)}
    described = {
        **vars(trial),
        "load_failure": _failure(trial.load_failure),
        "passes": [_pass(done) for done in trial.passes[:PASS_LIMIT]],
        "unfinished": None if trial.unfinished is None else _pass(trial.unfinished),
    }
    shown: Dict[str, Any] = plain(described, text_limit=ERROR_LIMIT, depth=8)
    return shown


def trial_from_json(data: Mapping[str, Any]) -> Trial:
    """What :func:`trial_to_json` wrote."""
    from audacitorch.trial.observations import Trial

    flat = dict(data)
    flat["passes"] = [_flat_pass(done) for done in data.get("passes") or ()]
    flat["unfinished"] = data.get("unfinished") and _flat_pass(data["unfinished"])
    trial: Trial = decode(Trial, flat, "trial", lenient=True)
    return trial


def _flat_pass(done: Mapping[str, Any]) -> Dict[str, Any]:
    """A pass with its input's fields beside the others, as :class:`Pass` has them."""
    return {**done, **done["input"]}


def _pass(done: Pass) -> Dict[str, Any]:
    return {
        "purpose": done.purpose,
        "signal": done.signal,
        "input": {
            "channels": done.channels,
            "samples": done.samples,
            "track_channels": done.track_channels,
            "track_samples": done.track_samples,
        },
        "output": None if done.output is None else _output(done.output),
        "failure": _failure(done.failure),
        "seconds": done.seconds,
        "memory_bytes": done.memory_bytes,
        "first": done.first,
    }


def _output(output: Output) -> Dict[str, Any]:
    return {
        **vars(output),
        "tensors": [dict(vars(tensor)) for tensor in output.tensors],
        "timestamps": None if output.timestamps is None else dict(vars(output.timestamps)),
    }


def _failure(failure: Optional[Failure]) -> Optional[Dict[str, Any]]:
    return None if failure is None else dict(vars(failure))


def finding_to_json(finding: Finding) -> Dict[str, Any]:
    """A finding with its hosts by name."""
    origin = None if finding.origin is None else dict(vars(finding.origin))
    named = {**vars(finding), "hosts": [host.name for host in finding.hosts], "origin": origin}
    shown: Dict[str, Any] = plain(named, text_limit=ERROR_LIMIT, depth=8)
    return shown


def finding_from_json(data: Mapping[str, Any]) -> Finding:
    """What :func:`finding_to_json` wrote.

    Raises:
        ValueError: its severity or a host of it is unknown.
    """
    finding: Finding = decode(Finding, {**data, "hosts": []}, "finding", lenient=True)
    if finding.severity not in SEVERITIES:
        raise ValueError(f"report holds the unknown severity {finding.severity!r}")
    return replace(finding, hosts=hosts_from_json(data["hosts"]))


def hosts_from_json(names: Any) -> Tuple[Host, ...]:
    """The hosts with these names.

    Raises:
        ValueError: one is unknown.
    """
    return tuple(host_named(name) for name in names)
