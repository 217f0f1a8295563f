"""Work in processes that can be ended: whatever a stranger's bytes do to one of them, the caller goes on.

A process does one call at a time. What it sends back is JSON, so that nothing of it is run here. It ends with its
parent, and with the processor time that its call may take.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Tuple

#: Modules that a new process should not have to import; none of them imports torch.
_PRELOADED = [
    "audacitorch.registry.examine",
    "audacitorch.archive",
    "audacitorch.repo.metadata_file",
    "audacitorch.report.model",
    "audacitorch.rules.runner",
]
_PR_SET_PDEATHSIG = 1
#: Seconds of processor time that a call gets on top of its limit, before the system ends it without us.
_GRACE = 10

Ask = Callable[[Any], bytes]


class Share(NamedTuple):
    """The part ``number`` (from 0) of ``of`` equal parts of a machine's cores."""

    number: int
    of: int


def take(share: Share) -> None:
    """Keep this thread, and the processes that it starts, to a share of the cores, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    mine = cores[share.number :: share.of] or [cores[share.number % len(cores)]]
    os.sched_setaffinity(0, mine)


class ProcessEnded(Exception):
    """The process of a call died, or was ended because its time was up; the message says which."""


class Worker:
    """A process for one call at a time; it starts with the first one.

    Args:
        share: the cores that it may use; None for all.
        memory_bytes: its address space; None for no limit.
    """

    def __init__(self, share: Optional[Share] = None, memory_bytes: Optional[int] = None) -> None:
        self._settings = (share, memory_bytes)
        self._process: Any = None
        self._pipe: Any = None

    def call(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        seconds: float,
        answer: Optional[Callable[[Any], bytes]] = None,
    ) -> Any:
        """What ``function(*arguments)`` returns in the process, as JSON.

        Args:
            seconds: how long it may take; the time that ``answer`` takes is not counted.
            answer: called here with each question of the function, which then has an argument more: the asking. What
                it raises ends the call.

        Raises:
            ProcessEnded: the process died or took too long. The next call has a new one.
        """
        self._start()
        left = seconds
        try:
            self._pipe.send((function, arguments, answer is not None, seconds))
            while True:
                began = time.monotonic()
                if not self._pipe.poll(max(left, 0.0)):
                    raise ProcessEnded(f"it took longer than {seconds:g} seconds")
                kind, value = json.loads(self._pipe.recv_bytes())
                left -= time.monotonic() - began
                if kind == "done":
                    return value
                if kind == "raised" or answer is None:
                    raise ProcessEnded(str(value))
                self._pipe.send_bytes(answer(value))
        except (EOFError, OSError) as error:
            code = self._exit_code() if isinstance(error, (EOFError, BrokenPipeError, ConnectionError)) else None
            self.end()
            if code is None:
                raise
            raise ProcessEnded(f"it ended by {_signal_name(code)}" if code < 0 else f"it ended with {code}") from error
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """End the process, whatever it does."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(OSError):
                process.kill()
            process.join()
            self._pipe.close()

    def _start(self) -> None:
        if self._process is not None and self._process.is_alive():
            return
        self.end()
        context = _context()
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, *self._settings), daemon=True)
        with _children_allowed():
            self._process.start()
        theirs.close()

    def _exit_code(self) -> int:
        self._process.join(5)
        return self._process.exitcode or 0


class Workers:
    """As many workers as are in use at once, kept for the next call. Threads may share them."""

    def __init__(self, shares: int = 0, memory_bytes: Optional[int] = None) -> None:
        self._shares = shares
        self._memory_bytes = memory_bytes
        self._all: List[Worker] = []
        self._idle: List[Worker] = []
        self._lock = Lock()
        self._closed = False

    @contextmanager
    def one(self) -> Iterator[Worker]:
        """A worker that nobody else uses."""
        with self._lock:
            if self._closed:
                raise ProcessEnded("the work was stopped")
            worker = self._idle.pop() if self._idle else self._new()
        try:
            yield worker
        finally:
            with self._lock:
                self._idle.append(worker)

    def _new(self) -> Worker:
        share = Share(len(self._all) % self._shares, self._shares) if self._shares else None
        self._all.append(Worker(share, self._memory_bytes))
        return self._all[-1]

    def close(self) -> None:
        """End all of them; calls that are running raise :class:`ProcessEnded`."""
        with self._lock:
            self._closed = True
            workers = list(self._all)
        for worker in workers:
            with suppress(OSError, AttributeError, ValueError):
                worker._process.kill()
        for worker in self._idle:
            worker.end()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ProcessExecutor(Executor):
    """Runs each call in a process of its own that is ended after ``seconds``; ``width`` of them at once."""

    def __init__(self, width: int, seconds: float) -> None:
        self._threads = ThreadPoolExecutor(width)
        self._workers = Workers(shares=width)
        self._seconds = seconds

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """A future whose error is :class:`ProcessEnded` if the process died or took too long."""
        return self._threads.submit(self._call, function, arguments)

    def _call(self, function: Callable[..., Any], arguments: Tuple[Any, ...]) -> Any:
        with self._workers.one() as worker:
            return worker.call(function, *arguments, seconds=self._seconds)

    def shutdown(self, wait: bool = True, **how: Any) -> None:
        """End the processes: with ``wait`` when what was submitted is done, else at once."""
        if not wait:
            self._workers.close()
        self._threads.shutdown(wait=True)
        self._workers.close()


def _context() -> Any:
    """Processes that start from a server without threads where there is one, else afresh."""
    if "forkserver" not in multiprocessing.get_all_start_methods() or sys.platform == "darwin":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


@contextmanager
def _children_allowed() -> Iterator[None]:
    """Let a worker of Dask, which multiprocessing calls a daemon, have processes too: they end with it all the same."""
    config: Any = getattr(multiprocessing.current_process(), "_config", {})
    before = config.pop("daemon", None)
    try:
        yield
    finally:
        if before is not None:
            config["daemon"] = before


def _serve(pipe: Any, share: Optional[Share], memory_bytes: Optional[int]) -> None:
    """The process: calls, one after the other, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the parent's to answer
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    _let_go_of_the_server()
    if share is not None:
        take(share)
    _limit_memory(memory_bytes)
    with suppress(EOFError, OSError):
        while True:
            function, arguments, asks, seconds = pipe.recv()
            _limit_processor_time(seconds)
            try:
                value = function(*arguments, _asking(pipe)) if asks else function(*arguments)
                reply = json.dumps(["done", value])
            except Exception as error:
                reply = json.dumps(["raised", f"{type(error).__name__}: {error}"])
            pipe.send_bytes(reply.encode())


def _let_go_of_the_server() -> None:
    """Close what keeps the server of processes alive: it ends with the first process, and this one ends with it."""
    from multiprocessing import forkserver

    server: Any = getattr(forkserver, "_forkserver", None)
    alive = getattr(server, "_forkserver_alive_fd", None)
    if isinstance(alive, int):
        server._forkserver_alive_fd = None
        os.close(alive)


def _asking(pipe: Any) -> Ask:
    def ask(question: Any) -> bytes:
        pipe.send_bytes(json.dumps(["ask", question]).encode())
        answer: bytes = pipe.recv_bytes()
        return answer

    return ask


def _limit_memory(most: Optional[int]) -> None:
    if most is not None and sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _limit_processor_time(seconds: float) -> None:
    """Have the system end the process some time after the caller would, should the caller be gone."""
    if sys.platform == "linux":
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = int(used.ru_utime + used.ru_stime + seconds * (os.cpu_count() or 1)) + _GRACE
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _signal_name(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
