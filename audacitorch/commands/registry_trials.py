"""`audacitorch registry test`: the models that have not been run, in this process's workers or a cluster's."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from audacitorch.commands.options import (
    add_jobs_argument,
    add_limit_arguments,
    positive_integer,
    seconds_above_zero,
)
from audacitorch.safetext import visible

if TYPE_CHECKING:
    from datetime import datetime

    from audacitorch.registry.folder import RegistryFolder
    from audacitorch.registry.testing import Tested

#: How often a sweep says in a log how far it is.
_LOG_SECONDS = 30.0


def say(text: str) -> None:
    """A line for people, on standard error."""
    print(f"audacitorch: {visible(text)}", file=sys.stderr)


def add_test_arguments(test: argparse.ArgumentParser) -> None:
    """The options of `audacitorch registry test`."""
    add_jobs_argument(test, os.cpu_count() or 1)
    test.add_argument(
        "--scheduler", default="", metavar="ADDRESS", help="address of the Dask cluster that does the work"
    )
    test.add_argument("--shard", metavar="K/N", help="test only part K of N")
    test.add_argument(
        "--plan", type=positive_integer, metavar="N", help="print up to N parts as a workflow's matrix, run nothing"
    )
    test.add_argument(
        "--results", type=Path, metavar="DIR", help="write the results there and leave the records unchanged"
    )
    test.add_argument(
        "--merge", type=Path, metavar="DIR", help="write the results in DIR into the records, and run nothing"
    )
    test.add_argument("--index", action="store_true", help="with --plan: print the digest of the registry as well")
    test.add_argument(
        "--planned",
        metavar="PLAN",
        help="with --merge: take only what PLAN, from --plan N --index, asks each part for",
    )
    add_limit_arguments(test)
    test.add_argument(
        "--deadline", type=seconds_above_zero, metavar="S", help="stop after S seconds and keep the results so far"
    )
    test.add_argument(
        "--disk",
        type=positive_integer,
        default=16384,
        metavar="MB",
        help="disk space for downloads (default: %(default)s)",
    )
    test.add_argument("--sounds", action="store_true", help="keep what built-in models sound like, for the catalogue")
    test.add_argument("--cache", type=Path, metavar="DIR", help="folder for downloads until they are tested")


def test_models(arguments: argparse.Namespace, folder: RegistryFolder, moment: datetime) -> int:
    """Run models, or plan or merge the parts of such a run; the exit status, before the built-in list is made."""
    from audacitorch.registry import RegistryError
    from audacitorch.registry.jobs import matrix, plan
    from audacitorch.registry.shard_results import Plan, planned_results, saved
    from audacitorch.registry.testing import merge

    if arguments.plan:
        parts = matrix(plan(folder, arguments.sounds), arguments.plan)
        print(Plan.of(folder, parts["shard"], arguments.sounds).to_json() if arguments.index else json.dumps(parts))
        return 0
    if arguments.planned and not arguments.merge:
        raise RegistryError("--planned needs --merge: it says which results are taken.")
    if arguments.planned:
        done = merge(folder, planned_results(folder, arguments.merge, Plan.from_json(arguments.planned)), moment)
    elif arguments.merge:
        done = merge(folder, saved(arguments.merge), moment)
    else:
        done = _run_trials(arguments, folder, moment)
    for repo_id, why in done.failures.items():
        say(f"{repo_id} could not be tested: {why}")
    if done.stopped:
        say(done.stopped)
    unreadable = [str(one) for one in folder.unreadable]
    for said in unreadable:
        say(said)
    counts = {status: list(done.statuses.values()).count(status) for status in sorted(set(done.statuses.values()))}
    told = [f"{count:,} {status}" for status, count in counts.items()]
    print(f"{len(done.statuses):,} tested{': ' if told else ''}{', '.join(told)}; {len(done.failures):,} could not be")
    return done.exit_status or (3 if unreadable else 0)


def _run_trials(arguments: argparse.Namespace, folder: RegistryFolder, moment: datetime) -> Tested:
    from audacitorch.hub.api import endpoint_from
    from audacitorch.registry import RegistryError
    from audacitorch.registry.cluster import cluster_or_processes
    from audacitorch.registry.executors import Disk
    from audacitorch.registry.jobs import Setting, Shard
    from audacitorch.registry.testing import run_trials

    try:
        shard = Shard.parse(arguments.shard) if arguments.shard else None
    except ValueError as error:
        raise RegistryError(str(error)) from error
    setting = Setting(
        endpoint=endpoint_from(arguments.endpoint),
        cache=str(arguments.cache or _cache()),
        sandbox=arguments.sandbox,
        timeout_seconds=arguments.timeout,
        memory_bytes=arguments.memory << 20,
    )
    told = say if sys.stderr.isatty() else _now_and_then(say)
    engine = cluster_or_processes(arguments.scheduler, arguments.jobs, setting.job_seconds)
    try:
        return run_trials(
            folder,
            engine,
            setting,
            Disk(arguments.disk << 20),
            moment,
            shard=shard,
            keep=arguments.results,
            deadline=arguments.deadline,
            say=say,
            sounds=arguments.sounds,
            tell=lambda repo_id, said: told(f"{repo_id}: {said}"),
        )
    finally:
        engine.close()


def _now_and_then(say: Callable[[str], None]) -> Callable[[str], None]:
    """``say`` for a log, which need not hold a line for each model."""
    last = time.monotonic()

    def said(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= _LOG_SECONDS:
            last = time.monotonic()
            say(text)

    return said


def _cache() -> Path:
    """Where this user's programs keep what can be downloaded again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "audacitorch", "trials")
