"""Two versions of a registry file made one: what git calls for the registry's JSON files, as a merge driver.

Two refreshes find out the same at different times, so their files differ in dates and nothing else. Lines can't show
that; the meaning of the fields can.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

from audacitorch.registry import RegistryError, canonical, write
from audacitorch.registry.model_record import MOST_EVENTS, ModelRecord
from audacitorch.registry.record_schema import NotARecord

_ABSENT = object()


def merge_files(base: Path, ours: Path, theirs: Path) -> int:
    """Write the merged file into ``ours``; 0, or 1 if a person must merge it, and then ``ours`` is untouched.

    Raises:
        RegistryError: the file can't be written.
    """
    versions = [_load(path) for path in (base, ours, theirs)]
    if _ABSENT in versions[1:]:
        return 1
    try:
        merged = merge(*versions)
    except (ValueError, RegistryError):
        return 1
    write(ours, canonical(merged))
    return 0


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return _ABSENT


def merge(base: Any, ours: Any, theirs: Any) -> Any:
    """The JSON value that both versions come to.

    Raises:
        ValueError: they are of kinds that can't be merged, or records of different repos.
    """
    if isinstance(ours, list) and isinstance(theirs, list):
        return _merge_lists(base if isinstance(base, list) else [], ours, theirs)
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        raise ValueError("not two objects and not two lists")
    if "schema_version" in ours or "schema_version" in theirs:
        return _merge_records(ModelRecord.from_json(ours), ModelRecord.from_json(theirs)).to_json()
    return _merge_objects(base if isinstance(base, dict) else {}, ours, theirs)


def _merge_records(ours: ModelRecord, theirs: ModelRecord) -> ModelRecord:
    """The later one, with what happened in both, and with a trial of its files if either has one."""
    if ours.key != theirs.key:
        raise NotARecord("two repos")
    older, newer = sorted((ours, theirs), key=lambda record: record.last_changed)
    previous = [*older.previous_ids, *newer.previous_ids, *([older.id] if older.id != newer.id else [])]
    merged = replace(
        newer,
        first_seen=min(older.first_seen, newer.first_seen),
        previous_ids=tuple(dict.fromkeys(name for name in previous if name != newer.id))[-MOST_EVENTS:],
        history=_merge_histories(older.history, newer.history),
    )
    tried = replace(merged, trial=older.trial)
    if merged.current_trial is None and tried.current_trial is not None:
        return tried.judged()
    return merged


def _merge_histories(one: Tuple[Mapping[str, Any], ...], other: Tuple[Mapping[str, Any], ...]) -> Tuple[Any, ...]:
    """Every event once; of what both found out at different times, the earlier."""
    merged = [event for event in one if event in other]
    only = [event for event in one if event not in other]
    for event in (event for event in other if event not in one):
        twin = next((mine for mine in only if {**mine, "date": ""} == {**event, "date": ""}), None)
        if twin is None:
            merged.append(event)
        else:
            only.remove(twin)
            merged.append(min(twin, event, key=lambda found: str(found["date"])))
    return tuple(sorted((*merged, *only), key=lambda event: str(event["date"])))[-MOST_EVENTS:]


def _merge_lists(base: List[Any], ours: List[Any], theirs: List[Any]) -> List[Any]:
    """What either added, without what either removed."""
    removed = [item for item in base if item not in ours or item not in theirs]
    return sorted({str(item) for item in (*ours, *theirs) if item not in removed})


def _merge_objects(base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Dict[str, Any]:
    """Each entry as the side that changed it has it; of two changes, the one whose dates are earlier."""
    merged: Dict[str, Any] = {}
    for key in {*ours, *theirs}:
        before, mine, its = (version.get(key, _ABSENT) for version in (base, ours, theirs))
        chosen = its if mine == before else mine if its == before else _earlier(mine, its)
        if chosen is not _ABSENT:
            merged[key] = chosen
    return merged


def _earlier(mine: Any, its: Any) -> Any:
    """Of two changed entries the one that is there, says more, and says it for longer: a quarantine is kept."""
    if mine is _ABSENT or its is _ABSENT:
        return its if mine is _ABSENT else mine
    return min((mine, its), key=_since)


def _since(entry: Any) -> str:
    quarantine = entry.get("quarantine") if isinstance(entry, dict) else None
    found = quarantine if isinstance(quarantine, dict) else entry
    since = found.get("since") if isinstance(found, dict) else None
    return since if isinstance(since, str) else "~"
