"""What goes between this program and a worker: data in, and events out, so that neither side waits for the other."""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import sys
from collections import deque
from contextlib import suppress
from typing import IO, Any, Deque, Dict, Iterator, List, Optional, Tuple

from audacitorch.facts import Undecodable, decode
from audacitorch.trial.protocol import EVENTS, Bytes, Event, TrialUnavailable

_KEPT_OF_STDERR = 64 << 10
_LONGEST_LINE = 16 << 20
#: The largest pipe that a user may have without privileges, on Linux.
_WIDE = 1 << 20
_F_SETPIPE_SZ = 1031  # Python 3.10 names it


class Streams:
    """Writes to a process's standard input, and reads its standard output and error, from one thread.

    What does not fit into the pipe is kept, not copied, and written by later calls of :meth:`read`.
    """

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes]) -> None:
        """Our ends of three pipes."""
        self._input, self._output, self._errors = stdin, stdout, stderr
        self._selector = selectors.DefaultSelector()
        self._unsent: Deque[memoryview] = deque()
        self._chunk = bytearray(_WIDE)
        self._stderr_head = b""
        self._stderr_tail: Deque[bytes] = deque(maxlen=16)
        os.set_blocking(self._input.fileno(), False)
        for stream in (self._output, self._errors):
            self._selector.register(stream, selectors.EVENT_READ)

    def widen(self) -> None:
        """Make the pipes as large as the system allows: for audio, not for a few lines."""
        if sys.platform == "linux":
            for stream in (self._input, self._output):
                with suppress(OSError):
                    fcntl.fcntl(stream, _F_SETPIPE_SZ, _WIDE)

    @property
    def unsent(self) -> bool:
        """Whether data waits to be written."""
        return bool(self._unsent)

    def send(self, *pieces: Bytes) -> None:
        """Write ``pieces``, which must not change until they are sent. Nothing happens when the process has ended."""
        if self._input.closed:
            return
        self._unsent += (memoryview(piece).cast("B") for piece in pieces if len(piece))
        self._write()

    def _write(self) -> None:
        """Write what fits into the pipe."""
        try:
            while self._unsent:
                written = os.writev(self._input.fileno(), list(self._unsent)[:8])
                while self._unsent and written >= len(self._unsent[0]):
                    written -= len(self._unsent.popleft())
                if written:
                    self._unsent[0] = self._unsent[0][written:]
        except BlockingIOError:
            with suppress(KeyError):
                self._selector.register(self._input, selectors.EVENT_WRITE)
            return
        except BrokenPipeError:
            self._unsent.clear()
        with suppress(KeyError):
            self._selector.unregister(self._input)

    def read(self, seconds: Optional[float]) -> Optional[memoryview]:
        """What came on standard output, maybe nothing, good until the next call; None when it has ended.

        Raises:
            TimeoutError: nothing came, and nothing could be written, within ``seconds``.
        """
        if self._output.closed or not self._selector.get_map().keys() - {self._input.fileno()}:
            return None
        ready = self._selector.select(seconds)
        if not ready:
            raise TimeoutError
        length = 0
        for key, _ in ready:
            if key.fileobj is self._input:
                self._write()
            elif key.fileobj is self._output:
                length = os.readv(key.fd, [self._chunk])
                self._forget_if_ended(key.fileobj, length)
            else:
                data = os.read(key.fd, _KEPT_OF_STDERR)
                self._keep_stderr(data)
                self._forget_if_ended(key.fileobj, len(data))
        return memoryview(self._chunk)[:length]

    def _forget_if_ended(self, stream: Any, length: int) -> None:
        if length == 0:
            self._selector.unregister(stream)

    def _keep_stderr(self, data: bytes) -> None:
        room = _KEPT_OF_STDERR - len(self._stderr_head)
        self._stderr_head += data[:room]
        if data[room:]:
            self._stderr_tail.append(data[room:][-4096:])

    @property
    def stderr(self) -> str:
        """What the process wrote to standard error: its beginning and, where that was very long, its end."""
        return (self._stderr_head + b"".join(self._stderr_tail)).decode("utf-8", "replace")

    def close(self) -> None:
        """Close all three."""
        self._unsent.clear()
        self._selector.close()
        for stream in (self._input, self._output, self._errors):
            with suppress(BrokenPipeError):
                stream.close()


class EventReader:
    """Events out of the bytes that a worker writes, in whatever pieces they come."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        #: The event whose payloads are not there yet, and their sizes.
        self._begun: Optional[Tuple[Dict[str, Any], Tuple[int, ...]]] = None

    def feed(self, data: Bytes) -> Iterator[Event]:
        """Every event that is complete with ``data``.

        Raises:
            TrialUnavailable: what came is not an event of this protocol.
        """
        self._buffer += data
        while self._begun is not None or self._begin():
            assert self._begun is not None
            described, sizes = self._begun
            if len(self._buffer) < sum(sizes):
                return
            payloads: List[bytes] = []
            for size in sizes:
                payloads.append(bytes(memoryview(self._buffer)[:size]))
                del self._buffer[:size]
            self._begun = None
            yield _event(described, tuple(payloads))

    def _begin(self) -> bool:
        """Take the next event's line from the buffer; False where it is not whole."""
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > _LONGEST_LINE:
                raise TrialUnavailable("The worker wrote a line that exceeds the limit.")
            return False
        described = _parsed(bytes(self._buffer[:end]))
        sizes = _decoded(Tuple[int, ...], described.pop("payload_bytes", []), "payload_bytes")
        if min(sizes, default=0) < 0:
            raise TrialUnavailable("The worker announced a payload of less than 0 bytes.")
        del self._buffer[: end + 1]
        self._begun = described, sizes
        return True


def _parsed(line: bytes) -> Dict[str, Any]:
    try:
        described = json.loads(line)
    except (ValueError, RecursionError):
        described = None
    if not isinstance(described, dict):
        raise TrialUnavailable(f"The worker wrote something that is not an event: {line[:80]!r}.")
    return described


def _event(described: Dict[str, Any], payloads: Tuple[bytes, ...]) -> Event:
    kind = described.pop("event", None)
    if not isinstance(kind, str) or kind not in EVENTS:
        raise TrialUnavailable(f"The worker wrote an event that this version does not know: {str(kind)[:80]!r}.")
    if payloads:
        described["payloads"] = payloads
    event: Event = _decoded(EVENTS[kind], described, kind)
    return event


def _decoded(kind: Any, value: Any, where: str) -> Any:
    try:
        return decode(kind, value, where)
    except Undecodable as error:
        raise TrialUnavailable(f"The worker and this program speak different protocols: {error}.") from error
