"""The one comment that we keep on a request: found again by what only we could have written, and never doubled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional

from audacitorch.github.errors import GitHubError
from audacitorch.request.events import login_of
from audacitorch.request.record import Record, read_record
from audacitorch.request.repository import Repository

#: A workflow's own token writes as this user, and can't ask who it is.
WORKFLOW_LOGIN = "github-actions[bot]"


@dataclass(frozen=True)
class Posted:
    """Our comment as it stands."""

    id: int
    body: str
    record: Record


class Conversation:
    """Our side of one issue."""

    def __init__(self, repository: Repository, number: int) -> None:
        self._repository = repository
        self._number = number
        self._login: Optional[str] = None

    def posted(self) -> Optional[Posted]:
        """Our comment: the oldest that carries our mark and our name; None where there is none.

        Raises:
            GitHubError: the comments can't be had.
        """
        found = self._ours()
        return found[0] if found else None

    def put(self, body: str) -> Posted:
        """Have ``body`` in our comment, and no second one, whoever else is at it at the same moment.

        Raises:
            GitHubError: it can't be written.
        """
        found = self._ours()
        if not found:
            found = self._added(body)
        first, *more = found
        for doubled in more:
            self._repository.delete_comment(doubled.id)
        if first.body.rstrip() != body.rstrip():
            self._repository.edit_comment(first.id, body)
        return Posted(first.id, body, read_record(body) or Record())

    def _added(self, body: str) -> List[Posted]:
        """Comment; where GitHub's answer is lost, look whether the comment is there before writing it again."""
        try:
            created = self._repository.add_comment(self._number, body)
        except GitHubError as error:
            if error.status is not None and error.status < 500:
                raise
            found = self._ours()
            if found:
                return found
            created = self._repository.add_comment(self._number, body)
        self._login = login_of(created)
        posted = Posted(int(created["id"]), body, read_record(body) or Record())
        return self._ours() or [posted]

    def _ours(self) -> List[Posted]:
        marked: Dict[int, Posted] = {}
        for comment in self._repository.comments(self._number):
            body = comment.get("body")
            record = read_record(body) if isinstance(body, str) else None
            if record is not None and self._is_ours(comment):
                marked[int(comment["id"])] = Posted(int(comment["id"]), str(body), record)
        return [marked[key] for key in sorted(marked)]

    def _is_ours(self, comment: Mapping[str, Any]) -> bool:
        """Whether we wrote it: under the workflow's name, or the one that our token belongs to."""
        author = login_of(comment)
        if author == WORKFLOW_LOGIN:
            return True
        if self._login is None:
            self._login = self._repository.login() or WORKFLOW_LOGIN
        return author.lower() == self._login.lower()
