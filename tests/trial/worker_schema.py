"""The worker's protocol as a JSON schema, made from its types: ``python -m tests.trial.worker_schema`` writes it."""

from __future__ import annotations

import json
import typing
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Union

from audacitorch.trial.plan import Plan
from audacitorch.trial.protocol import EVENTS, PROTOCOL_VERSION, Event

FILE = Path(__file__).parents[2] / "audacitorch" / "data" / "worker.schema.json"
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def schema() -> Dict[str, Any]:
    """A schema whose root accepts an event; ``#/$defs/Plan`` accepts a plan."""
    definitions: Dict[str, Any] = {}
    _reference(Plan, definitions)
    events = [_event(kind, event, definitions) for kind, event in EVENTS.items()]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"What a worker is told and tells, version {PROTOCOL_VERSION}",
        "description": "One plan goes in as a JSON line (#/$defs/Plan); events come out, one a line.",
        "oneOf": [{"$ref": f"#/$defs/{event.__name__}"} for event in EVENTS.values()],
        "$defs": dict(sorted({**definitions, **dict(events)}.items())),
    }


def _event(kind: str, event: type[Event], definitions: Dict[str, Any]) -> tuple[str, Dict[str, Any]]:
    described = _object(event, definitions)
    described["properties"] = {"event": {"const": kind}, **described["properties"]}
    described["required"] = ["event", *described["required"]]
    if described["properties"].pop("payloads", None):
        sizes = {"type": "array", "items": {"type": "integer", "minimum": 0}}
        described["properties"]["payload_bytes"] = sizes
    return event.__name__, described


def _object(kind: Any, definitions: Dict[str, Any]) -> Dict[str, Any]:
    hints = typing.get_type_hints(kind)
    required: List[str] = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
    return {
        "description": " ".join((kind.__doc__ or "").replace("``", "`").split()),
        "type": "object",
        "properties": {f.name: _of(hints[f.name], definitions) for f in fields(kind)},
        "required": required,
        "additionalProperties": False,
    }


def _reference(kind: Any, definitions: Dict[str, Any]) -> Dict[str, Any]:
    if kind.__name__ not in definitions:
        definitions[kind.__name__] = {}
        definitions[kind.__name__] = _object(kind, definitions)
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _of(hint: Any, definitions: Dict[str, Any]) -> Dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if is_dataclass(hint):
        return _reference(hint, definitions)
    if origin is Union:
        return {"anyOf": [_of(argument, definitions) for argument in arguments]}
    if origin is tuple:
        return {"type": "array", "items": _of(arguments[0], definitions)}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _of(arguments[1], definitions)}
    return {}


def text() -> str:
    """The file's text."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
