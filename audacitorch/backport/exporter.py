"""Which PyTorch wrote an archive, as far as its members and what the user says tell.

PyTorch 1.10 to 1.12 write the bytes that 1.9 writes, but for the debug members. These hold the text of every function
that the archive was compiled from, with its file and first line. PyTorch's own functions lie in other lines in every
version, and a trace holds the lines of the tracer itself.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

from audacitorch.archive import pickles
from audacitorch.errors import AudacitorchError

#: How debug members of PyTorch 1.12 and later begin; 1.9.0 reads them to build an error's text, and ends the process.
NEWER_DEBUG = b"FORMAT_WITH_STRING_TABLE"
_DATA = Path(__file__).parent.parent / "data" / "torch-1.9.0-lines.json"
#: The tracer's line in 1.9.0; it only ever moved down.
_TRACER = re.compile(r"packages[/\\]torch[/\\]jit[/\\]_trace\.py\((\d+)\): trace_module")
_LAST_TRACER_LINE = 952
_LIBRARY = re.compile(r".*packages[/\\]torch[/\\]((?:nn[/\\](?:modules[/\\])?)?\w+\.py)")
_DEFINITION = re.compile(r"(?:\s*@.*\n)*\s*def \w")
#: A few lines tell functions of one file apart, and the end of a function's text is not always the same.
_LINES_COMPARED = 3
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.\d+)?\S*")


class UnknownVersion(AudacitorchError):
    """What was given is not a version of PyTorch."""

    exit_status = 2


@dataclass(frozen=True)
class Exporter:
    """What is certain about the PyTorch that wrote an archive.

    ``newer`` than 1.9; ``floors``: ``floor_divide`` rounds down (1.13 or later); ``early``: newer, but before 1.12.
    ``shown``: whether anything tells; where nothing does, 1.9 is assumed.
    """

    newer: bool
    floors: bool
    shown: bool = True
    early: bool = False


def of_version(version: str) -> Exporter:
    """The exporter that a user names, such as ``1.12.1``.

    Raises:
        UnknownVersion: it is not a version.
    """
    parts = _VERSION.fullmatch(version)
    if parts is None:
        raise UnknownVersion(f"{version!r} is not a version of PyTorch, such as 1.12.1")
    number = (int(parts[1]), int(parts[2]))
    return Exporter(number >= (1, 10), number >= (1, 13), early=(1, 10) <= number < (1, 12))


def is_newer(debug: Iterable[bytes]) -> Optional[bool]:
    """Whether debug members are of PyTorch 1.10 or later; None where they hold nothing of PyTorch's own."""
    answer: Optional[bool] = None
    for content in debug:
        for text, file, line in _sources(content):
            tracers = [int(number) for number in _TRACER.findall(text)]
            known = _is_known(text, file, line)
            if known is False or any(number > _LAST_TRACER_LINE for number in tracers):
                return True
            if known or tracers:
                answer = False
    return answer


def _sources(content: bytes) -> Iterator[Tuple[str, str, int]]:
    """Every text with its file and first line: tuples ``(text, file, line)`` anywhere in the pickle."""
    try:
        waiting: List[object] = [pickles.describe(content).value]
    except pickles.Unreadable:
        return
    seen = set()
    while waiting:
        value = waiting.pop()
        if not isinstance(value, (tuple, list)) or id(value) in seen:
            continue
        seen.add(id(value))
        if len(value) == 3 and isinstance(value[0], str) and isinstance(value[2], int):
            yield value[0], value[1] if isinstance(value[1], str) else "", value[2]
        else:
            waiting.extend(value)


def _is_known(text: str, file: str, line: int) -> Optional[bool]:
    """Whether 1.9.0 has this function in this line; None where the function is not PyTorch's own."""
    inside = _LIBRARY.fullmatch(file)
    if inside is None or not _DEFINITION.match(text):  # a trace has the names of callers in place of a text
        return None
    begins = _lines().get(inside[1].replace("\\", "/"))
    return None if begins is None else beginning(text) in begins.get(str(line), ())


def beginning(text: str) -> int:
    """A sum of the first lines of a function's text."""
    rows = [row.strip() for row in text.splitlines()[:_LINES_COMPARED]]
    return zlib.crc32("\n".join(rows).rstrip().encode())


@cache
def _lines() -> Dict[str, Dict[str, List[int]]]:
    found: Dict[str, Dict[str, List[int]]] = json.loads(_DATA.read_text(encoding="utf-8"))
    return found
