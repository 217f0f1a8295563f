"""Faults to switch on: each spoils the answer to the requests that it is meant for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, List, Optional
from urllib.parse import quote

from tests.hub.messages import Answer, Request, as_json, error

Spoil = Callable[[Request, Answer, Dict[str, Any]], Answer]


@dataclass
class Fault:
    """``kind`` for ``times`` requests (None: all) that match, after the first ``after`` of them."""

    kind: str
    method: Optional[str]
    path: Optional[str]
    side: Optional[str]
    times: Optional[int]
    after: int
    options: Dict[str, Any]
    hits: int = 0

    def take(self, request: Request) -> bool:
        """Whether this request is one of those, counting it."""
        if self.method not in (None, request.method) or self.side not in (None, request.side):
            return False
        if self.path is not None and not re.search(self.path, request.target):
            return False
        self.hits += 1
        return self.after < self.hits and (self.times is None or self.hits <= self.after + self.times)

    def spoil(self, request: Request, answer: Answer) -> Answer:
        """The answer as this fault leaves it."""
        return KINDS[self.kind](request, answer, self.options)


def _status(status: int, message: str, code: Optional[str] = None) -> Spoil:
    def spoil(request: Request, answer: Answer, options: Dict[str, Any]) -> Answer:
        kept = {name: answer.headers[name] for name in ("X-Repo-Commit",) if name in answer.headers}
        return error(options.get("status", status), message, code, {**kept, **options.get("headers", {})})

    return spoil


def _rate_limit(request: Request, answer: Answer, options: Dict[str, Any]) -> Answer:
    told = {"RateLimit": f'"api";r={options.get("r", 0)};t={options.get("t", 1)}'}
    if "retry_after" in options:
        told["Retry-After"] = str(options["retry_after"])
    return error(429, "We had to rate limit you", headers=told)


def _rate_limit_bare(request: Request, answer: Answer, options: Dict[str, Any]) -> Answer:
    told = {"RateLimit": "", "RateLimit-Policy": ""}
    if "retry_after" in options:
        told["Retry-After"] = str(options["retry_after"])
    return Answer(429, told, b"Too Many Requests")


def _bytes(answer: Answer) -> bytes:
    return answer.read(0, answer.size)


def _wrong_size(request: Request, answer: Answer, options: Dict[str, Any]) -> Answer:
    body = _bytes(answer)
    spoilt = body + b"!" * options["more"] if "more" in options else body[: -options.get("less", 1)]
    return replace(answer, body=spoilt, start=0, stop=None)


def _wrong_hash(request: Request, answer: Answer, options: Dict[str, Any]) -> Answer:
    body = _bytes(answer)
    return replace(answer, body=body[:-1] + bytes([body[-1] ^ 1]) if body else body, start=0, stop=None)


def _ignore_range(request: Request, answer: Answer, options: Dict[str, Any]) -> Answer:
    if answer.status not in (206, 416):
        return answer
    headers = {name: value for name, value in answer.headers.items() if name != "Content-Range"}
    return replace(answer, status=200, headers=headers, start=0, stop=None)


def _header(name: str, value: Callable[[Request], str]) -> Spoil:
    def spoil(request: Request, answer: Answer, options: Dict[str, Any]) -> Answer:
        return replace(answer, headers={**answer.headers, name: options.get("value", value(request))})

    return spoil


def _empty_page(request: Request, answer: Answer, options: Dict[str, Any]) -> Answer:
    kept = answer.headers if options.get("link") else {n: v for n, v in answer.headers.items() if n != "Link"}
    return replace(answer, body=b"[]", headers=kept)


def _act(request: Request, answer: Answer, options: Dict[str, Any]) -> Answer:
    options["then"]()
    return answer


def _same(url: str) -> str:
    return f'<{url}>; rel="next"'


KINDS: Dict[str, Spoil] = {
    "unauthorized": _status(401, "Invalid username or password."),
    "invalid-token": _status(401, "Invalid credentials in Authorization header"),
    "forbidden": _status(403, "Forbidden"),
    "gated": _status(403, "Access to model is restricted", "GatedRepo"),
    "disabled": _status(403, "Access to this resource is disabled."),
    "repo-not-found": _status(404, "Repository not found", "RepoNotFound"),
    "entry-not-found": _status(404, "Entry not found", "EntryNotFound"),
    "revision-not-found": _status(404, "Invalid rev id: main", "RevisionNotFound"),
    "not-found-bare": lambda request, answer, options: Answer(404, {}, b"Not Found"),
    "rate-limit": _rate_limit,
    "rate-limit-bare": _rate_limit_bare,
    "server-error": _status(500, "Internal Server Error"),
    "slow": lambda request, answer, options: replace(answer, delay=options.get("seconds", 1.0)),
    "drop": lambda request, answer, options: replace(answer, drop=True),
    "cut": lambda request, answer, options: replace(answer, cut_after=options.get("at", answer.size // 2)),
    "stall": lambda request, answer, options: replace(
        answer, stall_after=options.get("at", answer.size // 2), stall_seconds=options.get("seconds", 60.0)
    ),
    "drip": lambda request, answer, options: replace(answer, drip=options.get("seconds", 0.05)),
    "drip-headers": lambda request, answer, options: replace(
        answer, drip=options.get("seconds", 0.05), drip_headers=True
    ),
    "wrong-size": _wrong_size,
    "wrong-hash": _wrong_hash,
    "ignore-range": _ignore_range,
    "wrong-range": _header("Content-Range", lambda request: "bytes 0-9/10"),
    "etag": _header("ETag", lambda request: '"another"'),
    "empty-page": _empty_page,
    "repeat-page": _header("Link", lambda request: _same(request.base + request.target)),
    "repeat-page-forever": _header(
        "Link",
        lambda request: _same(f"{request.base}{request.target.split('&again')[0]}&again={quote(request.target)}"),
    ),
    "bad-link": _header("Link", lambda request: '<http://[:::>; rel="next"'),
    "foreign-link": _header("Link", lambda request: _same("http://localhost:9/api/models?cursor=x")),
    "relative-link": _header("Link", lambda request: _same(request.target + "&cursor=none")),
    "foreign-redirect": lambda request, answer, options: Answer(307, {"Location": options["to"]}),
    "loop": lambda request, answer, options: Answer(307, {"Location": request.target}),
    "not-json": lambda request, answer, options: replace(answer, body=b"<html>busy</html>", start=0, stop=None),
    "body": lambda request, answer, options: replace(answer, body=options["body"], start=0, stop=None),
    "header": lambda request, answer, options: replace(
        answer, headers={**answer.headers, options["name"]: options["value"]}
    ),
    "json": lambda request, answer, options: as_json(options["value"], headers=answer.headers),
    "edit": lambda request, answer, options: replace(
        answer, body=json.dumps(options["edit"](json.loads(_bytes(answer)))).encode()
    ),
    "after": _act,
}


class Faults:
    """The faults that are switched on, in the order in which they were."""

    def __init__(self) -> None:
        self._faults: List[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Switch a fault on."""
        if fault.kind not in KINDS:
            raise ValueError(f"no fault is called {fault.kind}; there are {', '.join(KINDS)}")
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Switch all of them off."""
        self._faults.clear()

    def spoil(self, request: Request, answer: Answer) -> Answer:
        """The answer after every fault that this request hits."""
        for fault in [fault for fault in self._faults if fault.take(request)]:
            answer = fault.spoil(request, answer)
        return answer
