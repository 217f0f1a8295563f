"""Trials of many models: plan, run, and write down what they showed; the records say what is left after a stop."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional

from audacitorch.registry import trial_results
from audacitorch.registry.executors import Disk, sweep, too_large
from audacitorch.registry.files import in_use
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.jobs import Job, Shard, plan
from audacitorch.registry.model_record import ModelRecord
from audacitorch.registry.trials import Setting, do

#: What is left of a download that nobody asks for any more goes after this.
_KEPT_SECONDS = 7 * 24 * 3600.0


@dataclass
class Tested:
    """What a sweep came to: statuses by repo, and why others could not be tested."""

    statuses: Dict[str, str] = field(default_factory=dict)
    failures: Dict[str, str] = field(default_factory=dict)
    shared: int = 0

    @property
    def exit_status(self) -> int:
        """0, or 3 where a model could not be tested, which says nothing about it."""
        return 3 if self.failures else 0


def run_trials(
    folder: RegistryFolder,
    engine: Any,
    setting: Setting,
    disk: Disk,
    moment: datetime,
    *,
    shard: Optional[Shard] = None,
    keep: Optional[Path] = None,
    tell: Callable[[str, str], None] = lambda repo_id, said: None,
) -> Tested:
    """Run what has not been run, and write each result as soon as it is there.

    Args:
        shard: do this part of it.
        keep: put the results into this folder, and leave the records as they are.
        tell: called for each result with the repo's id and what came of it.
    """
    everything = plan(folder)
    jobs = [job for job in everything if shard is None or shard.takes(job)]
    _prepare(Path(setting.cache), setting, everything)
    tested = Tested()
    fitting = []
    for job in jobs:
        if job.size > disk.limit:
            _take(folder, too_large(job, disk), moment, tested, keep, tell)
        else:
            fitting.append(job)
    for _, result in sweep(fitting, partial(do, setting=setting), engine, disk):
        _take(folder, result, moment, tested, keep, tell)
    if keep is None:
        tested.shared = trial_results.share(folder, moment)
    return tested


def merge(folder: RegistryFolder, kept: Iterable[Mapping[str, Any]], moment: datetime) -> Tested:
    """Write results that were made elsewhere into the records."""
    tested = Tested()
    for result in kept:
        _take(folder, result, moment, tested, None, lambda repo_id, said: None)
    tested.shared = trial_results.share(folder, moment)
    return tested


def _take(
    folder: RegistryFolder,
    result: Mapping[str, Any],
    moment: datetime,
    tested: Tested,
    keep: Optional[Path],
    tell: Callable[[str, str], None],
) -> None:
    repo_id = str(result["id"])
    if keep is not None:
        trial_results.save(keep, result)
        if "error" in result:
            tested.failures[repo_id] = str(result["error"])
        else:
            tested.statuses[repo_id] = str(result["report"]["verdict"])
        tell(repo_id, tested.failures.get(repo_id) or tested.statuses[repo_id])
        return
    try:
        record: ModelRecord = trial_results.apply(folder, result, moment)
    except trial_results.NotApplied as error:
        tested.failures[repo_id] = str(error)
        tell(repo_id, str(error))
    else:
        tested.statuses[record.id] = record.status
        tell(record.id, record.status)


def _prepare(cache: Path, setting: Setting, jobs: List[Job]) -> None:
    """Make room: what an earlier run left goes, unless it is the beginning of a download that is still wanted."""
    cache.mkdir(parents=True, exist_ok=True)
    wanted = {setting.folder(job).name for job in jobs}
    for folder in cache.iterdir():
        if not folder.is_dir() or len(folder.name) != 32 or in_use(folder):
            continue
        recent = time.time() - folder.stat().st_mtime < _KEPT_SECONDS
        if folder.name not in wanted or not recent:
            shutil.rmtree(folder, ignore_errors=True)
