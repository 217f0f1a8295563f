"""The protocol between this program and a worker, in a process or a container: one plan in, events out, as JSON lines.

The worker writes each event as soon as it happens, so an abort loses nothing that came before it. Everybody who talks
to a worker, or is one, uses these types: the trial, ``audacitorch run``, the container's supervisor. The same is
written down for workers in other languages in ``data/worker.schema.json``, which a test compares with the types.

Order of events: ``ready``; after the plan ``walls``; ``loaded`` or ``load-failed``; for a trial ``operators``, then
``begin`` and ``pass`` in pairs with what they show in between; for rendering one ``block`` for each block; ``done``. A
plan that ``listens`` has its blocks after that.
An event with ``payload_bytes`` is followed by that many raw bytes for each number. No torch here.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any, BinaryIO, ClassVar, Mapping, Optional, Sequence, Tuple, Type, Union

from audacitorch.errors import AudacitorchError
from audacitorch.trial.observations import Failure, Pass

#: Grows with every change of the plan or of an event.
PROTOCOL_VERSION = 5
#: What PyTorch and the C++ runtime write when memory runs out: in an exception's text, or on standard error.
OUT_OF_MEMORY_SIGNS = (
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "Cannot allocate memory",
    "Thread creation failed",
)
#: Raw data; a view is not copied on its way.
Bytes = Union[bytes, memoryview]
_LONGEST_MESSAGE = 20_000


class TrialUnavailable(AudacitorchError):
    """The model could not be run for a reason that lies with this machine or with us, never with the model."""

    exit_status = 3


class HiddenCode(AudacitorchError):
    """The model holds code that its archive does not show: it is not rendered with."""

    exit_status = 1


class OutOfTime(Exception):
    """The worker exceeded its deadline and was ended."""


@dataclass(frozen=True)
class Event:
    """The base of all events; ``kind`` is the JSON member ``event``."""

    kind: ClassVar[str]


@dataclass(frozen=True)
class Ready(Event):
    """The worker has imported Torch and waits for its plan; ``sandbox`` says which walls are up by now."""

    kind = "ready"
    torch: str
    protocol: int
    sandbox: Mapping[str, Any]


@dataclass(frozen=True)
class Refused(Event):
    """The worker does not go on, for a reason that lies with this machine: the walls can't be put up, for one."""

    kind = "refused"
    reason: str


@dataclass(frozen=True)
class Walls(Event):
    """The plan was read and its limits are in force: from here on the plan's time counts."""

    kind = "walls"
    sandbox: Mapping[str, Any]
    peak_memory_bytes: int


@dataclass(frozen=True)
class Loaded(Event):
    """``torch.jit.load`` returned."""

    kind = "loaded"
    seconds: float
    peak_memory_bytes: int


@dataclass(frozen=True)
class LoadFailed(Event):
    """``torch.jit.load`` raised."""

    kind = "load-failed"
    failure: Failure


@dataclass(frozen=True)
class Begin(Event):
    """A forward pass begins; ``input`` has neither output nor failure yet."""

    kind = "begin"
    input: Pass


@dataclass(frozen=True)
class Passed(Event):
    """A forward pass returned or raised."""

    kind = "pass"
    done: Pass


@dataclass(frozen=True)
class LeftOut(Event):
    """Something that was planned was not done."""

    kind = "left-out"
    what: str
    why: str


@dataclass(frozen=True)
class Operators(Event):
    """What Torch compiled, asked after the load: calls by operator name, and in how many functions.

    ``hidden`` are those that the plan does not name. With any of them no pass is run.
    """

    kind = "operators"
    calls: Mapping[str, int]
    functions: int
    hidden: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured(Event):
    """Results of comparing passes, as they become known; the fields are those of :class:`Trial`, None: not this one."""

    kind = "measured"
    minimum_samples: Optional[int] = None
    multiple_samples: Optional[int] = None
    repeat_difference_db: Optional[float] = None
    seam_db: Optional[float] = None
    seam_labels: Optional[int] = None
    latency_samples: Optional[int] = None
    kept_bytes: Optional[int] = None
    ignores_input: Optional[bool] = None


@dataclass(frozen=True)
class TensorForm:
    """Dtype and shape of a tensor whose bytes follow."""

    dtype: str
    shape: Tuple[int, ...]


@dataclass(frozen=True)
class Block(Event):
    """What the host goes on with after one block of real audio; ``payloads`` are the bytes of ``tensors``, C order.

    With a ``failure`` and tensors, the tensors are what the host puts in place of a result; with a ``failure`` alone,
    it gives up the track.
    """

    kind = "block"
    seconds: float
    failure: Optional[Failure] = None
    tensors: Tuple[TensorForm, ...] = ()
    payloads: Tuple[Bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Done(Event):
    """The plan was carried out."""

    kind = "done"
    seconds: float
    peak_memory_bytes: int


@dataclass(frozen=True)
class Ended(Event):
    """The supervisor's own event, after all of the worker's: its exit status, negative for a signal."""

    kind = "ended"
    status: int
    peak_memory_bytes: int


EVENTS: Mapping[str, Type[Event]] = MappingProxyType(
    {
        event.kind: event
        for event in (
            Ready, Refused, Walls, Loaded, LoadFailed, Operators, Begin, Passed, LeftOut, Measured, Block, Done, Ended
        )
    }
)  # fmt: skip


def describe_failure(error: BaseException) -> Failure:
    """An exception as a value, its middle cut out where it is very long."""
    message = str(error).encode("utf-8", "backslashreplace").decode()
    memory = isinstance(error, MemoryError) or any(sign in message for sign in OUT_OF_MEMORY_SIGNS)
    if len(message) > _LONGEST_MESSAGE:
        half = _LONGEST_MESSAGE // 2
        message = f"{message[:half]}\n… {len(message) - 2 * half} characters …\n{message[-half:]}"
    return Failure(type(error).__name__, message, memory)


class EventWriter:
    """Writes events: one JSON object a line, flushed at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def emit(self, event: Event) -> None:
        """Write one event, and its payloads behind it."""
        payloads: Sequence[Bytes] = ()
        if isinstance(event, Block):
            payloads, event = event.payloads, replace(event, payloads=())
        described = asdict(event)
        described.pop("payloads", None)
        if payloads:
            described["payload_bytes"] = [len(payload) for payload in payloads]
        line = json.dumps({"event": event.kind, **described}, allow_nan=False)
        self._file.write(line.encode() + b"\n")
        for payload in payloads:
            self._file.write(payload)
        self._file.flush()
