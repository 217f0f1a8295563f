"""Many jobs on processes here or on a Dask cluster: as many as there is room for, and none lost with another."""

from __future__ import annotations

import multiprocessing
import sys
from collections import deque
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from functools import partial
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, List, Tuple

from audacitorch.hub.failures import HubError
from audacitorch.registry import cores
from audacitorch.registry.files import RegistryError
from audacitorch.registry.jobs import Job
from audacitorch.registry.trials import died

Result = Dict[str, Any]
Work = Callable[[Job], Result]


class SchedulerUnreachable(HubError):
    """The cluster's scheduler does not answer, or what it takes to talk to it is not installed."""


class Processes:
    """Processes here: each starts fresh, with none of this one's threads and locks."""

    def __init__(self, width: int) -> None:
        self.width = width

    def executor(self, width: int) -> Executor:
        """A pool of ``width`` processes, each with its share of the cores."""
        spawn = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(width, spawn, cores.take_next, (spawn.Value("i", 0), width))

    def wrapped(self, work: Work) -> Work:
        """``work`` as it is submitted."""
        return work

    def close(self) -> None:
        """Nothing is held."""


class Cluster:
    """A Dask cluster: its scheduler sees to it that a worker that dies takes nothing along.

    Raises:
        SchedulerUnreachable: nobody answers at ``address``, or ``distributed`` is not installed.
    """

    def __init__(self, address: str, timeout: float = 15.0) -> None:
        try:
            import distributed
        except ImportError as error:
            raise SchedulerUnreachable("a cluster needs Dask: pip install 'audacitorch[cluster]'") from error
        try:
            client: Any = distributed.Client
            self._client = client(address, timeout=timeout, set_as_default=False)
            self.width = max(1, sum(self._client.nthreads().values()))
            self._shares = cores.shares(self._client.scheduler_info(n_workers=-1)["workers"])
        except (OSError, ValueError) as error:
            raise SchedulerUnreachable(f"no Dask scheduler answers at {address}: {error}") from error

    def executor(self, width: int) -> Executor:
        """The cluster as an executor; a job is tried once more where its worker went away."""
        executor: Executor = self._client.get_executor(pure=False, retries=1)
        return executor

    def wrapped(self, work: Work) -> Work:
        """``work`` within the share of the cores that a worker has of its machine."""
        return partial(cores.on_worker, work, self._shares)

    def close(self) -> None:
        """Leave the cluster."""
        self._client.close()


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


class _Sweep:
    def __init__(self, engine: Any, work: Work, disk: Disk) -> None:
        self.engine = engine
        self.work = engine.wrapped(work)
        self.disk = disk
        self.executor: Executor = engine.executor(engine.width)
        self.running: Dict[Future[Result], Job] = {}
        self.suspects: List[Job] = []

    def run(self, jobs: Iterable[Job]) -> Iterator[Tuple[Job, Result]]:
        waiting: Deque[Job] = deque(jobs)
        while waiting or self.running:
            self.start(waiting)
            for future in wait(self.running, return_when=FIRST_COMPLETED).done:
                yield from self.finish(future)
            if self.suspects:
                yield from self.restart()

    def start(self, waiting: Deque[Job]) -> None:
        """Hand out jobs while there is room for them; a smaller one may go before one that must wait for room."""
        for job in list(waiting):
            if len(self.running) >= self.engine.width:
                return
            if self.disk.take(job):
                waiting.remove(job)
                self.submit(job)

    def submit(self, job: Job) -> None:
        try:
            self.running[self.executor.submit(self.work, job)] = job
        except BrokenExecutor:
            self.suspects.append(job)

    def finish(self, future: Future[Result]) -> Iterator[Tuple[Job, Result]]:
        job = self.running.pop(future)
        try:
            result = future.result()
        except BrokenExecutor:
            self.suspects.append(job)  # it, or another that ran beside it
            return
        except CancelledError:
            result = died(job, "the work was cancelled")
        except Exception as error:
            result = died(job, f"{type(error).__name__}: {error}")
        self.disk.give_back(job)
        yield job, result

    def restart(self) -> Iterator[Tuple[Job, Result]]:
        """A process died and took its pool along: what ran then runs again, each job in a pool of its own."""
        wait(self.running)
        for future in list(self.running):
            yield from self.finish(future)
        suspects, self.suspects = self.suspects, []
        self.executor.shutdown(wait=False)
        for job in suspects:
            with self.engine.executor(1) as alone:
                try:
                    result = alone.submit(self.work, job).result()
                except Exception as error:
                    result = died(job, f"{type(error).__name__}: {error}")
            self.disk.give_back(job)
            yield job, result
        self.executor = self.engine.executor(self.engine.width)

    def stop(self) -> None:
        for future in self.running:
            future.cancel()
        if sys.exc_info()[0] is None and not self.running:
            self.executor.shutdown(wait=True)
        else:
            self.executor.shutdown(wait=False)


def sweep(jobs: Iterable[Job], work: Work, engine: Any, disk: Disk) -> Iterator[Tuple[Job, Result]]:
    """Do ``jobs``, each of which must fit ``disk``, and give every result as soon as it is there.

    Args:
        work: does a job; must be picklable.
        engine: :class:`Processes` or :class:`Cluster`: ``width`` jobs at once on its ``executor``.
    """
    running = _Sweep(engine, work, disk)
    try:
        yield from running.run(jobs)
    finally:
        running.stop()


def too_large(job: Job, disk: Disk) -> Result:
    """The result of a job that there is no room for."""
    return died(job, f"it needs {job.size:,} bytes of disk, and {disk.limit:,} are allowed")


def cluster_or_processes(address: str, width: int) -> Any:
    """The engine that the options ask for.

    Raises:
        SchedulerUnreachable: as :class:`Cluster`. RegistryError: ``width`` is none.
    """
    if width < 1:
        raise RegistryError("at least one process must do the work")
    return Cluster(address) if address else Processes(width)
