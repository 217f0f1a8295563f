"""An issue, and what happened to it, as GitHub tells a workflow or answers a question about it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Optional, Tuple

from audacitorch.errors import AudacitorchError
from audacitorch.http import one_line

_LARGEST_EVENT = 1 << 24


class EventError(AudacitorchError):
    """The event can't be read, or is of no issue."""

    exit_status = 2


@dataclass(frozen=True)
class Issue:
    """A request as its author wrote it."""

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
            EventError: it is no issue.
        """
        number = data.get("number") if isinstance(data, Mapping) else None
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise EventError("the event has no issue with a number")
        labels = data.get("labels")
        names = [label.get("name") if isinstance(label, Mapping) else label for label in labels or ()]
        return cls(
            number=number,
            title=_text(data.get("title")),
            body=_text(data.get("body")),
            author=login_of(data),
            labels=tuple(name for name in names if isinstance(name, str)),
            closed=data.get("state") == "closed",
            is_pull=bool(data.get("pull_request")),
            created_at=_text(data.get("created_at")),
        )


@dataclass(frozen=True)
class Comment:
    """A comment of an issue."""

    id: int
    author: str
    body: str
    by_bot: bool = False

    @classmethod
    def from_json(cls, data: Any) -> Comment:
        """The comment in GitHub's own form.

        Raises:
            EventError: it is no comment.
        """
        if not isinstance(data, Mapping) or not isinstance(data.get("id"), int):
            raise EventError("the comment has no id")
        user = data.get("user")
        by_bot = isinstance(user, Mapping) and user.get("type") == "Bot"
        return cls(data["id"], login_of(data), _text(data.get("body")), by_bot)


@dataclass(frozen=True)
class Event:
    """What started us: an issue, a comment on one, or a person who named an issue's number."""

    number: int
    action: str = ""
    issue: Optional[Issue] = None
    comment: Optional[Comment] = None


def read_event(path: Path) -> Event:
    """The event in the file that GitHub calls ``GITHUB_EVENT_PATH``.

    Raises:
        EventError: it can't be read, is of no kind that concerns a request, or names no issue.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_EVENT + 1)
        data = json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        raise EventError(f"the event can't be read: {one_line(str(error))}") from error
    if not isinstance(data, Mapping):
        raise EventError("the event is not a JSON object")
    if "issue" not in data and isinstance(data.get("inputs"), Mapping):
        return Event(_number(data["inputs"].get("issue")), "dispatched")
    issue = Issue.from_json(data.get("issue"))
    comment = Comment.from_json(data["comment"]) if data.get("comment") is not None else None
    return Event(issue.number, _text(data.get("action")), issue, comment)


def login_of(data: Mapping[str, Any]) -> str:
    """Who wrote it; empty for an account that is gone."""
    user = data.get("user")
    return _text(user.get("login")) if isinstance(user, Mapping) else ""


def _number(text: Any) -> int:
    said = str(text).strip().lstrip("#")
    if not said.isascii() or not said.isdigit() or len(said) > 9 or int(said) < 1:
        raise EventError("the event names no issue")
    return int(said)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
