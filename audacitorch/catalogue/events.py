"""What happened in the registry: an Atom feed of new, changed and broken models, and the states over time."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, List, Tuple
from urllib.parse import quote
from xml.etree import ElementTree

from audacitorch.catalogue.entry import HUB, Entry
from audacitorch.registry.model_record import ModelRecord
from audacitorch.registry.record_schema import STATUSES
from audacitorch.registry.status import change_of
from audacitorch.safetext import visible

#: Entries of the feed, and days of the table of states.
MOST_ENTRIES, MOST_DAYS = 60, 30
_ATOM = "http://www.w3.org/2005/Atom"
#: Kinds of changes as the feed names them.
_TITLES = {"new": "New", "changed": "Changed", "tested": "Tested", "fixed": "Works again", "broken": "Broken"}

Happened = Tuple[str, str, str, str, str]


@dataclass
class Chronicle:
    """The events of all records, of which it keeps the newest, and how many repos changed their state on which day."""

    newest: List[Happened] = field(default_factory=list)
    moves: Dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, record: ModelRecord, entry: Entry) -> None:
        """Take the events of one record."""
        before = None
        for event in record.history:
            self._move(event["date"][:10], before or event["was"], event["status"])
            before = event["status"]
            change = change_of(record, event)
            place = entry.page or f"{HUB}/{quote(record.id)}"
            heapq.heappush(self.newest, (event["date"], record.id, change.kind, change.said, place))
            if len(self.newest) > MOST_ENTRIES:
                heapq.heappop(self.newest)
        if not record.history and record.first_seen:
            self._move(record.first_seen[:10], None, record.status)

    def _move(self, day: str, was: Any, status: str) -> None:
        moved = self.moves.setdefault(day, Counter())
        if was is not None and was != status:
            moved[was] -= 1
        if was is None or was != status:
            moved[status] += 1

    def states(self) -> List[Tuple[str, Dict[str, int]]]:
        """How many repos had each status at the end of a day, for the newest days on which something changed."""
        total: Counter[str] = Counter()
        found = []
        for day in sorted(self.moves):
            total.update(self.moves[day])
            found.append((day, {name: max(0, total[name]) for name in STATUSES}))
        return found[-MOST_DAYS:]

    def feed(self, address: str, title: str) -> bytes:
        """The newest events as an Atom feed of the site at ``address`` (with a slash at its end)."""
        ElementTree.register_namespace("", _ATOM)
        newest = sorted(self.newest, reverse=True)
        feed = ElementTree.Element(f"{{{_ATOM}}}feed")
        _add(feed, "title", title)
        _add(feed, "id", address)
        _add(feed, "updated", newest[0][0] if newest else "1970-01-01T00:00:00Z")
        _add(feed, "link", rel="self", href=f"{address}feed.xml")
        _add(feed, "link", rel="alternate", type="text/html", href=address)
        _add(_add(feed, "author"), "name", "audacitorch")
        for date, repo_id, kind, said, place in newest:
            entry = _add(feed, "entry")
            link = place if place.startswith("https:") else address + quote(place)
            _add(entry, "title", f"{_TITLES[kind]}: {repo_id}")
            _add(entry, "id", f"{address}#{quote(f'{repo_id} {kind} {date}', safe='')}")
            _add(entry, "updated", date)
            _add(entry, "link", rel="alternate", type="text/html", href=link)
            _add(entry, "category", term=kind)
            _add(entry, "summary", said)
        text: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
        return text


def _add(parent: ElementTree.Element, name: str, text: str = "", **attributes: str) -> ElementTree.Element:
    """An element below ``parent``. Text is made visible: XML has no place for control characters."""
    child = ElementTree.SubElement(parent, f"{{{_ATOM}}}{name}", {k: visible(v) for k, v in attributes.items()})
    child.text = visible(text) or None
    return child
