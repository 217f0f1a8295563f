"""Badges: a model's state as an SVG image, and as JSON for shields.io's endpoint badge."""

from __future__ import annotations

import json
from urllib.parse import quote

from audacitorch.catalogue.entry import Entry
from audacitorch.registry.record_schema import BAD, GOOD, PARTLY

LABEL = "Audacity"
_COLOURS = {GOOD: "1a7f37", PARTLY: "8a5a00", BAD: "b3261e"}
_OTHER = "57606a"
#: Pixels of a letter at 11 px in the fonts that a badge names, and what lies around a text.
_LETTER, _AROUND = 6.3, 12


def endpoint(entry: Entry) -> str:
    """The JSON that https://shields.io/badges/endpoint-badge reads."""
    colour = _COLOURS.get(entry.mark, _OTHER)
    badge = {"schemaVersion": 1, "label": LABEL, "message": entry.status, "color": colour}
    return json.dumps(badge) + "\n"


def measures(entry: Entry) -> dict[str, object]:
    """What the SVG's template needs: colour and widths in pixels."""
    left, right = (round(len(text) * _LETTER) + _AROUND for text in (LABEL, entry.status))
    return {"label": LABEL, "colour": _COLOURS.get(entry.mark, _OTHER), "left": left, "right": right}


def snippet(entry: Entry, address: str) -> str:
    """Markdown for a README: the badge, which links to the model's page."""
    page = address + quote(entry.page)
    return f"[![{LABEL}]({page}badge.svg)]({page})"


def shields_snippet(entry: Entry, address: str) -> str:
    """The same by shields.io, which draws it in the style of its other badges."""
    page = address + quote(entry.page)
    return f"[![{LABEL}](https://img.shields.io/endpoint?url={quote(page + 'badge.json', safe='')})]({page})"
