"""Faults to switch on: what GitHub answers when it has had enough, is ill, or loses an answer on its way."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Dict, List, Optional

from tests.hub.messages import Answer, Request, as_json

Instead = Callable[[Dict[str, Any]], Answer]
Spoil = Callable[[Answer, Dict[str, Any]], Answer]


@dataclass
class Fault:
    """``kind`` for ``times`` requests (None: all) that match, after the first ``after`` of them."""

    kind: str
    method: Optional[str] = None
    path: Optional[str] = None
    times: Optional[int] = 1
    after: int = 0
    options: Dict[str, Any] = field(default_factory=dict)
    hits: int = 0

    def take(self, request: Request) -> bool:
        """Whether this request is one of those, counting it."""
        if self.method not in (None, request.method):
            return False
        if self.path is not None and not re.search(self.path, request.target):
            return False
        self.hits += 1
        return self.after < self.hits and (self.times is None or self.hits <= self.after + self.times)


def problem(status: int, message: str, headers: Optional[Dict[str, str]] = None, **more: Any) -> Answer:
    """An error as GitHub tells it."""
    body = {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status), **more}
    return as_json(body, status, headers)


def _secondary(options: Dict[str, Any]) -> Answer:
    headers = {"Retry-After": str(options["retry_after"])} if "retry_after" in options else {}
    return problem(
        options.get("status", 403),
        "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
        headers,
    )


def _primary(options: Dict[str, Any]) -> Answer:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(options["reset"])}
    return problem(options.get("status", 403), "API rate limit exceeded for installation ID 1.", headers)


def _hourly(options: Dict[str, Any]) -> Answer:
    return _primary({"reset": int(time.time()) + 3000, **options})


def _moved(options: Dict[str, Any]) -> Answer:
    return problem(options.get("status", 301), "Moved Permanently", {"Location": options["location"]})


def _status(status: int, message: str) -> Instead:
    return lambda options: problem(options.get("status", status), options.get("message", message))


def _then(answer: Answer, options: Dict[str, Any]) -> Answer:
    options["then"]()
    return answer


#: Answers that are given instead of doing what was asked.
INSTEAD: Dict[str, Instead] = {
    "secondary-rate-limit": _secondary,
    "primary-rate-limit": _primary,
    "hourly-limit": _hourly,
    "moved": _moved,
    "gone": _status(410, "This issue was deleted"),
    "issues-off": _status(410, "Issues has been disabled in this repository."),
    "blocked": _status(451, "Repository access blocked"),
    "unauthorized": _status(401, "Bad credentials"),
    "forbidden": _status(403, "Resource not accessible by integration"),
    "not-found": _status(404, "Not Found"),
    "conflict": _status(409, "Conflict"),
    "unprocessable": _status(422, "Validation Failed"),
    "server-error": _status(500, "Server Error"),
    "unicorn": lambda options: Answer(502, {"Content-Type": "text/html"}, b"<!DOCTYPE html><p>Unicorn!</p>"),
}
#: What happens to the answer after what was asked has been done.
AFTERWARDS: Dict[str, Spoil] = {
    "lost": lambda answer, options: problem(options.get("status", 502), "Server Error"),
    "drop": lambda answer, options: replace(answer, drop=True),
    "cut": lambda answer, options: replace(answer, cut_after=options.get("at", answer.size // 2)),
    "slow": lambda answer, options: replace(answer, delay=options.get("seconds", 1.0)),
    "not-json": lambda answer, options: replace(answer, body=b"<html>busy</html>", start=0, stop=None),
    "json": lambda answer, options: replace(answer, body=json.dumps(options["value"]).encode()),
    "after": _then,
}


class Faults:
    """The faults that are switched on, in the order in which they were."""

    def __init__(self) -> None:
        self._faults: List[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Switch a fault on."""
        if fault.kind not in INSTEAD and fault.kind not in AFTERWARDS:
            raise ValueError(f"no fault is called {fault.kind}; there are {', '.join([*INSTEAD, *AFTERWARDS])}")
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Switch all of them off."""
        self._faults.clear()

    def answer(self, request: Request, respond: Callable[[Request], Answer]) -> Answer:
        """The answer of ``respond``, or what the faults that this request hits make of it."""
        hit = [fault for fault in self._faults if fault.take(request)]
        for fault in hit:
            if fault.kind in INSTEAD:
                return INSTEAD[fault.kind](fault.options)
        answer = respond(request)
        for fault in hit:
            answer = AFTERWARDS[fault.kind](answer, fault.options)
        return answer
