"""What is tried of a slow model: what short blocks show is tried on short ones, and what was left out is said."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, List

import pytest

torch = pytest.importorskip("torch")

from audacitorch.trial import compiled, passes  # noqa: E402
from audacitorch.trial.plan import LONGEST_BLOCK, ODD_BLOCKS, WHOLE_BLOCK, Plan, standard_passes  # noqa: E402
from audacitorch.trial.protocol import Event, LeftOut, Measured, Passed  # noqa: E402

from . import modules  # noqa: E402

pytestmark = pytest.mark.torch


def events_of(module: Any, folder: Path) -> List[Event]:
    """Everything that is said of a trial, in this process."""
    torch.jit.script(module.eval()).save(str(folder / "model.pt"))
    found: List[Event] = []

    class Events:
        emit = staticmethod(found.append)

    plan = Plan(str(folder / "model.pt"), "waveform-to-waveform", 44100, False, passes=standard_passes(False))
    model, unit = compiled.load(plan.model)
    writer: Any = Events()
    passes.Passes(model, unit, plan, writer, time.perf_counter(), lambda: 0).run()
    return found


def longest(found: List[Event], purpose: str) -> int:
    return max(event.done.samples for event in found if isinstance(event, Passed) and event.done.purpose == purpose)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "_SLOW_SECONDS", -1.0)
    monkeypatch.setattr(passes, "_WHOLE_BLOCKS", 1e9)


def test_a_slow_models_seam_is_heard_on_a_short_block(slow: None, tmp_path: Path) -> None:
    found = events_of(modules.Smooths(), tmp_path)
    heard = [event.seam_db for event in found if isinstance(event, Measured) and event.seam_db is not None]
    assert len(heard) == 1
    assert heard[0] > -40
    assert longest(found, "seam") == passes._SLOW_SEAM
    left_out = {event.what.split(",")[0]: event.why for event in found if isinstance(event, LeftOut)}
    assert left_out == {
        "seam: noise": "the model is slow, and blocks of 32,768 samples were compared",
        "length: noise": "the model is slow, and 100,003 samples were tried",
    }


def test_the_longest_block_is_run_for_what_that_saves(slow: None, tmp_path: Path) -> None:
    lengths = {event.done.samples for event in events_of(modules.Booster(), tmp_path) if isinstance(event, Passed)}
    assert {ODD_BLOCKS[0], WHOLE_BLOCK, LONGEST_BLOCK} <= lengths
    assert ODD_BLOCKS[1] not in lengths


def test_a_fast_model_is_tried_with_all(tmp_path: Path) -> None:
    found = events_of(modules.Booster(), tmp_path)
    assert not [event for event in found if isinstance(event, LeftOut)]
    assert longest(found, "seam") == WHOLE_BLOCK // 2 + 1
