"""The open requests: as a table (age, state, verdict, whom it waits for), and as events for a job without a token."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from audacitorch.files import write_atomically
from audacitorch.github import GitHub
from audacitorch.github.tracker import Issue, IssueTracker
from audacitorch.registry import moment_of
from audacitorch.report.jsonfile import dumps
from audacitorch.report.measured import number
from audacitorch.request import COULD_NOT_CHECK, REQUEST_LABEL, STATES
from audacitorch.request.issue_event import Event
from audacitorch.request.memory import CheckRun, Memory, OurComment, read_memory
from audacitorch.request.respond import is_permitted, why_not
from audacitorch.safetext import markdown, visible
from audacitorch.wording import size_text, speed_text

COLUMNS = ("issue", "age", "state", "model", "verdict", "size", "speed", "waits for")
_NOT_YET = "not checked"
_NOT_YET_WAITS_FOR = "the check, which starts by itself"
#: A workflow's matrix takes no more; the others have their turn at the next run.
_MOST_COLLECTED = 50
#: How many checks one author gets in a day, over all of their requests; people with write access may ask for more.
CHECKS_A_DAY = 20
_MOST_LOOKED_AT = 100


@dataclass(frozen=True)
class Row:
    """One open request; ``run`` is its last check."""

    issue: Issue
    state: str
    run: Optional[CheckRun]
    days: Optional[int]

    @property
    def waits_for(self) -> str:
        """Who or what has to do something next."""
        return STATES[self.state].waits_for if self.state in STATES else _NOT_YET_WAITS_FOR

    def cells(self) -> List[str]:
        """What the table shows, as text that may hold anything."""
        run = self.run
        factor = number(run.realtime_factor) if run else None
        size = number(run.model_bytes) if run else None
        return [
            f"#{self.issue.number}",
            "" if self.days is None else f"{self.days} d",
            self.state,
            (run.repo_id if run else None) or "",
            (run.verdict if run else None) or "",
            size_text(size),
            "" if factor is None else speed_text(factor),
            self.waits_for,
        ]

    def to_json(self) -> Dict[str, object]:
        """The row as JSON."""
        run = self.run
        return {
            "issue": self.issue.number,
            "title": self.issue.title,
            "created_at": self.issue.created_at,
            "days": self.days,
            "state": self.state,
            "repo_id": run.repo_id if run else None,
            "revision": run.revision if run else None,
            "verdict": run.verdict if run else None,
            "model_bytes": run.model_bytes if run else None,
            "realtime_factor": run.realtime_factor if run else None,
            "waits_for": self.waits_for,
        }


def open_requests(github: GitHub) -> Iterator[Row]:
    """Every open request, the oldest first.

    Raises:
        GitHubError: GitHub could not be asked.
    """
    now = datetime.now(timezone.utc)
    for issue in IssueTracker(github).open_issues(REQUEST_LABEL):
        yield Row(issue, _state(issue), _memory(github, issue).last, _days(issue.created_at, now))


def _state(issue: Issue) -> str:
    return next((name for name in STATES if name in issue.labels), _NOT_YET)


def _memory(github: GitHub, issue: Issue) -> Memory:
    posted = OurComment(github, issue.number).posted()
    return read_memory(posted.body if posted else "")


def _days(created_at: str, now: datetime) -> Optional[int]:
    try:
        return max((now - moment_of(created_at)).days, 0)
    except ValueError:
        return None


def text_table(rows: List[Row]) -> str:
    """The table for a terminal."""
    if not rows:
        return "No request is open.\n"
    cells = [list(COLUMNS), *([visible(cell, 100) for cell in row.cells()] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells]
    return "\n".join(lines) + "\n"


def markdown_table(rows: List[Row]) -> str:
    """The table for a job's summary."""
    if not rows:
        return "No request is open.\n"
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    for row in rows:
        first, *rest = row.cells()
        lines.append(f"| {first} | {' | '.join(markdown(cell, 100) for cell in rest)} |")
    return "\n".join(lines) + "\n"


def collect(github: GitHub, folder: Path, event: Optional[Event] = None) -> List[int]:
    """Write the requests that are to be checked as events ``N.json``, and return their numbers.

    That is the request of ``event``, if it calls for a check by somebody who may ask for one; without an event all
    that could not be checked, or were never answered.

    Raises:
        GitHubError: GitHub could not be asked.
        OSError: a file can't be written.
    """
    if event is None:
        events = list(islice(_unanswered(github), _MOST_COLLECTED))
    else:
        issue = IssueTracker(github).issue(event.number)
        events = [replace(event, issue=issue)] if is_due(github, event, issue) else []
    folder.mkdir(parents=True, exist_ok=True)
    for one in events:
        write_atomically(folder / f"{one.number}.json", dumps(_as_github(one)))
    return [one.number for one in events]


def is_due(github: GitHub, event: Event, issue: Issue) -> bool:
    """Whether an event calls for a check, by somebody who may ask for one and has not asked too often today."""
    if why_not(event, issue) is not None or (event.comment is not None and not is_permitted(github, event, issue)):
        return False
    by_author = event.comment is None or event.comment.author.lower() == issue.author.lower()
    return not by_author or event.action == "dispatched" or checks_today(github, issue.author) < CHECKS_A_DAY


def checks_today(github: GitHub, author: str) -> int:
    """How many checks an author's requests had in the last day, as far as our comments remember."""
    since = (datetime.now(timezone.utc) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    theirs = IssueTracker(github).issues(state="all", creator=author, labels=REQUEST_LABEL, since=since)
    runs = [run for issue in islice(theirs, _MOST_LOOKED_AT) for run in _memory(github, issue).runs]
    return sum(run.times for run in runs if run.checked_at > since)


def _unanswered(github: GitHub) -> Iterator[Event]:
    """The requests that wait for a check, at most so many of each author as they have left today."""
    left: Dict[str, int] = {}
    for issue in IssueTracker(github).open_issues(REQUEST_LABEL):
        if _state(issue) not in (COULD_NOT_CHECK, _NOT_YET):
            continue
        author = issue.author.lower()
        if author not in left:
            left[author] = CHECKS_A_DAY - checks_today(github, issue.author)
        left[author] -= 1
        if left[author] >= 0:
            yield Event(issue.number, "dispatched", issue)


def _as_github(event: Event) -> Dict[str, Any]:
    """The event in GitHub's own form, with what a check reads of it."""
    issue, comment = event.issue or Issue(event.number), event.comment
    shown: Dict[str, Any] = {
        "action": event.action,
        "issue": {
            "number": issue.number,
            "title": issue.title,
            "body": issue.body,
            "user": {"login": issue.author},
            "labels": [{"name": name} for name in issue.labels],
            "state": "closed" if issue.closed else "open",
            "created_at": issue.created_at,
            **({"pull_request": {}} if issue.is_pull else {}),
        },
    }
    if comment is not None:
        shown["comment"] = {"id": comment.id, "user": {"login": comment.author}, "body": comment.body}
    return shown
