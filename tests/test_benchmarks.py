"""The table of figures, the comparison of two commits, and that the page says what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from scripts.benchmarks import compare, figures
from scripts.benchmarks.figures import FIGURES, Figure

ROOT = Path(__file__).resolve().parents[1]
#: Programs that are no benchmarks: what reads their figures, what compares two commits, what exports models.
PARTS = {"figures", "compare", "good_exports"}


def test_every_benchmark_has_a_figure() -> None:
    programs = (ROOT / "scripts" / "benchmarks").glob("*.py")
    benches = {path.stem for path in programs if "__main__" in path.read_text(encoding="utf-8")} - PARTS
    assert {figure.bench for figure in FIGURES} == benches
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)


def test_figures_are_read_from_what_a_benchmark_prints() -> None:
    ratio = Figure("a ratio", "times", "check", r"ratio, median of \d+ pairs: #", at_most=1.3)
    assert ratio.read("one\nratio, median of 10 pairs: 1.25 (at most 1.3)\n") == 1.25
    assert Figure("size", "MB", "image", r"image: # MB").read("image: 1,234.5 MB") == 1234.5
    assert ratio.read("it failed") is None
    assert (ratio.is_reached(1.3), ratio.is_reached(1.31)) == (True, False)
    assert not Figure("speed", "", "x", "#", at_least=5).is_reached(4.9)


def test_each_pattern_fits_a_line_that_its_benchmark_can_print() -> None:
    """The words around the number stand in the benchmark's program."""
    for figure in FIGURES:
        source = (ROOT / "scripts" / "benchmarks" / f"{figure.bench}.py").read_text(encoding="utf-8")
        assert figure.pattern.count("#") == 1, figure
        words = max(figure.pattern.replace("\\", "").replace(".*?", "#").split("#"), key=len).split(":")[0]
        longest = max(words.split(), key=len, default="").strip("(?m)^$+d,[]")
        assert longest in source, (figure, longest)


def test_the_page_is_made_of_the_figures() -> None:
    measured = json.loads((ROOT / "docs" / "benchmarks.json").read_text(encoding="utf-8"))
    assert (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8") == figures.page(measured)
    assert {one["name"] for one in measured["figures"]} <= {figure.name for figure in FIGURES}


def test_a_missed_target_and_a_figure_that_was_not_measured_are_shown() -> None:
    rows = [
        {"name": "speed", "value": 4.5, "unit": "a second", "target": "at least 5", "reached": False, "command": "x"},
        {"name": "size", "value": None, "unit": "MB", "target": "", "reached": None, "command": "x"},
    ]
    machine = {"cores": 2, "processor": "p", "memory_gib": 24, "load_before": 0.1}
    shown = figures.page({"date": "d", "commit": "c", "machine": machine, "versions": {}, "figures": rows})
    assert "| speed | 4.5 a second (missed) | at least 5 | `x` |" in shown
    assert "| size | not measured |  | `x` |" in shown


def test_changes_are_told_from_noise() -> None:
    noise = Random(0)
    ratios = [1 + noise.gauss(0, 0.1) for _ in range(12)]
    assert compare.judged(ratios).verdict == "no change beyond noise"
    assert compare.judged([ratio * 1.3 for ratio in ratios]).verdict == "SLOWER"
    assert compare.judged([ratio * 0.7 for ratio in ratios]).verdict == "faster"
    assert compare.judged([1.01] * 12).verdict == "no change beyond noise"  # a difference, and nobody would notice it


@pytest.mark.parametrize(("pairs", "rank"), [(6, 1), (8, 1), (9, 2), (12, 3), (15, 4), (20, 6)])
def test_the_interval_is_that_of_the_sign_test(pairs: int, rank: int) -> None:
    """The ranks of the usual tables for a median's 95 % interval."""
    change = compare.judged([float(number) for number in range(1, pairs + 1)])
    assert (change.low, change.high) == (rank, pairs + 1 - rank)


def test_what_is_no_checkout_is_told() -> None:
    from contextlib import ExitStack

    with ExitStack() as stack, pytest.raises(SystemExit, match="neither a folder nor a commit"):
        compare.checkout("no-such-commit", stack)
