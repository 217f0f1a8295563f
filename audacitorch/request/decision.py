"""A decision: what triage found out about one request, as the one file that goes from job to job.

The job that shows it believes its facts only, and only about what was asked: it compares issue, repo id, commit and the
digest of the plan with the issue as GitHub has it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from audacitorch.errors import AudacitorchError
from audacitorch.github.tracker import Issue
from audacitorch.hosts import LIST_HOST
from audacitorch.http import one_line
from audacitorch.report.model import PASS, Report
from audacitorch.request import COULD_NOT_CHECK, READY, STATES, Reason, labels_for
from audacitorch.trial.observations import FINISHED
from audacitorch.version import __version__

SCHEMA_VERSION = 1
_TIME = "%Y-%m-%dT%H:%M:%SZ"
#: How far the clocks of two runners may lie apart.
_CLOCKS_DIFFER = timedelta(minutes=1)
#: A report is bounded, and so is everything else in a decision.
LARGEST_FILE = 1 << 25


class DecisionError(AudacitorchError):
    """The decision can't be read, contradicts itself, or is about something else."""

    exit_status = 2


@dataclass(frozen=True)
class Decision:
    """The state of a request, and everything that its comment says.

    ``plan`` is the digest of what was asked, ``present`` are the labels that the issue had.
    """

    issue: int
    state: str
    checked_at: str
    repo_id: Optional[str] = None
    revision: Optional[str] = None
    reason: Optional[Reason] = None
    report: Optional[Report] = None
    present: Tuple[str, ...] = ()
    comment: str = ""
    plan: str = ""
    tool: str = field(default=__version__)

    @property
    def labels(self) -> Dict[str, List[str]]:
        """The labels to add and to remove."""
        return labels_for(self.state, self.present)

    @property
    def next(self) -> List[Dict[str, str]]:
        """What a maintainer can do about it."""
        commands = STATES[self.state].commands
        return [{"command": command, "effect": effect} for command, effect in commands]

    def with_comment(self, comment: str) -> Decision:
        """The same, with the text that shows it."""
        return replace(self, comment=comment)

    def to_json(self) -> Dict[str, Any]:
        """The decision as decision.schema.json describes it."""
        reason = self.reason
        return {
            "schema_version": SCHEMA_VERSION,
            "tool": {"name": "audacitorch", "version": self.tool},
            "checked_at": self.checked_at,
            "issue": self.issue,
            "plan": self.plan,
            "repo_id": self.repo_id,
            "revision": self.revision,
            "state": self.state,
            "labels": self.labels,
            "reason": reason and {"kind": reason.kind, "about": list(reason.about), "near": list(reason.near)},
            "comment": self.comment,
            "report": None if self.report is None else self.report.to_json(),
            "next": self.next,
        }

    @classmethod
    def from_json(cls, data: Any) -> Decision:
        """The decision that :meth:`to_json` wrote, looked at as a stranger's word.

        Raises:
            DecisionError: it is not as its schema says, or contradicts itself.
        """
        _validate(data)
        try:
            report = data["report"] and Report.from_json(data["report"])
        except ValueError as error:
            raise DecisionError(f"The report can't be read: {one_line(str(error))}.") from error
        reason = data["reason"] and Reason(
            data["reason"]["kind"], tuple(data["reason"]["about"]), tuple(data["reason"]["near"])
        )
        if not is_moment(data["checked_at"]):
            raise DecisionError("The decision was not made at any time up to now.")
        if report is not None and (report.target.id, report.target.revision) != (data["repo_id"], data["revision"]):
            raise DecisionError("The decision and its report are about different commits.")
        if data["state"] == READY and (report is None or not is_ready(report)):
            raise DecisionError("The decision says that the model passed, and its report does not.")
        return cls(
            issue=data["issue"],
            state=data["state"],
            checked_at=data["checked_at"],
            repo_id=data["repo_id"],
            revision=data["revision"],
            reason=reason,
            report=report,
            comment=data["comment"],
            plan=data["plan"],
            tool=data["tool"]["version"],
        )


def plan_of(issue: Issue) -> str:
    """The digest of what a check of ``issue`` is asked: by which version, for which host, and in which words."""
    asked = [__version__, LIST_HOST.name, issue.number, issue.title, issue.body.replace("\r\n", "\n")]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def is_ready(report: Report) -> bool:
    """Whether a model may be listed: it passes on the hosts that read the list, and it ran to the end."""
    ran = not report.static and report.trial is not None and report.trial.ended == FINISHED
    return ran and report.verdict == PASS and report.host_verdict(LIST_HOST) == PASS


def is_moment(text: Any) -> bool:
    """Whether ``text`` is a time in UTC as :func:`timestamp` writes it, and not in the future."""
    try:
        moment = datetime.strptime(text, _TIME).replace(tzinfo=timezone.utc)
    except (TypeError, ValueError):
        return False
    return len(text) == len(timestamp()) and moment <= datetime.now(timezone.utc) + _CLOCKS_DIFFER


def timestamp() -> str:
    """Now, in UTC: ``2024-05-01T10:00:00Z``."""
    return datetime.now(timezone.utc).strftime(_TIME)


def write_decision(decision: Decision, path: Path) -> None:
    """Write the decision to a file, completely or not at all.

    Raises:
        OSError: it can't be written.
    """
    from audacitorch.files import write_atomically
    from audacitorch.report.jsonfile import dumps

    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, dumps(decision.to_json()))


def read_decision(path: Path) -> Decision:
    """The decision in a file.

    Raises:
        DecisionError: there is none, or it is not as its schema says.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise DecisionError(f"The decision has more than {LARGEST_FILE:,} bytes.")
        data = json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        raise DecisionError(f"The decision can't be read: {one_line(str(error))}.") from error
    return Decision.from_json(data)


def failed_decision(issue: Issue, checked_at: str, why: str) -> Decision:
    """What is said if a check left no decision, or one that can't be read: a failure of ours."""
    reason = Reason("internal", (why[:1000],))
    return Decision(issue.number, COULD_NOT_CHECK, checked_at, reason=reason, present=issue.labels, plan=plan_of(issue))


@cache
def schema(name: str) -> Mapping[str, Any]:
    """A JSON Schema of the package."""
    data: Mapping[str, Any] = json.loads(
        (resources.files("audacitorch") / "data" / f"{name}.schema.json").read_text("utf-8")
    )
    return data


def _validate(data: Any) -> None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    for name, value in (("decision", data), ("report", data.get("report") if isinstance(data, dict) else None)):
        if name == "report" and value is None:
            continue
        fault = best_match(Draft202012Validator(schema(name)).iter_errors(value))
        if fault is not None:
            where = "/".join(str(part) for part in fault.absolute_path)
            raise DecisionError(
                f"The {name} is not as its schema says, at {where or 'its top'}: {one_line(fault.message)}."
            )
