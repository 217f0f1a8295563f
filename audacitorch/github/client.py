"""HTTP to GitHub's REST API: retries by its own headers, pages, and a token that no other host is shown.

What changes something is asked again only where GitHub says that it was not done (a rate limit), or where doing it
twice is the same as once (PUT, PATCH, DELETE). A POST that was lost is for the caller to look after: it alone can tell
whether the thing is there.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple
from urllib.parse import urljoin, urlsplit

import requests
from requests.exceptions import RequestException

from audacitorch.github import waiting
from audacitorch.github.errors import GitHubError, error_for
from audacitorch.version import __version__

API_VERSION = "2022-11-28"
#: Seconds for a connection, and for the next bytes of an answer.
TIMEOUTS = (10.0, 30.0)
_REPEATABLE = ("GET", "HEAD", "PUT", "PATCH", "DELETE")
_LARGEST_ANSWER = 1 << 26
_MOST_PAGES = 1000
_MOST_REDIRECTS = 3


class GitHub:
    """A client for one repository, ``owner/name``. A context manager.

    Args:
        repository: whose issues and comments are meant; default: ``$GITHUB_REPOSITORY``.
        token: default: ``$GITHUB_TOKEN``; without one, what is public can be read.
        api_url: default: ``$GITHUB_API_URL``, or api.github.com.
        tries: how often one thing is asked for at most.
        max_wait: seconds; an answer that asks for more is the last one.
    """

    def __init__(
        self,
        repository: Optional[str] = None,
        token: Optional[str] = None,
        api_url: Optional[str] = None,
        *,
        tries: int = 5,
        max_wait: float = 120.0,
        timeouts: Tuple[float, float] = TIMEOUTS,
    ) -> None:
        self.repository = repository or os.environ.get("GITHUB_REPOSITORY", "")
        self._api = (api_url or os.environ.get("GITHUB_API_URL") or "https://api.github.com").rstrip("/")
        self._token = token or os.environ.get("GITHUB_TOKEN") or None
        self._tries, self._max_wait, self._timeouts = tries, max_wait, timeouts
        self._http = requests.Session()
        self._http.headers.update(
            {
                "Accept": "application/vnd.github+json",
                "User-Agent": f"audacitorch/{__version__}",
                "X-GitHub-Api-Version": API_VERSION,
            }
        )

    def __enter__(self) -> GitHub:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, what: str, **query: Any) -> Any:
        """The JSON value at ``path``, which is below the repository unless it starts with ``/``.

        Raises:
            GitHubError: this and all other methods, for anything but a success; ``what`` goes into its message.
        """
        return self.call("GET", path, what, query=query)

    def pages(self, path: str, what: str, **query: Any) -> Iterator[Any]:
        """The items of a list, through all of its pages."""
        url: Optional[str] = self._url(path)
        parameters: Optional[Dict[str, Any]] = {"per_page": 100, **query}
        for _ in range(_MOST_PAGES):
            response, items = self._ask("GET", str(url), what, parameters, None)
            if not isinstance(items, list):
                raise GitHubError(f"GitHub's answer is no list ({what})", response.status_code)
            yield from items
            url, parameters = response.links.get("next", {}).get("url"), None
            if url is None:
                return
            if not self._is_ours(url):
                raise GitHubError(f"GitHub's next page is on another host ({what})")

    def call(
        self, method: str, path: str, what: str, body: Any = None, *, query: Optional[Mapping[str, Any]] = None
    ) -> Any:
        """Send ``body`` as JSON, and return the answer's JSON value (None where it has none)."""
        return self._ask(method, self._url(path), what, query, body)[1]

    def _url(self, path: str) -> str:
        return (
            f"{self._api}{path}" if path.startswith("/") else f"{self._api}/repos/{self.repository}/{path}".rstrip("/")
        )

    def _is_ours(self, url: str) -> bool:
        ours, asked = urlsplit(self._api), urlsplit(url)
        return (ours.scheme, ours.netloc) == (asked.scheme, asked.netloc)

    def _ask(
        self, method: str, url: str, what: str, query: Optional[Mapping[str, Any]], body: Any
    ) -> Tuple[requests.Response, Any]:
        """Ask until there is an answer that another try would not change."""
        for tried in range(self._tries):
            last = tried == self._tries - 1
            try:
                response, value = self._send(method, url, what, query, body)
            except (RequestException, ValueError) as error:
                if last or method not in _REPEATABLE:
                    raise GitHubError(f"GitHub can't be reached ({what}): {_reason(error)}") from error
                waiting.pause(waiting.backoff(tried))
                continue
            if response.ok:
                return response, value
            wait = waiting.limit_wait(response.status_code, response.headers, value)
            if wait is None and waiting.is_busy(response.status_code) and method in _REPEATABLE:
                wait = waiting.backoff(tried)
            if last or wait is None or wait > self._max_wait:
                raise error_for(response.status_code, response.headers, value, what)
            waiting.pause(wait)
        raise GitHubError(f"GitHub was asked for nothing ({what})")

    def _send(
        self, method: str, url: str, what: str, query: Optional[Mapping[str, Any]], body: Any
    ) -> Tuple[requests.Response, Any]:
        """One request through its redirects, and the JSON value of a whole answer."""
        for _ in range(_MOST_REDIRECTS + 1):
            with self._http.request(
                method,
                url,
                params=query,
                json=body,
                auth=_Bearer(self._token),
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            ) as response:
                text = _whole_body(response)
                if not response.is_redirect:
                    return response, _json(response, text)
                url, query = urljoin(url, response.headers["Location"]), None
                if not self._is_ours(url):
                    raise GitHubError(f"GitHub redirects to another host ({what})", response.status_code)
        raise GitHubError(f"GitHub redirects in circles ({what})")


def _whole_body(response: requests.Response) -> bytes:
    """The body; ValueError where it is cut off or without end."""
    parts: List[bytes] = []
    size = 0
    for part in response.iter_content(1 << 16):
        parts.append(part)
        size += len(part)
        if size > _LARGEST_ANSWER:
            raise ValueError("its answer is too long")
    promised = response.headers.get("Content-Length", "")
    if promised.isdigit() and "Content-Encoding" not in response.headers and size < int(promised):
        raise ValueError("its answer was cut off")
    return b"".join(parts)


def _json(response: requests.Response, text: bytes) -> Any:
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if response.ok:
            raise ValueError("its answer is not JSON") from None
        return None


def _reason(error: Exception) -> str:
    text = str(error) if isinstance(error, ValueError) and not isinstance(error, RequestException) else ""
    return text or type(error).__name__


class _Bearer(requests.auth.AuthBase):
    """The token or nothing at all: without this, requests would look for a password in the user's .netrc."""

    def __init__(self, token: Optional[str]) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request
