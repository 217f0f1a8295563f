"""The process of a worker and the pipes to it: how it is started, ended and reaped."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Dict, List, Optional, Sequence

from audacitorch.trial.protocol import TrialUnavailable

_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from audacitorch.trial.{module} import main; main()"


def program_command(python: str, module: str, *arguments: str) -> List[str]:
    """What runs ``main`` of a module of this package's ``trial`` under ``python``, apart from the user's settings."""
    return [python, "-I", "-c", _PROGRAM.format(module=module), _PACKAGE_ROOT, *arguments]


def worker_command(python: str, model: str, walls: bool = True) -> List[str]:
    """What starts the worker's program under ``python``; of the user's files it will be able to read ``model`` only."""
    return program_command(python, "worker", model, "walls" if walls else "open")


def worker_environment(home: str) -> Dict[str, str]:
    """All that a worker's environment holds: no token, no setting of the user's, nothing that would change a result."""
    held = {"LANG": "C.UTF-8", "HOME": home, "CUDA_VISIBLE_DEVICES": "", "PYTHONDONTWRITEBYTECODE": "1"}
    held["OMP_WAIT_POLICY"] = "PASSIVE"  # threads that wait for each other leave the cores to other programs
    if "AUDACITORCH_CONTAINER" in os.environ:  # for the report: see audacitorch.trial.sandbox.container_info
        held["AUDACITORCH_CONTAINER"] = "1"
    return held


class WorkerLost(TrialUnavailable):
    """The process that started the worker has ended, and the worker with it; another worker can be tried."""


class WorkerProcess:
    """A worker's process in a session of its own, with the pipes to its standard streams."""

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes]) -> None:
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        #: The exit status, negative for a signal; None until :meth:`reap` has seen the end.
        self.returncode: Optional[int] = None
        self.peak_memory_bytes: Optional[int] = None

    @property
    def pid(self) -> int:
        """The process's number."""
        raise NotImplementedError

    def reap(self, wait: bool) -> bool:
        """Take the exit status and the peak memory if the process has ended, or when it has.

        Raises:
            WorkerLost: nobody knows how it ended.
        """
        raise NotImplementedError

    def kill(self) -> None:
        """End the process and its whole session, and reap it."""
        raise NotImplementedError


class ChildProcess(WorkerProcess):
    """A fresh process, started from here."""

    def __init__(self, command: Sequence[str], folder: str, environment: Dict[str, str]) -> None:
        """Start ``command`` with ``folder`` as its working folder.

        Raises:
            TrialUnavailable: the program can't be started.
        """
        pipe = subprocess.PIPE
        try:
            self._popen = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=folder, env=environment, start_new_session=True
            )
        except OSError as error:
            raise TrialUnavailable(f"{command[0]} can't be started: {error.strerror}.") from error
        self._ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        streams = (self._popen.stdin, self._popen.stdout, self._popen.stderr)
        super().__init__(*streams)  # type: ignore[arg-type]  # all three are pipes

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._popen.pid

    def reap(self, wait: bool) -> bool:
        """Take the exit status and the peak memory if the process has ended, or when it has."""
        pid, status, usage = os.wait4(self.pid, 0 if wait else os.WNOHANG)
        if pid == 0:
            return False
        self._popen.returncode = self.returncode = os.waitstatus_to_exitcode(status)
        if usage.ru_maxrss > self._ours:  # the account of a new process begins with what its parent held
            self.peak_memory_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return True

    def kill(self) -> None:
        """End the process and its whole session, and reap it."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.reap(wait=True)
