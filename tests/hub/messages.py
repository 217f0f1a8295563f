"""What goes over the wire: a request as it was read, an answer as it will be sent, and the log of both."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, Dict, List, Optional, Union
from urllib.parse import parse_qs, urlsplit

from tests.hub.repos import Blob


@dataclass
class Request:
    """A request to one of the two sides: ``hub`` or ``cdn``; ``base`` is this server's own address."""

    method: str
    target: str
    headers: Message
    body: bytes
    side: str
    base: str

    @property
    def path(self) -> str:
        """The path, still quoted."""
        return urlsplit(self.target).path

    @property
    def query(self) -> Dict[str, List[str]]:
        """The query; ``expand[]=`` is ``expand=``."""
        pairs = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name[:-2] if name.endswith("[]") else name: values for name, values in pairs.items()}

    def one(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return self.query.get(name, [default])[0]

    def flag(self, name: str) -> bool:
        """A boolean parameter, as httpx (``true``) and requests (``True``) write it."""
        return self.one(name).lower() in ("true", "1")

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Answer:
    """What is sent back, and how: whole, late, cut off, with a pause in it, or byte by byte (``drip`` seconds each)."""

    status: int = 200
    headers: Dict[str, str] = field(default_factory=dict)
    body: Union[bytes, Blob] = b""
    start: int = 0
    stop: Optional[int] = None
    cut_after: Optional[int] = None
    stall_after: Optional[int] = None
    stall_seconds: float = 0.0
    drip: Optional[float] = None
    drip_headers: bool = False
    delay: float = 0.0
    drop: bool = False
    length: Optional[int] = None

    @property
    def size(self) -> int:
        """Bytes in the body."""
        whole = len(self.body) if isinstance(self.body, bytes) else self.body.size
        return (whole if self.stop is None else self.stop) - self.start

    def read(self, start: int, stop: int) -> bytes:
        """A part of the body."""
        stop = min(stop, self.size)
        if isinstance(self.body, bytes):
            return self.body[self.start + start : self.start + stop]
        return self.body.read(self.start + start, self.start + stop)


@dataclass
class Logged:
    """A request that was answered: ``sent`` and ``received`` are bytes of bodies."""

    side: str
    method: str
    target: str
    range: Optional[str]
    authorized: bool
    received: int
    status: int = 0
    sent: int = 0

    @property
    def path(self) -> str:
        return urlsplit(self.target).path


def as_json(value: Any, status: int = 200, headers: Optional[Dict[str, str]] = None) -> Answer:
    """An answer of JSON."""
    body = json.dumps(value).encode()
    return Answer(status, {"Content-Type": "application/json; charset=utf-8", **(headers or {})}, body)


def error(status: int, message: str, code: Optional[str] = None, headers: Optional[Dict[str, str]] = None) -> Answer:
    """An error as the Hub tells it: in headers and in the body."""
    told = {"X-Error-Message": message, **(headers or {})}
    if code:
        told["X-Error-Code"] = code
    return as_json({"error": message}, status, told)


def redirect(status: int, location: str, headers: Optional[Dict[str, str]] = None) -> Answer:
    """A redirect with a text, as the Hub sends it."""
    text = f"Redirecting to {location}".encode()
    return Answer(status, {"Location": location, "Content-Type": "text/plain; charset=utf-8", **(headers or {})}, text)
