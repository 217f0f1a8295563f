"""What GitHub shows of a request: a decision becomes the one comment and a label, a maintainer's comment is followed.

Nothing here touches a model. Comment and labels are made again from the decision's facts, so that whatever wrote the
decision has no other influence.
"""

from __future__ import annotations

import os
from typing import NamedTuple, Optional

from audacitorch.errors import AudacitorchError
from audacitorch.github import GitHub
from audacitorch.github.tracker import Issue, IssueTracker
from audacitorch.hub import Hub, HubError
from audacitorch.hub.repos import is_commit
from audacitorch.registry.folder import RegistryFolder
from audacitorch.request import ACCEPTED, COULD_NOT_CHECK, DECLINED, STATES
from audacitorch.request.accept import Refused, accept
from audacitorch.request.comment import Links, render_request
from audacitorch.request.decision import Decision, DecisionError, plan_of
from audacitorch.request.issue_event import ACCEPT, DECLINE, RECHECK, Event, find_repo
from audacitorch.request.memory import CheckRun, OurComment, read_memory, set_state
from audacitorch.request.mentions import Question
from audacitorch.safetext import markdown

_ACTIONS = ("opened", "edited", "reopened", "dispatched", "")
#: What GitHub calls the rights of people who can change the list themselves.
_WRITERS = ("admin", "write")
_REFUSED = {ACCEPT: "Not accepted", DECLINE: "Not declined", RECHECK: "Not checked again"}


class NoReason(AudacitorchError):
    """A request is not declined without a reason."""

    exit_status = 2


def why_not(event: Event, issue: Issue) -> Optional[str]:
    """Why an event calls for no check; None if it does."""
    if issue.is_pull:
        return "this is a pull request"
    if issue.closed:
        return "the issue is closed"
    if ACCEPTED in issue.labels:
        return "the request is accepted: decline it first, or remove the label"
    if event.comment is not None:
        command = event.command
        asked = command is not None and command.name == RECHECK and not command.unclear
        return None if asked else "the comment asks for no check"
    return None if event.action in _ACTIONS else f"nothing is done when an issue is {event.action}"


def is_permitted(github: GitHub, event: Event, issue: Issue) -> bool:
    """Whether whoever wrote the event's comment may give its command.

    An issue's author may ask for a new check, people with write access may do anything. That is asked of GitHub, and
    never read from a text.

    Raises:
        GitHubError: GitHub could not be asked.
    """
    comment, command = event.comment, event.command
    if comment is None or command is None or not comment.author:
        return False
    if command.name == RECHECK and comment.author.lower() == issue.author.lower():
        return True
    return IssueTracker(github).permission(comment.author) in _WRITERS


def apply_decision(
    github: GitHub, event: Event, decision: Decision, links: Links, endpoint: Optional[str] = None
) -> str:
    """Show the decision on the event's issue; returns what was done, in words. ``endpoint`` is where the Hub is.

    Raises:
        GitHubError: GitHub does not do it.
        DecisionError: the decision is not about what the issue asks for.
    """
    tracker = IssueTracker(github)
    issue = tracker.issue(event.number)
    reason = why_not(event, issue)
    if reason is not None:
        return f"nothing: {reason}"
    if event.comment is not None and not is_permitted(github, event, issue):
        tracker.react(event.comment.id, "-1")
        return f"nothing: {event.comment.author} may not ask for a check of this request"
    if decision.plan != plan_of(issue):
        return "nothing: the issue was edited after this check began, or this is the check of something else"
    require_asked(decision, issue, endpoint)
    ours = OurComment(github, issue.number)
    posted = ours.posted()
    memory = read_memory(posted.body if posted else "")
    last = memory.last
    if last is not None and last.state != COULD_NOT_CHECK and last.checked_at > decision.checked_at:
        return "nothing: a later check is shown already"
    shown = ours.put(render_request(decision, memory.with_run(CheckRun.of(decision)), links))
    set_state(github, issue, decision.state)
    return f"{decision.state}: comment {shown.id} of issue {issue.number}"


def require_asked(decision: Decision, issue: Issue, endpoint: Optional[str]) -> None:
    """Make sure that a decision is about the repo, and the commit if one is named, that the issue asks for.

    Raises:
        DecisionError: it is not.
    """
    if decision.repo_id is None:
        return
    asked = find_repo(issue.body, issue.title, endpoint or os.environ.get("HF_ENDPOINT", ""))
    if isinstance(asked, Question):
        raise DecisionError(f"The decision is about {decision.repo_id}, and the issue names no single repo.")
    if asked.repo_id.lower() != decision.repo_id.lower() and not _is_renamed(asked.repo_id, decision.repo_id, endpoint):
        raise DecisionError(f"The decision is about {decision.repo_id}, and the issue asks for {asked.repo_id}.")
    if is_commit(asked.revision) and decision.revision not in (None, asked.revision):
        raise DecisionError(f"The decision is about commit {decision.revision}, and the issue asks for {asked.text}.")


def _is_renamed(asked: str, now: str, endpoint: Optional[str]) -> bool:
    """Whether the Hub says that the repo has another name now."""
    try:
        with Hub(endpoint, token=False) as hub:
            return hub.repo_details(asked).id.lower() == now.lower()
    except HubError:
        return False


def decline(github: GitHub, number: int, reason: str) -> None:
    """Decline a request: the contributor reads why, and the issue is closed.

    Raises:
        NoReason: none is given.
        GitHubError: GitHub does not do it.
    """
    if not reason.strip():
        raise NoReason("Say why: /decline REASON.")
    tracker = IssueTracker(github)
    issue = tracker.issue(number)
    text = f"{markdown(reason.strip(), 1000)}\n\nReopen this issue to ask again."
    OurComment(github, number).tell(STATES[DECLINED].title, text)
    set_state(github, issue, DECLINED)
    if not issue.closed:
        tracker.close_issue(number)


class Handled(NamedTuple):
    """What a comment made happen, in words; ``permitted`` is whether it held a command by somebody who may give it."""

    text: str
    permitted: bool = False


def handle_comment(github: GitHub, hub: Hub, folder: RegistryFolder, event: Event, *, dry_run: bool = False) -> Handled:
    """Follow the command in the event's comment, or say in our comment why not. A dry run asks who may, and no more.

    Somebody who may not give it gets a thumbs-down and no other answer: a public tracker gives nobody a way to make us
    write.

    Raises:
        GitHubError, HubError, RegistryError: somebody could not be asked, or something not written.
    """
    comment, command, tracker = event.comment, event.command, IssueTracker(github)
    if comment is None or command is None or (command.name == RECHECK and not command.unclear):
        return Handled("nothing: the comment says neither /accept nor /decline")
    issue = tracker.issue(event.number)
    if issue.is_pull:
        return Handled("nothing: this is a pull request")
    if not is_permitted(github, event, issue):
        if not dry_run:
            tracker.react(comment.id, "-1")
        return Handled(f"nothing: {comment.author} may not /{command.name}")
    if dry_run:
        return Handled(f"{comment.author} may /{command.name}", True)
    now = tracker.comment(event.number, comment.id)
    if now is None or now.body != comment.body or now.author != comment.author:
        return Handled("nothing: the comment was edited or deleted since", True)
    try:
        if command.unclear:
            raise Refused(command.unclear)
        if command.name == ACCEPT:
            accepted = accept(github, hub, folder, event.number, commit=command.argument, said=comment, dry_run=False)
            done = f"accepted: {accepted.repo_id}@{accepted.revision} in pull request {accepted.pull}"
        else:
            decline(github, event.number, command.argument)
            done = f"declined: issue {event.number}"
    except (Refused, NoReason) as refusal:
        OurComment(github, event.number).tell(_REFUSED[command.name], markdown(refusal, 1000))
        tracker.react(comment.id, "confused")
        return Handled(f"refused: {refusal}", True)
    tracker.react(comment.id, "+1")
    return Handled(done, True)
