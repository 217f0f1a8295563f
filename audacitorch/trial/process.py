"""The worker as a process of this machine, which locks itself down before it loads the model."""

from __future__ import annotations

import importlib.util
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import List, Optional

from audacitorch.trial.link import OutOfTime, TrialUnavailable, Worker
from audacitorch.version import TORCH_VERSION

__all__ = ["OutOfTime", "TrialUnavailable", "WorkerProcess", "torch_python", "worker_environment"]

_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from audacitorch.trial.worker import main; main()"
_GRACE_SECONDS = 10.0


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


def worker_command(python: str) -> List[str]:
    """What starts the worker's program under ``python``, whatever that has installed beside Torch."""
    return [python, "-I", "-c", _PROGRAM, _PACKAGE_ROOT]


def worker_environment(home: str) -> dict[str, str]:
    """All that a worker's environment holds: no token, no setting of the user's, nothing that would change a result."""
    told = {"LANG": "C.UTF-8", "HOME": home, "CUDA_VISIBLE_DEVICES": "", "PYTHONDONTWRITEBYTECODE": "1"}
    if "AUDACITORCH_CONTAINER" in os.environ:  # for the report: see audacitorch.trial.surroundings
        told["AUDACITORCH_CONTAINER"] = "1"
    return told


class WorkerProcess(Worker):
    """A worker in a session and an environment of its own. It imports torch as soon as it is started."""

    def __init__(self, command: List[str], scratch: str) -> None:
        """Start ``command`` with ``scratch`` as its working folder.

        Raises:
            TrialUnavailable: the program can't be started.
        """
        super().__init__()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=scratch,
                env=worker_environment(scratch),
                start_new_session=True,
            )
        except OSError as error:
            raise TrialUnavailable(f"{command[0]} can't be started: {error.strerror}") from error
        self._ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self._selector = selectors.DefaultSelector()
        for stream in (self._process.stdout, self._process.stderr):
            self._selector.register(stream, selectors.EVENT_READ)  # type: ignore[arg-type]

    @classmethod
    def in_process_sandbox(cls, python: str, scratch: str) -> WorkerProcess:
        """A worker under another (or this) Python, which locks itself down before it loads the model."""
        return cls(worker_command(python), scratch)

    def send(self, data: bytes) -> None:
        """Write to the worker; a worker that has ended already says so through :meth:`events`."""
        stream = self._process.stdin
        if stream is None or stream.closed:
            return
        with suppress(BrokenPipeError):
            stream.write(data)
            stream.flush()

    def _read(self, seconds: Optional[float]) -> Optional[bytes]:
        if not self._selector.get_map():
            return None
        ready = self._selector.select(seconds)
        if not ready:
            raise TimeoutError
        output = b""
        for key, _ in ready:
            chunk = os.read(key.fd, 1 << 20)
            if not chunk:
                self._selector.unregister(key.fileobj)
            elif key.fileobj is self._process.stdout:
                output = chunk
            else:
                self._keep_stderr(chunk)
        return output

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
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]

    def _reap(self, options: int) -> bool:
        """Take the exit status and the peak memory if the worker has ended."""
        pid, status, usage = os.wait4(self._process.pid, options)
        if pid == 0:
            return False
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if usage.ru_maxrss > self._ours:  # the account of a new process begins with what its parent held
            self.peak_memory_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return True
