"""The open requests as a table: how old, what state, what was found, and what waits for whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Dict, Iterator, List, Optional

from audacitorch.registry.files import moment_of
from audacitorch.report.escape import markdown, visible
from audacitorch.report.measured import size_text, speed_text
from audacitorch.request.conversation import Conversation
from audacitorch.request.events import Issue
from audacitorch.request.facts import number
from audacitorch.request.record import Run
from audacitorch.request.repository import Repository
from audacitorch.request.states import REQUEST_LABEL, STATES, WAITS_FOR

COLUMNS = ("issue", "age", "state", "model", "verdict", "size", "speed", "waits for")
_NOT_YET = "not checked"


@dataclass(frozen=True)
class Row:
    """One open request; ``run`` is its last check."""

    issue: Issue
    state: str
    run: Optional[Run]
    days: Optional[int]

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
            WAITS_FOR.get(self.state, "the machine, to check it"),
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
            "waits_for": WAITS_FOR.get(self.state, "the machine, to check it"),
        }


def open_requests(repository: Repository) -> Iterator[Row]:
    """Every open request, the oldest first.

    Raises:
        GitHubError: GitHub could not be asked.
    """
    now = datetime.now(timezone.utc)
    for issue in repository.open_issues(REQUEST_LABEL):
        posted = Conversation(repository, issue.number).posted()
        state = next((name for name in STATES if name in issue.labels), _NOT_YET)
        yield Row(issue, state, posted.record.last if posted else None, _days(issue.created_at, now))


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
