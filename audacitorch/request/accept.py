"""`/accept`: the examined commit becomes a line of the built-in list, in a pull request that closes the issue."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import List, Mapping, Optional

from audacitorch.errors import AudacitorchError
from audacitorch.hub import Hub, TargetUnreadable
from audacitorch.registry.builtin import BuiltIn, builtin_text, parse_builtin, read_builtin, with_entry
from audacitorch.registry.files import RegistryError, canonical, write
from audacitorch.registry.folder import RegistryFolder
from audacitorch.report.escape import markdown_code
from audacitorch.request.apply import set_state
from audacitorch.request.comment import with_status
from audacitorch.request.conversation import Conversation
from audacitorch.request.events import Issue
from audacitorch.request.form import find_repo
from audacitorch.request.mentions import Question
from audacitorch.request.record import Record, Run
from audacitorch.request.repository import Repository
from audacitorch.request.states import ACCEPTED, READY
from audacitorch.request.triage import MAIN, timestamp
from audacitorch.request.wording import TITLES
from audacitorch.version import __version__

#: Where the list is in the repository, whatever the folder is called that a person works in.
_BUILTIN, _LIST = "registry/builtin.yml", "registry/models.json"


class Refused(AudacitorchError):
    """The request can't be accepted as things stand; the message says why, and what would help."""

    exit_status = 1


@dataclass(frozen=True)
class Accepted:
    """What came of it: the pull request, where one was opened or found, and whether anything is new."""

    repo_id: str
    revision: str
    pull: Optional[int]
    changed: bool


def examined(run: Optional[Run]) -> Run:
    """The last check, if it is one that can be accepted.

    Raises:
        Refused: there is none, it did not pass, or an older version of this tool made it.
    """
    if run is None:
        raise Refused("this request has not been checked yet: comment /recheck, and wait for the report")
    if run.state != READY or run.verdict != "pass" or run.repo_id is None or run.revision is None:
        raise Refused(f"the last check ended as {run.state}, not as {READY}")
    if run.tool != __version__:
        raise Refused(
            f"the check was made by audacitorch {run.tool or 'of an unknown version'}, and this is {__version__}:"
            " comment /recheck"
        )
    return run


def require_unmoved(hub: Hub, issue: Issue, run: Run) -> None:
    """Make sure that the issue still asks for the repo that was examined, and that its main is at that commit.

    Raises:
        Refused: it is not so.
        HubError: the Hub could not be asked.
    """
    asked = find_repo(issue.body, issue.title)
    if isinstance(asked, Question):
        raise Refused("the issue has been edited and names no single repo any more: comment /recheck")
    try:
        now = hub.repo_details(asked.repo_id, MAIN)
    except TargetUnreadable as error:
        raise Refused(f"the model repo can't be read any more: {error}") from error
    if now.id.lower() != str(run.repo_id).lower():
        raise Refused(f"the issue asks for {now.id} now, and {run.repo_id} was examined: comment /recheck")
    if now.sha != run.revision:
        raise Refused(
            f"main of {run.repo_id} has moved to {now.sha} since {run.revision} was examined: comment /recheck"
        )


def add_entry(folder: RegistryFolder, entry: BuiltIn, *, dry_run: bool = False) -> bool:
    """Have ``entry`` in ``builtin.yml`` and its id in ``models.json``; False where both were so already.

    Raises:
        Refused: the id is there already, by another request or at another commit.
        RegistryError: a file can't be read or written.
    """
    texts = _with_entry(read_builtin(folder.builtin), builtin_text(folder.builtin), _list_text(folder.list), entry)
    if dry_run:
        return texts[0] != builtin_text(folder.builtin)
    changed = [write(folder.builtin, texts[0]), write(folder.list, texts[1])]
    return any(changed)


def _list_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return "[]"
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(f"{path} can't be read: {error}") from error


def _with_entry(entries: List[BuiltIn], text: str, listed: str, entry: BuiltIn) -> List[str]:
    """builtin.yml and models.json with the entry in them; every other line stays as it is.

    What else would change in the list is the refresh's to say: a pull request holds what was accepted and no more.
    """
    for known in entries:
        if known.id.lower() == entry.id.lower() and not _same(known, entry):
            by = f" by request #{known.request}" if known.request else ""
            raise Refused(f"{known.id} is in the built-in list already{by}, at commit {known.revision}")
    try:
        names = json.loads(listed)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise RegistryError("models.json should hold a list of ids")
        return [with_entry(text, entry), canonical(sorted({*names, entry.id}))]
    except ValueError as error:
        raise RegistryError(f"the built-in list can't be changed: {error}") from error


@dataclass(frozen=True)
class Proposal:
    """A change of the list on top of the default branch's head, ready to be made."""

    base: str
    parent: str
    files: Mapping[str, str]
    merged: bool


def accept(
    repository: Repository, hub: Hub, folder: RegistryFolder, number: int, run: Optional[Run] = None, *, dry_run: bool
) -> Accepted:
    """Accept a request: the examined commit into the list, a pull request, the label, the comment.

    Everything is looked at before anything is written, and what is there already is left as it is, so that accepting
    twice, or again after half of it failed, changes nothing more.

    Args:
        run: the check to accept; None takes the one that our comment remembers.

    Raises:
        Refused: it can't be accepted as things stand.
        GitHubError, HubError, RegistryError: somebody could not be asked, or something not written.
    """
    issue = repository.issue(number)
    conversation = Conversation(repository, number)
    posted = conversation.posted()
    record = Record() if posted is None else posted.record
    checked = examined(run or record.last)
    entry = BuiltIn(str(checked.repo_id), str(checked.revision), number, timestamp()[:10])
    proposal = _proposal(repository, entry)
    pull = _open_pull(repository, entry)
    if proposal.merged:
        return Accepted(entry.id, entry.revision, record.pull, False)
    if pull is None:
        if issue.closed:
            raise Refused("the issue is closed: reopen it first")
        require_unmoved(hub, issue, checked)
    changed = add_entry(folder, _dated(folder, entry), dry_run=dry_run)
    if dry_run:
        return Accepted(entry.id, entry.revision, pull, changed)
    if pull is None:
        pull, changed = _propose(repository, entry, checked, proposal), True
    if posted is not None:
        text = f"{markdown_code(entry.id)} is accepted at the examined commit: #{pull} adds it to the built-in list."
        conversation.put(with_status(posted.body, replace(record, pull=pull), TITLES[ACCEPTED], text))
    set_state(repository, issue, ACCEPTED)
    return Accepted(entry.id, entry.revision, pull, changed)


def _dated(folder: RegistryFolder, entry: BuiltIn) -> BuiltIn:
    """The entry with the date that it has in the list already, if it is there."""
    return next((known for known in read_builtin(folder.builtin) if _same(known, entry)), entry)


def _same(known: BuiltIn, entry: BuiltIn) -> bool:
    return (known.id, known.revision, known.request) == (entry.id, entry.revision, entry.request)


def _branch(entry: BuiltIn) -> str:
    return f"built-in/request-{entry.request}"


def _open_pull(repository: Repository, entry: BuiltIn) -> Optional[int]:
    """The open pull request that holds this very entry."""
    pull = repository.pull_request(_branch(entry))
    text = repository.file(_BUILTIN, _branch(entry)) if pull is not None else None
    return (
        pull if text is not None and any(_same(known, entry) for known in parse_builtin(text, Path(_BUILTIN))) else None
    )


def _proposal(repository: Repository, entry: BuiltIn) -> Proposal:
    """The entry on top of the default branch, as it is now."""
    base = repository.default_branch()
    parent = repository.head(base)
    if parent is None:
        raise Refused(f"the repository has no branch {base} yet")
    builtin, listed = repository.file(_BUILTIN, parent) or "", repository.file(_LIST, parent) or "[]"
    entries = parse_builtin(builtin, Path(_BUILTIN))
    texts = _with_entry(entries, builtin, listed, entry)
    return Proposal(base, parent, dict(zip((_BUILTIN, _LIST), texts)), any(_same(known, entry) for known in entries))


def _propose(repository: Repository, entry: BuiltIn, run: Run, proposal: Proposal) -> int:
    """Make the change in a branch of the request's own, and open the pull request."""
    title = f"Built-in: {entry.id}"
    message = f"{title}\n\nExamined at {entry.revision}. Closes #{entry.request}."
    repository.set_branch(_branch(entry), repository.commit(proposal.parent, proposal.files, message))
    body = (
        f"Closes #{entry.request}.\n\nAdds {markdown_code(entry.id)} to the built-in list at commit"
        f" {markdown_code(entry.revision)}, which audacitorch {run.tool} examined at {run.checked_at}.\n"
    )
    return repository.open_pull_request(_branch(entry), proposal.base, title, body)
