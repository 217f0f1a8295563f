"""When GitHub may be asked again, and how long to wait before, by the headers that it sends.

Source: docs.github.com, "Rate limits for the REST API" and "Best practices for using the REST API".
"""

from __future__ import annotations

import time
from typing import Any, Mapping, Optional

#: What to wait after a secondary rate limit that names no time.
SECONDARY_SECONDS = 60.0
LONGEST_BACKOFF = 16.0
_BUSY = (500, 502, 503, 504)


def pause(seconds: float) -> None:
    """Sleep: the one place where this package waits for GitHub."""
    time.sleep(seconds)


def backoff(tries: int) -> float:
    """Seconds to wait after ``tries`` earlier failures for which nobody says how long."""
    return min(2.0 ** max(tries, 0), LONGEST_BACKOFF)


def limit_wait(status: int, headers: Mapping[str, str], body: Any) -> Optional[float]:
    """Seconds to wait where the answer is a rate limit, None where it is none. What was asked was not done then."""
    if status not in (403, 429):
        return None
    asked = headers.get("Retry-After", "")
    if asked.isdigit():
        return float(asked)
    if headers.get("X-RateLimit-Remaining") == "0":
        reset = headers.get("X-RateLimit-Reset", "")
        return max(float(reset) - time.time(), 0.0) + 1.0 if reset.isdigit() else SECONDARY_SECONDS
    message = str(body.get("message", "")).lower() if isinstance(body, dict) else ""
    return SECONDARY_SECONDS if status == 429 or "rate limit" in message else None


def is_busy(status: int) -> bool:
    """Whether the answer says that GitHub is ill; what was asked may have been done all the same."""
    return status in _BUSY
