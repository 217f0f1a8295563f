"""The Hub as audacitorch uses it: list, describe, read, and no request more than that takes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Optional, Tuple, TypeVar, Union
from urllib.parse import quote

from audacitorch.hub.details import HubFile, RepoDetails
from audacitorch.hub.endpoint import endpoint_from, token_from
from audacitorch.hub.errors import DamagedDownload, HubUnreachable
from audacitorch.hub.ids import is_commit

if TYPE_CHECKING:
    from audacitorch.hub.answer import Answer
    from audacitorch.hub.ranges import RangeFile

DEFAULT_REVISION = "main"
Result = TypeVar("Result")
#: A rate limit's window is 300 s: nobody has a reason to send us away for longer.
MAX_WAIT = 305.0


class Hub:
    """A HuggingFace Hub. Threads may share one: connections are pooled and kept alive.

    Args:
        endpoint: its address; None takes ``HF_ENDPOINT``, else huggingface.co.
        token: None takes the one that huggingface_hub finds, False takes none. Only the endpoint is ever shown it.
        timeouts: seconds for a connection, and for the next bytes of an answer.
        tries: how often a request that failed is made again.
        max_wait: the longest wait, in seconds, that the Hub may ask for between two of them.

    Raises:
        HubUnreachable: the endpoint is no address, or ``HF_HUB_OFFLINE`` forbids to use it.
    """

    def __init__(
        self,
        endpoint: Optional[str] = None,
        token: Union[str, bool, None] = None,
        *,
        timeouts: Tuple[float, float] = (10.0, 30.0),
        tries: int = 5,
        max_wait: float = MAX_WAIT,
    ) -> None:
        if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON"):
            raise HubUnreachable("HF_HUB_OFFLINE is set")
        from audacitorch.hub.session import Session

        self.endpoint = endpoint_from(endpoint)
        self._session = Session(self.endpoint, token_from(token), timeouts=timeouts, tries=tries, max_wait=max_wait)

    def list_models(self, tag: str = "audacity", page_size: int = 1000) -> Iterator[Dict[str, Any]]:
        """Every model repo that carries ``tag``, as raw JSON objects; see :func:`audacitorch.hub.listing.list_models`.

        Raises:
            HubUnreachable: the first page can't be had.
            IncompleteListing: after the last repo that could be had, where more may exist.
        """
        from audacitorch.hub.listing import list_models

        return list_models(self._session, tag, page_size)

    def repo_details(self, repo_id: str, revision: str = DEFAULT_REVISION) -> RepoDetails:
        """The repo's id as it is now, the commit that ``revision`` is, and its files: one request.

        Raises:
            TargetUnreadable: there is no such repo or revision for this caller.
            HubUnreachable: the Hub did not answer, or in a shape that can't be used.
        """
        path = f"/api/models/{quote(repo_id)}/revision/{quote(revision, safe='')}?blobs=true"
        _, answer = self._session.json(self.endpoint + path, f"{repo_id}@{revision}")
        details = RepoDetails.from_json(answer)
        if is_commit(revision) and details.sha != revision:
            raise HubUnreachable(f"the Hub describes {details.sha} where {revision} was asked for")
        return details

    def read_file(
        self, repo_id: str, revision: str, path: str, *, limit: int, expected: Optional[HubFile] = None
    ) -> bytes:
        """A file's content, in memory: two requests, its redirect and its body; again where it arrives damaged.

        Args:
            limit: the most bytes to take.
            expected: the file as :meth:`repo_details` told it; its hash must fit.

        Raises:
            FileTooLarge: it has more than ``limit`` bytes.
            FileNotFound: the repo has no such file at ``revision``.
            DamagedDownload: the content does not fit ``expected``.
            HubError: whatever else keeps it from being read.
        """
        what = f"{repo_id}@{revision}/{path}"
        url = self.file_url(repo_id, revision, path)
        for _ in range(2):
            answer, body = self._session.read(url, what, limit, is_file=True)
            self.check_commit(answer, revision, what)
            if expected is None or expected.fits(body):
                return body
        raise DamagedDownload(f"{what} is not what the Hub announced: its hash differs")

    def open_ranges(self, repo_id: str, revision: str, file: HubFile) -> RangeFile:
        """``file`` at the commit ``revision`` as a seekable file that reads only what is asked of it.

        The first request is made by the first read.
        """
        from audacitorch.hub.ranges import RangeFile

        return RangeFile(self, repo_id, revision, file)

    def open(self, url: str, what: str, *, first: Optional[int] = None, last: Optional[int] = None) -> Answer:
        """The answer to a GET of a file, or of its bytes ``first`` to ``last``, at ``url``; see ``Session.open``."""
        span = None if first is None else f"bytes={first}-{'' if last is None else last}"
        return self._session.open(url, what, span=span, is_file=True)

    def file_url(self, repo_id: str, revision: str, path: str) -> str:
        """Where a file of a repo is asked for."""
        return f"{self.endpoint}/{quote(repo_id)}/resolve/{quote(revision, safe='')}/{quote(path)}"

    def is_ours(self, url: str) -> bool:
        """Whether ``url`` is on the Hub itself rather than on a CDN."""
        return self._session.is_ours(url)

    def again(self, attempt: Callable[[], Result]) -> Result:
        """What ``attempt`` returns, called again while its answer does not arrive whole."""
        return self._session.again(attempt)

    def pause(self, tries: int) -> None:
        """Wait after ``tries`` earlier failures."""
        self._session.pause(tries)

    @staticmethod
    def check_commit(answer: Answer, revision: str, what: str) -> None:
        """Make sure that the answer speaks of the commit that was asked for, where both are known.

        Raises:
            DamagedDownload: it is another one.
        """
        commit = answer.header("X-Repo-Commit")
        if is_commit(revision) and commit is not None and commit != revision:
            raise DamagedDownload(f"the Hub gave {what} of another commit")

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()

    def __enter__(self) -> Hub:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
