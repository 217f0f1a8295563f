"""An answer of a service: the way to it, its headers, and its body in pieces of bounded size and bounded time."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any, Iterator, List, Optional

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException
from urllib3.connection import HTTPConnection, HTTPSConnection

from audacitorch.http import Service, host_of, one_line
from audacitorch.http.retries import Deadline, current_deadline

CHUNK = 1 << 16
#: The largest JSON text that is read.
LARGEST_JSON = 1 << 28


class BodyTooLarge(ValueError):
    """A body exceeds the limit that its reader gave."""


@dataclass
class Answer:
    """The end of a chain of redirects; ``hops`` are the answers on the way, this one included."""

    hops: List[requests.Response]
    service: Service
    deadline: Deadline

    @property
    def response(self) -> requests.Response:
        """The answer that carries the body."""
        return self.hops[-1]

    @property
    def url(self) -> str:
        """Where the body is."""
        return self.response.url

    def header(self, name: str) -> Optional[str]:
        """The value of ``name`` in the first hop that has it: the service's own, before a CDN's."""
        return next((hop.headers[name] for hop in self.hops if name in hop.headers), None)

    def chunks(self) -> Iterator[bytes]:
        """The body in pieces.

        Raises:
            Service.cut: it ended early, or can't be decoded.
            Service.unreachable: it was not complete when the time was up.
        """
        where = host_of(self.url)
        try:
            yield from self.response.iter_content(CHUNK)
        except (RequestException, OSError) as error:
            if self.deadline.passed:
                took = f"an answer of {where} took longer than {self.deadline.seconds:.0f} seconds"
                raise self.service.unreachable(took) from error
            raise self.service.cut(f"an answer of {where} was cut off: {reason(error)}") from error

    def read(self, limit: int, what: str) -> bytes:
        """The whole body.

        Raises:
            BodyTooLarge: it has more than ``limit`` bytes.
            Service.cut, Service.unreachable: as :meth:`chunks`.
        """
        body = bytearray()
        for chunk in self.chunks():
            body += chunk
            if len(body) > limit:
                raise BodyTooLarge(f"{what} has more than {limit} bytes")
        return bytes(body)

    def json(self, what: str) -> Any:
        """The body's JSON value, None if it is empty.

        Raises:
            Service.cut: the body is not JSON; else as :meth:`chunks`.
            Service.unreachable: it is too long.
        """
        try:
            body = self.read(LARGEST_JSON, what)
            return json.loads(body) if body.strip() else None
        except BodyTooLarge as error:
            raise self.service.unreachable(f"the answer of {self.service.name} is too long: {error}") from error
        except (ValueError, RecursionError) as error:
            raise self.service.cut(f"the answer of {self.service.name} is not JSON: {what}") from error

    def drain(self) -> None:
        """Read a small body to its end, so that its connection can be used again; hang up on a large one."""
        try:
            if int(self.response.headers.get("Content-Length", CHUNK + 1)) <= CHUNK:
                _ = self.response.content
        except (RequestException, OSError, ValueError):
            pass
        finally:
            self.response.close()

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()


def reason(error: BaseException) -> str:
    """Why a request failed, without the address that it was sent to: a CDN's holds a signature."""
    inner = error.args[0] if error.args else error
    return one_line(str(getattr(inner, "reason", None) or inner).rpartition(">: ")[2] or type(error).__name__)


class _TimedReader(io.RawIOBase):
    """A socket's bytes until the deadline: a timeout alone starts anew with every byte that arrives."""

    def __init__(self, socket_file: Any, sock: Any, deadline: Deadline) -> None:
        super().__init__()
        self._file, self._sock, self._deadline = socket_file, sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Optional[int]:
        left, before = self._deadline.left, self._sock.gettimeout()
        if left <= 0:
            raise TimeoutError("the time is up")
        self._sock.settimeout(left if before is None else min(before, left))
        try:
            return self._file.readinto(buffer)  # type: ignore[no-any-return]
        finally:
            self._sock.settimeout(before)

    def close(self) -> None:
        self._file.close()
        super().close()


class _TimedResponse(HTTPResponse):
    """An answer whose headers and body arrive before the deadline of the request, or raise ``TimeoutError``."""

    def __init__(self, sock: Any, *args: Any, **kw: Any) -> None:
        super().__init__(sock, *args, **kw)
        deadline = current_deadline()
        if deadline is not None:
            buffered: Any = self.fp
            self.fp = io.BufferedReader(_TimedReader(buffered.detach(), sock, deadline))


class _TimedHTTP(HTTPConnection):
    response_class = _TimedResponse


class _TimedHTTPS(HTTPSConnection):
    response_class = _TimedResponse


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _TimedHTTP


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TimedHTTPS


class TimedAdapter(HTTPAdapter):
    """Connections whose answers keep to the deadline of the thread's request."""

    def init_poolmanager(self, *args: Any, **kw: Any) -> None:
        """Make connections of our own kind."""
        super().init_poolmanager(*args, **kw)  # type: ignore[no-untyped-call]
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, *args: Any, **kw: Any) -> Any:
        """The same, through a proxy."""
        manager = super().proxy_manager_for(*args, **kw)  # type: ignore[no-untyped-call]
        manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        return manager
