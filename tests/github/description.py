"""GitHub's own description of its API, put to every request that the local GitHub grants and to what it answers.

A request must be one that the description knows: path, query, body. An answer need not give every field that GitHub
gives, but those that it gives must be known and of the right type. See scripts/prune-github-description for the data.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Pattern, Tuple
from urllib.parse import parse_qsl, urlsplit

from jsonschema import Draft202012Validator

from tests.hub.messages import Answer, Request

DATA = Path(__file__).with_name("data") / "openapi.json"
#: Where to append a line for each request that was looked at: its operation and the number of its faults.
LOG = "AUDACITORCH_GITHUB_LOG"
_ROUGH = ("path", "ref")  # parameters that may hold slashes


class Operation(NamedTuple):
    """One operation of the description."""

    name: str
    method: str
    path: Pattern[str]
    query: Mapping[str, Any]
    body: Optional[Mapping[str, Any]]
    answers: Mapping[str, Optional[Mapping[str, Any]]]


@cache
def document() -> Dict[str, Any]:
    """The pruned description."""
    data: Dict[str, Any] = json.loads(DATA.read_text("utf-8"))
    return data


@cache
def operations() -> Tuple[Operation, ...]:
    """Every operation, with its schemas as JSON Schema."""
    return tuple(
        _operation(path, method, item)
        for path, methods in document()["paths"].items()
        for method, item in methods.items()
    )


def _operation(path: str, method: str, item: Mapping[str, Any]) -> Operation:
    def part(found: re.Match[str]) -> str:
        return "(.+)" if found.group(1) in _ROUGH else "([^/]+)"

    parameters = [_resolved(parameter) for parameter in item.get("parameters", ())]
    query = {p["name"]: json_schema(p["schema"]) for p in parameters if p["in"] == "query"}
    body = _content(item.get("requestBody"))
    answers = {status: _content(_resolved(answer)) for status, answer in item["responses"].items()}
    return Operation(
        name=item["operationId"],
        method=method.upper(),
        path=re.compile(re.sub(r"\\{(\w+)\\}", part, re.escape(path))),
        query=query,
        body=None if body is None else json_schema(body),
        answers={status: None if schema is None else json_schema(schema, False) for status, schema in answers.items()},
    )


def _resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in node:
        _, _, kind, name = node["$ref"].split("/")
        node = document()["components"][kind][name]
    return node


def _content(node: Optional[Mapping[str, Any]]) -> Optional[Mapping[str, Any]]:
    content = (node or {}).get("content", {})
    schema: Optional[Mapping[str, Any]] = content.get("application/json", {}).get("schema")
    return schema


def json_schema(node: Any, required: bool = True) -> Dict[str, Any]:
    """A schema of OpenAPI 3.0 as JSON Schema, closed to unknown fields; without ``required``, of what is given only.

    References are followed once for each name: those that come back to themselves allow anything.
    """
    converted: Dict[str, Any] = _converted(node, required, ())
    return converted


def _converted(node: Any, required: bool, within: Tuple[str, ...], closed: bool = True) -> Any:
    if isinstance(node, list):
        return [_converted(item, required, within, closed) for item in node]
    if not isinstance(node, Mapping):
        return node
    if "$ref" in node:
        if node["$ref"] in within:
            return {}
        return _nullable(_converted(_resolved(node), required, (*within, node["$ref"]), closed), node)
    shown: Dict[str, Any] = {}
    for name, value in node.items():
        if name == "properties":
            shown[name] = {field: _converted(inner, required, within) for field, inner in value.items()}
        elif name in ("default", "nullable", "format", "pattern") or (name == "required" and not required):
            continue
        elif name == "enum":
            shown[name] = value
        else:
            shown["anyOf" if name == "oneOf" else name] = _converted(value, required, within, name != "allOf")
    if closed and ("allOf" in shown or "properties" in shown) and "additionalProperties" not in shown:
        shown["unevaluatedProperties"] = False
    return _nullable(shown, node)


def _nullable(schema: Dict[str, Any], node: Mapping[str, Any]) -> Dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]} if node.get("nullable") else schema


@cache
def _validator(operation: str, what: str) -> Draft202012Validator:
    found = next(one for one in operations() if one.name == operation)
    schema = found.body if what == "body" else found.answers[what]
    return Draft202012Validator({} if schema is None else schema)


class Description:
    """Looks at exchanges, and keeps the faults that it found, as sentences."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.faults: List[str] = []
        self._known: Dict[Tuple[str, str, bytes], None] = {}

    def look_at(self, request: Request, answer: Answer) -> None:
        """Look at a request that was granted, and at its answer."""
        found = [one for one in operations() if one.method == request.method and one.path.fullmatch(request.path)]
        # Of "issues/comments/1" and "issues/1/comments" only one path is meant: the one with the fewest variables.
        operation = min(found, key=lambda one: one.path.groups, default=None)
        where = f"{request.method} {request.target}"
        faults = ["no such operation"] if operation is None else list(self._exchange(operation, request, answer))
        self.seen[operation.name if operation else where] += 1
        self.faults += [f"{where}: {fault}" for fault in faults]
        if os.environ.get(LOG):
            with open(os.environ[LOG], "a", encoding="utf-8") as log:
                log.write(f"{operation.name if operation else where} {len(faults)}\n")

    def _exchange(self, operation: Operation, request: Request, answer: Answer) -> Iterator[str]:
        for name, value in parse_qsl(urlsplit(request.target).query, keep_blank_values=True):
            schema = operation.query.get(name)
            if schema is None:
                yield f"unknown parameter {name}"
            elif not any(Draft202012Validator(schema).is_valid(read) for read in _readings(value)):
                yield f"parameter {name} may not be {value!r}"
        if request.body:
            if operation.body is None:
                yield "a body where none is known"
            else:
                yield from self._checked(operation.name, "body", request.body)
        status = str(answer.status)
        if status not in operation.answers:
            yield f"status {status} is not known"
        elif operation.answers[status] is not None:
            yield from self._checked(operation.name, status, answer.body if isinstance(answer.body, bytes) else b"")

    def _checked(self, operation: str, what: str, content: bytes) -> Iterator[str]:
        key = (operation, what, content)
        if key in self._known:  # the same text again
            return
        self._known[key] = None
        for error in _validator(operation, what).iter_errors(json.loads(content)):
            yield f"{what}: at {'/'.join(map(str, error.absolute_path)) or 'the top'}: {error.message[:300]}"


def _readings(value: str) -> Iterator[Any]:
    """What a parameter's text may stand for."""
    yield value
    if value.lstrip("-").isdigit():
        yield int(value)
    if value in ("true", "false"):
        yield value == "true"
