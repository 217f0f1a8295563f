"""The Hub as audacitorch uses it: list, describe, read, with no more requests than that takes."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Tuple, TypeVar, Union
from urllib.parse import quote, urlsplit

from audacitorch.http import TOTAL_SECONDS, Answer, BodyTooLarge, Service, host_of, one_line, origin
from audacitorch.hub.failures import BodyCut, DamagedDownload, FileTooLarge, HubError, HubUnreachable, error_for
from audacitorch.hub.repos import HubFile, RepoDetails, is_commit

DEFAULT_ENDPOINT = "https://huggingface.co"
DEFAULT_REVISION = "main"
Result = TypeVar("Result")
_UNCOMPRESSED = {"Accept-Encoding": "identity"}
#: A rate limit's window is 300 s: the Hub has no reason to ask for a longer wait.
MAX_WAIT = 305.0


def endpoint_from(given: Optional[str]) -> str:
    """The Hub's address: as given, else ``HF_ENDPOINT``, else huggingface.co.

    Raises:
        HubUnreachable: the address is not one of HTTP.
    """
    endpoint = (given or os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) and "@" not in parts.netloc
    except ValueError:
        usable = None
    if not usable:
        raise HubUnreachable(f"The Hub's address must look like {DEFAULT_ENDPOINT}, not {one_line(endpoint)}.")
    return endpoint


def token_from(given: Union[str, bool, None]) -> Optional[str]:
    """The token to use: as given, else (None or True) the one that huggingface_hub finds; False for none."""
    if isinstance(given, str):
        return given.strip() or None
    if given is False:
        return None
    from huggingface_hub import get_token

    found: Optional[str] = get_token()
    return found


class HubService(Service):
    """The Hub's own rules: its errors, its rate-limit header, files that lie on a CDN."""

    name = "the Hub"
    unreachable = HubUnreachable
    cut = BodyCut
    redirects_elsewhere = True

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def asked_wait(self, status: int, headers: Mapping[str, str]) -> Optional[float]:
        """Seconds until the window of the rate limit ends, where it is used up; else ``Retry-After`` counts."""
        if status != 429:
            return None
        import huggingface_hub.utils as library

        limit = library.parse_ratelimit_headers(headers)
        return None if limit is None or limit.remaining > 0 else float(limit.reset_in_seconds + 1)

    def works_without_token(self, headers: Mapping[str, str]) -> bool:
        """A token that was revoked makes even what is public a 401, which has no error code."""
        return "X-Error-Code" not in headers

    def error(self, answer: Answer, what: str) -> HubError:
        """The Hub's error; a CDN's statuses say nothing about the repo."""
        asked, last = answer.hops[0], answer.response
        if origin(last.url) != origin(self._endpoint):
            return HubUnreachable(f"{host_of(last.url)} could not answer for {what} (status {last.status_code}).")
        return error_for(last.status_code, last.headers, what, is_file=not self._is_api(asked.url))

    def _is_api(self, url: str) -> bool:
        return url.startswith(f"{self._endpoint}/api/models")


class Hub:
    """A HuggingFace Hub. Threads may share one: connections are pooled and kept alive.

    Args:
        endpoint: its address; None takes ``HF_ENDPOINT``, else huggingface.co.
        token: None takes the one that huggingface_hub finds, False takes none. Only the endpoint is ever shown it.
        timeouts: seconds for a connection, and for the next bytes of an answer.
        tries: how often a request that failed is sent again.
        max_wait: the longest wait, in seconds, that the Hub may ask for between two of them.
        total_seconds: how long one answer may take altogether, waits that the Hub asks for not counted.

    Raises:
        HubUnreachable: the endpoint is not an address, or ``HF_HUB_OFFLINE`` forbids to use it.
    """

    def __init__(
        self,
        endpoint: Optional[str] = None,
        token: Union[str, bool, None] = None,
        *,
        timeouts: Tuple[float, float] = (10.0, 30.0),
        tries: int = 5,
        max_wait: float = MAX_WAIT,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON"):
            raise HubUnreachable("HF_HUB_OFFLINE is set.")
        from audacitorch.http.transport import Transport

        self.endpoint = endpoint_from(endpoint)
        self._transport = Transport(
            HubService(self.endpoint),
            self.endpoint,
            token_from(token),
            timeouts=timeouts,
            tries=tries,
            max_wait=max_wait,
            total_seconds=total_seconds,
        )

    def list_models(self, tag: str = "audacity", page_size: int = 1000) -> Iterator[Dict[str, Any]]:
        """Every model repo that carries ``tag``, as raw JSON; see :func:`audacitorch.hub.repos.list_models`.

        Raises:
            HubUnreachable: the first page is not available.
            IncompleteListing: after the last repo that was read, when more may exist.
        """
        from audacitorch.hub.repos import list_models

        return list_models(self._transport, self.endpoint, tag, page_size)

    def repo_details(self, repo_id: str, revision: str = DEFAULT_REVISION) -> RepoDetails:
        """The repo's id as it is now, the commit that ``revision`` is, and its files: one request.

        Raises:
            TargetUnreadable: there is no such repo or revision for this caller.
            HubUnreachable: the Hub did not answer, or in a shape that can't be used.
        """
        path = f"/api/models/{quote(repo_id)}/revision/{quote(revision, safe='')}?blobs=true"
        _, answer = self._transport.json(self.endpoint + path, f"{repo_id}@{revision}")
        details = RepoDetails.from_json(answer)
        if is_commit(revision) and details.sha != revision:
            raise HubUnreachable(f"The Hub describes {details.sha} where {revision} was asked for.")
        return details

    def read_file(
        self, repo_id: str, revision: str, path: str, *, limit: int, expected: Optional[HubFile] = None
    ) -> bytes:
        """A file's content, in memory: two requests, its redirect and its body; again if it arrives damaged.

        Args:
            limit: the most bytes to read.
            expected: the file as :meth:`repo_details` described it; its hash must fit.

        Raises:
            FileTooLarge: it has more than ``limit`` bytes.
            FileNotFound: the repo has no such file at ``revision``.
            DamagedDownload: the content does not fit ``expected``.
            HubError: any other reason why it can't be read.
        """
        what = f"{repo_id}@{revision}/{path}"
        url = self.file_url(repo_id, revision, path)
        for _ in range(2):
            try:
                answer, body = self._transport.read(url, what, limit, headers=_UNCOMPRESSED)
            except BodyTooLarge as error:
                raise FileTooLarge(str(error)) from error
            self.check_commit(answer, revision, what)
            if expected is None or expected.fits(body):
                return body
        raise DamagedDownload(f"{what} is not what the Hub announced: its hash differs.")

    def open(
        self,
        url: str,
        what: str,
        *,
        first: Optional[int] = None,
        last: Optional[int] = None,
        seconds: Optional[float] = None,
    ) -> Answer:
        """The answer to a GET of a file, or of its bytes ``first`` to ``last``, at ``url``; see ``Transport.open``."""
        span = {} if first is None else {"Range": f"bytes={first}-{'' if last is None else last}"}
        return self._transport.open(url, what, headers={**_UNCOMPRESSED, **span}, seconds=seconds)

    def file_url(self, repo_id: str, revision: str, path: str) -> str:
        """Where a file of a repo is asked for."""
        return f"{self.endpoint}/{quote(repo_id)}/resolve/{quote(revision, safe='')}/{quote(path)}"

    def is_ours(self, url: str) -> bool:
        """Whether ``url`` is on the Hub itself rather than on a CDN."""
        return self._transport.is_ours(url)

    def again(self, attempt: Callable[[], Result]) -> Result:
        """What ``attempt`` returns, called again while its answer does not arrive whole."""
        return self._transport.again(attempt)

    def pause(self, tries: int) -> None:
        """Wait after ``tries`` earlier failures."""
        self._transport.pause(tries)

    @staticmethod
    def check_commit(answer: Answer, revision: str, what: str) -> None:
        """Make sure that the answer is about the commit that was asked for, if both are known.

        Raises:
            DamagedDownload: it is another one.
        """
        commit = answer.header("X-Repo-Commit")
        if is_commit(revision) and commit is not None and commit != revision:
            raise DamagedDownload(f"The Hub gave {what} of another commit.")

    def close(self) -> None:
        """Release the connections."""
        self._transport.close()

    def __enter__(self) -> Hub:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
