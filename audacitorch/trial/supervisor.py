"""The first process of a container in which a worker runs: it ends the worker when its parent is gone.

A container outlives the program that started it, so this one watches: when its standard input ends (the engine closes
it when the program on the other side goes, however it goes), or when the worker has its plan and has not ended in
time, it kills the worker; and when the first process of a container ends, the kernel ends everything else in it.

Standard input is handed on to the worker. After all of the worker's events comes one of the supervisor's own:
:class:`audacitorch.trial.protocol.Ended`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Optional

from audacitorch.trial.child import worker_command, worker_environment
from audacitorch.trial.protocol import Ended, EventWriter

#: Where the model lies in the container.
MODEL = "/model/model.pt"
#: Without a plan for this long, the worker is not needed.
IDLE_SECONDS = 900.0
#: For starting and for writing events, on top of what the plan allows.
EXTRA_SECONDS = 150.0
_POLL_MILLISECONDS = 50
_HOME = "/tmp"  # noqa: S108  # the container's own


def main() -> None:
    """Run one worker, from standard input to standard output."""
    worker = subprocess.Popen(
        worker_command(sys.executable, MODEL),
        stdin=subprocess.PIPE,
        env=worker_environment(_HOME),
        bufsize=0,
        start_new_session=True,
    )
    _Relay(worker).run()
    _, status, usage = os.wait4(worker.pid, 0)
    with suppress(BrokenPipeError), os.fdopen(1, "wb", closefd=False) as output:
        EventWriter(output).emit(Ended(os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024))


class _Relay:
    """Hands standard input on to the worker until one of the two ends, or time is up.

    It never waits for the worker to read: a worker that is busy for ever must still end when the input does.
    """

    def __init__(self, worker: subprocess.Popen[bytes]) -> None:
        assert worker.stdin is not None
        self._worker, self._input = worker, worker.stdin.fileno()
        os.set_blocking(self._input, False)
        self._first_line = b""
        self._unsent = memoryview(b"")
        self._allowed: Optional[float] = None
        self._deadline = time.monotonic() + IDLE_SECONDS

    def run(self) -> None:
        """Return when the worker has ended, or has been ended."""
        while not self._has_ended():
            if time.monotonic() > self._deadline or not self._hand_on():
                os.kill(self._worker.pid, signal.SIGKILL)
                return

    def _has_ended(self) -> bool:
        """Whether the worker has ended; it is not reaped, as its memory use is read later."""
        return os.waitid(os.P_PID, self._worker.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _hand_on(self) -> bool:
        """Wait a little for data, and hand it on; False when standard input has ended."""
        poll = select.poll()
        poll.register(0, 0 if self._unsent else select.POLLIN)  # that it was closed is told in any case
        if self._unsent:
            poll.register(self._input, select.POLLOUT)
        events = dict(poll.poll(_POLL_MILLISECONDS))
        if events.get(0, 0) & select.POLLIN:
            data = os.read(0, 1 << 20)
            if not data:
                return False
            self._heed(data)
            self._unsent = memoryview(data)
        elif events.get(0, 0):
            return False
        try:
            self._unsent = self._unsent[os.write(self._input, self._unsent) if self._unsent else 0 :]
        except BlockingIOError:
            pass
        except BrokenPipeError:  # the worker has ended, or reads no more
            self._unsent = memoryview(b"")
        return True

    def _heed(self, data: bytes) -> None:
        """Read the time that the plan, the first line, allows, and begin to count anew with each piece."""
        if self._allowed is None:
            self._first_line += data
            if b"\n" in self._first_line:
                self._allowed = float(json.loads(self._first_line.partition(b"\n")[0])["seconds"]) + EXTRA_SECONDS
                self._first_line = b""
        if self._allowed is not None:
            self._deadline = time.monotonic() + self._allowed


if __name__ == "__main__":
    main()
