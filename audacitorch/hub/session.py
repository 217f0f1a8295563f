"""HTTP to one Hub: connections kept alive, retries, bounded bodies, and a token that no other host is shown.

This is ``requests`` and not huggingface_hub's own session, because that one has no timeout (1.8.0), is closed under its
user after a refused connection (1.8.0), does not retry a first page, and raises the errors of another HTTP
library in each of its versions.
"""

from __future__ import annotations

import json
import logging
import os
from typing import Any, Callable, Dict, List, Optional, Tuple, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from requests.exceptions import RequestException

from audacitorch.hub import retry
from audacitorch.hub.answer import Answer, BodyCut, drain, reason
from audacitorch.hub.endpoint import origin, place
from audacitorch.hub.errors import FileTooLarge, HubError, HubUnreachable, error_for, printable
from audacitorch.version import __version__

Result = TypeVar("Result")

_CONNECTIONS = 32
_MOST_REDIRECTS = 5
_BODY_TRIES = 3
_LARGEST_JSON = 1 << 28

_log = logging.getLogger(__name__)


class Session:
    """Requests to the Hub at ``endpoint``, from any number of threads."""

    def __init__(
        self, endpoint: str, token: Optional[str], *, timeouts: Tuple[float, float], tries: int, max_wait: float
    ) -> None:
        self.endpoint = endpoint
        self._origin = origin(endpoint)
        self._token = token
        self._timeouts = timeouts
        self._max_wait = max_wait
        self._http = _OneHop()
        self._http.headers["User-Agent"] = f"audacitorch/{__version__} {requests.utils.default_user_agent()}"
        self._http.verify = os.environ.get("SSL_CERT_FILE") or True
        self._http.cookies = _NoCookies()
        self._gate = retry.Gate()
        policy = retry.HubRetry.up_to(tries, max_wait, self._gate)
        for scheme in ("http://", "https://"):
            self._http.mount(scheme, HTTPAdapter(_CONNECTIONS, _CONNECTIONS, max_retries=policy))

    def is_ours(self, url: str) -> bool:
        """Whether ``url`` is on the Hub itself, by scheme, host and port."""
        return origin(url) == self._origin

    def open(self, url: str, what: str, *, span: Optional[str] = None, is_file: bool = False) -> Answer:
        """GET ``url``, through its redirects, up to the headers of a good answer.

        Args:
            what: what is asked for, in words for an error.
            span: the value of a ``Range`` header.
            is_file: whether a 404 means a missing file rather than a missing repo.

        Raises:
            TargetUnreadable: the Hub says that this caller can't have it.
            HubUnreachable: anything else but a status of 200 or 206.
        """
        headers = {"Accept-Encoding": "identity"} if is_file else {}
        if span:
            headers["Range"] = span
        hops: List[requests.Response] = []
        while len(hops) <= _MOST_REDIRECTS:
            response = self._send(url, headers, what)
            hops.append(response)
            if response.status_code in (200, 206):
                return Answer(hops)
            drain(response)
            if not response.is_redirect:
                raise self._error(response, what, is_file)
            url = self._redirect(url, response.headers["Location"])
        raise HubUnreachable(f"the Hub redirects in circles: {what}")

    def read(self, url: str, what: str, limit: int, *, is_file: bool = False) -> Tuple[Answer, bytes]:
        """GET ``url`` and its whole body, again where it was cut off.

        Raises:
            FileTooLarge: the body has more than ``limit`` bytes.
            HubError: as :meth:`open`.
        """

        def attempt() -> Tuple[Answer, bytes]:
            with self.open(url, what, is_file=is_file) as answer:
                return answer, answer.read(limit, what)

        return self.again(attempt)

    def json(self, url: str, what: str) -> Tuple[Answer, Any]:
        """GET ``url`` and its JSON value, again where the answer is cut or no JSON.

        Raises:
            HubError: as :meth:`open`.
        """

        def attempt() -> Tuple[Answer, Any]:
            with self.open(url, what) as answer:
                try:
                    return answer, json.loads(answer.read(_LARGEST_JSON, what))
                except FileTooLarge as error:
                    raise HubUnreachable(f"the Hub's answer is too long: {error}") from error
                except (ValueError, RecursionError) as error:
                    raise BodyCut(f"the Hub's answer is not JSON: {what}") from error

        return self.again(attempt)

    def again(self, attempt: Callable[[], Result]) -> Result:
        """What ``attempt`` returns, called again while its answer does not arrive whole."""
        for tries in range(_BODY_TRIES - 1):
            try:
                return attempt()
            except BodyCut:
                self.pause(tries)
        return attempt()

    def pause(self, tries: int) -> None:
        """Wait after ``tries`` earlier failures."""
        retry.pause(retry.backoff(tries, self._max_wait))

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def _send(self, url: str, headers: Dict[str, str], what: str) -> requests.Response:
        sent = self._token if self.is_ours(url) else None
        response = self._get(url, headers, sent, what)
        if response.status_code == 401 and sent and "X-Error-Code" not in response.headers:
            _log.warning("the Hub does not accept the token; going on without it")
            drain(response)
            self._token = None
            response = self._get(url, headers, None, what)
        return response

    def _get(self, url: str, headers: Dict[str, str], token: Optional[str], what: str) -> requests.Response:
        self._gate.wait()
        try:
            return self._http.get(url, headers=headers, auth=_Bearer(token), stream=True, timeout=self._timeouts)
        except (RequestException, OSError, ValueError) as error:
            raise HubUnreachable(f"{place(url)} can't be reached ({what}): {reason(error)}") from error

    def _redirect(self, url: str, location: str) -> str:
        schemes = ("https",) if urlsplit(url).scheme == "https" else ("https", "http")
        try:
            target = urljoin(url, location)
            safe = urlsplit(target).scheme in schemes
        except ValueError:
            safe = False
        if not safe:
            raise HubUnreachable(f"the Hub redirects to a place that is not safe to follow: {printable(location)}")
        return target

    def _error(self, response: requests.Response, what: str, is_file: bool) -> HubError:
        if self.is_ours(response.url):
            return error_for(response.status_code, response.headers, what, is_file=is_file)
        return HubUnreachable(f"{place(response.url)} could not answer for {what} (status {response.status_code})")


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
