"""From ``builtin.yml`` and the records to ``models.json``: who is listed, who is left out, and when to ask a person."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Dict, List, Mapping, Optional, Tuple

from audacitorch.errors import AudacitorchError
from audacitorch.hosts import LIST_HOST
from audacitorch.registry import RegistryError, canonical, moment_of, read_json, timestamp, write
from audacitorch.registry.builtin import BuiltIn, builtin_text, parse_builtin, read_builtin, with_revisions
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.model_record import ModelRecord, blocking, reason_of
from audacitorch.registry.record_schema import GONE, NOT_A_MODEL, UNREACHABLE
from audacitorch.registry.sightings import Untested
from audacitorch.report.model import FAIL, PASS
from audacitorch.wording import sentence

LISTED = "listed"
QUARANTINED = "quarantined"
#: Not examined yet, or not to the end: neither put on the list nor taken off it.
WAITING = "waiting"
#: How long a built-in model stays listed while nobody could run what is on its main branch.
UNTESTED_PATIENCE = timedelta(days=3)


class TooManyRemovals(AudacitorchError):
    """So much of the list would go at once that a person must look first."""

    exit_status = 1


@dataclass(frozen=True)
class BuiltInState:
    """The state of a built-in model: listed, quarantined or waiting, and why.

    Attributes:
        named: its id in ``builtin.yml``; ``id`` is its name now.
        since: when the quarantine began.
        key: the Hub's own key of the repo that is meant.
        revision: the commit that the state is about; ``before`` is the one in ``builtin.yml``.
        untested: since when what is on its main branch could not be run; empty if it was.
        asked: for a name that another repo has taken: the revision that ``builtin.yml`` had when that was noticed.
        taken: whether another repo has its old name.
    """

    named: str
    id: str
    state: str
    reason: str = ""
    since: str = ""
    key: Optional[str] = None
    revision: Optional[str] = None
    before: str = ""
    untested: str = ""
    asked: str = ""
    taken: bool = False

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


def builtin_keys(folder: RegistryFolder) -> Dict[str, str]:
    """The names of the built-in models by the Hub's own keys, as far as they are known."""
    state = _remembered(folder)
    entries = read_builtin(folder.builtin)
    return {key: entry.id for entry in entries for key in [entry.key or state.get(entry.id, {}).get("key")] if key}


def builtin_states(folder: RegistryFolder, moment: Optional[datetime] = None) -> List[BuiltInState]:
    """The state of every built-in model, by what the records say now; at ``moment``, if it may change with time."""
    entries = read_builtin(folder.builtin)
    found = _Records(folder, entries, {name: one.get("key") for name, one in _remembered(folder).items()})
    return [found.state(entry, moment) for entry in entries]


def _remembered(folder: RegistryFolder) -> Dict[str, Dict[str, Any]]:
    """``builtin-state.json``, without what is not of its shape."""
    state = read_json(folder.builtin_state, {})
    return {name: one for name, one in state.items() if isinstance(one, dict) and isinstance(one.get("key"), str)}


class _Records:
    """The records of the built-in models: by name, and by key wherever they lie."""

    def __init__(self, folder: RegistryFolder, entries: List[BuiltIn], keys: Mapping[str, Optional[str]]) -> None:
        self.folder = folder
        self.remembered = _remembered(folder)
        self.listed = set(read_list(folder))
        self.untested = Untested(folder)
        self.named = {entry.id: folder.find(entry.id) for entry in entries}
        self.keys = {entry.id: entry.key or keys.get(entry.id) for entry in entries}
        missing = {name.casefold() for name, record in self.named.items() if record is None}
        lost = {key for name, key in self.keys.items() if key and not _has_key(self.named[name], key)}
        self.by_key: Dict[str, ModelRecord] = {}
        by_name: Dict[str, ModelRecord] = {}
        for _, record in folder.records() if missing or lost else ():
            if record.key in lost:
                self.by_key[record.key] = record
            if record.id.casefold() in missing and record.status != GONE:
                by_name[record.id.casefold()] = record
        for name, known in self.named.items():
            self.named[name] = known or by_name.get(name.casefold())

    def state(self, entry: BuiltIn, moment: Optional[datetime]) -> BuiltInState:
        named, key, taken = self.named[entry.id], self.keys[entry.id], False
        if key is not None and named is not None and named.key != key:
            followed = self.renamed(entry, key)
            if followed is not None:
                named, taken = followed, True
            elif not self.is_approved(entry, named):
                return self.taken_over(entry, named, key)
        elif key is not None and named is None:
            named = self.renamed(entry, key)
        if named is None:
            state = LISTED if entry.id in self.listed else WAITING
            return BuiltInState(entry.id, entry.id, state, "It has no record yet.", key=key, before=entry.revision)
        return replace(self.judged(entry, named, moment), taken=taken)

    def renamed(self, entry: BuiltIn, key: str) -> Optional[ModelRecord]:
        """The record of the repo that is meant, if it has another name now and nobody else has that."""
        record = self.by_key.get(key)
        if record is None or record.status == GONE or record.id.casefold() == entry.id.casefold():
            return None
        return record if _has_key(self.folder.find(record.id), key) else None

    def is_approved(self, entry: BuiltIn, named: ModelRecord) -> bool:
        """Whether a person has put this other repo's commit into ``builtin.yml`` since it was noticed.

        The same commit as before says nothing: anybody can push a repo's old history under its old name.
        """
        asked = (self.remembered.get(entry.id, {}).get("quarantine") or {}).get("revision")
        changed = isinstance(asked, str) and asked != entry.revision
        return entry.key is None and changed and entry.revision == named.revision

    def taken_over(self, entry: BuiltIn, named: ModelRecord, key: str) -> BuiltInState:
        reason = (
            "Another repo has taken this name: examine it, and if it is to be listed put its revision and"
            f" key: {named.key} into builtin.yml."
        )
        state = self.out(entry, named, reason)
        asked = (self.remembered.get(entry.id, {}).get("quarantine") or {}).get("revision")
        return replace(state, key=key, asked=asked if isinstance(asked, str) else entry.revision)

    def judged(self, entry: BuiltIn, record: ModelRecord, moment: Optional[datetime]) -> BuiltInState:
        """The state of a built-in whose record is known to be its own."""
        verdict, reason = _verdict(record)
        state = BuiltInState(
            entry.id, record.id, LISTED, key=record.key, revision=record.revision, before=entry.revision
        )
        if verdict == PASS:
            return state
        if verdict == FAIL:
            return self.out(entry, record, reason)
        remembered = self.remembered.get(entry.id, {})
        if remembered.get("quarantine"):
            return self.out(entry, record, str(remembered["quarantine"].get("reason", "")))
        waiting = "Its latest revision has not been tested yet."
        if entry.id not in self.listed and record.id not in self.listed:
            return replace(state, state=WAITING, reason=waiting, key=self.keys[entry.id])
        refused = self.untested.refused(record)
        if refused is not None:
            return self.out(entry, record, sentence(f"The Hub does not let us test what it lists: {refused}"))
        since = _moment(remembered.get("untested")) or moment
        if since is not None and moment is not None and moment - since >= UNTESTED_PATIENCE:
            why = self.untested.why(record)
            days = UNTESTED_PATIENCE.days
            return self.out(
                entry, record, sentence(f"It could not be tested for {days} days{f': {why}' if why else ''}")
            )
        return replace(state, reason=waiting, untested="" if since is None else timestamp(since))

    def out(self, entry: BuiltIn, record: ModelRecord, reason: str) -> BuiltInState:
        since = str((self.remembered.get(entry.id, {}).get("quarantine") or {}).get("since", ""))
        return BuiltInState(
            entry.id, record.id, QUARANTINED, reason, since, record.key, record.revision, before=entry.revision
        )


def _moment(text: Any) -> Optional[datetime]:
    try:
        return moment_of(text)
    except (TypeError, ValueError):
        return None


def _has_key(record: Optional[ModelRecord], key: str) -> bool:
    return record is not None and record.key == key


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
        found = [replace(one, since=one.since or timestamp(moment)) for one in builtin_states(folder, moment)]
        after = sorted({one.id for one in found if one.state == LISTED})
        result = ListUpdate(found, sorted(set(after) - set(before)), sorted(set(before) - set(after)))
        if not confirmed:
            require_few_removals(removals(before, found), len(before), found)
        _write(folder, found, after, result)
    return result


def removals(before: List[str], found: List[BuiltInState]) -> List[str]:
    """Names on the list that go for good: one that a repo gave up for another stays on the list under that."""
    after = {one.id for one in found if one.state == LISTED}
    renamed = {one.named for one in found if one.renamed and one.state == LISTED}
    return sorted(set(before) - after - renamed)


def held_removals(folder: RegistryFolder, found: List[BuiltInState]) -> List[str]:
    """Names that stay on the list because too many would go at once: a person must look first."""
    before = read_list(folder)
    going = removals(before, found)
    return going if _too_many(len(going), len(before)) else []


def _too_many(going: int, count: int) -> bool:
    return going > 2 and going * 10 > count


def require_few_removals(going: List[str], count: int, found: List[BuiltInState]) -> None:
    """Stop if more than a tenth of a list, and more than two, go at once.

    Raises:
        TooManyRemovals: they do; names each with its reason.
    """
    if not _too_many(len(going), count):
        return
    why = {name: one.reason for one in found for name in (one.named, one.id)}
    lines = [f"  {name}: {why.get(name) or 'no longer in builtin.yml'}" for name in going[:20]]
    more = [f"  and {len(going) - 20} more"] if len(going) > 20 else []
    head = f"{len(going)} of {count} built-in models would go at once, so nothing was changed:"
    tail = "Look at them, and if that is right: audacitorch registry publish --confirm-removals"
    raise TooManyRemovals("\n".join([head, *lines, *more, tail]))


def _write(folder: RegistryFolder, found: List[BuiltInState], after: List[str], result: ListUpdate) -> None:
    text = builtin_text(folder.builtin)
    entries = read_builtin(folder.builtin)
    revisions = {entry.id: entry.revision for entry in entries}
    moved = {
        one.named: one.revision
        for one in found
        if one.state == LISTED and one.revision and not one.reason and one.revision != revisions[one.named]
    }
    text = with_revisions(text, moved)
    expected = [replace(entry, revision=moved.get(entry.id, entry.revision)) for entry in entries]
    if parse_builtin(text, folder.builtin) != expected:
        raise RegistryError(f"{folder.builtin} can't be changed safely: give each entry and each field its own line.")
    state = {one.named: _state(one) for one in found if one.key is not None}
    files = [(folder.list, canonical(after)), (folder.builtin_state, canonical(state)), (folder.builtin, text)]
    for path, content in files:
        if (path.exists() or content not in ("", "{}\n")) and write(path, content):
            result.changed.append(path.name)


def _state(one: BuiltInState) -> Dict[str, Any]:
    out: Optional[Dict[str, str]] = None
    if one.state == QUARANTINED:
        out = {"reason": one.reason, "since": one.since, **({"revision": one.asked} if one.asked else {})}
    return {"key": one.key, "quarantine": out, **({"untested": one.untested} if one.untested else {})}
