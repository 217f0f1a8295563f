"""Connections that keep to a request's deadline, when to ask again, and how long to wait before.

urllib3's ``Retry`` decides what is worth another try (connections, resets, statuses) and counts; it knows neither the
headers of our services, nor a limit for what a server asks us to wait, nor a limit for the total time.
"""

from __future__ import annotations

import io
import logging
import time
from http.client import HTTPResponse
from typing import Any, Optional

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import InvalidHeader, MaxRetryError
from urllib3.util.retry import Retry

from audacitorch.http import Deadline, Service, current_deadline, current_limit

LONGEST_BACKOFF = 8.0
#: What the service may or may not have done: sent again where doing it twice is the same as once.
BUSY = (408, 500, 502, 503, 504)
REPEATABLE = ("GET", "HEAD", "PUT", "PATCH", "DELETE")

_log = logging.getLogger(__name__)


class Gate:
    """Closed while one thread waits for a rate limit to end. The limit holds for all, so the others need not ask."""

    def __init__(self) -> None:
        self._until = 0.0

    def hold(self, seconds: float) -> None:
        """Wait, and let no other thread through meanwhile."""
        self._until = max(self._until, time.monotonic() + seconds)
        pause(seconds)
        self._until = 0.0

    def wait(self) -> None:
        """Wait for as long as the gate is closed."""
        left = self._until - time.monotonic()
        if left > 0:
            pause(left)


class ServiceRetry(Retry):
    """Waits as long as the service asks by its own headers, else by ``Retry-After``, else 1, 2, 4, 8, 8 seconds.

    An answer that asks for more than ``max_wait`` seconds is the last one, and so is one after the deadline.
    """

    service = Service()
    gate = Gate()
    max_wait = LONGEST_BACKOFF

    @classmethod
    def up_to(cls, tries: int, service: Service, gate: Gate, max_wait: float) -> ServiceRetry:
        """A policy of ``tries`` more tries, two if the connection is refused."""
        retry = cls(
            total=tries,
            connect=min(2, tries),
            redirect=False,
            status_forcelist=BUSY,
            allowed_methods=REPEATABLE,
            raise_on_status=False,
        )
        retry.service, retry.gate, retry.max_wait = service, gate, max_wait
        return retry

    def new(self, **kw: Any) -> ServiceRetry:
        """The policy after one more try."""
        fresh = super().new(**kw)
        fresh.service, fresh.gate, fresh.max_wait = self.service, self.gate, self.max_wait
        return fresh

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """Whether an answer with this status is worth another try."""
        return status_code in self.service.limited or super().is_retry(method, status_code, has_retry_after)

    def increment(self, *args: Any, **kw: Any) -> ServiceRetry:
        """Count a try; raises ``MaxRetryError`` if it was the last, or if the wait would be too long."""
        response, deadline = kw.get("response"), current_deadline()
        if response is not None:
            asked = self.get_retry_after(response)
            forbidden = response.status == 403 and asked is None  # a refusal, and not a rate limit
            if forbidden or (asked or 0) > self.max_wait:
                raise MaxRetryError(kw.get("_pool"), "", None)  # type: ignore[arg-type]
        if deadline is not None and deadline.passed:
            raise MaxRetryError(kw.get("_pool"), "", kw.get("error"))  # type: ignore[arg-type]
        return super().increment(*args, **kw)

    def get_retry_after(self, response: Any) -> Optional[float]:
        """Seconds that the answer asks us to wait; None if it does not say."""
        asked = self.service.asked_wait(response.status, response.headers)
        if asked is not None:
            return asked
        try:
            return super().get_retry_after(response)
        except (InvalidHeader, OverflowError):
            return None

    def get_backoff_time(self) -> float:
        """Seconds to wait if the service does not say how long."""
        return backoff(len(self.history) - 1, self.max_wait)

    def sleep(self, response: Any = None) -> None:
        """Wait before the next try."""
        asked = self.get_retry_after(response) if response is not None else None
        seconds = asked or self.get_backoff_time()
        if seconds > LONGEST_BACKOFF:
            _log.warning("%s asks us to wait for %.0f seconds", self.service.name, seconds)
        for deadline in (current_deadline(), current_limit()):
            if deadline is not None:
                deadline.extend(seconds)
        if response is not None and response.status in self.service.limited:
            self.gate.hold(seconds)
        else:
            pause(seconds)


def pause(seconds: float) -> None:
    """Sleep: the one place where this package waits for a service."""
    time.sleep(seconds)


def backoff(tries: int, max_wait: float = LONGEST_BACKOFF) -> float:
    """Seconds to wait after ``tries`` earlier failures."""
    return min(2.0 ** max(tries, 0), LONGEST_BACKOFF, max_wait)


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
