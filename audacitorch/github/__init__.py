"""GitHub's REST API as far as this project uses it: a client over :mod:`audacitorch.http`; issues, branches, comments.

What changes something is sent again only where GitHub says that it was not done (a rate limit), or where doing it
twice is the same as doing it once (PUT, PATCH, DELETE). A POST whose answer was lost is for the caller to look after:
only the caller can tell whether the thing is there. A redirect is never followed, because an issue that was
transferred redirects to one of another number, often in another repository.

Sources: docs.github.com, "Rate limits for the REST API" and "Best practices for using the REST API".
"""

from __future__ import annotations

import os
import re
import time
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple
from urllib.parse import urljoin, urlsplit

from audacitorch.errors import AudacitorchError
from audacitorch.http import Answer, Service, one_line

API_VERSION = "2022-11-28"
#: Seconds for a connection, and for the next bytes of an answer.
TIMEOUTS = (10.0, 30.0)
#: The pauses after secondary rate limits that name no time, one after the other; then the limit is an error.
SECONDARY_PAUSES = (60.0, 120.0)
_MOST_PAGES = 1000
_POSTS = 3
#: The repository in the address that GitHub gives of a thing.
_REPOSITORY = re.compile(r"/repos/([^/]+/[^/]+)(?:/|\Z)")
_GONE = {404: "has not found it", 410: "says that it is gone", 451: "may not show it for legal reasons"}


class GitHubError(AudacitorchError):
    """GitHub did not do what it was asked, or nobody knows whether it did. ``status`` is None without an answer."""

    exit_status = 3

    def __init__(self, message: str, status: Optional[int] = None) -> None:
        super().__init__(message)
        self.status = status

    @property
    def may_be_done(self) -> bool:
        """Whether GitHub may have done what it was asked all the same."""
        return self.status is None or self.status >= 500


class NotFound(GitHubError):
    """There is no such thing (any more, or here), or this token may not know of it."""


class NotPermitted(GitHubError):
    """The token does not allow this; the message says which permission does."""


class _AnswerCut(GitHubError):
    """An answer did not arrive whole."""


class _SecondaryLimit(GitHubError):
    """Too many requests at once, with no word on how long to wait. What was asked was not done."""


class _GitHubService(Service):
    """What the shared client must know of GitHub."""

    name = "GitHub"
    unreachable = GitHubError
    cut = _AnswerCut
    follows_redirects = False
    limited = (403, 429)

    def asked_wait(self, status: int, headers: Mapping[str, str]) -> Optional[float]:
        """Seconds until a rate limit ends, by the headers; infinity if only the body can tell what this is."""
        if status not in self.limited or headers.get("Retry-After", "").isdigit():
            return None
        reset = headers.get("X-RateLimit-Reset", "")
        if headers.get("X-RateLimit-Remaining") == "0" and reset.isdigit():
            return max(float(reset) - time.time(), 0.0) + 1.0
        return float("inf")

    def error(self, answer: Answer, what: str) -> AudacitorchError:
        """The error for an answer that is not a success; ``what`` was asked for, in words."""
        status, headers = answer.response.status_code, answer.response.headers
        if answer.response.is_redirect:
            return _moved(urljoin(answer.url, headers["Location"]), answer.url, status, what)
        try:
            body = answer.json(what)
        except GitHubError:
            body = None
        told = body.get("message") if isinstance(body, dict) else None
        reason = one_line(str(told)).rstrip(".") if told else f"status {status}"
        if status in _GONE:
            return NotFound(f"GitHub {_GONE[status]} ({what}): {reason}.", status)
        if status == 401:
            return NotPermitted(f"GitHub does not accept the token ({what}): {reason}.", status)
        limited = status == 429 or (status == 403 and "rate limit" in reason.lower())
        if limited and self.asked_wait(status, headers) == float("inf"):
            return _SecondaryLimit(f"GitHub could not {what}: {reason}.", status)
        if status == 403 and not limited:
            wanted = one_line(headers.get("X-Accepted-GitHub-Permissions", "").replace("=", ": "))
            hint = f"; it needs the permission {wanted}" if wanted else ""
            return NotPermitted(f"GitHub does not allow this token to {what}: {reason}{hint}.", status)
        return GitHubError(f"GitHub could not {what}: {reason}.", status)


def _moved(target: str, asked: str, status: int, what: str) -> GitHubError:
    there, here = urlsplit(target), urlsplit(asked)
    if (there.scheme, there.netloc) != (here.scheme, here.netloc):
        return GitHubError(f"GitHub redirects to another host ({what}).", status)
    return NotFound(f"GitHub says that it has moved to {one_line(target)} ({what}).", status)


class GitHub:
    """A client for one repository, ``owner/name``. A context manager.

    Args:
        repository: whose issues and comments are meant; default: ``$GITHUB_REPOSITORY``.
        token: default: ``$GITHUB_TOKEN``; without one, what is public can be read.
        api_url: default: ``$GITHUB_API_URL``, or api.github.com.
        tries: how often one thing is asked for at most.
        max_wait: seconds; an answer that asks for more is the last one.
        timeouts: seconds for a connection, and for the next bytes of an answer.
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
        from audacitorch.http.transport import Transport

        self.repository = repository or os.environ.get("GITHUB_REPOSITORY", "")
        self._api = (api_url or os.environ.get("GITHUB_API_URL") or "https://api.github.com").rstrip("/")
        self._http = Transport(
            _GitHubService(),
            self._api,
            token or os.environ.get("GITHUB_TOKEN") or None,
            timeouts=timeouts,
            tries=tries - 1,
            max_wait=max_wait,
            headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": API_VERSION},
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
            answer, items = self._ask("GET", str(url), what, parameters, None)
            if not isinstance(items, list):
                raise GitHubError(f"GitHub's answer is not a list ({what}).", answer.response.status_code)
            yield from items
            url, parameters = answer.response.links.get("next", {}).get("url"), None
            if url is None:
                return
            if not self._http.is_ours(url):
                raise GitHubError(f"GitHub's next page is on another host ({what}).")

    def call(
        self, method: str, path: str, what: str, body: Any = None, *, query: Optional[Mapping[str, Any]] = None
    ) -> Any:
        """Send ``body`` as JSON, and return the answer's JSON value (None where it has none)."""
        return self._ask(method, self._url(path), what, query, body)[1]

    def post_again(self, path: str, what: str, body: Any) -> Any:
        """POST something that may be done twice: where the answer is lost, it is."""
        for tried in range(_POSTS - 1):
            try:
                return self.call("POST", path, what, body)
            except GitHubError as error:
                if not error.may_be_done:
                    raise
                self._http.pause(tried)
        return self.call("POST", path, what, body)

    def delete(self, path: str, what: str) -> None:
        """Remove what is at ``path``, if it is still there."""
        try:
            self.call("DELETE", path, what)
        except NotFound:
            return

    def _url(self, path: str) -> str:
        below = path if path.startswith("/") else f"/repos/{self.repository}/{path}".rstrip("/")
        return f"{self._api}{below}"

    def _ask(
        self, method: str, url: str, what: str, query: Optional[Mapping[str, Any]], body: Any
    ) -> Tuple[Answer, Any]:
        """Ask, and wait for secondary limits, longer each time."""
        from audacitorch.http import connections

        for seconds in (*SECONDARY_PAUSES, 0.0):
            try:
                answer, value = self._http.json(url, what, method=method, query=query, body=body)
            except _SecondaryLimit:
                if not seconds:
                    raise
                connections.pause(seconds)
                continue
            self._require_ours(value, what)
            return answer, value
        raise GitHubError(f"GitHub was not asked ({what}).")

    def _require_ours(self, value: Any, what: str) -> None:
        """Make sure that the things in an answer are of the repository that was asked."""
        for item in value if isinstance(value, list) else [value]:
            url = item.get("url") if isinstance(item, dict) else None
            found = _REPOSITORY.search(urlsplit(url).path) if isinstance(url, str) else None
            if found is not None and found.group(1).lower() != self.repository.lower():
                raise GitHubError(f"GitHub's answer is about {found.group(1)}, not about {self.repository} ({what}).")
