"""A refresh: the Hub's listing against the records, and a look at each repo that changed."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from threading import Event
from typing import Callable, Dict, List, Optional, Set, Union

from audacitorch.hub import Hub
from audacitorch.hub.failures import HubError, RateLimited
from audacitorch.registry import RegistryError, timestamp
from audacitorch.registry.builtin_list import builtin_keys
from audacitorch.registry.examine import Refused, examine
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.index import Index, LeftAlone, fold
from audacitorch.registry.isolation import Workers
from audacitorch.registry.model_record import ModelRecord
from audacitorch.registry.record_schema import GONE, UNREACHABLE
from audacitorch.registry.sightings import Absences, ListedRepo, Look, NotUnderstood, Stats, in_doubt

#: Repos that are looked at side by side: what the Hub's connections take.
WORKERS = 24
#: Address space of a process that reads a repo's files, which are a few megabytes where they are code.
READER_MEMORY = 4 << 30
#: After failures for repos of so many authors in a row, the Hub is left alone.
_PATIENCE = 8
#: After so many failures, the other repos of an author wait for the next refresh.
_PATIENCE_WITH_AUTHOR = 3
#: After so many records that could not be written, the folder itself must be the cause.
_MOST_UNWRITTEN = 20

Examined = Union[ModelRecord, Refused, HubError, None]


@dataclass
class Refreshed:
    """What a refresh came to. ``fault`` is why it is not complete; what it did is right all the same.

    Attributes:
        failed: repos that could not be looked at, or whose record could not be written; ``why`` has the reasons.
        missing_builtins: built-in models that the listing lacks, also those that it lacks for the first time.
        odd: what else a person should know, as sentences.
        skipped: whether a record could not be read.
    """

    listed: int = 0
    unchanged: int = 0
    written: int = 0
    missing: int = 0
    failed: List[str] = field(default_factory=list)
    why: Dict[str, str] = field(default_factory=dict)
    missing_builtins: List[str] = field(default_factory=list)
    odd: List[str] = field(default_factory=list)
    fault: Optional[str] = None
    skipped: bool = False

    @property
    def exit_status(self) -> int:
        """0, or 3 if something kept it from being complete."""
        return 3 if self.fault or self.failed or self.skipped else 0


def refresh(
    folder: RegistryFolder, hub: Hub, moment: datetime, workers: int = WORKERS, *, confirmed: bool = False
) -> Refreshed:
    """Bring the records up to date with the Hub's listing; stopped anywhere, it goes on when it is called again.

    Every record is written as soon as it is made. Whatever goes wrong with the Hub or with one repo ends in the
    result, never in an exception, and leaves the records concerned as they were.

    Args:
        workers: how many repos are looked at side by side.
        confirmed: a person has looked at how much the listing lacks.

    Raises:
        RegistryError: the folder can't be read or written.
    """
    with folder.refreshing():
        return _Refresh(folder, hub, moment, workers, confirmed).run()


class _Refresh:
    """One refresh in progress. Threads look at repos; records are written by the one that started them."""

    def __init__(self, folder: RegistryFolder, hub: Hub, moment: datetime, workers: int, confirmed: bool) -> None:
        self.folder = folder
        self.hub = hub
        self.moment = moment
        self.workers = workers
        self.confirmed = confirmed
        self.index = Index(folder)
        self.absences = Absences(folder, moment)
        self.stats = Stats(folder)
        self.builtins = builtin_keys(folder)
        self.look_before = Look.last(folder)
        self.result = Refreshed()
        self.seen: Set[str] = set()
        self.pending: Dict[Future[Examined], ListedRepo] = {}
        self.readers = Workers(memory_bytes=READER_MEMORY)
        self.stop = Event()
        self.failing_authors: Set[str] = set()
        self.failures_of: Counter[str] = Counter()
        self.unwritten = 0

    def run(self) -> Refreshed:
        self.index.set_aside()
        with self.readers, ThreadPoolExecutor(self.workers) as pool:
            try:
                complete = self.read_listing(pool)
                while self.pending:
                    self.collect()
            except BaseException:
                self.stop.set()
                self.readers.close()
                raise
        lacking = [key for key, known in self.index.items() if key not in self.seen and not known.gone]
        if complete:
            complete = self.note_missing(lacking)
        if complete:
            for key, repo_id in self.index.away_from_home(self.seen):
                self.put(key, repo_id, lambda before: before)
            self.index.tidy()
        for key, known in self.index.items() if complete else ():
            if known.gone:
                self.absences.forget(key)  # also if a run was killed between the record and the list of absences
        self.absences.save()
        self.stats.save(complete)
        self.result.odd.extend(self.index.notes)
        self.result.skipped = self.index.incomplete
        self.save_look(complete, lacking)
        return self.result

    def save_look(self, complete: bool, lacking: List[str]) -> None:
        date = timestamp(self.moment)
        names = [known.id for known in map(self.index.get, lacking) if known is not None]
        Look(
            date=date,
            last_complete=date if complete else self.look_before.last_complete,
            listed=self.result.listed,
            lacking=len(names),
            lacking_names=names,
            fault=self.result.fault or "",
            failed=self.result.why,
        ).save(self.folder)

    def read_listing(self, pool: ThreadPoolExecutor) -> bool:
        """Go through the listing, handing out what changed; whether it came to its end."""
        try:
            for entry in self.hub.list_models():
                self.meet(entry, pool)
        except HubError as error:
            self.result.fault = str(error)
            return False
        if not self.seen and len(self.index):
            self.result.fault = "the Hub lists no model at all, which can't be: nothing was changed"
            return False
        return True

    def meet(self, entry: Dict[str, object], pool: ThreadPoolExecutor) -> None:
        """One entry of the listing. What is private is shown to its owner's token, and is not for this registry."""
        if entry.get("private"):
            return
        try:
            listed = ListedRepo.from_json(entry)
        except NotUnderstood as error:
            self.result.odd.append(str(error))
            if isinstance(entry.get("_id"), str):
                self.seen.add(str(entry["_id"]))  # whatever it is, it is there
            return
        self.seen.add(listed.key)
        self.result.listed += 1
        self.stats.put(listed)
        known = self.index.get(listed.key)
        if known is not None and known.shows(listed):
            self.absences.forget(listed.key)
            self.result.unchanged += 1
            return
        if self.index.is_left_alone(listed.id):
            return
        if self.stop.is_set():
            self.failed(listed.id, "the Hub was left alone after too many failures")
            return
        self.pending[pool.submit(self.look, listed)] = listed
        while len(self.pending) >= 4 * self.workers:
            self.collect()

    def look(self, listed: ListedRepo) -> Examined:
        """In a thread: what a repo is now; None if the refresh is being stopped, or its author's repos wait."""
        if self.stop.is_set() or self.failures_of[listed.author] >= _PATIENCE_WITH_AUTHOR:
            return None
        try:
            with self.folder.writing():  # or it may be on its way to another place
                known = self.index.record(listed.key)
            return examine(self.hub, listed, known, self.moment, self.readers)
        except HubError as error:
            return error

    def collect(self) -> None:
        """Take in what has been looked at."""
        done, _ = wait(self.pending, return_when=FIRST_COMPLETED)
        for future in done:
            self.take(self.pending.pop(future), future.result())

    def take(self, listed: ListedRepo, examined: Examined) -> None:
        if examined is None or isinstance(examined, HubError):
            self.heed(listed, examined)
            return
        self.failing_authors.clear()
        if isinstance(examined, Refused):
            self.refused(listed, examined)
            return
        self.absences.forget(listed.key)
        self.put(listed.key, listed.id, partial(_carried, examined))

    def failed(self, repo_id: str, why: str) -> None:
        self.result.failed.append(repo_id)
        self.result.why[repo_id] = why

    def heed(self, listed: ListedRepo, error: Optional[HubError]) -> None:
        """Leave the Hub alone if it can't answer for the repos of one author after the other."""
        self.failed(listed.id, "too many repos of this author failed" if error is None else str(error))
        if error is None:
            return
        self.failures_of[listed.author] += 1
        self.failing_authors.add(listed.author)
        if isinstance(error, RateLimited) or len(self.failing_authors) >= _PATIENCE:
            self.stop.set()
        if self.result.fault is None:
            self.result.fault = str(error)

    def refused(self, listed: ListedRepo, refused: Refused) -> None:
        """A repo that is listed and can't be read: believed at once of a new one, after a day of one that is known."""
        long_enough = self.absences.note(listed.key, listed.id, refused.reason)
        if listed.key in self.index and not long_enough:
            return
        new = ModelRecord(listed.id, listed.key, listed.sha, licence=listed.licence)
        self.put(listed.key, listed.id, partial(_unreachable, new, refused.reason))

    def note_missing(self, lacking: List[str]) -> bool:
        """What the whole listing lacks: ``gone`` after a day of that; False if it lacks so much that it is in doubt."""
        there = sum(not known.gone for _, known in self.index.items())
        new = [key for key in lacking if not self.absences.knows(key)]
        self.result.missing = len(lacking)
        self.result.missing_builtins = sorted(self.builtins[key] for key in lacking if key in self.builtins)
        if not self.confirmed and in_doubt(len(new), there - (len(lacking) - len(new))):
            self.result.fault = (
                f"the Hub's listing lacks {len(new):,} of {there:,} repos that were there, so it is in doubt and"
                " nothing is called gone; if that is right: audacitorch registry refresh --confirm-missing"
            )
            return False
        why = "the Hub's listing lacks it: deleted, made private, or no longer tagged audacity"
        for key in lacking:
            known = self.index.get(key)
            if known is None:
                continue
            if self.absences.note(key, known.id, why):
                self.absences.forget(key)
                gone = ModelRecord(known.id, key, known.revision)
                self.put(key, known.id, partial(_gone, gone, why))
            else:
                self.stats.keep(known.id)
        return True

    def put(self, key: str, repo_id: str, change: Callable[[Optional[ModelRecord]], Optional[ModelRecord]]) -> None:
        """Write a repo's record as it follows the one on disk, which a trial may have changed meanwhile."""
        try:
            with self.folder.writing():
                before = self.index.record(key)
                after = change(before)
                if after is not None:
                    self.result.written += self.index.put(fold(before, after, self.moment))
        except LeftAlone as error:
            self.result.odd.append(str(error))
        except RegistryError as error:
            self.unwritten += 1
            if self.unwritten >= _MOST_UNWRITTEN:
                raise
            self.failed(repo_id, str(error))


def _carried(record: ModelRecord, before: Optional[ModelRecord]) -> ModelRecord:
    """``record`` with the trial that was made of these very files, and the status that follows."""
    trial = None if before is None else replace(record, trial=before.trial).current_trial
    carried = replace(record, trial=trial)
    return carried if record.gated or record.disabled else carried.judged()


def _gone(new: ModelRecord, why: str, before: Optional[ModelRecord]) -> ModelRecord:
    return replace(before or new, status=GONE, reason=why)


def _unreachable(new: ModelRecord, why: str, before: Optional[ModelRecord]) -> ModelRecord:
    return replace(before or new, status=UNREACHABLE, reason=why)
