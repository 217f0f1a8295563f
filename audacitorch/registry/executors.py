"""Many jobs on processes here or on a Dask cluster: as many as there is room for, each result as soon as it comes."""

from __future__ import annotations

import sys
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from contextlib import suppress
from functools import partial
from queue import Empty, Queue
from threading import Thread
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from audacitorch.errors import AudacitorchError
from audacitorch.hub.failures import HubError
from audacitorch.registry import RegistryError
from audacitorch.registry.isolation import ProcessEnded, ProcessExecutor, Share, Worker
from audacitorch.registry.jobs import Job, died

#: Seconds for an answer of the scheduler while the work goes on.
_ANSWER_SECONDS = 5.0
#: Seconds for a job if nobody says how long it may take.
LONGEST_JOB = 3600.0
#: How often the engine is asked whether it is still there, and for how long a cluster may be gone.
LOOK_SECONDS = 5.0
LOST_SECONDS = 60.0

Say = Callable[[str], None]
Result = Dict[str, Any]
Work = Callable[[Job], Result]


class SchedulerUnreachable(HubError):
    """The cluster's scheduler does not answer, or what it takes to talk to it is not installed."""


class Cluster:
    """A Dask cluster: if a worker dies, its scheduler gives the job to another.

    Args:
        address: of the scheduler.
        seconds: how long a job may take.
        timeout: seconds for the scheduler's answer.

    Raises:
        SchedulerUnreachable: there is no answer from ``address``, or ``distributed`` is not installed.
    """

    def __init__(self, address: str, seconds: float, timeout: float = 15.0) -> None:
        try:
            import distributed
        except ImportError as error:
            raise SchedulerUnreachable("a cluster needs Dask: pip install 'audacitorch[cluster]'") from error
        self.seconds = seconds
        self._address = address
        try:
            client: Any = distributed.Client
            self._client = client(address, timeout=timeout, set_as_default=False)
            self.width = max(1, sum(self._client.nthreads().values()))
            self._shares = shares(self._client.scheduler_info(n_workers=-1)["workers"])
        except (OSError, ValueError) as error:
            raise SchedulerUnreachable(f"no Dask scheduler answers at {address}: {error}") from error

    def executor(self, width: int) -> Executor:
        """The cluster as an executor; a job is tried once more if its worker went away."""
        executor: Executor = self._client.get_executor(pure=False, retries=1)
        return executor

    def wrapped(self, work: Work) -> Work:
        """``work`` in a process of its own, within the share of the cores that a worker has of its machine."""
        return partial(on_worker, work, self._shares, self.seconds)

    def lost(self) -> Optional[str]:
        """Why nothing can be done at the moment; None while the scheduler answers and has a worker."""
        answers: Queue[int] = Queue()

        def ask() -> None:
            with suppress(Exception):
                answers.put(len(self._client.nthreads()))

        Thread(target=ask, daemon=True).start()
        try:
            return None if answers.get(timeout=_ANSWER_SECONDS) else "the Dask cluster has no worker left"
        except Empty:
            return f"the Dask scheduler at {self._address} does not answer"

    def close(self) -> None:
        """Leave the cluster."""
        with suppress(Exception):  # what a client raises whose scheduler is gone is of many kinds
            self._client.close(timeout=_ANSWER_SECONDS)


def shares(workers: Mapping[str, Mapping[str, Any]]) -> Dict[str, Share]:
    """A share for each worker of a cluster, by its address: workers on one machine divide its cores."""
    by_host: Dict[str, List[str]] = {}
    for address, worker in sorted(workers.items()):
        by_host.setdefault(str(worker["host"]), []).append(address)
    return {
        address: Share(number, len(addresses))
        for addresses in by_host.values()
        for number, address in enumerate(addresses)
    }


def on_worker(work: Work, known: Mapping[str, Share], seconds: float, job: Job) -> Result:
    """``work`` on a cluster's worker, in a process of its own within the worker's share, ended after ``seconds``.

    A worker that joined later has no share, and takes what it gets.
    """
    import distributed

    get_worker: Any = distributed.get_worker
    process = Worker(known.get(get_worker().address))
    try:
        result: Result = process.call(work, job, seconds=seconds)
        return result
    finally:
        process.end()


class Processes:
    """Processes here: each job has one that starts fresh and can be ended.

    Args:
        width: how many at once.
        seconds: how long a job may take.
    """

    def __init__(self, width: int, seconds: float = LONGEST_JOB) -> None:
        self.width = width
        self.seconds = seconds

    def executor(self, width: int) -> Executor:
        """``width`` processes, each with its share of the cores."""
        return ProcessExecutor(width, self.seconds)

    def wrapped(self, work: Work) -> Work:
        """``work`` as it is submitted."""
        return work

    def lost(self) -> Optional[str]:
        """Why nothing can be done any more: never."""
        return None

    def close(self) -> None:
        """Nothing is held."""


class Disk:
    """Room for downloads: what the jobs in progress take together.

    Args:
        limit: bytes.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def take(self, job: Job) -> bool:
        """Take what a job needs, if it is there."""
        if self.used + job.size > self.limit:
            return False
        self.used += job.size
        return True

    def give_back(self, job: Job) -> None:
        """A job's files are gone."""
        self.used -= job.size


class Stopped(AudacitorchError):
    """The sweep ended before all jobs were done; what was done is kept."""

    exit_status = 3


class _Sweep:
    def __init__(self, engine: Any, work: Work, disk: Disk, say: Say, deadline: Optional[float]) -> None:
        self.engine = engine
        self.work = engine.wrapped(work)
        self.disk = disk
        self.say = say
        self.ends = None if deadline is None else time.monotonic() + deadline
        self.executor: Executor = engine.executor(engine.width)
        self.running: Dict[Future[Result], Job] = {}
        self.lost_since: Optional[float] = None
        self.next_look = time.monotonic() + LOOK_SECONDS

    def run(self, jobs: Iterable[Job]) -> Iterator[Tuple[Job, Result]]:
        waiting: Deque[Job] = deque(jobs)
        while waiting or self.running:
            self.start(waiting)
            for future in wait(self.running, self.pause(), return_when=FIRST_COMPLETED).done:
                yield self.finish(future)
            self.look(len(waiting))

    def pause(self) -> float:
        """Seconds until somebody must look whether there is still anybody at work, or the time is up."""
        ends = self.next_look if self.ends is None else min(self.next_look, self.ends)
        return max(ends - time.monotonic(), 0.0)

    def start(self, waiting: Deque[Job]) -> None:
        """Hand out jobs while there is room for them; a smaller one may go before one that must wait for room."""
        for job in list(waiting):
            if len(self.running) >= self.engine.width:
                return
            if self.disk.take(job):
                waiting.remove(job)
                self.running[self.executor.submit(self.work, job)] = job

    def finish(self, future: Future[Result]) -> Tuple[Job, Result]:
        job = self.running.pop(future)
        try:
            result = future.result()
        except CancelledError:
            result = died(job, "the work was cancelled")
        except ProcessEnded as error:
            result = died(job, str(error))
        except Exception as error:
            result = died(job, f"{type(error).__name__}: {error}")
        self.disk.give_back(job)
        return job, result

    def look(self, waiting: int) -> None:
        """Stop when the time is up, or when nobody has been at work for too long.

        Raises:
            Stopped: says which.
        """
        now = time.monotonic()
        left = waiting + len(self.running)
        if self.ends is not None and now >= self.ends and left:
            raise Stopped(f"the time is up: {left:,} models were not tested, and are tested next time")
        if now < self.next_look:
            return
        why = self.engine.lost()
        if why is None:
            if self.lost_since is not None:
                self.say("the cluster is at work again")
            self.lost_since = None
        elif self.lost_since is None:
            self.lost_since = now
            self.say(f"{why}: waiting {LOST_SECONDS:.0f} seconds for it to come back")
        elif now - self.lost_since >= LOST_SECONDS:
            raise Stopped(f"{why}: {left:,} models were not tested; what was done is kept")
        self.next_look = time.monotonic() + LOOK_SECONDS

    def stop(self) -> None:
        for future in self.running:
            future.cancel()
        finished = sys.exc_info()[0] is None and not self.running
        with suppress(Exception):  # an executor whose cluster is gone
            self.executor.shutdown(wait=finished)


def sweep(
    jobs: Iterable[Job],
    work: Work,
    engine: Any,
    disk: Disk,
    say: Say = lambda text: None,
    deadline: Optional[float] = None,
) -> Iterator[Tuple[Job, Result]]:
    """Do ``jobs``, each of which must fit ``disk``, and give every result as soon as it is there.

    Args:
        work: does a job; must be picklable.
        engine: :class:`Processes` or a :class:`~audacitorch.registry.executors.Cluster`: ``width`` jobs at once on its
            ``executor``.
        say: told when the engine is lost, and when it is back.
        deadline: seconds for all of it.

    Raises:
        Stopped: the time is up, or the engine is lost for :data:`LOST_SECONDS`. What was given before is right.
    """
    running = _Sweep(engine, work, disk, say, deadline)
    try:
        yield from running.run(jobs)
    finally:
        running.stop()


def too_large(job: Job, disk: Disk) -> Result:
    """The result of a job that there is no room for."""
    return died(job, f"it needs {job.size:,} bytes of disk, and {disk.limit:,} are allowed")


def cluster_or_processes(address: str, width: int, seconds: float = LONGEST_JOB) -> Any:
    """The engine that the options ask for; a job may take ``seconds``.

    Raises:
        SchedulerUnreachable: as :class:`Cluster`. RegistryError: ``width`` is less than 1.
    """
    if width < 1:
        raise RegistryError("at least one process must do the work")
    if not address:
        return Processes(width, seconds)
    return Cluster(address, seconds)
