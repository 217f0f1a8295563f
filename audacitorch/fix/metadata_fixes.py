"""What a machine can put right in metadata.json: encoding, syntax that people take for JSON, names, types, domains.

Only what the file itself says is used: a missing sample rate, a label or a description is the author's to write. All
functions are pure.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from audacitorch.repo.metadata_file import (
    DOMAIN_FIELDS,
    known_domains,
    known_fields,
    read_metadata,
    schema,
    show,
)
from audacitorch.repo.violations import Violation, by_place, nearest

Fields = Dict[str, Any]

_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"\x00{", "utf-16-be"),
    (b"{\x00", "utf-16-le"),
)
#: Strings first, so that nothing in them counts as a comment or a comma. What is not closed is taken to its end:
#: failing there and trying again at the next character would take quadratic time.
_STRING = r'"(?:[^"\\\n]|\\.)*"?'
_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_LAST_COMMA = re.compile(rf"{_STRING}|,(?=\s*[}}\]])", re.DOTALL)
_LIST_SEPARATOR = re.compile(r"[,;]")
_WORDS_OF_BOOL = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def fixed_encoding(data: bytes) -> Optional[bytes]:
    """``data`` as UTF-8 without a byte order mark; None where it is that already, or its encoding is unknown."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding).encode("utf-8")
            except UnicodeError:
                return None
    return None


def fixed_syntax(data: bytes) -> Optional[bytes]:
    """JSON made of a text that is nearly JSON; None where it is JSON already, or can't be understood.

    Comments and commas before a closing bracket are left out. A Python dictionary is written as JSON, and of a key
    that comes twice with one value the second is left out.
    """
    read = read_metadata(data)
    kinds = {problem.kind for problem in read.problems}
    if not kinds or not kinds <= {"syntax", "duplicate-key"}:
        return None
    text = data.decode("utf-8", "strict")
    loose = _without(_LAST_COMMA, _without(_COMMENT, text))
    for attempt in (_as_json, _as_python):
        fields = attempt(loose if attempt is _as_json else text)
        if fields is not None:
            return loose.encode() if "duplicate-key" not in kinds and _is_json(loose) else dump(fields, text)
    return None


def _without(token: re.Pattern[str], text: str) -> str:
    """``text`` without the tokens that are not strings."""
    return token.sub(lambda found: found[0] if found[0].startswith('"') else "", text)


def _is_json(text: str) -> bool:
    return not read_metadata(text.encode()).problems


def _as_json(text: str) -> Optional[Fields]:
    """The one object that the text holds, with no key twice but for equal values."""

    def gather(pairs: List[Tuple[str, Any]]) -> Fields:
        gathered: Fields = {}
        for key, value in pairs:
            if key in gathered and gathered[key] != value:
                raise ValueError(f"{key} has two values")
            gathered[key] = value
        return gathered

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON")

    try:
        value = json.loads(text, object_pairs_hook=gather, parse_constant=refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _as_python(text: str) -> Optional[Fields]:
    """A dictionary as Python prints it: ``{'multichannel': False}``."""
    try:
        written = ast.parse(text.strip(), mode="eval").body
        value = ast.literal_eval(written)
        if not isinstance(written, ast.Dict) or len(written.keys) != len(value):
            return None
        return _as_json(json.dumps(value, allow_nan=False))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def dump(fields: Mapping[str, Any], like: str) -> bytes:
    """``fields`` as JSON, indented as the text ``like`` is, with its last line feed or without."""
    indented = re.search(r"\n([ \t]+)\S", like)
    indent = indented[1] if indented else (None if "\n" not in like.strip() else 2)
    text = json.dumps(fields, indent=indent, ensure_ascii=False)
    return (text + "\n" * like.endswith("\n")).encode("utf-8", "replace")


def fix_fields(fields: Mapping[str, Any]) -> Tuple[Fields, List[str]]:
    """Fields with everything put right that can be, and a sentence for each change."""
    fixed = dict(fields)
    done: List[str] = []
    for step in (_split_description, _rename, _fix_types, _fix_tags, _fix_values, _fix_domains):
        for sentence in step(fixed):
            done.append(sentence)
    return fixed, done


def _rename(fields: Fields) -> Iterator[str]:
    """Fields whose names are misspelt, where the right name is free."""
    for name in [name for name in fields if name not in known_fields() and name != "description"]:
        near = nearest(name, tuple(known for known in known_fields() if known not in fields))
        if near is not None and nearest(name, known_fields()) == near:
            renamed = {near if key == name else key: value for key, value in fields.items()}
            fields.clear()
            fields.update(renamed)
            yield f"Renamed {show(name)} to `{near}`."


def _split_description(fields: Fields) -> Iterator[str]:
    """One ``description`` stands for the two that hosts read, as far as it fits them."""
    text = fields.get("description")
    if not isinstance(text, str) or not text.strip():
        return
    properties = schema()["$defs"]["spec"]["properties"]
    for name in ("short_description", "long_description"):
        if name not in fields and len(text) <= properties[name]["maxLength"]:
            fields[name] = text
            yield f"Copied `description` to `{name}`."
    if fields.get("long_description") == text:
        del fields["description"]


def _fix_types(fields: Fields) -> Iterator[str]:
    """Values that say the right thing in the wrong JSON type."""
    for hosts in by_place(fields, lambda violation: violation.kind == "type").values():
        violation = next(iter(hosts.values()))
        convert = _CONVERSIONS.get(violation.limit)
        value = convert(violation.value) if convert is not None else None
        if value is not None:
            _set(fields, violation.pointer, value)
            yield f"Wrote {_place(violation)} as {violation.limit}."


def _integer(value: Any) -> Optional[int]:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        digits = re.fullmatch(r"\s*([0-9]{1,9})(?:\.0+)?\s*(?:[Hh][Zz])?\s*", value)
        return int(digits[1]) if digits else None
    return None


def _boolean(value: Any) -> Optional[bool]:
    if type(value) is int and value in (0, 1):
        return bool(value)
    return _WORDS_OF_BOOL.get(value.strip().lower()) if isinstance(value, str) else None


def _list(value: Any) -> Optional[List[str]]:
    if value is None:
        return None
    return [word.strip() for word in _LIST_SEPARATOR.split(value) if word.strip()] if isinstance(value, str) else None


def _string(value: Any) -> Optional[str]:
    return str(value) if type(value) in (int, float) else None


#: By what the schema asks, as :mod:`audacitorch.repo.violations` says it.
_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "an integer": _integer,
    "true or false": _boolean,
    "a list": _list,
    "a string": _string,
}


def _fix_tags(fields: Fields) -> Iterator[str]:
    """A list that may be empty but must be there, without repetitions."""
    tags = fields.get("tags")
    if tags is None:
        fields["tags"] = []
        yield "Wrote `tags` as an empty list, which the hosts accept."
    if isinstance(tags, list) and all(isinstance(tag, str) for tag in tags) and len(set(tags)) < len(tags):
        fields["tags"] = list(dict.fromkeys(tags))
        yield "Left out tags that came twice."


def _fix_values(fields: Fields) -> Iterator[str]:
    """Values that differ from a known one by case or spelling."""
    for hosts in by_place(fields, lambda v: v.kind == "value" and v.field not in DOMAIN_FIELDS).values():
        violation = next(iter(hosts.values()))
        known = tuple(violation.limit[len("one of ") :].split(", ")) if violation.limit.startswith("one of ") else ()
        near = nearest(str(violation.value), known)
        if near is not None:
            _set(fields, violation.pointer, near)
            yield f"Wrote {_place(violation)} as {show(near)}."


def _fix_domains(fields: Fields) -> Iterator[str]:
    """Both names of the list of domains; in ``domain_tags`` only what the alphas know."""
    present = [name for name in DOMAIN_FIELDS if isinstance(fields.get(name), list)]
    if not present or not all(isinstance(domain, str) for name in present for domain in fields[name]):
        return
    for name in present:
        spelt = list(dict.fromkeys(_domain(domain) for domain in fields[name]))
        if spelt != fields[name]:
            fields[name] = spelt
            yield f"Wrote `{name}` as Audacity compares it."
    named = [domain for name in present for domain in fields[name]]
    known = list(dict.fromkeys(domain for domain in named if domain in known_domains())) or ["other"]
    for name in DOMAIN_FIELDS:
        if name not in fields:
            fields[name] = known
            yield f"Added `{name}`."
    refused = [domain for domain in fields["domain_tags"] if domain not in known_domains()]
    if refused:
        fields["domain_tags"] = [domain for domain in fields["domain_tags"] if domain not in refused] or known
        yield "Kept in `domain_tags` only domains that Audacity knows: any other hides the model."


def _domain(domain: str) -> str:
    return nearest(domain, known_domains()) or domain


def _place(violation: Violation) -> str:
    index = violation.pointer.split("/")[2:]
    return f"`{violation.field}{f'[{index[0]}]' if index else ''}`"


def _set(fields: Fields, pointer: str, value: Any) -> None:
    """Put a value at a place of the form ``/field`` or ``/field/index``."""
    name, _, index = pointer[1:].replace("~1", "/").replace("~0", "~").partition("/")
    if index:
        fields[name] = [value if position == int(index) else old for position, old in enumerate(fields[name])]
    else:
        fields[name] = value
