"""A worker from outside: giving it a plan, reading its events, ending it whatever happens."""

from __future__ import annotations

import json
import signal
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Deque, Iterator, Optional

from audacitorch.hosts import TORCH_VERSION
from audacitorch.trial.child import ChildProcess, WorkerLost, WorkerProcess, worker_command, worker_environment
from audacitorch.trial.observations import MEMORY, SIGNAL, TIMEOUT
from audacitorch.trial.plan import Plan
from audacitorch.trial.protocol import (
    OUT_OF_MEMORY_SIGNS,
    PROTOCOL_VERSION,
    Bytes,
    Event,
    HiddenCode,
    Operators,
    OutOfTime,
    Ready,
    Refused,
    TrialUnavailable,
    Walls,
)
from audacitorch.trial.streams import EventReader, Streams

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: What a worker may take to start and to import torch, on a cold and busy machine; no model has run by then.
START_SECONDS = 120.0
_GRACE_SECONDS = 10.0


@dataclass(frozen=True)
class Ending:
    """How a worker ended that did not finish: ``kind`` is one of a trial's endings."""

    kind: str
    signal: Optional[str] = None
    reason: str = ""


class Worker:
    """One worker in a session of its own. A context manager: on the way out it and all that it started is gone.

    It imports torch as soon as it is started, and waits for its plan then.
    """

    def __init__(self, process: Optional[WorkerProcess] = None) -> None:
        """Talk to ``process``, or to the one that :meth:`attach` brings."""
        #: When :meth:`events` gives up, as ``time.monotonic`` counts; may be moved while events come.
        self.deadline = float("inf")
        self.peak_memory_bytes: Optional[int] = None
        self.ended_by_us = False
        self._process: Optional[WorkerProcess] = None
        self._streams: Optional[Streams] = None
        self._reader = EventReader()
        self._arrived: Deque[Event] = deque()
        self._plan: Optional[Plan] = None
        self._timed_out = False
        if process is not None:
            self.attach(process)

    @classmethod
    def in_process_sandbox(cls, python: str, scratch: str, model: str, walls: bool = True) -> Worker:
        """A worker under another (or this) Python, which puts up its own walls before it imports torch."""
        return cls(ChildProcess(worker_command(python, model, walls), scratch, worker_environment(scratch)))

    def attach(self, process: WorkerProcess) -> None:
        """Talk to ``process`` from now on."""
        self._process = process
        self._streams = Streams(process.stdin, process.stdout, process.stderr)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def begin(self, plan: Plan) -> None:
        """Give the worker its plan.

        Raises:
            TrialUnavailable: there is no worker to give it to, for a reason that is not the model's.
        """
        self._plan = plan
        self.deadline = time.monotonic() + START_SECONDS
        self._send(json.dumps(plan.to_json()).encode() + b"\n")

    def send_block(
        self, block: NDArray[Any], start: float, rate: int, seconds: float, track: Optional[int] = None
    ) -> None:
        """Hand over one block of audio, float32 (channels, samples); its event must come within ``seconds``.

        ``start`` is the block's in seconds of its track, ``rate`` the track's in Hz. ``block`` must not change until
        :meth:`flush` or the block's event: it is not copied. The number of its ``track`` allows to send the next block
        before this one's event is there: after a block on which the host gives up the track, no other of that track
        reaches the model.
        """
        self.deadline = time.monotonic() + seconds
        channels, samples = block.shape
        header = {"channels": channels, "samples": samples, "start": start, "rate": rate, "track": track}
        if self._streams is not None:
            self._streams.widen()
        self._send(json.dumps(header).encode() + b"\n", block.reshape(-1).data)

    def _send(self, *pieces: Bytes) -> None:
        """Write to the worker; a worker that has ended already says so through :meth:`events`."""
        if self._streams is not None:
            self._streams.send(*pieces)

    def flush(self) -> None:
        """Wait until all that was sent has reached the worker, or it has ended.

        Raises:
            OutOfTime, TrialUnavailable: as :meth:`events`.
        """
        while self._streams is not None and self._streams.unsent and self._receive():
            pass

    def events(self) -> Iterator[Event]:
        """The worker's events as they come, until it closes its output.

        Raises:
            OutOfTime: the deadline has passed; the worker is gone then.
            TrialUnavailable: the worker can't be used: another Torch than 1.9.0, no walls, or not an event at all.
        """
        while self._arrived or self._receive():
            while self._arrived:
                yield self._arrived.popleft()

    def _receive(self) -> bool:
        """Wait for events, and write meanwhile what is still to be sent; False when the output has ended."""
        if self._streams is None:
            return False
        left = self.deadline - time.monotonic()
        try:
            chunk = self._streams.read(None if left == float("inf") else max(0.0, left))
        except TimeoutError as error:
            self._timed_out = True
            self.kill()
            raise OutOfTime from error
        if chunk is None:
            return False
        for event in self._reader.feed(chunk):
            self._heed(event)
            self._arrived.append(event)
        return True

    def _heed(self, event: Event) -> None:
        """What every user of a worker must do with an event."""
        if isinstance(event, Refused):
            raise TrialUnavailable(event.reason)
        if isinstance(event, Ready):
            check_ready(event)
        elif isinstance(event, Operators) and event.hidden and self._plan and self._plan.task == "render":
            raise HiddenCode(f"Torch compiled operators that the archive's code does not show: {event.hidden[0]}.")
        elif isinstance(event, Walls) and self._plan is not None:
            self.deadline = time.monotonic() + self._plan.seconds

    @property
    def stderr(self) -> str:
        """What the worker wrote to standard error: its beginning and, where that was very long, its end."""
        return "" if self._streams is None else self._streams.stderr

    def last_words(self) -> str:
        """The last line of standard error, or the exit status."""
        lines = self.stderr.strip().splitlines()
        return lines[-1] if lines else f"exit status {self.wait()}"

    def wait(self) -> int:
        """The exit status once the worker's output has ended: negative for a signal, as in :mod:`subprocess`.

        Raises:
            TrialUnavailable: it did not end by itself, and not by us.
        """
        if self._process is None:
            raise TrialUnavailable("The worker was not started.")
        end = time.monotonic() + _GRACE_SECONDS
        while self._process.returncode is None:
            if time.monotonic() > end:
                self.kill()
            elif not self._reap():
                time.sleep(0.002)
        return self._process.returncode

    def ending(self) -> Ending:
        """Why the events ended before ``done``, where the model is the reason.

        Raises:
            TrialUnavailable: the model is not the reason.
        """
        if self._timed_out and self._plan is not None:
            return Ending(TIMEOUT, reason=f"not finished after {self._plan.seconds:g} s")
        status = self.wait()
        if any(sign in self.stderr for sign in OUT_OF_MEMORY_SIGNS):
            limit = self._plan.memory_bytes >> 20 if self._plan else 0
            return Ending(MEMORY, reason=f"it asked for more than {limit:,} MiB")
        if status >= 0:
            raise TrialUnavailable(f"The worker failed: {self.last_words()}.")
        if -status == signal.SIGKILL:
            return Ending(MEMORY, reason="it was ended by the system, as happens when memory runs out")
        return Ending(SIGNAL, signal=signal.Signals(-status).name)

    def kill(self) -> None:
        """End the worker and its whole session, and reap it; nothing happens when it has ended."""
        if self._process is None:
            return
        with suppress(WorkerLost):
            if self._process.returncode is None and not self._reap():
                self.ended_by_us = True
                self._process.kill()
                self._note_peak(self._process)
        if self._streams is not None:
            self._streams.close()

    def _reap(self) -> bool:
        assert self._process is not None
        ended = self._process.reap(wait=False)
        self._note_peak(self._process)
        return ended

    def _note_peak(self, process: WorkerProcess) -> None:
        self.peak_memory_bytes = self.peak_memory_bytes or process.peak_memory_bytes


def check_ready(event: Ready) -> None:
    """Refuse to judge a model by another PyTorch than the host's.

    Raises:
        TrialUnavailable: the worker has another PyTorch, or is of another version of this program.
    """
    if event.torch.split("+")[0] != TORCH_VERSION:
        raise TrialUnavailable(f"Models must be run by Torch {TORCH_VERSION}, and this is Torch {event.torch}.")
    if event.protocol != PROTOCOL_VERSION:
        raise TrialUnavailable(
            f"The worker speaks version {event.protocol} of the protocol, expected {PROTOCOL_VERSION}."
        )
