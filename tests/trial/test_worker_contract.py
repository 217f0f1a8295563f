"""The contract of a worker: whatever program is one, in whichever sandbox, says the same in the same order.

Another worker is put to it by one more row in ``WORKERS``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, List

import jsonschema
import numpy as np
import pytest

from audacitorch.trial.plan import Plan, PlannedPass
from audacitorch.trial.protocol import (
    PROTOCOL_VERSION,
    Begin,
    Block,
    Done,
    Ended,
    Event,
    Loaded,
    LoadFailed,
    Operators,
    Passed,
    Ready,
    Walls,
)
from audacitorch.trial.starters import SANDBOXES, torch_python, worker_starter
from tests.image import built_image

from .worker_schema import schema

REPOS = Path(__file__).parents[1] / "repos"
SCHEMA = schema()

pytestmark = pytest.mark.skipif(torch_python() is None, reason="Torch 1.9.0 is not here")
WORKERS = [
    pytest.param("process", marks=[pytest.mark.torch, pytest.mark.slow]),
    pytest.param("forked", marks=pytest.mark.torch),
    pytest.param("container", marks=[pytest.mark.docker, pytest.mark.slow]),
]


def test_every_sandbox_is_put_to_the_contract() -> None:
    tried = {str(param.values[0]) for param in WORKERS}
    assert set(SANDBOXES) - {"auto", "none"} <= tried  # one of these, and a process without its walls


@pytest.fixture(params=WORKERS)
def sandbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "container":
        monkeypatch.setenv("AUDACITORCH_IMAGE", built_image())
    return str(request.param)


def plan_for(name: str, **changes: Any) -> Plan:
    plan = Plan(
        str(REPOS / name / "model.pt"), "waveform-to-waveform", 44100, False, seconds=60.0, memory_bytes=1 << 30
    )
    return replace(plan, passes=(PlannedPass("length", "noise", 2048),), **changes)


def conversation(sandbox: str, scratch: Path, plan: Plan, blocks: int = 0) -> List[Event]:
    """Everything that a worker says to ``plan``, each event valid against the schema."""
    events: List[Event] = []
    start = worker_starter("process", many=True) if sandbox == "forked" else worker_starter(sandbox)
    with start(str(scratch), plan.model) as worker:
        worker.begin(plan)
        for _ in range(blocks):
            worker.send_block(np.zeros((2, 100), np.float32), 0.0, 44100, 60.0)
        if blocks:
            worker._send(b"\n")
        for event in worker.events():
            described = json.loads(json.dumps({"event": event.kind, **asdict(replace(event))}, default=list))
            described.pop("payloads", None)
            jsonschema.validate(described, SCHEMA)
            events.append(event)
        assert worker.wait() == 0
    return [event for event in events if not isinstance(event, Ended)]


def kinds(events: List[Event]) -> List[type]:
    return [type(event) for event in events]


def test_a_trial(sandbox: str, tmp_path: Path) -> None:
    events = conversation(sandbox, tmp_path, plan_for("good-effect"))
    assert kinds(events)[:6] == [Ready, Walls, Loaded, Operators, Begin, Passed]
    assert kinds(events)[-1] is Done
    ready = events[0]
    assert isinstance(ready, Ready)
    assert ready.protocol == PROTOCOL_VERSION
    assert ready.sandbox["threads_without_walls"] == 0


def test_a_model_that_does_not_load(sandbox: str, tmp_path: Path) -> None:
    events = conversation(sandbox, tmp_path, plan_for("model-cut-in-half"))
    assert kinds(events) == [Ready, Walls, LoadFailed, Done]


def test_real_audio(sandbox: str, tmp_path: Path) -> None:
    events = conversation(sandbox, tmp_path, plan_for("good-effect", task="render"), blocks=2)
    assert kinds(events) == [Ready, Walls, Loaded, Operators, Block, Block, Done]
    block = events[4]
    assert isinstance(block, Block)
    assert [tensor.shape for tensor in block.tensors] == [(1, 100)]
    assert [len(payload) for payload in block.payloads] == [400]


def test_a_block_that_fails(sandbox: str, tmp_path: Path) -> None:
    block = conversation(sandbox, tmp_path, plan_for("always-raises", task="render"), blocks=1)[4]
    assert isinstance(block, Block)
    assert block.failure is not None
    assert [tensor.shape for tensor in block.tensors] == [(1, 100)]
    assert block.payloads == (bytes(400),)


def test_a_block_that_ends_a_label_track(sandbox: str, tmp_path: Path) -> None:
    plan = plan_for("always-raises", task="render", effect_type="waveform-to-labels")
    block = conversation(sandbox, tmp_path, plan, blocks=1)[4]
    assert isinstance(block, Block)
    assert block.failure is not None
    assert (block.tensors, block.payloads) == ((), ())
