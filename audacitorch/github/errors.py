"""What can go wrong between us and GitHub; all of it is ours or GitHub's fault, and none a model's."""

from __future__ import annotations

from typing import Any, Mapping, Optional

from audacitorch.errors import AudacitorchError


class GitHubError(AudacitorchError):
    """GitHub did not do what it was asked, or nobody knows whether it did. ``status`` is None without an answer."""

    exit_status = 3

    def __init__(self, message: str, status: Optional[int] = None) -> None:
        super().__init__(message)
        self.status = status


class NotFound(GitHubError):
    """There is no such thing, or this token may not know of it."""


class NotPermitted(GitHubError):
    """The token does not allow this; the message says which permission does."""


def error_for(status: int, headers: Mapping[str, str], body: Any, what: str) -> GitHubError:
    """The error for an answer that is no success; ``what`` was asked for, in words."""
    told = body.get("message") if isinstance(body, dict) else None
    reason = " ".join(str(told).split())[:300] if told else f"status {status}"
    if status == 404:
        return NotFound(f"GitHub has not found it ({what}): {reason}", status)
    if status == 401:
        return NotPermitted(f"GitHub does not accept the token ({what}): {reason}", status)
    if status == 403:
        wanted = headers.get("X-Accepted-GitHub-Permissions")
        hint = f"; it needs the permission {wanted.replace('=', ': ')}" if wanted else ""
        return NotPermitted(f"GitHub does not allow this token to {what}: {reason}{hint}", status)
    return GitHubError(f"GitHub could not {what}: {reason}", status)
