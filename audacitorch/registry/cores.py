"""Cores shared out among jobs side by side: two models that each take all of them wait for each other."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, Mapping, NamedTuple

from audacitorch.registry.jobs import Job


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


def take_next(counter: Any, parts: int) -> None:
    """Keep a process of a pool to the next share; ``counter`` is one that its processes have in common."""
    with counter.get_lock():
        number = counter.value
        counter.value += 1
    take(Share(number % parts, parts))


@contextmanager
def taken(share: Share) -> Iterator[None]:
    """:func:`take`, for a while."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    take(share)
    try:
        yield
    finally:
        if before is not None:
            os.sched_setaffinity(0, before)


def shares(workers: Mapping[str, Mapping[str, Any]]) -> Dict[str, Share]:
    """A share for each worker of a cluster, by its address: workers on one machine divide its cores."""
    by_host: Dict[str, list[str]] = {}
    for address, worker in sorted(workers.items()):
        by_host.setdefault(str(worker["host"]), []).append(address)
    return {
        address: Share(number, len(addresses))
        for addresses in by_host.values()
        for number, address in enumerate(addresses)
    }


def on_worker(work: Callable[[Job], Dict[str, Any]], known: Mapping[str, Share], job: Job) -> Dict[str, Any]:
    """``work`` on a cluster's worker, within its share; one that joined later takes what it gets."""
    import distributed

    get_worker: Any = distributed.get_worker
    share = known.get(get_worker().address)
    if share is None:
        return work(job)
    with taken(share):
        return work(job)
