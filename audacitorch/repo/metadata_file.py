"""metadata.json: how it is read, and which fields there are.

``data/metadata.schema.json`` is the one place that holds fields, types and limits; :mod:`audacitorch.repo.violations`
judges by it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Dict, List, Mapping, Optional, Tuple

from audacitorch.facts import Metadata, TextProblem
from audacitorch.hosts import HOSTS, Host
from audacitorch.repo.jsontext import JsonTextError, parse

#: A real one has a few kilobytes; ten thousand class names fit.
MAX_BYTES = 1 << 19

SCHEMA_FILE = Path(__file__).parent.parent / "data" / "metadata.schema.json"

#: The two names of one list: the specification's, and the later builds' (and the specification's own example's).
DOMAIN_FIELDS = ("domains", "domain_tags")

_LFS_POINTER = "version https://git-lfs.github.com/spec/"
_UTF16_OR_32 = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"\x00{": "UTF-16",
    b"{\x00": "UTF-16",
}


def read_metadata(data: bytes) -> Metadata:
    """What metadata.json says, with the line of every value. Never raises and never judges its fields.

    Args:
        data: the file's bytes; a caller need not read more than ``MAX_BYTES + 1`` of them.
    """
    if len(data) > MAX_BYTES:
        return _unreadable("too-large", f"the file is larger than {MAX_BYTES // 1024} KiB")
    for mark, encoding in _UTF16_OR_32.items():
        if data.startswith(mark):
            return _unreadable("encoding", f"the file is {encoding}, not UTF-8", 1)
    if data.startswith(b"\xef\xbb\xbf"):
        return _unreadable("encoding", "the file begins with a byte order mark, which Audacity's parser refuses", 1)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return _unreadable("encoding", f"byte 0x{data[error.start]:02X} on line {line} is not UTF-8", line)
    if text.startswith(_LFS_POINTER):
        return _unreadable("lfs-pointer", "the file is a Git LFS pointer, not the JSON that it stands for", 1)
    try:
        read = parse(text)
    except JsonTextError as error:
        return _unreadable("syntax", f"line {error.line}, column {error.column}: {error.message}", error.line)
    if not isinstance(read.value, dict):
        return _unreadable("not-an-object", f"the file holds {describe(read.value)}, not an object {{…}}", 1)
    problems = tuple(
        TextProblem(
            "duplicate-key", f"the key {show(where[1:])} comes twice in one object; Audacity reads the first", line
        )
        for where, line in read.duplicates
    )
    return Metadata(MappingProxyType(read.value), read.lines, problems)


def _unreadable(kind: str, message: str, line: Optional[int] = None) -> Metadata:
    return Metadata(problems=(TextProblem(kind, message, line),))


def show(value: Any, limit: int = 60) -> str:
    """A value as a message quotes it: JSON, shortened, everything that a terminal might obey written as ``\\uXXXX``."""
    if isinstance(value, str):
        cut = value[:limit]
        escaped = "".join(c if c.isprintable() and c not in '"\\' else json.dumps(c)[1:-1] for c in cut)
        return f'"{escaped}{"…" if len(value) > limit else ""}"'
    if value is None or isinstance(value, (bool, int, float)):
        text = json.dumps(value)
        return text if len(text) <= limit else text[:limit] + "…"
    return describe(value)


def describe(value: Any) -> str:
    """What kind of JSON value this is, with its article."""
    if isinstance(value, list):
        return f"a list of {len(value):,}"
    if isinstance(value, dict):
        return f"an object of {len(value):,}"
    if isinstance(value, str):
        return f"the string {show(value)}"
    if isinstance(value, (bool, int, float)):
        return show(value)
    return "null"


def example(field: str) -> str:
    """A line of metadata.json to paste for a field; empty for one that no example is given of."""
    examples = [
        rules["examples"][0] for host in HOSTS for rules in [properties(host).get(field, {})] if "examples" in rules
    ]
    return f'"{field}": {json.dumps(examples[0], ensure_ascii=False)}' if examples else ""


@cache
def schema() -> Mapping[str, Any]:
    """metadata.schema.json. ``schema()["$defs"][host.name]`` is what one host asks for."""
    loaded: Mapping[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return loaded


def properties(host: Host) -> Mapping[str, Mapping[str, Any]]:
    """The fields that a host reads, with their schemas."""
    fields: Mapping[str, Mapping[str, Any]] = schema()["$defs"][host.name]["properties"]
    return fields


@cache
def known_fields() -> Tuple[str, ...]:
    """Every field that some host reads, the specification's first."""
    return tuple(dict.fromkeys(field for host in HOSTS for field in properties(host)))


@cache
def known_domains() -> Tuple[str, ...]:
    """Every domain that some host knows."""
    named = [name for host in HOSTS for rules in _domain_rules(host) for name in rules["items"].get("enum", ())]
    return tuple(dict.fromkeys(named))


def refuses_unknown_domains(host: Host) -> bool:
    """Whether a domain that the host does not know makes it refuse the whole file; others ignore the domain."""
    return any("enum" in rules["items"] for rules in _domain_rules(host))


def _domain_rules(host: Host) -> List[Mapping[str, Any]]:
    return [properties(host)[field] for field in DOMAIN_FIELDS if field in properties(host)]


def with_both_domain_fields(metadata: Mapping[str, Any]) -> Dict[str, Any]:
    """Metadata with both ``domains`` and ``domain_tags``, whichever was there.

    Of the specification's ``domains`` only known ones go into ``domain_tags``: any other would make Audacity refuse the
    whole file.
    """
    complete = dict(metadata)
    complete.setdefault("domains", complete.get("domain_tags"))
    complete.setdefault(
        "domain_tags", list(dict.fromkeys(domain for domain in complete["domains"] if domain in known_domains()))
    )
    return complete
