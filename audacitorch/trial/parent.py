"""The program from which workers are forked: it has imported Torch, and computes nothing.

:mod:`audacitorch.trial.forked` starts it, with a socket as its standard input. Each request there brings the worker's
three pipes and a socket of its own. The parent forks; the child leaves the session, closes everything else, and goes
on as :func:`audacitorch.trial.worker.run`, which puts up the walls as it does in a fresh process. The parent runs no
model and opens no file of one, so a worker finds nothing of the models before it: no memory, no descriptor, no seed,
no compiled code. Its environment is a worker's.

It ends a worker when the other end of that worker's socket closes, and tells through it how the worker ended; it ends
itself when nobody can ask any more and no worker is left.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from contextlib import suppress
from functools import partial
from typing import Any, Dict, List, Mapping, NoReturn

from audacitorch.trial import sandbox, worker

_LONGEST_MESSAGE = 1 << 16
_DESCRIPTORS = 4


def main() -> None:
    """Import Torch, and fork a worker for each request."""
    import torch  # noqa: F401

    from audacitorch.trial import passes  # noqa: F401  # what every worker imports

    gc.collect()
    gc.freeze()  # a worker that collects garbage copies no page for it
    _Parent(socket.socket(fileno=0)).serve()


class _Parent:
    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._pid = os.getpid()
        self._asked = True
        self._workers: Dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._torch_file_bytes = sandbox.MemoryGauge().read("RssFile")

    def serve(self) -> None:
        """Fork, end and reap workers."""
        self._selector.register(self._woken, selectors.EVENT_READ, self._reap)
        self._selector.register(self._requests, selectors.EVENT_READ, self._answer)
        while self._asked or self._workers:
            for key, _ in self._selector.select():
                key.data()

    def _answer(self) -> None:
        data, descriptors, _, _ = socket.recv_fds(self._requests, _LONGEST_MESSAGE, _DESCRIPTORS)
        if not data:
            self._asked = False
            self._selector.unregister(self._requests)
            return
        control = socket.socket(fileno=descriptors.pop())
        try:
            pid = os.fork()
        except OSError as error:  # no process or memory left: the other side sees its socket close
            print(f"A worker can't be forked: {error.strerror}", file=sys.stderr, flush=True)
            control.close()
        else:
            if pid == 0:
                self._become_worker(json.loads(data), descriptors)
            self._workers[pid] = control
            self._selector.register(control, selectors.EVENT_READ, partial(self._kill, pid))
            _tell(control, {"pid": pid})
        for descriptor in descriptors:
            os.close(descriptor)

    def _become_worker(self, request: Mapping[str, Any], descriptors: List[int]) -> NoReturn:
        """The child: leave everything of the parent's behind. It never returns, whatever happens."""
        try:
            sandbox.die_with_parent()
            if os.getppid() != self._pid:
                os._exit(1)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            for target, descriptor in enumerate(descriptors):
                os.dup2(descriptor, target)
            os.closerange(3, max(map(int, os.listdir("/proc/self/fd"))) + 1)
            os.chdir(request["folder"])
            os.environ["HOME"] = request["folder"]
            worker.run(request["model"], request["walls"], self._torch_file_bytes)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)

    def _kill(self, pid: int) -> None:
        """End a worker that nobody waits for any more. Until it is reaped, its number is its own."""
        self._selector.unregister(self._workers[pid])
        for kill in (os.killpg, os.kill):  # it may not have its session yet
            with suppress(ProcessLookupError):
                kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._woken, _LONGEST_MESSAGE)
        for pid in list(self._workers):
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                control = self._workers.pop(pid)
                with suppress(KeyError):
                    self._selector.unregister(control)
                peak = usage.ru_maxrss * 1024
                _tell(control, {"status": os.waitstatus_to_exitcode(status), "peak_memory_bytes": peak})
                control.close()


def _tell(control: socket.socket, message: Mapping[str, int]) -> None:
    with suppress(OSError):  # nobody asks any more
        control.send(json.dumps(message).encode())
