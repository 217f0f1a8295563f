"""A refresh: the Hub's listing against the records, and a look at each repo that changed."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from threading import Event
from typing import Callable, Dict, List, Optional, Set, Union

from audacitorch.hub import Hub
from audacitorch.hub.failures import HubError, RateLimited
from audacitorch.registry.absence import Absences
from audacitorch.registry.examine import Refused, examine
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.index import Index, fold
from audacitorch.registry.isolation import Workers
from audacitorch.registry.model_record import GONE, UNREACHABLE, ModelRecord
from audacitorch.registry.sightings import ListedRepo, NotUnderstood
from audacitorch.registry.stats import Stats

#: Repos that are looked at side by side: what the Hub's connections take.
WORKERS = 24
#: Address space of a process that reads a repo's files, which are a few megabytes where they are code.
READER_MEMORY = 4 << 30
#: After so many repos in a row that the Hub could not answer for, it is left alone.
_PATIENCE = 8

Examined = Union[ModelRecord, Refused, HubError, None]


@dataclass
class Refreshed:
    """What a refresh came to. ``fault`` is why it is not complete; what it did is right all the same."""

    listed: int = 0
    unchanged: int = 0
    written: int = 0
    missing: int = 0
    failed: List[str] = field(default_factory=list)
    odd: List[str] = field(default_factory=list)
    fault: Optional[str] = None

    @property
    def exit_status(self) -> int:
        """0, or 3 where the Hub kept it from being complete."""
        return 3 if self.fault or self.failed else 0


def refresh(folder: RegistryFolder, hub: Hub, moment: datetime, workers: int = WORKERS) -> Refreshed:
    """Bring the records up to date with the Hub's listing; stopped anywhere, it goes on when it is called again.

    Every record is written as soon as it is made. Whatever goes wrong with the Hub ends in the result, never in an
    exception, and leaves the records concerned as they were.

    Raises:
        RegistryError: the folder can't be read or written.
    """
    with folder.refreshing():
        return _Refresh(folder, hub, moment, workers).run()


class _Refresh:
    """One refresh in progress. Threads look at repos; records are written by the one that started them."""

    def __init__(self, folder: RegistryFolder, hub: Hub, moment: datetime, workers: int) -> None:
        self.folder = folder
        self.hub = hub
        self.moment = moment
        self.workers = workers
        self.index = Index(folder)
        self.absences = Absences(folder, moment)
        self.stats = Stats(folder)
        self.result = Refreshed(odd=list(self.index.unreadable))
        self.seen: Set[str] = set()
        self.pending: Dict[Future[Examined], ListedRepo] = {}
        self.readers = Workers(memory_bytes=READER_MEMORY)
        self.stop = Event()
        self.failures_in_a_row = 0

    def run(self) -> Refreshed:
        with self.readers, ThreadPoolExecutor(self.workers) as pool:
            try:
                complete = self.read_listing(pool)
                while self.pending:
                    self.collect()
            except BaseException:
                self.stop.set()
                self.readers.close()
                raise
        if complete:
            self.index.tidy()
            self.note_missing()
        self.absences.save()
        self.stats.save(complete)
        return self.result

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
        if self.stop.is_set():
            self.result.failed.append(listed.id)
            return
        self.pending[pool.submit(self.look, listed)] = listed
        while len(self.pending) >= 4 * self.workers:
            self.collect()

    def look(self, listed: ListedRepo) -> Examined:
        """In a thread: what a repo is now; None where the refresh is being stopped."""
        if self.stop.is_set():
            return None
        try:
            return examine(self.hub, listed, self.index.record(listed.key), self.moment, self.readers)
        except HubError as error:
            return error

    def collect(self) -> None:
        """Take in what has been looked at."""
        done, _ = wait(self.pending, return_when=FIRST_COMPLETED)
        for future in done:
            self.take(self.pending.pop(future), future.result())

    def take(self, listed: ListedRepo, examined: Examined) -> None:
        if examined is None or isinstance(examined, HubError):
            self.result.failed.append(listed.id)
            self.heed(examined)
            return
        self.failures_in_a_row = 0
        if isinstance(examined, Refused):
            self.refused(listed, examined)
            return
        self.absences.forget(listed.key)
        self.put(listed.key, partial(_carried, examined))

    def heed(self, error: Optional[HubError]) -> None:
        """Leave the Hub alone where it can't answer for one repo after the other."""
        if error is None:
            return
        self.failures_in_a_row += 1
        if isinstance(error, RateLimited) or self.failures_in_a_row >= _PATIENCE:
            self.stop.set()
        if self.result.fault is None:
            self.result.fault = str(error)

    def refused(self, listed: ListedRepo, refused: Refused) -> None:
        """A repo that is listed and can't be read: believed at once of a new one, after a day of one that is known."""
        long_enough = self.absences.note(listed.key, listed.id, refused.reason)
        if listed.key in self.index and not long_enough:
            return
        new = ModelRecord(listed.id, listed.key, listed.sha, licence=listed.licence)
        self.put(listed.key, lambda before: replace(before or new, status=UNREACHABLE, reason=refused.reason))

    def note_missing(self) -> None:
        """What the whole listing lacks; ``gone`` after a day of that."""
        for key, known in self.index.items():
            if key in self.seen or known.gone:
                continue
            self.result.missing += 1
            why = "the Hub's listing lacks it: deleted, made private, or no longer tagged audacity"
            if self.absences.note(key, known.id, why):
                self.absences.forget(key)
                new = ModelRecord(known.id, key, known.revision)
                self.put(key, partial(_gone, new, why))
            else:
                self.stats.keep(known.id)

    def put(self, key: str, change: Callable[[Optional[ModelRecord]], ModelRecord]) -> None:
        """Write a repo's record as it follows the one on disk, which a trial may have changed meanwhile."""
        with self.folder.writing():
            before = self.index.record(key)
            self.result.written += self.index.put(fold(before, change(before), self.moment))


def _carried(record: ModelRecord, before: Optional[ModelRecord]) -> ModelRecord:
    """``record`` with the trial that was made of these very files, and the status that follows."""
    trial = None if before is None else replace(record, trial=before.trial).current_trial
    carried = replace(record, trial=trial)
    return carried if record.gated or record.disabled else carried.judged()


def _gone(new: ModelRecord, why: str, before: Optional[ModelRecord]) -> ModelRecord:
    return replace(before or new, status=GONE, reason=why)
