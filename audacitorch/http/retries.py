"""When to ask again, how long to wait before, and how long one answer may take altogether.

urllib3's ``Retry`` decides what is worth another try (connections, resets, statuses) and counts; it knows neither the
headers of our services, nor a limit for what a server asks us to wait, nor a limit for the total time.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from typing import Any, Iterator, Optional

from urllib3.exceptions import InvalidHeader, MaxRetryError
from urllib3.util.retry import Retry

from audacitorch.http import Service

LONGEST_BACKOFF = 8.0
#: What the service may or may not have done: sent again where doing it twice is the same as once.
BUSY = (408, 500, 502, 503, 504)
REPEATABLE = ("GET", "HEAD", "PUT", "PATCH", "DELETE")

_log = logging.getLogger(__name__)
_thread = threading.local()


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
