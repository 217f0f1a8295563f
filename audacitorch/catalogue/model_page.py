"""The page of one model: its report in short, what it sounds like, and what happened to it, from its record alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Tuple

from audacitorch.errors import AudacitorchError
from audacitorch.facts import MODEL
from audacitorch.findings import CouldNotRun
from audacitorch.hosts import HOSTS, LIST_HOST
from audacitorch.registry.folder import LONGEST_SOUNDS, RegistryFolder
from audacitorch.registry.model_record import ModelRecord
from audacitorch.registry.record_schema import COMPATIBLE, STATUSES
from audacitorch.report import jsonfile
from audacitorch.report.model import Report, Target

if TYPE_CHECKING:
    from audacitorch.hear.listening import Heard

_EVENTS = {
    "new": "first seen",
    "renamed": "renamed",
    "revision": "new revision",
    "status": "state changed",
    "tested": "tested",
}


@dataclass(frozen=True)
class Moment:
    """A line of a model's history. ``broke`` marks those at which it stopped working, ``works`` those at which it
    began to."""

    date: str
    what: str
    revision: str
    status: str
    reason: str
    broke: bool
    works: bool


def history(record: ModelRecord) -> List[Moment]:
    """What happened to a model, the newest first."""
    found, before = [], None
    for number, event in enumerate(record.history):
        was, status = before or event["was"], event["status"]
        newest = number == len(record.history) - 1
        moment = Moment(
            event["date"],
            _EVENTS[event["event"]],
            event["revision"] or "",
            record.status_text if newest and status == record.status else status,
            event["reason"],
            broke=was not in (None, status) and STATUSES[status].broken,
            works=was != status and status == COMPATIBLE,
        )
        found.append(moment)
        before = status
    return found[::-1]


def broken_since(record: ModelRecord) -> str:
    """When a model that is broken broke; empty for others."""
    if not STATUSES[record.status].broken:
        return ""
    since = record.first_seen
    for event in record.history:
        if not STATUSES[event["status"]].broken:
            since = ""
        elif not since:
            since = event["date"]
    return since


def report_of(record: ModelRecord, heard: Tuple[Heard, ...] = ()) -> Optional[Report]:
    """The report that a record keeps in short; None where nothing was judged, or people's edits make no report of it.

    It speaks for the host that reads the built-in list first, as people have that one.
    """
    parts = [part for part in (record.static, record.current_trial) if part]
    if not parts:
        return None
    model = record.files.get(MODEL) or {}
    trial = record.current_trial
    failed: List[Mapping[str, Any]] = [one for part in parts for one in part["could_not_run"]]
    try:
        return Report(
            target=Target("hub", record.id, record.revision, model.get("sha256"), model.get("size")),
            findings=tuple(jsonfile.finding_from_json(_finding(one)) for one in record.findings),
            could_not_run=tuple(CouldNotRun(str(one["rule"]), str(one["error"])) for one in failed),
            hosts_wanted=(LIST_HOST, *(host for host in HOSTS if host is not LIST_HOST)),
            static=trial is None,
            trial=None if trial is None else jsonfile.trial_from_json(_trial(trial)),
            metadata=jsonfile.metadata_from_json(dict(record.metadata or {})),
            archive=None if record.archive is None else jsonfile.archive_from_json(record.archive),
            date=str(parts[-1]["date"]),
            tool={"name": "audacitorch", "version": parts[-1]["tool"]},
            heard=heard,
        )
    except (ValueError, KeyError, TypeError, AudacitorchError):
        return None


def _finding(kept: Mapping[str, Any]) -> Dict[str, Any]:
    return {"hint": "", "file": None, "line": None, "details": {}, **kept}


def _trial(kept: Mapping[str, Any]) -> Dict[str, Any]:
    return {**kept, "ended": kept["ended"] or "finished", "stage": kept.get("stage") or "forward"}


def kept_sounds(folder: RegistryFolder, record: ModelRecord) -> Tuple[Heard, ...]:
    """The sounds that a trial of what is there now left; none where they are not what they should be.

    They may be anything: sounds are decoded and encoded anew.
    """
    kept = folder.sounds_of(record) if record.current_trial is not None else None
    if not kept or len(kept) > LONGEST_SOUNDS:
        return ()
    from audacitorch.hear.page_data import loads

    try:
        heard, _ = loads(kept)
    except ValueError:
        return ()
    return heard
