"""README.md's front matter: the YAML block between two lines of ``---`` that the Hub reads tags from."""

from __future__ import annotations

import re
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from audacitorch.facts import Card, TextProblem

if TYPE_CHECKING:
    import yaml

#: Real front matter has some hundred bytes. A caller need not read more of README.md than MAX_BYTES.
MAX_FRONT_MATTER = 1 << 16
MAX_BYTES = 4 * MAX_FRONT_MATTER
MAX_DEPTH = 30
MAX_NODES = 10_000
#: Beyond this, a number in YAML costs more to convert than it could be worth.
MAX_NUMBER_CHARACTERS = 400

_OPENING = re.compile(r"\s*---[ \t]*(?:\r\n|\r|\n)")
_CLOSING = re.compile(r"^---[ \t]*\r?$", re.MULTILINE)
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


class _Refused(Exception):
    """Front matter that must not or can not be read, with the line where that shows."""

    def __init__(self, kind: str, message: str, line: Optional[int] = None) -> None:
        super().__init__(message)
        self.problem = TextProblem(kind, message, line)


def read_card(data: Optional[bytes]) -> Card:
    """README.md's front matter and tags. Never raises; None where there is no README.md.

    ``tags: audacity`` and ``tags: [audacity]`` both give ``("audacity",)``. Problems are of the kinds ``encoding``,
    ``syntax``, ``unsafe``, ``too-large``, ``not-an-object`` and ``tags``; with any of them, ``tags`` is None.
    """
    if data is None:
        return Card(present=False)
    try:
        text = _decoded(data)
        found = _block(text)
        if found is None:
            return Card(present=True)
        block, first_line = found
        fields = _fields(block, first_line)
        return Card(True, _tags(fields), MappingProxyType(fields))
    except _Refused as refused:
        return Card(present=True, problems=(refused.problem,))


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _Refused("encoding", "README.md is UTF-16, not UTF-8", 1)
    prefix = data[:MAX_BYTES]
    try:
        return prefix.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.end == len(prefix) and error.reason == "unexpected end of data":  # where we cut
            return prefix[: error.start].decode("utf-8-sig")
        # What stands below the front matter is prose: a stray byte there hides no tag.
        text = prefix.decode("utf-8-sig", errors="replace")
        block = _block(text)
        if block is None or "\ufffd" not in block[0]:
            return text
        line = data.count(b"\n", 0, error.start) + 1
        raise _Refused("encoding", f"byte 0x{data[error.start]:02X} on line {line} is not UTF-8", line) from error


def _block(text: str) -> Optional[Tuple[str, int]]:
    """The text between the two lines of ``---`` and its first line's number; None where there is no such block."""
    opening = _OPENING.match(text)
    if opening is None:
        return None
    closing = _CLOSING.search(text, opening.end(), opening.end() + MAX_FRONT_MATTER)
    first_line = text.count("\n", 0, opening.end()) + 1
    if closing is None:
        if len(text) > opening.end() + MAX_FRONT_MATTER:
            raise _Refused("too-large", f"the front matter is longer than {MAX_FRONT_MATTER // 1024} KiB", first_line)
        return None
    return text[opening.end() : closing.start()], first_line


def _fields(block: str, first_line: int) -> Dict[str, Any]:
    """The block as plain values, by YAML's safe loader, after a look at its events: no aliases, not deep, not many."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _refuse_bombs(yaml.parse(block, Loader=loader), first_line)
        root = yaml.compose(block, Loader=loader)
        if root is None:
            return {}
        if not isinstance(root, yaml.MappingNode):
            raise _Refused("not-an-object", "the front matter is not a list of `key: value` lines", first_line)
        _refuse_repeated_keys(root, first_line)
        fields = _plain(yaml.load(block, Loader=loader))  # noqa: S506 - it is the safe loader
    except yaml.MarkedYAMLError as error:
        line = first_line + error.problem_mark.line if error.problem_mark else first_line
        raise _Refused("syntax", f"line {line}: {error.problem or 'not YAML'}", line) from error
    except _Refused:
        raise
    except Exception as error:  # explicit tags such as !!timestamp make PyYAML's constructors raise whatever they meet
        raise _Refused("syntax", f"the front matter is not YAML that can be read: {error}", first_line) from error
    return fields if isinstance(fields, dict) else {}


def _refuse_bombs(events: Any, first_line: int) -> None:
    import yaml

    depth = 0
    for count, event in enumerate(events):
        line = first_line + event.start_mark.line
        if isinstance(event, yaml.AliasEvent):
            raise _Refused(
                "unsafe", f"line {line}: an alias (*{event.anchor[:40]}), which can grow without bound", line
            )
        if (
            isinstance(event, yaml.ScalarEvent)
            and len(event.value) > MAX_NUMBER_CHARACTERS
            and _number_like(event.value)
        ):
            raise _Refused("unsafe", f"line {line}: a number of {len(event.value):,} characters", line)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH or count > MAX_NODES:
            bound = f"{MAX_DEPTH} levels" if depth > MAX_DEPTH else f"{MAX_NODES:,} values"
            raise _Refused("unsafe", f"line {line}: more than {bound}", line)


def _number_like(value: str) -> bool:
    return set(value) <= set("0123456789abcdefABCDEFxo_+-.:")


def _refuse_repeated_keys(root: yaml.MappingNode, first_line: int) -> None:
    keys = set()
    for key, _ in root.value:
        if key.value.__hash__ is not None and key.value in keys:
            line = first_line + key.start_mark.line
            raise _Refused("syntax", f"line {line}: the key {key.value[:40]!r} comes twice", line)
        if isinstance(key.value, str):
            keys.add(key.value)


def _plain(value: Any) -> Any:
    """A loaded value made of JSON's types alone: dates, sets and bytes become text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")  # "\\ud800" is no character
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def _tags(fields: Dict[str, Any]) -> Optional[Tuple[str, ...]]:
    tags = fields.get("tags")
    if tags is None:
        return None
    if isinstance(tags, (dict, bool)):
        raise _Refused("tags", "`tags` is neither a word nor a list of words")
    listed: List[Any] = tags if isinstance(tags, list) else [tags]
    return tuple(str(tag) for tag in listed if not isinstance(tag, (dict, list)))
