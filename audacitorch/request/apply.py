"""A decision shown on GitHub: the one comment, and the label. Touches no model, and believes the decision's facts only.

The text of the comment and the labels are made anew here, so that whatever wrote the decision has no other say.
"""

from __future__ import annotations

from typing import Optional

from audacitorch.request.commands import RECHECK, Command, command_in
from audacitorch.request.comment import Links, render_request
from audacitorch.request.conversation import Conversation
from audacitorch.request.decision import Decision
from audacitorch.request.events import Event, Issue
from audacitorch.request.people import may
from audacitorch.request.record import Record, Run
from audacitorch.request.repository import Repository
from audacitorch.request.states import ACCEPTED, labels_for

_ACTIONS = ("opened", "edited", "reopened", "dispatched", "")


def why_not(event: Event, issue: Issue) -> Optional[str]:
    """Why an event calls for no check; None where it does."""
    if issue.is_pull:
        return "this is a pull request"
    if issue.closed:
        return "the issue is closed"
    if event.comment is not None:
        return None if _command(event) is not None else "the comment asks for no check"
    if event.action not in _ACTIONS:
        return f"nothing is done when an issue is {event.action}"
    return "the request is accepted already" if ACCEPTED in issue.labels else None


def _command(event: Event) -> Optional[Command]:
    """The `/recheck` in the event's comment."""
    if event.comment is None or event.comment.by_bot or event.action not in ("created", ""):
        return None
    command = command_in(event.comment.body)
    return command if command is not None and command.name == RECHECK else None


def apply_decision(repository: Repository, event: Event, decision: Decision, links: Links) -> str:
    """Show the decision on the event's issue; returns what was done, in words.

    Raises:
        GitHubError: GitHub did not let us.
    """
    issue = repository.issue(event.number)
    reason = why_not(event, issue)
    if reason is not None:
        return f"nothing: {reason}"
    command = _command(event)
    if command is not None and event.comment is not None and not may(repository, command, event.comment, issue):
        repository.react(event.comment.id, "-1")
        return f"nothing: {event.comment.author} may not ask for a check of this request"
    conversation = Conversation(repository, issue.number)
    posted = conversation.posted()
    record = Record() if posted is None else posted.record
    if record.last is not None and record.last.checked_at > decision.checked_at:
        return "nothing: a later check is shown already"
    record = record.with_run(Run.of(decision))
    shown = conversation.put(render_request(decision, record, links))
    set_state(repository, issue, decision.state)
    return f"{decision.state}: comment {shown.id} of issue {issue.number}"


def set_state(repository: Repository, issue: Issue, state: str) -> None:
    """Make ``state`` the only state among the issue's labels.

    Raises:
        GitHubError: GitHub did not let us.
    """
    labels = labels_for(state, issue.labels)
    if labels["add"]:
        repository.add_labels(issue.number, labels["add"])
    for name in labels["remove"]:
        repository.remove_label(issue.number, name)
