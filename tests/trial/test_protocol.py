"""The protocol: its types and its schema agree, events survive any way of being cut up, and nonsense is refused."""

from __future__ import annotations

import io
import json
from typing import Any, List

import jsonschema
import pytest

from audacitorch.facts import decode
from audacitorch.trial.observations import Failure, Output, Pass, TensorFacts, TimestampFacts
from audacitorch.trial.plan import Plan, standard_passes
from audacitorch.trial.protocol import (
    EVENTS,
    Begin,
    Block,
    Done,
    Ended,
    Event,
    EventWriter,
    LeftOut,
    Loaded,
    LoadFailed,
    Measured,
    Operators,
    Passed,
    Ready,
    Refused,
    TensorForm,
    TrialUnavailable,
    Walls,
    describe_failure,
)
from audacitorch.trial.streams import EventReader

from .worker_schema import FILE, schema, text

OUTPUT = Output(
    "tuple", (TensorFacts("float32", (2, 3), 1, 0, -1.0, 1.0, 0.0, 0.5),), TimestampFacts(0, 0, 1, 2.0, 1.5)
)
BEGUN = Pass("length", "noise", 1, 2048, 2048, 1, 0.5)
EXAMPLES: List[Event] = [
    Ready("1.9.0", 2, {"landlock": 7}),
    Refused("This machine has no seccomp."),
    Walls({"rlimits": {"AS": 1}}, 1),
    Loaded(0.5, 7),
    LoadFailed(Failure("RuntimeError", "no\nmore")),
    Operators({"aten::mul": 2}, 1),
    Begin(BEGUN),
    Passed(Pass("length", "noise", 1, 2048, 2048, 1, 0.5, 0.1, output=OUTPUT)),
    LeftOut("stereo", "time"),
    Measured(minimum_samples=1, seam_db=-60),
    Block(0.1, tensors=(TensorForm("uint8", (3,)), TensorForm("uint8", (0,))), payloads=(b"{\n}", b"")),
    Done(1.0, 2),
    Ended(-6, 3),
]


def written(*events: Event) -> bytes:
    file = io.BytesIO()
    for event in events:
        EventWriter(file).emit(event)
    return file.getvalue()


def test_there_is_an_example_of_every_event() -> None:
    assert {type(event) for event in EXAMPLES} == set(EVENTS.values())


def test_the_schema_that_is_shipped_is_that_of_the_types() -> None:
    """``python -m tests.trial.worker_schema`` writes it."""
    assert FILE.read_text(encoding="utf-8") == text()


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.kind)
def test_every_event_fits_the_schema_and_comes_back_as_it_was(event: Event) -> None:
    data = written(event)
    jsonschema.validate(json.loads(data.split(b"\n")[0]), schema())
    assert list(EventReader().feed(data)) == [event]


def test_events_come_in_any_pieces() -> None:
    data, reader, got = written(*EXAMPLES), EventReader(), []
    for byte in data:
        got += list(reader.feed(bytes([byte])))
    assert got == EXAMPLES


def test_a_plan_fits_the_schema_and_comes_back_as_it_was() -> None:
    plan = Plan("model.pt", "waveform-to-waveform", 44100, True, passes=standard_passes(True))
    sent = json.loads(json.dumps(plan.to_json()))
    jsonschema.validate(sent, {**schema(), "oneOf": [{"$ref": "#/$defs/Plan"}]})
    assert decode(Plan, sent, "plan") == plan


@pytest.mark.parametrize(
    "line",
    [
        b"hello\n",
        b"[]\n",
        b'"ready"\n',
        b"{}\n",
        b'{"event": "surprise"}\n',
        b'{"event": ["ready"]}\n',
        b'{"event": "loaded", "seconds": "1", "peak_memory_bytes": 1}\n',
        b'{"event": "loaded", "seconds": 1}\n',
        b'{"event": "loaded", "seconds": 1, "peak_memory_bytes": 1, "more": 1}\n',
        b'{"event": "loaded", "seconds": 1, "peak_memory_bytes": true}\n',
        b'{"event": "pass", "done": {"purpose": 1}}\n',
        b'{"event": "block", "seconds": 1, "payload_bytes": "3"}\n',
        b"\xff\n",
    ],
)
def test_what_is_not_an_event_of_this_protocol_is_refused(line: bytes) -> None:
    with pytest.raises(TrialUnavailable):
        list(EventReader().feed(line))


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(TrialUnavailable, match="exceeds the limit"):
        list(EventReader().feed(b"x" * (17 << 20)))


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes."), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("shape '[7]' is invalid"), False),
    ],
)
def test_lack_of_memory_is_known_by_its_signs(error: Exception, memory: bool) -> None:
    assert describe_failure(error).memory is memory


def test_a_very_long_message_keeps_its_ends() -> None:
    message = describe_failure(RuntimeError("a" * 50_000 + "z" * 50_000)).message
    assert len(message) < 21_000
    assert (message[0], message[-1]) == ("a", "z")


def test_a_message_that_is_not_unicode_can_be_written() -> None:
    sent: Any = LoadFailed(describe_failure(RuntimeError("\ud800")))
    assert list(EventReader().feed(written(sent))) == [sent]
