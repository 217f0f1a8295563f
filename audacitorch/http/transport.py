"""Requests to one service: connections kept alive, tries repeated, bodies and times bounded, the token kept to itself.

This is ``requests`` and not huggingface_hub's own session, because that one has no timeout (1.8.0), is closed under its
user after a refused connection (1.8.0), does not retry a first page, and raises the errors of another HTTP
library in each of its versions.
"""

from __future__ import annotations

import logging
import os
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from requests.cookies import RequestsCookieJar
from requests.exceptions import RequestException

from audacitorch.http import (
    TOTAL_SECONDS,
    Answer,
    Deadline,
    Service,
    connections,
    current_limit,
    host_of,
    one_line,
    origin,
    reason,
)
from audacitorch.http.connections import Gate, ServiceRetry, TimedAdapter
from audacitorch.version import __version__

Result = TypeVar("Result")

_CONNECTIONS = 32
_MOST_REDIRECTS = 5
_BODY_TRIES = 3

_log = logging.getLogger(__name__)


class Transport:
    """Requests to ``service`` at ``base_url``, from any number of threads.

    Args:
        base_url: its address; only this origin is ever shown the token.
        timeouts: seconds for a connection, and for the next bytes of an answer.
        tries: how often a request that failed is sent again.
        max_wait: the longest wait, in seconds, that the service may ask for between two of them.
        total_seconds: how long an answer may take altogether, waits that the service asks for not counted.
        headers: sent with every request.
    """

    def __init__(
        self,
        service: Service,
        base_url: str,
        token: Optional[str],
        *,
        timeouts: Tuple[float, float],
        tries: int,
        max_wait: float,
        total_seconds: float = TOTAL_SECONDS,
        headers: Optional[Mapping[str, str]] = None,
    ) -> None:
        self.service = service
        self.total_seconds = total_seconds
        self._origin = origin(base_url)
        self._token = token
        self._timeouts = timeouts
        self._max_wait = max_wait
        self._gate = Gate()
        self._http = _OneHop()
        agent = f"audacitorch/{__version__} {requests.utils.default_user_agent()}"
        self._http.headers.update({"User-Agent": agent, **(headers or {})})
        self._http.verify = os.environ.get("SSL_CERT_FILE") or True
        self._http.cookies = _NoCookies()
        policy = ServiceRetry.up_to(tries, service, self._gate, max_wait)
        for scheme in ("http://", "https://"):
            self._http.mount(scheme, TimedAdapter(_CONNECTIONS, _CONNECTIONS, max_retries=policy))

    def is_ours(self, url: str) -> bool:
        """Whether ``url`` is on the service itself, by scheme, host and port."""
        return origin(url) == self._origin

    def open(
        self,
        url: str,
        what: str,
        *,
        method: str = "GET",
        headers: Optional[Mapping[str, str]] = None,
        query: Optional[Mapping[str, Any]] = None,
        body: Any = None,
        seconds: Optional[float] = None,
    ) -> Answer:
        """Send a request, follow its redirects, and return the answer up to the headers of a success.

        Args:
            what: what is asked for, in words for an error.
            body: sent as JSON.
            seconds: the total time for the answer, its body included.

        Raises:
            Service.unreachable: no answer, or a redirect that is not safe to follow.
            AudacitorchError: what :meth:`Service.error` makes of any other status.
        """
        deadline = self._deadline(self.total_seconds if seconds is None else seconds, what)
        sent = {"headers": dict(headers or {}), "params": query, "json": body}
        hops: List[requests.Response] = []
        while len(hops) <= _MOST_REDIRECTS:
            hops.append(self._send(method, url, sent, what, deadline))
            answer = Answer(hops, self.service, deadline)
            if not answer.response.is_redirect or not self.service.follows_redirects:
                if 200 <= answer.response.status_code < 300:
                    return answer
                with answer:
                    raise self.service.error(answer, what)
            answer.drain()
            url = self._redirect(url, answer.response.headers["Location"], what)
            sent["params"] = None
        raise self.service.unreachable(f"{self.service.name} redirects in circles: {what}.")

    def read(self, url: str, what: str, limit: int, **how: Any) -> Tuple[Answer, bytes]:
        """Open ``url`` and read its whole body, again if it was cut off.

        Raises:
            BodyTooLarge: the body has more than ``limit`` bytes; else as :meth:`open`.
        """

        def attempt() -> Tuple[Answer, bytes]:
            with self.open(url, what, **how) as answer:
                return answer, answer.read(limit, what)

        return self.again(attempt)

    def json(self, url: str, what: str, **how: Any) -> Tuple[Answer, Any]:
        """Open ``url`` and read its JSON value, again if it is cut off or is not JSON; errors as :meth:`open`."""

        def attempt() -> Tuple[Answer, Any]:
            with self.open(url, what, **how) as answer:
                return answer, answer.json(what)

        return self.again(attempt) if how.get("method", "GET") in connections.REPEATABLE else attempt()

    def again(self, attempt: Callable[[], Result]) -> Result:
        """What ``attempt`` returns, called again while its answer does not arrive whole."""
        for tries in range(_BODY_TRIES - 1):
            try:
                return attempt()
            except self.service.cut:
                self.pause(tries)
        return attempt()

    def pause(self, tries: int) -> None:
        """Wait after ``tries`` earlier failures."""
        connections.pause(connections.backoff(tries, self._max_wait))

    def close(self) -> None:
        """Release the connections."""
        self._http.close()

    def _deadline(self, seconds: float, what: str) -> Deadline:
        limit = current_limit()
        if limit is not None and limit.passed:
            raise self.service.unreachable(f"All of the {limit.seconds:.0f} seconds are used up: {what}.")
        return Deadline(seconds if limit is None else min(seconds, limit.left))

    def _send(self, method: str, url: str, sent: Dict[str, Any], what: str, deadline: Deadline) -> requests.Response:
        token = self._token if self.is_ours(url) else None
        response = self._request(method, url, sent, token, what, deadline)
        if response.status_code == 401 and token and self.service.works_without_token(response.headers):
            _log.warning("%s does not accept the token; going on without it", self.service.name)
            Answer([response], self.service, deadline).drain()
            self._token = None
            response = self._request(method, url, sent, None, what, deadline)
        return response

    def _request(
        self, method: str, url: str, sent: Dict[str, Any], token: Optional[str], what: str, deadline: Deadline
    ) -> requests.Response:
        self._gate.wait()
        try:
            with deadline:
                return self._http.request(method, url, auth=_Bearer(token), stream=True, timeout=self._timeouts, **sent)
        except (RequestException, OSError, ValueError) as error:
            why = f"no answer within {deadline.seconds:.0f} seconds" if deadline.passed else reason(error)
            raise self.service.unreachable(f"{host_of(url)} can't be reached ({what}): {why}.") from error

    def _redirect(self, url: str, location: str, what: str) -> str:
        schemes = ("https",) if urlsplit(url).scheme == "https" else ("https", "http")
        try:
            target = urljoin(url, location)
            safe = urlsplit(target).scheme in schemes
        except ValueError:
            safe = False
        if not safe:
            unsafe = f"{self.service.name} redirects to a place that is not safe to follow: {one_line(location)}"
            raise self.service.unreachable(unsafe)
        if not self.service.redirects_elsewhere and not self.is_ours(target):
            raise self.service.unreachable(f"{self.service.name} redirects to another host ({what}).")
        return target


class _OneHop(requests.Session):
    """Leaves redirects to us. ``allow_redirects=False`` alone reads their bodies to the end, however long they are."""

    def get_redirect_target(self, resp: requests.Response) -> Optional[str]:
        """None: no redirect here."""
        return None


class _Bearer(requests.auth.AuthBase):
    """The token or nothing at all: without this, requests would look for a password in the user's .netrc."""

    def __init__(self, token: Optional[str]) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _NoCookies(RequestsCookieJar):
    """Keeps no cookies: threads share the session, and nothing here needs a login."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Leave the answer's cookies alone."""

    def set_cookie(self, cookie: Any, *args: Any, **kw: Any) -> None:
        """Leave the cookie alone."""
