"""What the catalogue gives to programs: ``index.json``, ``search.json`` for its own search, and badges."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterable, List, Sequence, Tuple
from urllib.parse import quote

from audacitorch.catalogue.entry import Entry
from audacitorch.hosts import HOSTS
from audacitorch.registry import canonical
from audacitorch.registry.record_schema import BAD, GOOD, PARTLY

SCHEMA_VERSION = 1
SCHEMA = Path(__file__).resolve().parents[1] / "data" / "catalogue.schema.json"
#: Choices of one filter; the search finds the others.
_MOST_CHOICES = 40
#: Columns of ``search.json`` whose values are numbers of a list of the different ones.
_SHARED = ("domains", "tags", "menu", "licence", "status", "mark", "built_in")
_VERDICTS = {"pass": "p", "fail": "f"}
#: What a badge's left side says, and its right side's colours.
LABEL = "Audacity"
_COLOURS = {GOOD: "1a7f37", PARTLY: "8a5a00", BAD: "b3261e"}
_OTHER = "57606a"
#: Pixels of a letter at 11 px in the fonts that a badge names, and what lies around a text.
_LETTER, _AROUND = 6.3, 12

Choices = Sequence[str]


def index_text(entries: Iterable[Entry], address: str) -> str:
    """``index.json``, as catalogue.schema.json describes it; ``address`` is the site's."""
    models = [entry.to_json() for entry in entries]
    return canonical({"schema_version": SCHEMA_VERSION, "site": address, "models": models})


def search_text(entries: Iterable[Entry]) -> str:
    """``search.json``: a row for each model, in the order of the pages, and lists of the texts that many share.

    A row has, in this order: id, page ("" where it follows from the id, null where there is none), short description,
    domains, tags, menu, licence, status, mark, built-in state, a letter for each host's verdict, likes, sample rate,
    date of the last change.
    """
    lists: Dict[str, Dict[str, int]] = {name: {} for name in _SHARED}

    def number(name: str, text: str) -> int:
        return lists[name].setdefault(text, len(lists[name]))

    rows: List[List[Any]] = []
    for entry in entries:
        usual = entry.page == f"models/{entry.id}/"
        rows.append(
            [
                entry.id,
                "" if usual else entry.page or None,
                entry.short,
                [number("domains", one) for one in entry.domains],
                [number("tags", one) for one in entry.tags],
                *(number(name, getattr(entry, name)) for name in _SHARED[2:]),
                "".join(_VERDICTS.get(verdict, "u") for verdict in entry.hosts),
                entry.likes,
                entry.rate or 0,
                entry.date[:10],
            ]
        )
    shared = {name: list(texts) for name, texts in lists.items()}
    hosts = [host.title for host in HOSTS]
    return json.dumps({"hosts": hosts, "lists": shared, "rows": rows}, separators=(",", ":")) + "\n"


def filters(entries: Iterable[Entry]) -> List[Tuple[str, str, Choices]]:
    """The filters of the page: name, title and choices, of which the commonest come first."""
    counts: Dict[str, Counter[str]] = {name: Counter() for name, _ in _FILTERS}
    for entry in entries:
        for name, counted in counts.items():
            value = getattr(entry, name)
            counted.update(value if isinstance(value, tuple) else [str(value)] if value else [])
    found = ((name, title, counts[name].most_common(_MOST_CHOICES)) for name, title in _FILTERS)
    return [(name, title, [choice for choice, _ in common]) for name, title, common in found]


_FILTERS = (
    ("menu", "Effect"),
    ("domains", "Domain"),
    ("rate", "Sample rate"),
    ("status", "State"),
    ("built_in", "Built-in"),
    ("licence", "Licence"),
)


def badge_endpoint(entry: Entry) -> str:
    """The JSON that https://shields.io/badges/endpoint-badge reads."""
    colour = _COLOURS.get(entry.mark, _OTHER)
    badge = {"schemaVersion": 1, "label": LABEL, "message": entry.status, "color": colour}
    return json.dumps(badge) + "\n"


def badge_measures(entry: Entry) -> dict[str, object]:
    """What the SVG's template needs: colour and widths in pixels."""
    left, right = (round(len(text) * _LETTER) + _AROUND for text in (LABEL, entry.status))
    return {"label": LABEL, "colour": _COLOURS.get(entry.mark, _OTHER), "left": left, "right": right}


def badge_snippet(entry: Entry, address: str) -> str:
    """Markdown for a README: the badge, which links to the model's page."""
    page = address + quote(entry.page)
    return f"[![{LABEL}]({page}badge.svg)]({page})"


def shields_snippet(entry: Entry, address: str) -> str:
    """The same by shields.io, which draws it in the style of its other badges."""
    page = address + quote(entry.page)
    return f"[![{LABEL}](https://img.shields.io/endpoint?url={quote(page + 'badge.json', safe='')})]({page})"
