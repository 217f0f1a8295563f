"""HTTP to the services that audacitorch talks to: one client for the Hub and for GitHub.

:class:`~audacitorch.http.transport.Transport` sends requests, and owns what is the same for every service: the token
that no other host is shown, redirects, bounded bodies, repeated tries, and a limit for the total time of each answer.
A :class:`Service` says what differs. Nothing here imports ``requests`` until a request is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Mapping, Optional, Tuple, Type
from urllib.parse import urlsplit

from audacitorch.errors import AudacitorchError
from audacitorch.safetext import visible

if TYPE_CHECKING:
    from audacitorch.http.answer import Answer

#: Seconds for a whole answer, its redirects and tries included, if the caller names no other limit.
TOTAL_SECONDS = 120.0
#: Characters of a server's text that a message shows.
_MESSAGE_TEXT = 300


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
        return self.unreachable(f"{self.name} could not answer for {what} (status {answer.response.status_code})")


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
