"""When to ask the Hub again, and how long to wait before: urllib3's ``Retry``, taught the Hub's own headers.

urllib3 decides what is worth another try (connections, resets, statuses) and counts; it knows neither the ``RateLimit``
header nor a bound for what a server asks us to wait.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Optional

from urllib3.exceptions import InvalidHeader, MaxRetryError
from urllib3.util.retry import Retry

LONGEST_BACKOFF = 8.0
RETRIED_STATUSES = (408, 429, 500, 502, 503, 504)

_log = logging.getLogger(__name__)


class Gate:
    """Shut while one thread waits for a rate limit to end: it holds for all, so the others need not find out."""

    def __init__(self) -> None:
        self._until = 0.0

    def hold(self, seconds: float) -> None:
        """Wait, and let nobody else through meanwhile."""
        self._until = max(self._until, time.monotonic() + seconds)
        pause(seconds)
        self._until = 0.0

    def wait(self) -> None:
        """Wait for as long as it is shut."""
        left = self._until - time.monotonic()
        if left > 0:
            pause(left)


class HubRetry(Retry):
    """Waits as long as ``RateLimit`` says, else ``Retry-After``, else 1, 2, 4, 8, 8 seconds.

    An answer that asks for more than ``max_wait`` seconds is not waited for: it is the last answer.
    """

    max_wait = LONGEST_BACKOFF
    gate = Gate()

    @classmethod
    def up_to(cls, tries: int, max_wait: float, gate: Gate) -> HubRetry:
        """A policy of ``tries`` more tries, two where nobody listens at all; ``gate`` is shut during a rate limit."""
        retry = cls(
            total=tries,
            connect=min(2, tries),
            redirect=False,
            status_forcelist=RETRIED_STATUSES,
            allowed_methods=("GET",),
            raise_on_status=False,
        )
        retry.max_wait, retry.gate = max_wait, gate
        return retry

    def new(self, **kw: Any) -> HubRetry:
        """The policy after one more try."""
        fresh = super().new(**kw)
        fresh.max_wait, fresh.gate = self.max_wait, self.gate
        return fresh

    def increment(self, *args: Any, **kw: Any) -> HubRetry:
        """Count a try; raises ``MaxRetryError`` where it was the last, or the wait would be too long."""
        response = kw.get("response")
        if response is not None and (self.get_retry_after(response) or 0) > self.max_wait:
            raise MaxRetryError(kw.get("_pool"), "", None)  # type: ignore[arg-type]
        return super().increment(*args, **kw)

    def get_retry_after(self, response: Any) -> Optional[float]:
        """Seconds that the answer asks us to wait, None where it does not say."""
        if response.status == 429:
            import huggingface_hub.utils as library

            limit = library.parse_ratelimit_headers(response.headers)  # type: ignore[attr-defined]
            if limit is not None:
                return float(limit.reset_in_seconds + 1)
        try:
            return super().get_retry_after(response)
        except (InvalidHeader, OverflowError):
            return None

    def get_backoff_time(self) -> float:
        """Seconds to wait where nobody says how long."""
        return backoff(len(self.history) - 1, self.max_wait)

    def sleep(self, response: Any = None) -> None:
        """Wait before the next try."""
        asked = self.get_retry_after(response) if response is not None else None
        seconds = asked or self.get_backoff_time()
        if seconds > LONGEST_BACKOFF:
            _log.warning("the Hub asks us to wait for %.0f seconds", seconds)
        if response is not None and response.status == 429:
            self.gate.hold(seconds)
        else:
            pause(seconds)


def pause(seconds: float) -> None:
    """Sleep: the one place where this package waits for the Hub."""
    time.sleep(seconds)


def backoff(tries: int, max_wait: float) -> float:
    """Seconds to wait after ``tries`` earlier failures."""
    return min(2.0 ** max(tries, 0), LONGEST_BACKOFF, max_wait)
