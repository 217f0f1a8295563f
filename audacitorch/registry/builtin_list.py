"""From ``builtin.yml`` and the records to ``models.json``: who is listed, who is left out, and when to ask a person."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Dict, List, Mapping, Optional, Set, Tuple

from audacitorch.errors import AudacitorchError
from audacitorch.hosts import LIST_HOST
from audacitorch.registry.builtin import BuiltIn, builtin_text, read_builtin, with_revision
from audacitorch.registry.files import canonical, read_json, timestamp, write
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.model_record import (
    GONE,
    NOT_A_MODEL,
    UNREACHABLE,
    ModelRecord,
    blocking,
    reason_of,
)
from audacitorch.report.model import FAIL, PASS

LISTED = "listed"
QUARANTINED = "quarantined"
#: Not examined yet, or not to the end: neither put on the list nor taken off it.
WAITING = "waiting"


class TooManyRemovals(AudacitorchError):
    """So much of the list would go at once that a person must look first."""

    exit_status = 1


@dataclass(frozen=True)
class BuiltInState:
    """Where a built-in stands. ``id`` is its name now, ``named`` the one in ``builtin.yml``."""

    named: str
    id: str
    state: str
    reason: str = ""
    since: str = ""
    key: Optional[str] = None
    revision: Optional[str] = None

    @property
    def renamed(self) -> bool:
        """Whether ``builtin.yml`` should be told another name."""
        return self.named != self.id


@dataclass
class ListUpdate:
    """The list as it is to be; ``changed`` names the files that were written."""

    builtin_states: List[BuiltInState]
    added: List[str] = field(default_factory=list)
    removed: List[str] = field(default_factory=list)
    changed: List[str] = field(default_factory=list)


def builtin_states(folder: RegistryFolder) -> List[BuiltInState]:
    """Where every built-in stands, by what the records say now."""
    state = read_json(folder.builtin_state, {})
    listed = set(read_list(folder))
    entries = read_builtin(folder.builtin)
    records = {entry.id: folder.find(entry.id) for entry in entries}
    lost = {key for entry in entries for key in [_key(state, entry.id)] if key and not _has_key(records[entry.id], key)}
    moved = {record.key: record for _, record in folder.records() if record.key in lost} if lost else {}
    return [_standing(entry, records[entry.id], state.get(entry.id) or {}, listed, moved) for entry in entries]


def _key(state: Mapping[str, Any], repo_id: str) -> Optional[str]:
    key = (state.get(repo_id) or {}).get("key")
    return key if isinstance(key, str) else None


def _has_key(record: Optional[ModelRecord], key: str) -> bool:
    return record is not None and record.key == key


def _standing(
    entry: BuiltIn,
    named: Optional[ModelRecord],
    state: Mapping[str, Any],
    listed: Set[str],
    moved: Mapping[str, ModelRecord],
) -> BuiltInState:
    key = state.get("key")
    if named is not None and key is not None and named.key != key and entry.revision != named.revision:
        followed = moved.get(str(key))
        if followed is None or followed.status == GONE:
            return _out(entry, state, named, "another repo has taken this name: examine it, and put its revision here")
        named = followed
    elif named is None and key is not None:
        named = moved.get(str(key))
    if named is None:
        return BuiltInState(
            entry.id, entry.id, LISTED if entry.id in listed else WAITING, "there is no record of it yet"
        )
    verdict, reason = _verdict(named)
    if verdict == PASS:
        return BuiltInState(entry.id, named.id, LISTED, "", "", named.key, named.revision)
    if verdict == FAIL:
        return _out(entry, state, named, reason)
    if state.get("quarantine"):
        return _out(entry, state, named, str(state["quarantine"].get("reason", "")))
    on = entry.id in listed or named.id in listed
    waiting = "its latest revision has not been tested yet"
    return BuiltInState(entry.id, named.id, LISTED if on else WAITING, waiting, "", named.key if on else key)


def _out(entry: BuiltIn, state: Mapping[str, Any], record: ModelRecord, reason: str) -> BuiltInState:
    since = str((state.get("quarantine") or {}).get("since", ""))
    key = state.get("key") or record.key
    return BuiltInState(entry.id, record.id, QUARANTINED, reason, since, key, record.revision)


def _verdict(record: ModelRecord) -> Tuple[str, str]:
    """What the record says for the builds that read the list: pass, fail with its reason, or neither."""
    if record.status in (GONE, UNREACHABLE, NOT_A_MODEL):
        return FAIL, record.reason or record.status
    verdict = record.hosts[LIST_HOST]
    against = blocking(record.findings, LIST_HOST)
    return verdict, reason_of(against[0]) if against else ""


def read_list(folder: RegistryFolder) -> List[str]:
    """What models.json holds now."""
    return [item for item in read_json(folder.list, []) if isinstance(item, str)]


def curate(folder: RegistryFolder, moment: datetime, *, confirmed: bool = False) -> ListUpdate:
    """Make models.json what it should be, move revisions on, and remember who is left out and since when.

    ``confirmed``: a person has looked at how many models go.

    Raises:
        TooManyRemovals: more than a tenth of the list, and more than two, would go; nothing was written then.
        RegistryError: a file can't be read or written.
    """
    with folder.writing() if folder.models.is_dir() else folder.refreshing():
        before = read_list(folder)
        found = [replace(one, since=one.since or timestamp(moment)) for one in builtin_states(folder)]
        after = sorted({one.id for one in found if one.state == LISTED})
        result = ListUpdate(found, sorted(set(after) - set(before)), sorted(set(before) - set(after)))
        if not confirmed:
            require_few_removals(_really_going(result, found), len(before), found)
        _write(folder, found, after, result)
    return result


def _really_going(result: ListUpdate, found: List[BuiltInState]) -> List[str]:
    """Names that go for good: one that a repo has given up for another stays on the list under that."""
    renamed = {one.named for one in found if one.renamed and one.state == LISTED}
    return [name for name in result.removed if name not in renamed]


def require_few_removals(going: List[str], count: int, found: List[BuiltInState]) -> None:
    """Stop where more than a tenth of a list, and more than two, go at once.

    Raises:
        TooManyRemovals: they do; names each with its reason.
    """
    if len(going) <= 2 or len(going) * 10 <= count:
        return
    why = {name: one.reason for one in found for name in (one.named, one.id)}
    lines = [f"  {name}: {why.get(name) or 'no longer in builtin.yml'}" for name in going[:20]]
    more = [f"  and {len(going) - 20} more"] if len(going) > 20 else []
    head = f"{len(going)} of {count} built-in models would go at once, so nothing was changed:"
    tail = "Look at them, and if that is right: audacitorch registry publish --confirm-removals"
    raise TooManyRemovals("\n".join([head, *lines, *more, tail]))


def _write(folder: RegistryFolder, found: List[BuiltInState], after: List[str], result: ListUpdate) -> None:
    text = builtin_text(folder.builtin)
    revisions = {entry.id: entry.revision for entry in read_builtin(folder.builtin)}
    for one in found:
        if one.state == LISTED and one.revision and one.revision != revisions[one.named]:
            text = with_revision(text, one.named, one.revision)
    state = {one.named: _state(one) for one in found if one.key is not None}
    files = [(folder.list, canonical(after)), (folder.builtin_state, canonical(state)), (folder.builtin, text)]
    for path, content in files:
        if (path.exists() or content not in ("", "{}\n")) and write(path, content):
            result.changed.append(path.name)


def _state(one: BuiltInState) -> Dict[str, Any]:
    out = {"reason": one.reason, "since": one.since} if one.state == QUARANTINED else None
    return {"key": one.key, "quarantine": out}
