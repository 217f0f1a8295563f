"""What a maintainer's comment makes happen: `/accept` and `/decline REASON`, if GitHub says that they may."""

from __future__ import annotations

from audacitorch.hub import Hub
from audacitorch.registry.folder import RegistryFolder
from audacitorch.report.escape import markdown
from audacitorch.request.accept import Refused, accept
from audacitorch.request.commands import ACCEPT, DECLINE, RECHECK, command_in
from audacitorch.request.decline import NoReason, decline, tell
from audacitorch.request.events import Event
from audacitorch.request.people import may
from audacitorch.request.repository import Repository

_REFUSED = {ACCEPT: "Not accepted", DECLINE: "Not declined"}


def obey(repository: Repository, hub: Hub, folder: RegistryFolder, event: Event) -> str:
    """Do what the event's comment says, or tell in our comment why not; returns what was done, in words.

    Somebody who may not say so gets a thumbs-down and no other answer: a public tracker gives nobody a way to make us
    write.

    Raises:
        GitHubError, HubError, RegistryError: somebody could not be asked, or something not written.
    """
    comment = event.comment
    command = command_in(comment.body) if comment is not None and event.action in ("created", "") else None
    if comment is None or comment.by_bot or command is None or command.name == RECHECK:
        return "nothing: the comment says neither /accept nor /decline"
    issue = repository.issue(event.number)
    if issue.is_pull:
        return "nothing: this is a pull request"
    if not may(repository, command, comment, issue):
        repository.react(comment.id, "-1")
        return f"nothing: {comment.author} may not /{command.name}"
    try:
        if command.name == ACCEPT:
            accepted = accept(repository, hub, folder, issue.number, dry_run=False)
            done = f"accepted: {accepted.repo_id}@{accepted.revision} in pull request {accepted.pull}"
        else:
            decline(repository, issue.number, command.reason)
            done = f"declined: issue {issue.number}"
    except (Refused, NoReason) as refusal:
        tell(repository, issue.number, _REFUSED[command.name], f"{markdown(refusal, 1000)}.")
        repository.react(comment.id, "confused")
        return f"refused: {refusal}"
    repository.react(comment.id, "+1")
    return done
