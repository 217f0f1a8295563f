"""What a refresh must know of every record at once, small enough for a hundred thousand of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Collection, Dict, List, NamedTuple, Optional, Tuple

from audacitorch.registry import RegistryError, timestamp
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.model_record import MOST_EVENTS, ModelRecord
from audacitorch.registry.record_schema import GONE
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


class LeftAlone(Exception):
    """A record would have to be written where a later version of this tool has written one; the message says where."""


class Index:
    """Records by the Hub's key, wherever they lie, and the paths that are taken, whatever their capitals.

    Attributes:
        notes: what was found that a person should know of, as sentences.
        incomplete: whether something could not be read.
    """

    def __init__(self, folder: RegistryFolder) -> None:
        self._folder = folder
        self._known: Dict[str, RecordSummary] = {}
        self._taken: Dict[str, str] = {}
        self._leftovers: List[str] = []
        strays: List[Tuple[str, ModelRecord]] = []
        for place, record in folder.records():
            if place in (folder.place(record.id), folder.place(record.id, record.key)):
                self._meet(place, record)
            else:
                strays.append((place, record))
        self.notes = [str(one) for one in folder.unreadable]
        self.incomplete = bool(folder.unreadable)
        self._later = {one.place.casefold(): one for one in folder.unreadable if one.later}
        for place, record in strays:
            self._meet_stray(place, record)

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def get(self, key: str) -> Optional[RecordSummary]:
        """The record with this key, in short."""
        return self._known.get(key)

    def is_left_alone(self, repo_id: str) -> bool:
        """Whether a later version of this tool has written the record of this name."""
        return self._folder.place(repo_id).casefold() in self._later

    def items(self) -> List[Tuple[str, RecordSummary]]:
        """Every key with its record in short, in order."""
        return sorted(self._known.items())

    def record(self, key: str) -> Optional[ModelRecord]:
        """The record with this key, from its file."""
        known = self._known.get(key)
        return None if known is None else self._folder.read(known.place)

    def _meet(self, place: str, record: ModelRecord) -> None:
        """A record where it belongs. Of two of one repo, an earlier version left the older one when it was stopped."""
        before = self._known.get(record.key)
        if before is None:
            self._add(place, record)
            return
        found = [(before.last_changed, before.place == self._folder.place(before.id), before.place)]
        found.append((record.last_changed, place == self._folder.place(record.id), place))
        older, newer = sorted(found)
        if newer[-1] == place:
            self._add(place, record)
        self._taken[older[-1].casefold()] = record.key
        self._leftovers.append(older[-1])

    def _meet_stray(self, place: str, record: ModelRecord) -> None:
        """A record that lies where none belongs: it counts if it is the only one of its repo, else it is left alone."""
        known = self._known.get(record.key)
        if known is None:
            self._add(place, record)
        else:
            self.notes.append(
                f"models/{place} is a second record of {known.id}, which lies in models/{known.place}: left alone"
            )

    def _add(self, place: str, record: ModelRecord) -> None:
        self._known[record.key] = RecordSummary(
            place,
            record.id,
            record.revision,
            record.gated or record.disabled,
            record.status == GONE,
            record.settled,
            record.last_changed,
        )
        self._taken[place.casefold()] = record.key

    def set_aside(self) -> None:
        """Keep what can't be read under another name, so that nothing is lost and a record can be made again."""
        for one in self._folder.unreadable:
            if one.later:
                continue
            try:
                self.notes.append(f"models/{one.place} is kept as models/{self._folder.keep_aside(one.place)}")
            except RegistryError as error:
                self.notes.append(str(error))

    def away_from_home(self, listed: Collection[str]) -> List[Tuple[str, str]]:
        """Keys and names of listed repos whose records lie elsewhere than their names say, though nobody needs that."""
        found = []
        for key in listed:
            known = self._known.get(key)
            home = "" if known is None else self._folder.place(known.id)
            if known is not None and known.place != home and self._taken.get(home.casefold()) not in listed:
                found.append((key, known.id))
        return sorted(found)

    def tidy(self) -> None:
        """Remove what a run that was stopped left behind: the record under a former name, files half written."""
        for place in self._leftovers:
            record = self._folder.read(place)
            known = self._known.get(record.key) if record is not None else None
            newer = self._folder.read(known.place) if known is not None and known.place != place else None
            if record is not None and newer is not None and record.id in (newer.id, *newer.previous_ids):
                self._folder.remove(place)
                self._taken.pop(place.casefold(), None)
            elif record is not None:
                self.notes.append(f"models/{place} is a second record of {record.id}: left alone")
        self._leftovers.clear()
        self._folder.sweep_up()

    def put(self, record: ModelRecord) -> bool:
        """Write a record to its place, moving whoever holds it aside; whether anything was written.

        Every step is one operation of the file system, and after each of them every record is there once, to be found
        by its key. A repo that is gone has no name any more: if another holds it, its record stays aside.

        Raises:
            LeftAlone: a later version of this tool has written what lies there.
            RegistryError: it can't be written.
        """
        before = self._known.get(record.key)
        place = self._folder.place(record.id)
        holder = self._taken.get(place.casefold())
        if holder not in (None, record.key):
            if record.status == GONE:
                place = self._folder.place(record.id, record.key)
            else:
                self._move_aside(str(holder))
        if self._taken.get(place.casefold()) != record.key or (before is not None and before.place != place):
            self._clear(place, before)
        if before is not None and before.place != place:
            self._folder.move(before.place, place)
            self._taken.pop(before.place.casefold(), None)
            self._known[record.key] = before._replace(place=place)
            self._taken[place.casefold()] = record.key
        written = self._folder.write(place, record)
        self._add(place, record)
        return written

    def _clear(self, place: str, before: Optional[RecordSummary]) -> None:
        """Make room at a path that no record of ours holds."""
        later = self._later.get(place.casefold())
        if later is not None:
            raise LeftAlone(str(later))
        target = self._folder.models / place
        if not target.exists() or (before is not None and _is_same(self._folder.models / before.place, target)):
            return
        aside = self._folder.keep_aside(place)
        self.incomplete = True
        self.notes.append(f"models/{place} could not be used: it is kept as models/{aside}")

    def _move_aside(self, key: str) -> None:
        """Give a record whose name another repo has taken the path that no repo can have."""
        known = self._known[key]
        place = self._folder.place(known.id, key)
        self._clear(place, known)
        self._folder.move(known.place, place)
        self._taken.pop(known.place.casefold(), None)
        self._known[key] = known._replace(place=place)
        self._taken[place.casefold()] = key


def _is_same(one: Path, other: Path) -> bool:
    """Whether two names are one file, as where capitals make no difference."""
    try:
        return one.samefile(other)
    except OSError:
        return False


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
