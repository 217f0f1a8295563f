"""A worker seen from outside, wherever it runs: giving it orders, reading what it tells, ending it whatever happens."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import Any, Deque, Dict, Iterator, List, Optional, Tuple

from audacitorch.errors import AudacitorchError
from audacitorch.trial.plan import Plan

_LONGEST_LINE = 16 << 20
_KEPT_OF_STDERR = 64 << 10

Event = Tuple[Dict[str, Any], List[bytes]]


class TrialUnavailable(AudacitorchError):
    """The model could not be run for a reason that lies with this machine or with us, never with the model."""

    exit_status = 3


class OutOfTime(Exception):
    """The worker outran its deadline and was ended."""


class Worker(ABC):
    """One worker. A context manager: on the way out it and everything that it may have started is gone."""

    def __init__(self) -> None:
        self._stderr_head = b""
        self._stderr_tail: Deque[bytes] = deque(maxlen=16)
        self._buffer = bytearray()
        #: When :meth:`events` gives up, as ``time.monotonic`` counts; may be moved while events come.
        self.deadline = float("inf")
        self.peak_memory_bytes: Optional[int] = None
        self.ended_by_us = False

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def begin(self, plan: Plan) -> None:
        """Give the worker its orders.

        Raises:
            TrialUnavailable: there is no worker to give them to, for a reason that is not the model's.
        """
        self.send(json.dumps(plan.to_json()).encode() + b"\n")

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Write to the worker; a worker that has ended already says so through :meth:`events`."""

    @abstractmethod
    def wait(self) -> int:
        """The exit status once the worker's output has ended: negative for a signal, as in :mod:`subprocess`."""

    @abstractmethod
    def kill(self) -> None:
        """End the worker and all that it started, and take its remains; nothing happens when it has ended."""

    @abstractmethod
    def _read(self, seconds: Optional[float]) -> Optional[bytes]:
        """What came on standard output, maybe nothing; None when it has ended.

        What came on standard error goes to :meth:`_keep_stderr`.

        Raises:
            TimeoutError: nothing came on either for ``seconds``.
        """

    def events(self) -> Iterator[Event]:
        """The worker's events with their payloads, as they come, until it closes its output.

        Raises:
            OutOfTime: the deadline has passed; the worker is gone then.
            TrialUnavailable: what came is not an event.
        """
        while True:
            left = self.deadline - time.monotonic()
            try:
                chunk = self._read(None if left == float("inf") else max(0.0, left))
            except TimeoutError as error:
                self.kill()
                raise OutOfTime from error
            if chunk is None:
                return
            if chunk:
                self._buffer += chunk
                yield from _complete_events(self._buffer)

    def _keep_stderr(self, chunk: bytes) -> None:
        room = _KEPT_OF_STDERR - len(self._stderr_head)
        self._stderr_head += chunk[:room]
        if chunk[room:]:
            self._stderr_tail.append(chunk[room:][-4096:])

    @property
    def stderr(self) -> str:
        """What the worker wrote to standard error: its beginning and, where that was very long, its end."""
        return (self._stderr_head + b"".join(self._stderr_tail)).decode("utf-8", "replace")


def _complete_events(buffer: bytearray) -> Iterator[Event]:
    """Take every whole event off the front of ``buffer``."""
    while True:
        end = buffer.find(b"\n")
        if end < 0:
            if len(buffer) > _LONGEST_LINE:
                raise TrialUnavailable("the worker wrote a line without end")
            return
        try:
            event = json.loads(buffer[:end])
            sizes = event.get("payload_bytes", [])
        except (ValueError, AttributeError) as error:
            raise TrialUnavailable(f"the worker wrote what is no event: {bytes(buffer[:80])!r}") from error
        if len(buffer) < end + 1 + sum(sizes):
            return
        payloads, position = [], end + 1
        for size in sizes:
            payloads.append(bytes(buffer[position : position + size]))
            position += size
        del buffer[:position]
        yield event, payloads
