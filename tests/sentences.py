"""How messages and hints are written: in sentences, with a capital first letter and a full stop."""

from __future__ import annotations

import re
from typing import List

#: What may stand first in small letters: a file's name, code, a number, a quotation.
_BEGINS = re.compile(r"[A-Z0-9`\"'‘“(]|model\.pt|metadata\.json|docs/|\w+::")
#: A place in the archive's code, as compilers put it before what they say.
_PLACE = re.compile(r"code/\S+:\d+: ")
#: Hints that are a command to paste and nothing else.
_COMMANDS = ("git ", "audacitorch ", "pip ", "scripts/")
_ENDS = (".", "?", "!", ":", "`")


def faults(text: str) -> List[str]:
    """What is wrong with a message or a hint; of several lines the first counts, as a snippet or a stack follows."""
    first, _, rest = text.partition("\n")
    placed = _PLACE.match(first)
    if placed is not None:
        first = first[placed.end() :]
    if not first or first.startswith(_COMMANDS):
        return []
    found = []
    if not _BEGINS.match(first):
        found.append(f"begins with a small letter: {first[:60]!r}")
    if not first.endswith(_ENDS) and not rest:
        found.append(f"has no full stop: {first[-60:]!r}")
    if re.search(r"[^.]\.\.(?!\.|/)", first):
        found.append(f"has two full stops: {first[-60:]!r}")
    return found
