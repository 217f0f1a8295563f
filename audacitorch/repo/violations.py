"""Judging metadata by metadata.schema.json, for one host or for all.

The few keywords that the schema uses are read here (a test proves that the jsonschema library agrees), so that a
check need not load a validator, and one huge array costs no more than one look at each item.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple, Type, Union

from audacitorch.hosts import HOSTS, Host
from audacitorch.repo.jsontext import pointer
from audacitorch.repo.metadata_file import schema


@dataclass(frozen=True)
class Violation:
    """A value that one host's schema refuses: which family of keywords, and what the schema asks in words."""

    host: Host
    kind: str  # missing, type, range, length, count, value
    pointer: str
    value: Any
    limit: str

    @property
    def field(self) -> str:
        """The top-level field's name."""
        return self.pointer.split("/")[1].replace("~1", "/").replace("~0", "~")


def violations(fields: Mapping[str, Any], host: Host) -> Iterator[Violation]:
    """Everything that keeps a host from taking this metadata, in the schema's order.

    A value of the wrong type breaks no other keyword. A missing ``domains`` is one violation, whatever its name.
    """
    asked = schema()["$defs"][host.name]
    for name in asked["required"]:
        if name not in fields:
            yield Violation(host, "missing", pointer("", name), None, "required")
    alternatives = [choice["required"][0] for choice in asked.get("anyOf", ())]
    if alternatives and not any(name in fields for name in alternatives):
        yield Violation(host, "missing", pointer("", alternatives[0]), None, " or ".join(alternatives))
    for name, rules in asked["properties"].items():
        if name in fields:
            yield from _value_violations(host, pointer("", name), fields[name], rules)


_TYPES: Dict[str, Tuple[Union[Type[Any], Tuple[Type[Any], ...]], str]] = {
    "string": (str, "a string"),
    "integer": (int, "an integer"),
    "number": ((int, float), "a number"),
    "boolean": (bool, "true or false"),
    "array": (list, "a list"),
}


def _value_violations(host: Host, where: str, value: Any, rules: Mapping[str, Any]) -> Iterator[Violation]:
    for kind, limit in _broken(value, rules):
        yield Violation(host, kind, where, value, limit)
    if not isinstance(value, list) or "items" not in rules:
        return
    seen: Dict[Any, int] = {}
    for index, item in enumerate(value):
        for kind, limit in _broken(item, rules["items"]):
            yield Violation(host, kind, pointer(where, index), item, limit)
        if rules.get("uniqueItems") and isinstance(item, str) and seen.setdefault(item, index) != index:
            yield Violation(host, "value", pointer(where, index), item, "no tag twice")


def _broken(value: Any, rules: Mapping[str, Any]) -> List[Tuple[str, str]]:
    """The kinds of keywords that a value breaks, its items apart, each with what the schema asks."""
    python_type, words = _TYPES[rules["type"]]
    # bool is an int to Python, and 48000.0 an integer to JSON Schema, but neither to the host's parser.
    if not isinstance(value, python_type) or (isinstance(value, bool) and rules["type"] != "boolean"):
        return [("type", words)]
    if isinstance(value, (int, float)):
        return [] if _in_range(value, rules) else [("range", range_words(rules))]
    broken = []
    if "maxItems" in rules and len(value) > rules["maxItems"]:
        broken.append(("count", f"at most {rules['maxItems']}"))
    if "maxLength" in rules and len(value) > rules["maxLength"]:
        broken.append(("length", f"at most {rules['maxLength']} characters"))
    if "enum" in rules and value not in rules["enum"]:
        broken.append(("value", "one of " + ", ".join(rules["enum"])))
    return broken


def _in_range(value: float, rules: Mapping[str, Any]) -> bool:
    return (
        rules.get("minimum", value) <= value <= rules.get("maximum", value)
        and ("exclusiveMinimum" not in rules or value > rules["exclusiveMinimum"])
        and ("exclusiveMaximum" not in rules or value < rules["exclusiveMaximum"])
    )


def range_words(rules: Mapping[str, Any]) -> str:
    """A number's limits as a clause; empty where there are none."""
    if "exclusiveMinimum" in rules:
        most = f"at most {rules['maximum']}" if "maximum" in rules else f"below {rules['exclusiveMaximum']}"
        return f"above {rules['exclusiveMinimum']} and {most}"
    return f"{rules['minimum']} to {rules['maximum']}" if "minimum" in rules else ""


def by_place(fields: Mapping[str, Any], wanted: Callable[[Violation], bool]) -> Dict[str, Dict[Host, Violation]]:
    """What hosts refuse, by JSON pointer and host: what both refuse is one problem."""
    found: Dict[str, Dict[Host, Violation]] = {}
    for host in HOSTS:
        for violation in violations(fields, host):
            if wanted(violation):
                found.setdefault(violation.pointer, {})[host] = violation
    return found


def limit_words(hosts: Mapping[Host, Violation]) -> str:
    """What hosts ask of one place; each with its name where they differ."""
    limits = {host: violation.limit for host, violation in hosts.items()}
    if len(set(limits.values())) == 1:
        return next(iter(limits.values()))
    return ", ".join(f"{limit} ({host})" for host, limit in limits.items())


def nearest(word: str, names: Tuple[str, ...]) -> Optional[str]:
    """The name that ``word`` is probably a misspelling of: ``sampleRate``, ``sample-rate``, ``samplerate``."""

    def plain(text: str) -> str:
        return "".join(character for character in text[:64].lower() if character.isalnum())

    by_plain = {plain(candidate): candidate for candidate in names}
    near = difflib.get_close_matches(plain(word), by_plain, 1, 0.75)
    return by_plain[near[0]] if near else None
