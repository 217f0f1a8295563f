"""One comment on an issue or pull request that is updated and never repeated, found again by a hidden marker."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Optional

from audacitorch.github.client import GitHub
from audacitorch.github.errors import GitHubError, NotFound

LONGEST_BODY = 65_536
#: People whose comments may be ours, written with a token of their own; a stranger's marker does not count.
_TRUSTED = ("OWNER", "MEMBER", "COLLABORATOR")


def marker(key: str) -> str:
    """The line that tells a comment from all others; it can't be seen on the page."""
    name = re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9_./@-]", "-", key))  # two would end the comment
    return f"<!-- audacitorch: {name[:200]} -->"


def find_comments(github: GitHub, number: int, key: str, login: Optional[str] = None) -> List[Dict[str, Any]]:
    """The comments on ``number`` that start with the marker of ``key``, oldest first.

    Anybody can write a marker, so only comments of bots and of people who belong to the repository count, or of
    ``login`` alone where it is given.
    """
    wanted = marker(key)
    found = []
    for comment in github.pages(f"issues/{number}/comments", "read the comments"):
        author = comment.get("user") or {}
        trusted = author.get("type") == "Bot" or comment.get("author_association") in _TRUSTED
        ours = author.get("login") == login if login else trusted
        if ours and str(comment.get("body") or "").startswith(wanted):
            found.append(comment)
    return found


def put_comment(github: GitHub, number: int, key: str, text: str, login: Optional[str] = None) -> Dict[str, Any]:
    """Make the comment of ``key`` on ``number`` say ``text``, whether it is there or not.

    A comment that says so already is left alone; more than one of them, as runs at the same time can leave, are
    reduced to the oldest. Where GitHub's answer to a new comment is lost, it is looked for before it is written again.

    Returns:
        The comment as GitHub describes it.

    Raises:
        GitHubError: GitHub did not do it; ``ValueError`` where the text is longer than GitHub takes.
    """
    body = f"{marker(key)}\n{text}"
    if len(body) > LONGEST_BODY:
        raise ValueError(f"the comment has {len(body):,} characters, and GitHub takes {LONGEST_BODY:,}")
    found = find_comments(github, number, key, login)
    if not found:
        return _create(github, number, key, body, login)
    for spare in found[1:]:
        _remove(github, spare["id"])
    if found[0]["body"] == body:
        return found[0]
    changed: Dict[str, Any] = github.call(
        "PATCH", f"issues/comments/{found[0]['id']}", "change a comment", {"body": body}
    )
    return changed


def _create(github: GitHub, number: int, key: str, body: str, login: Optional[str]) -> Dict[str, Any]:
    try:
        created: Dict[str, Any] = github.call("POST", f"issues/{number}/comments", "write a comment", {"body": body})
    except GitHubError as error:
        if error.status is not None and error.status < 500:
            raise
        found = find_comments(github, number, key, login)
        if found:
            return found[0]
        created = github.call("POST", f"issues/{number}/comments", "write a comment", {"body": body})
    return created


def _remove(github: GitHub, comment: int) -> None:
    try:
        github.call("DELETE", f"issues/comments/{comment}", "remove a comment that is there twice")
    except NotFound:
        return
