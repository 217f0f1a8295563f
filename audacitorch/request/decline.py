"""`/decline REASON`: the contributor is told why, and the request is closed."""

from __future__ import annotations

from audacitorch.errors import AudacitorchError
from audacitorch.report.escape import markdown
from audacitorch.request.apply import set_state
from audacitorch.request.comment import status_part, with_status
from audacitorch.request.conversation import Conversation
from audacitorch.request.record import Record
from audacitorch.request.repository import Repository
from audacitorch.request.states import DECLINED
from audacitorch.request.wording import TITLES


class NoReason(AudacitorchError):
    """A request is not declined without a word."""

    exit_status = 2


def decline(repository: Repository, number: int, reason: str) -> None:
    """Decline a request.

    Raises:
        NoReason: none is given.
        GitHubError: GitHub did not let us.
    """
    if not reason.strip():
        raise NoReason("say why: /decline REASON")
    text = f"{markdown(reason.strip(), 1000)}\n\nReopen this issue to ask again."
    issue = repository.issue(number)
    tell(repository, number, TITLES[DECLINED], text)
    set_state(repository, issue, DECLINED)
    if not issue.closed:
        repository.close_issue(number)


def tell(repository: Repository, number: int, heading: str, text: str) -> None:
    """Say where a request stands in our one comment, and leave the rest of it as it is.

    Raises:
        GitHubError: GitHub did not let us.
    """
    conversation = Conversation(repository, number)
    posted = conversation.posted()
    if posted is None:
        conversation.put(f"{Record().line()}\n\n{status_part(heading, text)}\n")
    else:
        conversation.put(with_status(posted.body, posted.record, heading, text))
