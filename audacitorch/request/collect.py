"""Requests as files, so that the job in which models run needs no token to read them."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional

from audacitorch import atomic
from audacitorch.report.jsonfile import dumps
from audacitorch.request.events import Issue
from audacitorch.request.repository import Repository
from audacitorch.request.states import COULD_NOT_CHECK

#: A workflow's matrix takes no more; the others have their turn at the next run.
_MOST = 50


def collect(repository: Repository, folder: Path, number: Optional[int] = None) -> List[int]:
    """Write one request, or all that could not be checked, as events ``N.json``, and return their numbers.

    Raises:
        GitHubError: GitHub could not be asked.
        OSError: a file can't be written.
    """
    issues = [repository.issue(number)] if number is not None else _could_not_check(repository)
    folder.mkdir(parents=True, exist_ok=True)
    for issue in issues:
        atomic.write(folder / f"{issue.number}.json", dumps({"action": "dispatched", "issue": _as_github(issue)}))
    return [issue.number for issue in issues]


def _could_not_check(repository: Repository) -> List[Issue]:
    found: List[Issue] = []
    for issue in repository.open_issues(COULD_NOT_CHECK):
        found.append(issue)
        if len(found) == _MOST:
            break
    return found


def _as_github(issue: Issue) -> object:
    return {
        "number": issue.number,
        "title": issue.title,
        "body": issue.body,
        "user": {"login": issue.author},
        "labels": [{"name": name} for name in issue.labels],
        "state": "closed" if issue.closed else "open",
        "created_at": issue.created_at,
        **({"pull_request": {}} if issue.is_pull else {}),
    }
