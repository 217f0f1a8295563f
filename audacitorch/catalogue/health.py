"""The registry's health: how many models have which state, the oldest checks, and what waits for its trial."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field
from typing import List, Tuple

from audacitorch.catalogue.entry import Entry
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.jobs import plan
from audacitorch.registry.model_record import ModelRecord
from audacitorch.registry.record_schema import BAD, GOOD, NONE, PARTLY, WAITING
from audacitorch.registry.sightings import Look, Untested
from audacitorch.safetext import visible

#: Lines of one kind that the page shows.
MOST_LINES = 20
_MARKS = (GOOD, PARTLY, WAITING, BAD, NONE)


@dataclass
class Health:
    """Counts over all records, those without a page of their own as well."""

    counts: Counter[Tuple[str, str]] = field(default_factory=Counter)
    checks: List[Tuple[str, str, str]] = field(default_factory=list)
    queue: List[str] = field(default_factory=list)
    queued: int = 0
    untested: List[Tuple[str, str]] = field(default_factory=list)
    unreadable: List[str] = field(default_factory=list)
    look: Look = field(default_factory=Look)

    def add(self, record: ModelRecord, entry: Entry) -> None:
        """Count one record."""
        self.counts[record.status_text, record.mark] += 1
        if entry.checked and entry.page:
            self.checks.append((entry.checked, entry.id, entry.page))

    def close(self, folder: RegistryFolder) -> None:
        """Add what the folder's other files say, after every record was added."""
        waiting = plan(folder)
        self.queued, self.queue = len(waiting), [job.id for job in waiting[:MOST_LINES]]
        self.untested = [(visible(name), visible(said, 300)) for name, said in Untested(folder).shown()[:MOST_LINES]]
        self.unreadable = [visible(str(one), 300) for one in folder.unreadable[:MOST_LINES]]
        self.look = Look.last(folder)

    @property
    def total(self) -> int:
        """How many records there are."""
        return sum(self.counts.values())

    @property
    def oldest(self) -> List[Tuple[str, str, str]]:
        """The oldest checks: date, id and page."""
        return heapq.nsmallest(MOST_LINES, self.checks)

    @property
    def in_order(self) -> List[Tuple[str, str, int]]:
        """Each state with its mark and count, the best first."""
        found = sorted(self.counts.items(), key=lambda item: (_MARKS.index(item[0][1]), -item[1], item[0][0]))
        return [(text, mark, count) for (text, mark), count in found]
