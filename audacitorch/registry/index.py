"""What a refresh must know of every record at once, small enough for a hundred thousand of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Dict, List, NamedTuple, Optional, Tuple

from audacitorch.registry.files import timestamp
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.model_record import GONE, MOST_EVENTS, ModelRecord
from audacitorch.registry.sightings import ListedRepo


class RecordSummary(NamedTuple):
    """A record in short."""

    place: str
    id: str
    revision: Optional[str]
    closed: bool
    gone: bool
    settled: bool
    last_changed: str

    def shows(self, listed: ListedRepo) -> bool:
        """Whether the record says already all that the listing does, so that nothing need be asked or written."""
        return (
            self.settled
            and not self.gone
            and self.revision == listed.sha
            and self.id == listed.id
            and self.closed == (listed.gated or listed.disabled)
        )


class Index:
    """Records by the Hub's key, and the paths that are taken, whatever their capitals.

    Two records of one repo, which a run that was stopped while it renamed leaves behind, become one.
    """

    def __init__(self, folder: RegistryFolder) -> None:
        self._folder = folder
        self._known: Dict[str, RecordSummary] = {}
        self._taken: Dict[str, str] = {}
        self._stale: List[str] = []
        for place, record in folder.records():
            self._add(place, record)
        self.unreadable = list(folder.unreadable)

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def get(self, key: str) -> Optional[RecordSummary]:
        """The record with this key, in short."""
        return self._known.get(key)

    def items(self) -> List[Tuple[str, RecordSummary]]:
        """Every key with its record in short, in order."""
        return sorted(self._known.items())

    def record(self, key: str) -> Optional[ModelRecord]:
        """The record with this key, from its file."""
        known = self._known.get(key)
        return None if known is None else self._folder.read(known.place)

    def _add(self, place: str, record: ModelRecord) -> None:
        settled = record.settled
        closed = record.gated or record.disabled
        known = RecordSummary(
            place, record.id, record.revision, closed, record.status == GONE, settled, record.last_changed
        )  # fmt: skip
        before = self._known.get(record.key)
        if before is not None and before.place != place:
            older, known = sorted((before, known), key=lambda one: one.last_changed)
            self._stale.append(older.place)
        self._known[record.key] = known
        self._taken[place.casefold()] = record.key

    def tidy(self) -> None:
        """Remove what a run that was stopped left behind."""
        for place in self._stale:
            self._folder.remove(place)
            self._taken.pop(place.casefold(), None)
        self._stale.clear()
        self._folder.sweep_up()

    def put(self, record: ModelRecord) -> bool:
        """Write a record to its place, moving whoever holds it aside; whether anything was written.

        A repo that is gone has no name any more: where another holds it, its record stays aside.
        """
        before = self._known.get(record.key)
        place = self._folder.place(record.id)
        holder = self._taken.get(place.casefold())
        if holder is not None and holder != record.key:
            if record.status == GONE:
                place = self._folder.place(record.id, record.key)
            else:
                self._move_aside(holder)
        written = self._folder.write(place, record)
        if before is not None and before.place != place:
            if before.place.casefold() != place.casefold():
                self._taken.pop(before.place.casefold(), None)
            self._remove_unless_same(before.place, place)
            self._known.pop(record.key)
        self._add(place, record)
        return written

    def _remove_unless_same(self, old: str, new: str) -> None:
        """Delete the old file, which is the new one where capitals make no difference."""
        source, target = self._folder.models / old, self._folder.models / new
        if source.exists() and not source.samefile(target):
            self._folder.remove(old)

    def _move_aside(self, key: str) -> None:
        """Give a record whose name another repo has taken the path that no repo can have."""
        known, record = self._known[key], self.record(key)
        place = self._folder.place(known.id, key)
        if record is not None:
            self._folder.write(place, record)
            self._folder.remove(known.place)
            self._taken.pop(known.place.casefold(), None)
            self._known.pop(key)
            self._add(place, record)


def fold(before: Optional[ModelRecord], record: ModelRecord, moment: datetime) -> ModelRecord:
    """``record`` as it follows ``before``: dates, former names and history; ``before`` itself if nothing changed."""
    date = timestamp(moment)
    if before is None:
        first = replace(record, first_seen=date, last_changed=date)
        return replace(first, history=(event(first, "new", date),))
    renamed = () if before.id == record.id else (before.id,)
    previous = tuple(dict.fromkeys((*(name for name in before.previous_ids if name != record.id), *renamed)))
    unchanged = replace(
        record,
        first_seen=before.first_seen,
        last_changed=before.last_changed,
        previous_ids=previous[-MOST_EVENTS:],
        history=before.history,
    )
    if _equal(unchanged, before):
        return before
    what = _what_happened(before, record)
    history = before.history if what is None else (*before.history, event(unchanged, what, date, before))
    return replace(unchanged, last_changed=date, history=history[-MOST_EVENTS:])


def _what_happened(before: ModelRecord, record: ModelRecord) -> Optional[str]:
    """The event that history tells; None where the same was found out again."""
    if before.id != record.id:
        return "renamed"
    if before.revision != record.revision:
        return "revision"
    if before.status != record.status:
        return "status" if before.trial == record.trial else "tested"
    return None


def _equal(one: ModelRecord, other: ModelRecord) -> bool:
    """Whether two records differ in nothing but the date on which the same findings were made."""
    return _undated(one) == _undated(other)


def _undated(record: ModelRecord) -> Dict[str, object]:
    shown = record.to_json()
    return {**shown, "static": {**record.static, "date": ""} if record.static else None}


def event(record: ModelRecord, what: str, date: str, before: Optional[ModelRecord] = None) -> Dict[str, Optional[str]]:
    """A line of a record's history: what happened, and the status before and after."""
    return {
        "date": date,
        "event": what,
        "revision": record.revision,
        "was": None if before is None else before.status,
        "status": record.status,
        "reason": record.reason,
    }
