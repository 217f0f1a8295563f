"""Typical reports, kept as files.

Write them anew, and read what changed, with: AUDACITORCH_WRITE_GOLDEN=1 pytest tests/report/test_report_golden.py
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, Dict

import pytest

from audacitorch.report import annotations as commands
from audacitorch.report import jsonfile, markdown, page, text
from audacitorch.report.model import Report

from .samples import SAMPLES

DATA = Path(__file__).parent / "data"
FORMATS: Dict[str, Callable[[Report], str]] = {
    "txt": text.render,
    "md": markdown.render,
    "json": jsonfile.render,
    "html": page.render,
    "commands": commands.render,
}


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_typical_report_is_as_it_was(name: str, ending: str) -> None:
    kept = DATA / f"{name}.{ending}"
    shown = FORMATS[ending](SAMPLES[name]())
    if os.environ.get("AUDACITORCH_WRITE_GOLDEN"):
        kept.write_text(shown, encoding="utf-8")
    assert shown == kept.read_text(encoding="utf-8")
