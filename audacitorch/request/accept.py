"""`/accept`: the checked commit becomes an entry of the built-in list, in a pull request that closes the issue."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from audacitorch.errors import AudacitorchError
from audacitorch.github import GitHub
from audacitorch.github.branches import Branches
from audacitorch.github.tracker import Comment, Issue, IssueTracker
from audacitorch.hub import Hub, RepoDetails, TargetUnreadable
from audacitorch.hub.repos import is_commit
from audacitorch.registry import RegistryError, canonical, write
from audacitorch.registry.builtin import BuiltIn, builtin_text, parse_builtin, read_builtin, with_entry
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.record_schema import KEY
from audacitorch.request import ACCEPTED, READY, STATES
from audacitorch.request.decision import plan_of, timestamp
from audacitorch.request.issue_event import find_repo
from audacitorch.request.memory import CheckRun, OurComment, read_memory, set_state
from audacitorch.request.mentions import Question
from audacitorch.safetext import markdown_code
from audacitorch.version import __version__
from audacitorch.wording import sentence

#: Audacity downloads this branch, so only what is there can be accepted.
MAIN = "main"
#: The paths of the list in the repository, whatever folder a person works in.
_BUILTIN, _LIST = "registry/builtin.yml", "registry/models.json"


class Refused(AudacitorchError):
    """The request can't be accepted as things stand; the message says why and what to do."""

    exit_status = 1


@dataclass(frozen=True)
class Accepted:
    """The result: the pull request, if one was opened or found, and whether anything is new."""

    repo_id: str
    revision: str
    pull: Optional[int]
    changed: bool


def acceptable(run: Optional[CheckRun]) -> CheckRun:
    """The last check, if it is one that can be accepted.

    Raises:
        Refused: there is none, it did not pass, or an older version of this tool made it.
    """
    if run is None:
        raise Refused("This request has not been checked yet. Comment /recheck, and wait for the report.")
    if run.state != READY or run.verdict != "pass" or run.repo_id is None or run.revision is None:
        raise Refused(f"The last check ended as {run.state}, not as {READY}.")
    if run.tool != __version__:
        raise Refused(
            f"The check was made by audacitorch {run.tool or 'of an unknown version'}, and this is {__version__}."
            " Comment /recheck."
        )
    return run


def require_meant(runs: Sequence[CheckRun], issue: Issue, shown: Comment, commit: str, said: Optional[Comment]) -> None:
    """Make sure that whoever accepts means the last check: they name its commit, or can have read no other.

    Args:
        runs: every check, the last one last.
        issue: the request as it is now.
        shown: our comment, which shows the last check.
        commit: what the command names; empty if it names none.
        said: the comment that holds the command; None if somebody calls the program now.

    Raises:
        Refused: another commit is named, or none although it is needed.
    """
    *earlier, run = runs
    copy = f"To accept it, comment /accept {run.revision}"
    if commit:
        if not is_commit(commit.lower()):
            raise Refused(f"{commit} is not a full commit hash. {copy}.")
        if commit.lower() != run.revision:
            raise Refused(f"{commit} is not what was checked last, which is {run.repo_id} at {run.revision}. {copy}.")
        return
    if said is not None and not shown.updated_at < said.created_at:
        raise Refused(f"The check of {run.repo_id} at {run.revision} was shown after this was said. {copy}.")
    if run.plan != plan_of(issue):
        raise Refused(f"The issue was edited after {run.repo_id} at {run.revision} was checked. {copy}.")
    ready = {(old.repo_id, old.revision) for old in earlier if old.state == READY}
    if ready - {(run.repo_id, run.revision)}:
        raise Refused(f"More than one commit was ready in this request; the last is {run.revision}. {copy}.")


def require_unmoved(hub: Hub, issue: Issue, run: CheckRun) -> RepoDetails:
    """The repo, of which it is sure that the issue still asks for it and that its main is at the checked commit.

    Raises:
        Refused: it is not so.
        HubError: the Hub could not be asked.
    """
    asked = find_repo(issue.body, issue.title, hub.endpoint)
    if isinstance(asked, Question):
        raise Refused("The issue names no single repo. Comment /recheck.")
    try:
        now = hub.repo_details(asked.repo_id, MAIN)
    except TargetUnreadable as error:
        raise Refused(f"The model repo can't be read any more: {error}") from error
    if now.id.lower() != str(run.repo_id).lower():
        raise Refused(f"The issue asks for {now.id} now, and {run.repo_id} was checked. Comment /recheck.")
    if now.sha != run.revision:
        raise Refused(
            f"main of {run.repo_id} has moved to {now.sha} since {run.revision} was checked. Comment /recheck."
        )
    return now


def add_entry(folder: RegistryFolder, entry: BuiltIn, *, dry_run: bool = False) -> bool:
    """Add ``entry`` to ``builtin.yml`` and its id to ``models.json``; False if both were there already.

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
        raise RegistryError(sentence(f"{path} can't be read: {error}")) from error


def _with_entry(entries: List[BuiltIn], text: str, listed: str, entry: BuiltIn) -> List[str]:
    """builtin.yml and models.json with the entry in them; every other line stays as it is.

    Other changes of the list are for the refresh to make: a pull request holds what was accepted and no more.
    """
    for known in entries:
        if known.id.lower() == entry.id.lower() and not _same(known, entry):
            by = f" by request #{known.request}" if known.request else ""
            raise Refused(f"{known.id} is in the built-in list already{by}, at commit {known.revision}.")
    try:
        names = json.loads(listed)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise RegistryError("models.json should hold a list of ids.")
        return [with_entry(text, entry), canonical(sorted({*names, entry.id}))]
    except ValueError as error:
        raise RegistryError(sentence(f"The built-in list can't be changed: {error}")) from error


@dataclass(frozen=True)
class Proposal:
    """A change of the list on top of the default branch's head: the files as they are there, and the entry to add."""

    base: str
    parent: str
    builtin: str
    listed: str
    merged: bool

    def files(self, entry: BuiltIn) -> Dict[str, str]:
        """The files with the entry in them, by their paths."""
        texts = _with_entry(parse_builtin(self.builtin, Path(_BUILTIN)), self.builtin, self.listed, entry)
        return dict(zip((_BUILTIN, _LIST), texts))


def accept(
    github: GitHub,
    hub: Hub,
    folder: RegistryFolder,
    number: int,
    *,
    run: Optional[CheckRun] = None,
    commit: str = "",
    said: Optional[Comment] = None,
    dry_run: bool,
) -> Accepted:
    """Accept a request: the checked commit into the list, a pull request, the label, the comment.

    Everything is looked at before anything is written, and what is there already is left as it is, so that accepting
    twice, or again after half of it failed, changes nothing more.

    Args:
        run: the check to accept; None takes the one that our comment remembers.
        commit: what the command names, and ``said`` the comment that holds it; see :func:`require_meant`.

    Raises:
        Refused: it can't be accepted as things stand.
        GitHubError, HubError, RegistryError: somebody could not be asked, or something not written.
    """
    issue = IssueTracker(github).issue(number)
    ours, branches = OurComment(github, number), Branches(github)
    posted = ours.posted()
    memory = read_memory(posted.body if posted else "")
    checked = acceptable(run or memory.last)
    entry = BuiltIn(str(checked.repo_id), str(checked.revision), number, timestamp()[:10])
    proposal = _proposal(branches, entry)
    pull, entry = _open_pull(branches, entry)
    if proposal.merged:
        return Accepted(entry.id, entry.revision, memory.pull, False)
    if pull is None:
        if issue.closed:
            raise Refused("The issue is closed. Reopen it first.")
        entry = replace(entry, key=key_of(require_unmoved(hub, issue, checked)))
    if posted is not None and run is None and (commit or pull is None):
        require_meant(memory.runs, issue, posted, commit, said)
    changed = add_entry(folder, _dated(folder, entry), dry_run=dry_run)
    if dry_run:
        return Accepted(entry.id, entry.revision, pull, changed)
    if pull is None:
        pull, changed = _propose(branches, entry, checked, proposal), True
    if posted is not None:
        text = f"{markdown_code(entry.id)} is accepted at the checked commit: #{pull} adds it to the built-in list."
        ours.tell(STATES[ACCEPTED].title, text, replace(memory, pull=pull))
    set_state(github, issue, ACCEPTED)
    return Accepted(entry.id, entry.revision, pull, changed)


def key_of(details: RepoDetails) -> Optional[str]:
    """The Hub's own key of a repo, where it has the shape that the list takes."""
    return details.key if details.key is not None and KEY.fullmatch(details.key) else None


def _dated(folder: RegistryFolder, entry: BuiltIn) -> BuiltIn:
    """The entry with the date that it has in the list already, if it is there."""
    return next((known for known in read_builtin(folder.builtin) if _same(known, entry)), entry)


def _same(known: BuiltIn, entry: BuiltIn) -> bool:
    return (known.id, known.revision, known.request) == (entry.id, entry.revision, entry.request)


def _branch(entry: BuiltIn) -> str:
    """A branch for each commit: one that was reviewed is never replaced under its pull request."""
    return f"built-in/request-{entry.request}-{entry.revision[:12]}"


def _open_pull(branches: Branches, entry: BuiltIn) -> Tuple[Optional[int], BuiltIn]:
    """The open pull request that holds this entry, with the entry as it is written there; else None."""
    pull = branches.pull_request(_branch(entry))
    text = branches.file(_BUILTIN, _branch(entry)) if pull is not None else None
    held = parse_builtin(text, Path(_BUILTIN)) if text is not None else []
    return next(((pull, known) for known in held if _same(known, entry)), (None, entry))


def _proposal(branches: Branches, entry: BuiltIn) -> Proposal:
    """The entry on top of the default branch, as it is now."""
    base = branches.default_branch()
    parent = branches.head(base)
    if parent is None:
        raise Refused(f"The repository has no branch {base} yet.")
    builtin, listed = branches.file(_BUILTIN, parent) or "", branches.file(_LIST, parent) or "[]"
    entries = parse_builtin(builtin, Path(_BUILTIN))
    proposal = Proposal(base, parent, builtin, listed, any(_same(known, entry) for known in entries))
    proposal.files(entry)  # refuses here, before anything is written
    return proposal


def _propose(branches: Branches, entry: BuiltIn, run: CheckRun, proposal: Proposal) -> int:
    """Make the change in a branch of its own, and open the pull request."""
    title = f"Built-in: {entry.id}"
    message = f"{title}\n\nChecked at {entry.revision}. Closes #{entry.request}."
    branches.set_branch(_branch(entry), branches.commit(proposal.parent, proposal.files(entry), message))
    body = (
        f"Closes #{entry.request}.\n\nAdds {markdown_code(entry.id)} to the built-in list at commit"
        f" {markdown_code(entry.revision)}, which audacitorch {run.tool} checked at {run.checked_at}.\n"
    )
    return branches.open_pull_request(_branch(entry), proposal.base, title, body)
