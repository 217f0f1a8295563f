"""Who may say what: asked of GitHub, never read from a text."""

from __future__ import annotations

from audacitorch.request.commands import RECHECK, Command
from audacitorch.request.events import Comment, Issue
from audacitorch.request.repository import Repository

#: What GitHub calls the rights of people who can change the list themselves.
_WRITERS = ("admin", "write")


def may(repository: Repository, command: Command, comment: Comment, issue: Issue) -> bool:
    """Whether whoever wrote ``comment`` may give ``command``: an author may ask for a new check, writers for anything.

    Raises:
        GitHubError: GitHub could not be asked.
    """
    if not comment.author or comment.by_bot:
        return False
    if command.name == RECHECK and comment.author.lower() == issue.author.lower():
        return True
    return repository.permission(comment.author) in _WRITERS
