"""Workers that are forked from a process that has imported Torch: where many models are run, none costs an import.

:mod:`audacitorch.trial.parent` is that process. A killed worker costs its own model only, and a parent that is gone is
replaced with the next worker. All workers of one parent have the same address space layout, so a parent is replaced
from time to time as well.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
from contextlib import suppress
from functools import cache
from typing import IO, List, Optional

from audacitorch.trial.child import WorkerLost, WorkerProcess, program_command, worker_environment
from audacitorch.trial.process import Worker
from audacitorch.trial.protocol import TrialUnavailable

#: Workers that a parent forks before another takes its place.
_WORKERS_PER_PARENT = 200
_LONGEST_MESSAGE = 1 << 16
#: Seconds for a parent, which does nothing but wait, to end a worker or itself.
_ANSWER_SECONDS = 30.0


class ForkedProcess(WorkerProcess):
    """A forked worker: its parent reaps it, and tells its number and its end through ``control``."""

    def __init__(self, control: socket.socket, log: IO[bytes], *streams: IO[bytes]) -> None:
        super().__init__(*streams)
        self._control, self._log = control, log
        self._pid: Optional[int] = None

    @property
    def pid(self) -> int:
        """The process's number, as soon as the parent has forked it."""
        while self._pid is None:
            self._receive(_ANSWER_SECONDS)
        return self._pid

    def reap(self, wait: bool) -> bool:
        """Take the exit status and the peak memory if the process has ended, or when it has.

        Raises:
            WorkerLost: the parent is gone.
        """
        while self.returncode is None:
            try:
                self._receive(_ANSWER_SECONDS if wait else 0.0)
            except (BlockingIOError, socket.timeout):
                return False
        return True

    def kill(self) -> None:
        """Have the parent end the process and its whole session, and reap it."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
        try:
            self.reap(wait=True)
        finally:
            self._control.close()

    def _receive(self, seconds: float) -> None:
        self._control.settimeout(seconds)
        try:
            message = self._control.recv(_LONGEST_MESSAGE)
        except ConnectionError:
            message = b""
        if not message:
            self._control.close()
            self.returncode = -signal.SIGKILL
            raise WorkerLost(_parent_ended(self._log))
        told = json.loads(message)
        if "pid" in told:
            self._pid = told["pid"]
        else:
            self.returncode, self.peak_memory_bytes = told["status"], told["peak_memory_bytes"]
            self._control.close()


class WorkerParent:
    """A process that forks workers, started with the first one and replaced when it has ended. Threads may share it."""

    def __init__(self, python: str) -> None:
        self._python = python
        self._lock = threading.Lock()
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._forked = 0

    @property
    def pid(self) -> Optional[int]:
        """The process's number, while there is one."""
        return None if self._process is None else self._process.pid

    def fork(self, scratch: str, model: str, walls: bool = True) -> Worker:
        """A worker with ``scratch`` as its working folder, which will be able to read ``model`` only.

        Raises:
            TrialUnavailable: no process can be started here.
        """
        request = json.dumps({"folder": scratch, "model": os.path.abspath(model), "walls": walls}).encode()
        with self._lock:
            try:
                if self._process is None or self._process.poll() is not None or self._forked >= _WORKERS_PER_PARENT:
                    self._replace()
                with suppress(ConnectionError):
                    return Worker(self._forked_process(request))
                self._replace()  # it has ended since
                with suppress(ConnectionError):
                    return Worker(self._forked_process(request))
            except OSError as error:
                raise TrialUnavailable(f"No worker can be started: {error.strerror or error}.") from error
            raise TrialUnavailable(_parent_ended(self._log))

    def close(self) -> None:
        """End the process, and with it what it forked."""
        with self._lock:
            process = self._leave()
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_ANSWER_SECONDS)
            process.kill()
            process.wait()

    def _replace(self) -> None:
        before = self._leave()
        if before is not None:  # it ends with its last worker
            threading.Thread(target=before.wait, daemon=True).start()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # its workers read it as long as they are
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                program_command(self._python, "parent"),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                cwd="/",
                env=worker_environment("/"),
                start_new_session=True,
            )
        self._forked = 0

    def _leave(self) -> Optional[subprocess.Popen[bytes]]:
        """Send no more requests to the process."""
        process, self._process = self._process, None
        if process is not None:
            self._requests.close()
        return process

    def _forked_process(self, request: bytes) -> ForkedProcess:
        ours: List[int] = []
        theirs: List[int] = []
        control, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            for reads in (False, True, True):
                end, other = os.pipe() if reads else reversed(os.pipe())
                ours.append(end)
                theirs.append(other)
            socket.send_fds(self._requests, [request], [*theirs, its.fileno()])
        except BaseException:
            control.close()
            for descriptor in ours:
                os.close(descriptor)
            raise
        finally:
            its.close()
            for descriptor in theirs:
                os.close(descriptor)
        self._forked += 1
        streams = (os.fdopen(descriptor, mode) for descriptor, mode in zip(ours, ("wb", "rb", "rb")))
        return ForkedProcess(control, self._log, *streams)


@cache
def parent_of_workers(python: str) -> WorkerParent:
    """This process's own parent of workers under ``python``; it ends with this process."""
    parent = WorkerParent(python)
    atexit.register(parent.close)
    return parent


def _parent_ended(log: IO[bytes]) -> str:
    lines = os.pread(log.fileno(), _LONGEST_MESSAGE, 0).decode("utf-8", "replace").strip().splitlines()
    why = f": {lines[-1].rstrip('.')}" if lines else ""
    return f"The process that starts workers has ended{why}."
