"""Trials of many models: plan, run, and write down what they showed; the records say what is left after a stop."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional

from audacitorch.hub.repos import repo_id_fault
from audacitorch.registry import trial_results
from audacitorch.registry.executors import Disk, Stopped, sweep, too_large
from audacitorch.registry.files import RegistryError, in_use
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.jobs import Job, Shard, plan
from audacitorch.registry.sightings import Untested
from audacitorch.registry.trials import Setting, do

#: What is left of a download that nobody asks for any more goes after this.
_KEPT_SECONDS = 7 * 24 * 3600.0


@dataclass
class Tested:
    """What a sweep came to: statuses by repo, why others could not be tested, and why it ended early."""

    statuses: Dict[str, str] = field(default_factory=dict)
    failures: Dict[str, str] = field(default_factory=dict)
    stopped: str = ""

    @property
    def exit_status(self) -> int:
        """0, or 3 if a model could not be tested, which says nothing about it."""
        return 3 if self.failures or self.stopped else 0


def run_trials(
    folder: RegistryFolder,
    engine: Any,
    setting: Setting,
    disk: Disk,
    moment: datetime,
    *,
    shard: Optional[Shard] = None,
    keep: Optional[Path] = None,
    deadline: Optional[float] = None,
    tell: Callable[[str, str], None] = lambda repo_id, said: None,
    say: Callable[[str], None] = lambda text: None,
) -> Tested:
    """Run what has not been run, and write each result as soon as it is there.

    Args:
        shard: do this part of it.
        keep: put the results into this folder, and leave the records as they are.
        deadline: seconds for all of it; what was done by then is kept.
        tell: called for each result with the repo's id and what came of it.
        say: told when the engine is lost, and when it is back.
    """
    everything = plan(folder)
    jobs = [job for job in everything if shard is None or shard.takes(job)]
    _prepare(Path(setting.cache), setting, everything)
    keys = {job.key for job in everything}
    taking = _Taking(folder, moment, keep, tell)
    taking.forget([key for key in taking.untested.noted() if key not in keys])
    fitting = []
    for job in jobs:
        if job.size > disk.limit:
            taking.take(too_large(job, disk))
        else:
            fitting.append(job)
    try:
        for _, result in sweep(fitting, partial(do, setting=setting), engine, disk, say, deadline):
            taking.take(result)
    except Stopped as stopped:
        taking.tested.stopped = str(stopped)
    if keep is None:
        trial_results.share(folder, moment)
    return taking.tested


def merge(folder: RegistryFolder, kept: Iterable[Mapping[str, Any]], moment: datetime) -> Tested:
    """Write results that were made elsewhere into the records."""
    taking = _Taking(folder, moment, None, lambda repo_id, said: None)
    for result in kept:
        taking.take(result)
    trial_results.share(folder, moment)
    return taking.tested


class _Taking:
    """Results on their way into the records, or into a folder."""

    def __init__(
        self, folder: RegistryFolder, moment: datetime, keep: Optional[Path], tell: Callable[[str, str], None]
    ) -> None:
        self.folder, self.moment, self.keep, self.tell = folder, moment, keep, tell
        self.tested = Tested()
        self.untested = Untested(folder)

    def take(self, result: Mapping[str, Any]) -> None:
        repo_id = str(result["id"])
        if self.keep is not None:
            trial_results.save(self.keep, result)
            if "error" in result:
                self.tested.failures[repo_id] = str(result["error"])
            else:
                self.tested.statuses[repo_id] = str(result["report"]["verdict"])
            self.tell(repo_id, self.tested.failures.get(repo_id) or self.tested.statuses[repo_id])
            return
        try:
            record = trial_results.apply(self.folder, result, self.moment)
        except (trial_results.NotApplied, RegistryError) as error:
            self.tested.failures[repo_id] = str(error)
            if isinstance(error, trial_results.CouldNotTest):
                self.note(result, str(error))
            self.tell(repo_id, str(error))
        else:
            self.tested.statuses[record.id] = record.status_text
            self.forget([record.key])
            self.tell(record.id, record.status_text)

    def note(self, result: Mapping[str, Any], why: str) -> None:
        """Keep why a model was not tested, if the result is about what its record describes."""
        with self.folder.writing():
            record = self.folder.find(str(result["id"])) if repo_id_fault(str(result["id"])) is None else None
            if record is None or record.key != result["key"] or record.revision != result["revision"]:
                return
            self.untested = Untested(self.folder)
            self.untested.note(result, why, self.moment)

    def forget(self, keys: List[str]) -> None:
        if self.keep is None and set(keys) & set(self.untested.noted()):
            with self.folder.writing():
                self.untested = Untested(self.folder)
                self.untested.forget(keys)


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
