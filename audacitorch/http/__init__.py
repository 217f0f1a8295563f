"""HTTP to the services that audacitorch talks to: one client for the Hub and for GitHub.

:class:`~audacitorch.http.transport.Transport` sends requests, and owns what is the same for every service: the token
that no other host is shown, redirects, bounded bodies, repeated tries, and a limit for the total time of each answer.
A :class:`Service` says what differs, and an :class:`Answer` is what comes back. Nothing here imports ``requests`` until
a request is made.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Iterator, List, Mapping, Optional, Tuple, Type
from urllib.parse import urlsplit

from audacitorch.errors import AudacitorchError
from audacitorch.safetext import visible

if TYPE_CHECKING:
    import requests

#: Seconds for a whole answer, its redirects and tries included, if the caller names no other limit.
TOTAL_SECONDS = 120.0
#: Characters of a server's text that a message shows.
_MESSAGE_TEXT = 300
CHUNK = 1 << 16
#: The largest JSON text that is read.
LARGEST_JSON = 1 << 28

_thread = threading.local()


class Service:
    """What the client must know of one service; its methods are the service's own rules.

    Attributes:
        name: how messages call it.
        unreachable: the error for no answer, or none that can be used.
        cut: the error for an answer that began well and did not arrive whole; asking again may help.
        follows_redirects: whether a redirect is followed at all; if not, :meth:`error` says what it means.
        redirects_elsewhere: whether a redirect to another host is followed (without the token).
        limited: statuses that say "not now": what was asked for was not done, so any method may be sent again.
    """

    name = "the service"
    unreachable: Type[AudacitorchError] = AudacitorchError
    cut: Type[AudacitorchError] = AudacitorchError
    follows_redirects = True
    redirects_elsewhere = False
    limited: Tuple[int, ...] = (429,)

    def asked_wait(self, status: int, headers: Mapping[str, str]) -> Optional[float]:
        """Seconds that an answer asks the caller to wait by headers of the service's own; None if it does not."""
        return None

    def works_without_token(self, headers: Mapping[str, str]) -> bool:
        """Whether a 401 with these headers means a bad token, so that the request is repeated without it."""
        return False

    def error(self, answer: Answer, what: str) -> AudacitorchError:
        """The error that an answer other than a success stands for; ``what`` was asked for, in words."""
        return self.unreachable(f"{self.name} could not answer for {what} (status {answer.response.status_code}).")


class Deadline:
    """The moment at which an answer must be complete. A wait that the service asks for moves it.

    Args:
        seconds: from now on.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left; 0 or less when the time is up."""
        return self._end - time.monotonic()

    @property
    def passed(self) -> bool:
        """Whether the time is up."""
        return self.left <= 0

    def extend(self, seconds: float) -> None:
        """Allow so many seconds more."""
        self._end += seconds

    def __enter__(self) -> Deadline:
        _thread.deadline = self
        return self

    def __exit__(self, *_: object) -> None:
        _thread.deadline = None


def current_deadline() -> Optional[Deadline]:
    """The deadline of the request that this thread is making."""
    return getattr(_thread, "deadline", None)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Give all requests that this thread makes inside the block so many seconds together."""
    _thread.limit = Deadline(seconds)
    try:
        yield
    finally:
        _thread.limit = None


def current_limit() -> Optional[Deadline]:
    """The deadline of all requests together, inside :func:`limited`."""
    return getattr(_thread, "limit", None)


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
        from requests.exceptions import RequestException

        where = host_of(self.url)
        try:
            yield from self.response.iter_content(CHUNK)
        except (RequestException, OSError) as error:
            if self.deadline.passed:
                took = f"An answer of {where} took longer than {self.deadline.seconds:.0f} seconds."
                raise self.service.unreachable(took) from error
            raise self.service.cut(f"An answer of {where} was cut off: {reason(error)}.") from error

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
                raise BodyTooLarge(f"{what} has more than {limit} bytes.")
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
            raise self.service.unreachable(f"The answer of {self.service.name} is too long: {error}") from error
        except (ValueError, RecursionError) as error:
            raise self.service.cut(f"The answer of {self.service.name} is not JSON: {what}.") from error

    def drain(self) -> None:
        """Read a small body to its end, so that its connection can be used again; hang up on a large one."""
        from requests.exceptions import RequestException

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


def origin(url: str) -> Tuple[str, Optional[str], Optional[int]]:
    """Scheme, host and port: whom a token may be shown to."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return ("", None, None)


def host_of(url: str) -> str:
    """Scheme and host, for messages: the rest of a CDN's address holds its signature."""
    parts = urlsplit(url)
    return one_line(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")


def one_line(text: str) -> str:
    """Text that came from a server, in one line, without control characters, cut to what fits a message."""
    return visible(text, _MESSAGE_TEXT)


def reason(error: BaseException) -> str:
    """Why a request failed, without the address that it was sent to: a CDN's holds a signature."""
    inner = error.args[0] if error.args else error
    return one_line(str(getattr(inner, "reason", None) or inner).rpartition(">: ")[2] or type(error).__name__)
