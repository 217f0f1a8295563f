"""A Dask cluster as the engine of a sweep. Its workers keep their processes; a lost worker's jobs are redone."""

from __future__ import annotations

from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from queue import Empty, Queue, SimpleQueue
from threading import Thread
from typing import Any, Dict, List, Mapping, Optional

from audacitorch.hub.failures import HubError
from audacitorch.registry import RegistryError
from audacitorch.registry.executors import LONGEST_JOB, Processes, Result, Work
from audacitorch.registry.isolation import Share, Worker
from audacitorch.registry.jobs import Job

#: Seconds for an answer of the scheduler while the work goes on.
_ANSWER_SECONDS = 5.0


class SchedulerUnreachable(HubError):
    """The cluster's scheduler does not answer, or what it takes to talk to it is not installed."""


class Cluster:
    """A Dask cluster: if a worker is lost, its scheduler gives the worker's jobs to others.

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
            raise SchedulerUnreachable("A cluster needs Dask: pip install 'audacitorch[cluster]'.") from error
        self.seconds = seconds
        self._address = address
        try:
            client: Any = distributed.Client
            self._client = client(address, timeout=timeout, set_as_default=False)
            self.width = max(1, sum(self._client.nthreads().values()))
            self.ahead = self.width
            self._shares = shares(self._client.scheduler_info(n_workers=-1)["workers"])
        except (OSError, ValueError) as error:
            raise SchedulerUnreachable(f"No Dask scheduler answers at {address}: {error}.") from error

    def executor(self, width: int) -> Executor:
        """The cluster as an executor; a job whose process ended there is tried once more, elsewhere if need be."""
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
    """``work`` on a cluster's worker, in a process within the worker's share, which is ended after ``seconds``.

    The process is kept for the next job, and so is the one with Torch from which it forks workers. A worker that joined
    later has no share, and takes what it gets.
    """
    import distributed

    get_worker: Any = distributed.get_worker
    share = known.get(get_worker().address)
    idle = _IDLE.setdefault(share, SimpleQueue())
    try:
        process = idle.get_nowait()
    except Empty:
        process = Worker(share)
    try:
        result: Result = process.call(work, job, seconds=seconds)
        return result
    finally:
        idle.put(process)


#: On a cluster's worker: processes that have nothing to do, by their share. They end with it.
_IDLE: Dict[Optional[Share], SimpleQueue[Worker]] = {}


def cluster_or_processes(address: str, width: int, seconds: float = LONGEST_JOB) -> Any:
    """The engine that the options ask for; a job may take ``seconds``.

    Raises:
        SchedulerUnreachable: as :class:`Cluster`. RegistryError: ``width`` is less than 1.
    """
    if width < 1:
        raise RegistryError("At least one process must do the work.")
    if not address:
        return Processes(width, seconds)
    return Cluster(address, seconds)
