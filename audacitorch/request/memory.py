"""The one comment that we keep on a request, and what it remembers.

Its first line holds, unseen by readers, every check so far and the pull request, so that a request has no other
memory than GitHub's. It is believed only in comments that we wrote ourselves.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Dict, Optional, Tuple

from audacitorch.github import GitHub
from audacitorch.github.comments import LONGEST_BODY, KeptComment
from audacitorch.github.tracker import WORKFLOW_LOGIN, Comment, Issue, IssueTracker
from audacitorch.hub.repos import is_commit
from audacitorch.request import labels_for
from audacitorch.request.decision import Decision, is_moment

MARKER = "<!-- audacitorch:built-in-request "
#: The part that changes when a maintainer has spoken lies between these two.
STATUS, STATUS_END = "<!-- status -->", "<!-- /status -->"
_END = " -->"
_MOST_RUNS = 20
_LONGEST_MEMORY = 12_000
_STATE = re.compile(r"[a-z-]{1,40}")


@dataclass(frozen=True)
class CheckRun:
    """One check of a request. ``plan`` is the digest of what was asked, ``times`` how often it gave the same."""

    checked_at: str
    state: str
    repo_id: Optional[str] = None
    revision: Optional[str] = None
    verdict: Optional[str] = None
    errors: int = 0
    warnings: int = 0
    model_bytes: Optional[int] = None
    realtime_factor: Optional[float] = None
    tool: str = ""
    plan: str = ""
    times: int = 1

    @classmethod
    def of(cls, decision: Decision) -> CheckRun:
        """What is remembered of a decision."""
        report = decision.report
        told = cls(decision.checked_at, decision.state, decision.repo_id, tool=decision.tool, plan=decision.plan)
        if report is None:
            return told
        return replace(
            told,
            revision=decision.revision,
            verdict=report.verdict,
            errors=report.count("error"),
            warnings=report.count("warning"),
            model_bytes=report.target.model_bytes,
            realtime_factor=None if report.trial is None else report.trial.realtime_factor,
        )

    @classmethod
    def from_json(cls, data: Any) -> Optional[CheckRun]:
        """The check in a memory; None for anything else."""
        if not isinstance(data, dict) or not _STATE.fullmatch(str(data.get("state"))):
            return None
        known = {field.name: data[field.name] for field in fields(cls) if field.name in data}
        texts = ("checked_at", "repo_id", "verdict", "tool", "plan")
        if any(not isinstance(known.get(name, ""), (str, type(None))) for name in texts):
            return None
        if any(type(known.get(name, 0)) is not int for name in ("errors", "warnings", "times")):
            return None
        if known.get("revision") is not None and not is_commit(known["revision"]):
            return None
        return cls(**{"checked_at": "", **known}) if is_moment(known.get("checked_at")) else None

    def same_as(self, other: CheckRun) -> bool:
        """Whether the other one says the same of the same commit."""
        changing: Dict[str, Any] = {"checked_at": "", "realtime_factor": None, "times": 1}
        return replace(self, **changing) == replace(other, **changing)


@dataclass(frozen=True)
class Memory:
    """The checks of a request, the last one last; and the pull request that was opened for it."""

    runs: Tuple[CheckRun, ...] = ()
    pull: Optional[int] = None

    @property
    def last(self) -> Optional[CheckRun]:
        """The check that counts."""
        return self.runs[-1] if self.runs else None

    def with_run(self, run: CheckRun) -> Memory:
        """The memory after one more check; the same result of the same commit again replaces the one before."""
        kept = self.runs
        if kept and kept[-1].same_as(run):
            times = kept[-1].times + (kept[-1].checked_at != run.checked_at)
            kept, run = kept[:-1], replace(run, times=times)
        return replace(self, runs=(*kept, run)[-_MOST_RUNS:])

    def line(self) -> str:
        """The memory as the comment's first line. Nothing in it can end the HTML comment that hides it."""
        data: Dict[str, Any] = {"runs": [_without_none(run) for run in self.runs]}
        if self.pull is not None:
            data["pull"] = self.pull
        text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
        for sign in "<>&":
            text = text.replace(sign, f"\\u{ord(sign):04x}")
        if len(text) > _LONGEST_MEMORY and len(self.runs) > 1:
            return replace(self, runs=self.runs[1:]).line()
        return MARKER + text.replace("--", "-\\u002d") + _END


def _without_none(run: CheckRun) -> Dict[str, Any]:
    return {name: value for name, value in asdict(run).items() if value is not None}


def read_memory(comment: str) -> Memory:
    """The memory in a comment of ours; an empty one where it has none or can't be read."""
    first = comment.split("\n", 1)[0].rstrip()
    try:
        data = json.loads(first[len(MARKER) :].removesuffix(_END)) if first.startswith(MARKER) else None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or not isinstance(data.get("runs"), list):
        return Memory()
    runs = [CheckRun.from_json(item) for item in data["runs"][-_MOST_RUNS:]]
    pull = data.get("pull")
    return Memory(tuple(run for run in runs if run is not None), pull if isinstance(pull, int) else None)


def status_part(heading: str, text: str) -> str:
    """The part of a comment that says where the request stands."""
    return f"{STATUS}\n## {heading}\n\n{text}\n{STATUS_END}"


def with_status(comment: str, memory: Memory, heading: str, text: str) -> str:
    """A comment of ours with another memory and status, and everything else as it was."""
    _, _, rest = comment.partition("\n")
    start, end = rest.find(STATUS), rest.find(STATUS_END)
    before, after = (rest[:start], rest[end + len(STATUS_END) :]) if 0 <= start < end else ("\n", "\n\n" + rest.strip())
    changed = f"{memory.line()}\n{before}{status_part(heading, text)}{after}"
    return changed if len(changed) <= LONGEST_BODY else f"{memory.line()}\n\n{status_part(heading, text)}\n"


class OurComment:
    """Our one comment on one request, and the label that goes with it."""

    def __init__(self, github: GitHub, number: int) -> None:
        self._tracker = IssueTracker(github)
        self._login: Optional[str] = None
        self._kept = KeptComment(self._tracker, number, MARKER, self._is_ours)

    def posted(self) -> Optional[Comment]:
        """The comment; None where there is none.

        Raises:
            GitHubError: the comments can't be read.
        """
        found = self._kept.found()
        return found[0] if found else None

    def put(self, body: str) -> Comment:
        """Make the comment say ``body``, whoever else writes it at the same moment.

        Raises:
            GitHubError: it can't be written.
        """
        return self._kept.put(body)

    def tell(self, heading: str, text: str, memory: Optional[Memory] = None) -> None:
        """Say where the request stands, and leave the rest of the comment as it is.

        Raises:
            GitHubError: GitHub does not do it.
        """
        posted = self.posted()
        if posted is None:
            self.put(f"{(memory or Memory()).line()}\n\n{status_part(heading, text)}\n")
        else:
            self.put(with_status(posted.body, memory or read_memory(posted.body), heading, text))

    def _is_ours(self, comment: Comment) -> bool:
        """Whether we wrote it: under the workflow's name, or the one that our token belongs to."""
        if comment.author == WORKFLOW_LOGIN:
            return True
        if self._login is None:
            self._login = self._tracker.login() or WORKFLOW_LOGIN
        return comment.author.lower() == self._login.lower()


def set_state(github: GitHub, issue: Issue, state: str) -> None:
    """Make ``state`` the only state among the issue's labels.

    Raises:
        GitHubError: GitHub does not do it.
    """
    tracker, labels = IssueTracker(github), labels_for(state, issue.labels)
    if labels["add"]:
        tracker.add_labels(issue.number, labels["add"])
    for name in labels["remove"]:
        tracker.remove_label(issue.number, name)
