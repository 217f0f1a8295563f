"""A repository's issues on GitHub, with their comments, labels and reactions, and what people may do there.

Number and repository of every answer are compared with what was asked, so that a transferred issue, or a proxy that
follows its redirect, never makes us write elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import quote

from audacitorch.errors import AudacitorchError
from audacitorch.github import GitHub, GitHubError, NotFound
from audacitorch.http import one_line

#: A workflow's own token writes as this user, and can't ask who it is.
WORKFLOW_LOGIN = "github-actions[bot]"


class NotAnIssue(AudacitorchError, ValueError):
    """A value is not an issue or a comment as GitHub writes it."""

    exit_status = 2


class NoSuchIssue(GitHubError):
    """The repository has no issue of this number: it never had, it was deleted or transferred, or issues are off."""

    exit_status = 2


@dataclass(frozen=True)
class Issue:
    """An issue as its author wrote it. ``closed`` and the rest have the values of an answer or an event."""

    number: int
    title: str = ""
    body: str = ""
    author: str = ""
    labels: Tuple[str, ...] = ()
    closed: bool = False
    is_pull: bool = False
    created_at: str = ""

    @classmethod
    def from_json(cls, data: Any) -> Issue:
        """The issue in GitHub's own form; what may be missing there may be missing here.

        Raises:
            NotAnIssue: it is not an issue.
        """
        number = data.get("number") if isinstance(data, Mapping) else None
        if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 1 << 31:
            raise NotAnIssue("There is no issue with a number.")
        labels = data.get("labels") or ()
        if not isinstance(labels, (list, tuple)):
            raise NotAnIssue("The issue's labels are not a list.")
        names = [label.get("name") if isinstance(label, Mapping) else label for label in labels]
        return cls(
            number=number,
            title=_text(data, "title"),
            body=_text(data, "body"),
            author=_login(data),
            labels=tuple(name for name in names if isinstance(name, str)),
            closed=data.get("state") == "closed",
            is_pull=bool(data.get("pull_request")),
            created_at=_text(data, "created_at"),
        )


@dataclass(frozen=True)
class Comment:
    """A comment of an issue. ``association`` is what its author is to the repository: ``OWNER``, ``NONE``, …"""

    id: int
    author: str
    body: str
    by_bot: bool = False
    association: str = ""
    created_at: str = ""
    updated_at: str = ""
    url: str = ""

    @classmethod
    def from_json(cls, data: Any) -> Comment:
        """The comment in GitHub's own form.

        Raises:
            NotAnIssue: it is not a comment.
        """
        number = data.get("id") if isinstance(data, Mapping) else None
        if not isinstance(number, int) or isinstance(number, bool):
            raise NotAnIssue("The comment has no id.")
        user = data.get("user")
        return cls(
            id=number,
            author=_login(data),
            body=_text(data, "body"),
            by_bot=isinstance(user, Mapping) and user.get("type") == "Bot",
            association=_text(data, "author_association"),
            created_at=_text(data, "created_at"),
            updated_at=_text(data, "updated_at"),
            url=_text(data, "html_url"),
        )


class IssueTracker:
    """What a token may do with issues. Every method raises GitHubError where GitHub does not do it."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    @property
    def name(self) -> str:
        """``owner/name``."""
        return self._github.repository

    def issue(self, number: int) -> Issue:
        """One issue.

        Raises:
            NoSuchIssue: there is none of that number in this repository.
        """
        try:
            data = self._github.get(f"issues/{number}", "read the issue")
        except NotFound as error:
            raise NoSuchIssue(f"There is no issue {number} in {self.name}: {error}", error.status) from error
        return self._same_issue(number, data)

    def _same_issue(self, number: int, data: Any) -> Issue:
        issue: Issue = _parsed(Issue, data)
        if issue.number != number:
            raise NoSuchIssue(f"GitHub's answer is about issue {issue.number}, not about {number} in {self.name}.")
        return issue

    def issues(self, **query: str) -> Iterator[Issue]:
        """The issues that a query finds, without pull requests; ``state="open", labels="a,b"``."""
        for data in self._github.pages("issues", "list the issues", **query):
            issue = _parsed(Issue, data)
            if not issue.is_pull:
                yield issue

    def open_issues(self, label: str) -> Iterator[Issue]:
        """Every open issue with a label, the oldest first."""
        return self.issues(state="open", labels=label, sort="created", direction="asc")

    def comments(self, number: int) -> List[Comment]:
        """An issue's comments, oldest first."""
        found = self._github.pages(f"issues/{number}/comments", "read the comments")
        return [_comment_on(number, data) for data in found]

    def comment(self, number: int, comment: int) -> Optional[Comment]:
        """A comment of an issue as it is now; None if it was deleted."""
        try:
            return _comment_on(number, self._github.get(f"issues/comments/{comment}", "read a comment"))
        except NotFound:
            return None

    def add_comment(self, number: int, body: str) -> Comment:
        """Comment on an issue. Where the answer is lost, the caller must look whether the comment is there."""
        data = self._github.call("POST", f"issues/{number}/comments", "write a comment", {"body": body})
        return _comment_on(number, data)

    def edit_comment(self, comment: int, body: str) -> Comment:
        """Change a comment's text."""
        data = self._github.call("PATCH", f"issues/comments/{comment}", "change a comment", {"body": body})
        comment_now: Comment = _parsed(Comment, data)
        if comment_now.id != comment:
            raise GitHubError(f"GitHub's answer is about comment {comment_now.id}, not about {comment}.")
        return comment_now

    def delete_comment(self, comment: int) -> None:
        """Remove a comment, if it is still there."""
        self._github.delete(f"issues/comments/{comment}", "remove a comment")

    def react(self, comment: int, content: str) -> None:
        """Put a reaction on a comment."""
        self._github.post_again(f"issues/comments/{comment}/reactions", "react to a comment", {"content": content})

    def add_labels(self, number: int, names: Sequence[str]) -> None:
        """Add labels to an issue; GitHub creates those that are unknown.

        Raises:
            GitHubError: also if the answer lacks one of them.
        """
        labels = self._github.post_again(f"issues/{number}/labels", "label the issue", {"labels": list(names)})
        there = {str(label.get("name")).lower() for label in labels} if isinstance(labels, list) else set()
        if not there.issuperset(name.lower() for name in names):
            raise GitHubError(f"GitHub did not set the labels {', '.join(names)} on issue {number}.")

    def remove_label(self, number: int, name: str) -> None:
        """Take a label from an issue, if it is there."""
        self._github.delete(f"issues/{number}/labels/{quote(name, safe='')}", "remove a label")

    def open_issue(self, title: str, body: str, label: str) -> Issue:
        """Open an issue with a label. Where the answer is lost, the caller must look whether the issue is there.

        GitHub leaves labels out silently if the token may not set them here; they are added afterwards then.
        """
        wanted = {"title": title, "body": body, "labels": [label]}
        issue: Issue = _parsed(Issue, self._github.call("POST", "issues", "open an issue", wanted))
        if label not in issue.labels:
            self.add_labels(issue.number, [label])
        return issue

    def change_issue(self, number: int, **fields: str) -> None:
        """Change an issue's title, body, state or state_reason."""
        self._same_issue(number, self._github.call("PATCH", f"issues/{number}", "change the issue", fields))

    def close_issue(self, number: int) -> None:
        """Close an issue as one that will not be done."""
        self.change_issue(number, state="closed", state_reason="not_planned")

    def permission(self, login: str) -> str:
        """What a person may do here: admin, write, read or none."""
        try:
            path = f"collaborators/{quote(login, safe='')}/permission"
            data = self._github.get(path, "ask for a permission")
        except NotFound:
            return "none"
        return str(data.get("permission", "none"))

    def login(self) -> Optional[str]:
        """Whose token it is; None for a workflow's, which belongs to nobody."""
        try:
            return str(self._github.get("/user", "ask whose token it is")["login"])
        except (GitHubError, KeyError, TypeError):
            return None


def _parsed(kind: Any, data: Any) -> Any:
    """The issue or comment in an answer."""
    try:
        return kind.from_json(data)
    except NotAnIssue as error:
        raise GitHubError(f"GitHub's answer can't be read: {error}") from error


def _comment_on(number: int, data: Any) -> Comment:
    comment: Comment = _parsed(Comment, data)
    address = _text(data, "issue_url")
    if address and not address.endswith(f"/issues/{number}"):
        raise GitHubError(f"GitHub's answer is about {one_line(address)}, not about issue {number}.")
    return comment


def _login(data: Mapping[str, Any]) -> str:
    """Who wrote it; empty for an account that is gone."""
    user = data.get("user")
    return _text(user, "login") if isinstance(user, Mapping) else ""


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""
