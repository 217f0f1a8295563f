"""Many jobs on an engine: as many at once as there is room for, each result as soon as it comes."""

from __future__ import annotations

import sys
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from contextlib import suppress
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, Optional, Tuple

from audacitorch.errors import AudacitorchError
from audacitorch.registry.isolation import ProcessEnded, ProcessExecutor
from audacitorch.registry.jobs import Job, died

#: Seconds for a job if nobody says how long it may take.
LONGEST_JOB = 3600.0
#: How often the engine is asked whether it is still there, and for how long a cluster may be gone.
LOOK_SECONDS = 5.0
LOST_SECONDS = 60.0

Say = Callable[[str], None]
Result = Dict[str, Any]
Work = Callable[[Job], Result]


class Processes:
    """Processes here, each for one job after the other; one that takes too long is ended.

    Args:
        width: how many at once.
        seconds: how long a job may take.
    """

    #: Jobs that are handed out beyond ``width``: here the next one is there at once.
    ahead = 0

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
        """None: processes here are never lost."""
        return None

    def close(self) -> None:
        """There is nothing to close."""


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
            if len(self.running) >= self.engine.width + self.engine.ahead:
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
        """Stop when the time is up, or when the engine has been lost for too long.

        Raises:
            Stopped: says which.
        """
        now = time.monotonic()
        left = waiting + len(self.running)
        if self.ends is not None and now >= self.ends and left:
            raise Stopped(f"The time is up: {left:,} models were not tested, and are tested next time.")
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
            raise Stopped(f"{why}: {left:,} models were not tested; what was done is kept.")
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
        engine: :class:`Processes` or a :class:`~audacitorch.registry.cluster.Cluster`: ``width`` jobs at once on its
            ``executor``, and ``ahead`` more that wait there.
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


class Progress:
    """How far a sweep has come, and when it will end if it goes on like this."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._began = total, 0, time.monotonic()

    def step(self) -> str:
        """Count a job that is done: "12 of 64, 3.1 a second, about 17 s left"."""
        self._done += 1
        rate = self._done / max(time.monotonic() - self._began, 1e-3)
        speed = f"{rate:.1f} a second" if rate >= 0.95 else f"{rate * 60:.1f} a minute"
        left = (self._total - self._done) / rate
        return f"{self._done:,} of {self._total:,}, {speed}, {_about(left)} left"


def _about(seconds: float) -> str:
    if seconds < 90:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
