"""The worker seen from outside: starting it, giving it orders, reading what it tells, ending it whatever happens."""

from __future__ import annotations

import importlib.util
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any, Deque, Dict, Iterator, List, Optional, Tuple

from audacitorch.version import TORCH_VERSION

_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from audacitorch.trial.worker import main; main()"
_LONGEST_LINE = 16 << 20
_KEPT_OF_STDERR = 64 << 10
_GRACE_SECONDS = 10.0

Event = Tuple[Dict[str, Any], List[bytes]]


class TrialUnavailable(Exception):
    """The model could not be run for a reason that lies with this machine or with us, never with the model."""


class OutOfTime(Exception):
    """The worker outran its deadline and was ended."""


def torch_python() -> Optional[str]:
    """The Python that runs models: ``$AUDACITORCH_PYTHON``, or this one where it has Torch 1.9.0, or None.

    Torch is found without importing it; the worker's ``ready`` event tells its version for certain.
    """
    named = os.environ.get("AUDACITORCH_PYTHON")
    if named:
        return named
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    version = Path(spec.origin).with_name("version.py")
    return sys.executable if version.is_file() and f"'{TORCH_VERSION}" in version.read_text() else None


class WorkerProcess:
    """One worker, in a session and an environment of its own. It imports torch as soon as it is started.

    A context manager: on the way out the process and everything that it may have started is gone.
    """

    def __init__(self, command: List[str], scratch: str) -> None:
        """Start ``command`` with ``scratch`` as its working folder.

        Raises:
            TrialUnavailable: the program can't be started.
        """
        self._scratch = scratch
        environment = {"LANG": "C.UTF-8", "HOME": scratch, "CUDA_VISIBLE_DEVICES": "", "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=scratch,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise TrialUnavailable(f"{command[0]} can't be started: {error.strerror}") from error
        self._stderr_head = b""
        self._stderr_tail: Deque[bytes] = deque(maxlen=16)
        self._buffer = bytearray()
        #: When :meth:`events` gives up, as ``time.monotonic`` counts; may be moved while events come.
        self.deadline = float("inf")
        self.peak_memory_bytes: Optional[int] = None
        self.ended_by_us = False

    @classmethod
    def in_process_sandbox(cls, python: str, scratch: str) -> WorkerProcess:
        """A worker under another (or this) Python, which locks itself down before it loads the model."""
        return cls([python, "-I", "-c", _PROGRAM, _PACKAGE_ROOT], scratch)

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def send(self, data: bytes) -> None:
        """Write to the worker; a worker that has ended already says so through :meth:`events`."""
        stream = self._process.stdin
        if stream is None or stream.closed:
            return
        with suppress(BrokenPipeError):
            stream.write(data)
            stream.flush()

    def events(self) -> Iterator[Event]:
        """The worker's events with their payloads, as they come, until it closes its output.

        Raises:
            OutOfTime: the deadline has passed; the worker is gone then.
            TrialUnavailable: what came is not an event.
        """
        with selectors.DefaultSelector() as selector:
            for stream in (self._process.stdout, self._process.stderr):
                selector.register(stream, selectors.EVENT_READ)  # type: ignore[arg-type]
            while selector.get_map():
                chunk = self._read(selector)
                if chunk:
                    self._buffer += chunk
                    yield from _complete_events(self._buffer)

    def _read(self, selector: selectors.BaseSelector) -> bytes:
        """What came on standard output, keeping what came on standard error."""
        left = self.deadline - time.monotonic()
        ready = selector.select(timeout=None if left == float("inf") else max(0.0, left))
        if not ready:
            self.kill()
            raise OutOfTime
        output = b""
        for key, _ in ready:
            chunk = os.read(key.fd, 1 << 20)
            if not chunk:
                selector.unregister(key.fileobj)
            elif key.fileobj is self._process.stdout:
                output = chunk
            else:
                self._keep_stderr(chunk)
        return output

    def _keep_stderr(self, chunk: bytes) -> None:
        room = _KEPT_OF_STDERR - len(self._stderr_head)
        self._stderr_head += chunk[:room]
        if chunk[room:]:
            self._stderr_tail.append(chunk[room:][-4096:])

    @property
    def stderr(self) -> str:
        """What the worker wrote to standard error: its beginning and, where that was very long, its end."""
        return (self._stderr_head + b"".join(self._stderr_tail)).decode("utf-8", "replace")

    def wait(self) -> int:
        """The exit status once the worker's output has ended: negative for a signal, as in :mod:`subprocess`."""
        end = time.monotonic() + _GRACE_SECONDS
        while self._process.returncode is None:
            if time.monotonic() > end:
                self.kill()
            elif not self._reap(os.WNOHANG):
                time.sleep(0.002)
        return self._process.returncode

    def kill(self) -> None:
        """End the worker and its whole session, and take its remains; nothing happens when it has ended."""
        if self._process.returncode is None and not self._reap(os.WNOHANG):
            self.ended_by_us = True
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._reap(0)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]

    def _reap(self, options: int) -> bool:
        """Take the exit status and the peak memory if the worker has ended."""
        pid, status, usage = os.wait4(self._process.pid, options)
        if pid == 0:
            return False
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.peak_memory_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return True


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
