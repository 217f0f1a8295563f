"""docs/backport.md: every operator that PyTorch gained has an equivalent or a reason, and the tables are fresh."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from audacitorch.archive.equivalents import DIFFERS, functions, rewritten_operators

ROOT = Path(__file__).parents[2]
NEWER = json.loads((ROOT / "tests" / "data" / "backport" / "newer-operators.json").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "backport.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "function"), [("backport.md", "page"), ("exporting.md", "advice_page")])
def test_the_tables_are_fresh(name: str, function: str) -> None:
    """``scripts/make-backport-table`` makes them so."""
    program = f"import sys; from runpy import run_path; print(run_path(sys.argv[1])['{function}'](), end='')"
    script = str(ROOT / "scripts" / "make-backport-table")
    done = subprocess.run([sys.executable, "-c", program, script], capture_output=True, text=True, check=True)
    assert done.stdout == (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_every_newer_operator_is_in_the_page() -> None:
    assert len(NEWER) > 400
    for operator in {*NEWER, *rewritten_operators(), *DIFFERS}:
        assert f"`{operator}`" in PAGE


def test_functions_stand_for_operators_that_there_are() -> None:
    spaces = {operator.partition("::")[0] for function in functions().values() for operator in function.operators}
    assert spaces == {"aten", "prim", "profiler"}
