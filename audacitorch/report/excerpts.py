"""The lines of a repo's text files that findings name."""

from __future__ import annotations

from typing import Dict, Iterable, Tuple

from audacitorch.facts import METADATA, README
from audacitorch.findings import Finding
from audacitorch.repo.model_repo import FolderRepo, TargetError
from audacitorch.report.escape import shorten

#: Bytes of a file that are read for its lines, characters of a line, and lines in all.
_MOST_BYTES, _LONGEST, _MOST_LINES = 1 << 20, 300, 1_000


def excerpts(repo: FolderRepo, findings: Iterable[Finding]) -> Dict[Tuple[str, int], str]:
    """Lines by file and number, counted from 1; what can't be read or is blank has none."""
    wanted = {(found.file, found.line) for found in findings if found.file and found.line}
    shown: Dict[Tuple[str, int], str] = {}
    for name in (METADATA, README):
        numbers = sorted(line for file, line in wanted if file == name and line)[:_MOST_LINES]
        if not numbers or not repo.has(name):
            continue
        try:
            lines = repo.read(name, _MOST_BYTES).decode("utf-8", "replace").split("\n")
        except TargetError:
            continue
        shown.update({(name, number): lines[number - 1].strip() for number in numbers if number <= len(lines)})
    return {place: shorten(text, _LONGEST) for place, text in shown.items() if text}
