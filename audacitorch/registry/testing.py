"""Trials of many models: plan, run, and write the results into the records of what they were made of.

The records say what is left after a stop; a result counts wherever it was made.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple

from audacitorch.findings import CouldNotRun, Finding
from audacitorch.http import one_line
from audacitorch.hub.repos import repo_id_fault
from audacitorch.registry import RegistryError, in_use, rounded
from audacitorch.registry.executors import Disk, Progress, Stopped, sweep, too_large
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.index import fold
from audacitorch.registry.jobs import Job, Setting, Shard, content_of, do, plan, testable, tested
from audacitorch.registry.model_record import ModelRecord, judgement
from audacitorch.registry.shard_results import claim, index_digest, save, save_claim
from audacitorch.registry.sightings import Untested
from audacitorch.report import jsonfile
from audacitorch.report.model import Report
from audacitorch.version import __version__

#: What is left of a download that nobody asks for any more goes after this.
_KEPT_SECONDS = 7 * 24 * 3600.0
#: What a record keeps of a trial; its passes are in the report.
_FIGURES = (
    "ended", "stage", "signal", "reason", "load_seconds", "minimum_samples", "realtime_factor", "peak_memory_bytes",
    "repeat_difference_db", "seam_db", "seconds", "left_out", "hidden_error",
)  # fmt: skip


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
    sounds: bool = False,
) -> Tested:
    """Run what has not been run, and write each result as soon as it is there.

    Args:
        shard: do this part of it.
        keep: put the results into this folder, and leave the records as they are.
        deadline: seconds for all of it; what was done by then is kept.
        tell: called for each result with the repo's id, and what came of it and of all so far.
        say: told when the engine is lost, and when it is back.
        sounds: keep what built-in models sound like, for the catalogue.
    """
    everything = plan(folder, sounds)
    jobs = [job for job in everything if shard is None or shard.takes(job)]
    _prepare(Path(setting.cache), setting, everything)
    keys = {job.key for job in everything}
    if keep is not None:
        save_claim(keep, claim(index_digest(folder), shard or Shard(), jobs))
    progress = Progress(len(jobs))
    taking = _Taking(folder, moment, keep, lambda repo_id, said: tell(repo_id, f"{said} ({progress.step()})"))
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
        share(folder, moment)
    return taking.tested


def merge(folder: RegistryFolder, kept: Iterable[Mapping[str, Any]], moment: datetime) -> Tested:
    """Write results that were made elsewhere into the records."""
    taking = _Taking(folder, moment, None, lambda repo_id, said: None)
    for result in kept:
        taking.take(result)
    share(folder, moment)
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
            save(self.keep, result)
            if "error" in result:
                self.tested.failures[repo_id] = str(result["error"])
            else:
                self.tested.statuses[repo_id] = str(result["report"]["verdict"])
            self.tell(repo_id, self.tested.failures.get(repo_id) or self.tested.statuses[repo_id])
            return
        try:
            record = apply(self.folder, result, self.moment)
        except (NotApplied, RegistryError) as error:
            self.tested.failures[repo_id] = str(error)
            if isinstance(error, CouldNotTest):
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


class NotApplied(ValueError):
    """A result that says nothing about what is there now, or is not a result."""


class CouldNotTest(NotApplied):
    """The model could not be tested, which says nothing about it."""


def apply(folder: RegistryFolder, result: Mapping[str, Any], moment: datetime) -> ModelRecord:
    """Write a result into the record of its repo, and return the record.

    Raises:
        NotApplied: it was not made of what is there, or the model could not be run.
    """
    if "error" in result:
        raise CouldNotTest(one_line(str(result["error"])))
    report = _report(result)
    failure = next((failed.error for failed in report.could_not_run if failed.rule == "trial"), None)
    if failure is not None:
        raise CouldNotTest(one_line(failure))
    fault = repo_id_fault(str(result["id"]))
    if fault is not None:
        raise NotApplied(fault)
    with folder.writing():
        record = folder.find(str(result["id"]))
        if record is None or record.key != result["key"]:
            raise NotApplied(f"{one_line(str(result['id']))} has no record any more.")
        if record.content != result["content"]:
            raise NotApplied(f"{record.id} has changed since it was tested.")
        if report.tool.get("version") != __version__ or report.target.revision != result["revision"]:
            raise NotApplied(f"The report on {record.id} is of another version of this tool, or of another revision.")
        after = fold(record, _with(record, report, result, moment), moment)
        folder.write(folder.place(record.id), after)
        folder.keep_sounds(record.key, dict(result["content"]), result.get("sounds"))
    return after


def _report(result: Mapping[str, Any]) -> Report:
    try:
        return Report.validated(result.get("report"))
    except ValueError as error:
        raise NotApplied(one_line(str(error))) from error


def _with(record: ModelRecord, report: Report, result: Mapping[str, Any], moment: datetime) -> ModelRecord:
    """The record with the report's findings: those of the files, and those of the trial."""
    static = judgement(*_found(report, "static"), moment)
    shown = {} if report.trial is None else jsonfile.trial_to_json(report.trial)
    trial = {
        **judgement(*_found(report, "trial"), moment),
        "torch": report.tool.get("torch"),
        "revision": result["revision"],
        "content": dict(result["content"]),
        **{name: rounded(shown.get(name)) for name in _FIGURES},
    }
    archive = record.archive if report.archive is None else record.archive or jsonfile.archive_to_json(report.archive)
    kept = record.static if record.static and _same_findings(record.static, static) else static
    return replace(record, static=kept, trial=trial, archive=rounded(archive)).judged()


def _found(report: Report, part: str) -> Tuple[List[Finding], List[CouldNotRun]]:
    """The findings that belong to one part of a record, and the rules of that part that could not run."""
    findings = [finding for finding in report.findings if _part(finding.rule) == part]
    return findings, [failed for failed in report.could_not_run if _part(failed.rule) == part]


def _part(rule: str) -> str:
    """Which part of a record a rule's findings belong to; the listing stands for the model card."""
    from audacitorch.rules import all_rules

    known = all_rules().get(rule)
    if known is None or not known.static:
        return "trial"
    return "card" if "card" in known.needs else "static"


def _same_findings(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[name] == other[name] for name in ("tool", "findings", "could_not_run"))


def share(folder: RegistryFolder, moment: datetime) -> int:
    """Give what was found out about a content to every repo that has the same files; how many records that changed."""
    trials: Dict[Any, ModelRecord] = {}
    lacking: List[str] = []
    for place, record in folder.records():
        if testable(record) and tested(record):
            trials[content_of(record)] = record
        elif testable(record):
            lacking.append(place)
    changed = 0
    for place in lacking:
        with folder.writing():
            twin = folder.read(place)
            source = trials.get(content_of(twin)) if twin is not None and testable(twin) else None
            if twin is not None and source is not None:
                after = fold(twin, replace(twin, trial=source.trial).judged(), moment)
                changed += folder.write(place, after)
    return changed
