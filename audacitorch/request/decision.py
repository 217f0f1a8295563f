"""A decision: what triage found out about one request, as the one file that goes from job to job."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from audacitorch.errors import AudacitorchError
from audacitorch.findings import ALPHA
from audacitorch.http import one_line
from audacitorch.report.model import PASS, Report
from audacitorch.request.events import Issue
from audacitorch.request.states import ACCEPTED, COULD_NOT_CHECK, DECLINED, NEEDS_INFO, READY, labels_for
from audacitorch.version import __version__

SCHEMA_VERSION = 1
#: A report is bounded, and so is everything else in a decision.
LARGEST_FILE = 1 << 25


class DecisionError(AudacitorchError):
    """The decision can't be read, or is none."""

    exit_status = 2


@dataclass(frozen=True)
class Reason:
    """Why there is no verdict: a kind, what it is about, and ids that may be meant.

    Kinds are those of :class:`~audacitorch.request.mentions.Question`; what the Hub answers: ``not-found``,
    ``revision``, ``gated``, ``refused``; ``not-main``, a good verdict that is of no use; and our failures: ``hub`` and
    ``internal``.
    """

    kind: str
    about: Tuple[str, ...] = ()
    near: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """The state of a request, and everything that its comment says. ``present`` are the labels that the issue had."""

    issue: int
    state: str
    checked_at: str
    repo_id: Optional[str] = None
    revision: Optional[str] = None
    reason: Optional[Reason] = None
    report: Optional[Report] = None
    present: Tuple[str, ...] = ()
    comment: str = ""
    tool: str = field(default=__version__)

    @property
    def labels(self) -> Dict[str, List[str]]:
        """The labels to add and to remove."""
        return labels_for(self.state, self.present)

    @property
    def next(self) -> List[Dict[str, str]]:
        """What a maintainer can do about it."""
        return next_steps(self.state)

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
        report = data["report"] and Report.from_json(data["report"])
        reason = data["reason"] and Reason(
            data["reason"]["kind"], tuple(data["reason"]["about"]), tuple(data["reason"]["near"])
        )
        if data["state"] == READY and (report is None or report.host_verdict(ALPHA) != PASS):
            raise DecisionError("the decision says that the model passed, and its report does not")
        if report is not None and (report.target.id, report.target.revision) != (data["repo_id"], data["revision"]):
            raise DecisionError("the decision and its report are of different commits")
        return cls(
            issue=data["issue"],
            state=data["state"],
            checked_at=data["checked_at"],
            repo_id=data["repo_id"],
            revision=data["revision"],
            reason=reason,
            report=report,
            comment=data["comment"],
            tool=data["tool"]["version"],
        )


def next_steps(state: str) -> List[Dict[str, str]]:
    """The commands that a maintainer can give in this state, each with what comes of it."""
    accept = {"command": "/accept", "effect": "opens the pull request that adds the examined commit to the list"}
    decline = {"command": "/decline REASON", "effect": "tells the contributor why, and closes the request"}
    recheck = {"command": "/recheck", "effect": "checks the model repo as it is now"}
    if state in (ACCEPTED, DECLINED):
        return []
    if state == READY:
        return [accept, decline, recheck]
    return [decline] if state == NEEDS_INFO else [recheck, decline]


def write_decision(decision: Decision, path: Path) -> None:
    """Put the decision into a file, whole or not at all.

    Raises:
        OSError: it can't be written.
    """
    from audacitorch import atomic
    from audacitorch.report.jsonfile import dumps

    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, dumps(decision.to_json()))


def read_decision(path: Path) -> Decision:
    """The decision in a file.

    Raises:
        DecisionError: there is none, or it is not as its schema says.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise DecisionError("the decision is too large")
        data = json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        raise DecisionError(f"the decision can't be read: {one_line(str(error))}") from error
    return Decision.from_json(data)


def failed_decision(issue: Issue, checked_at: str, why: str) -> Decision:
    """What is said where a check left no decision, or none that can be read: a failure of ours."""
    reason = Reason("internal", (why[:1000],))
    return Decision(issue.number, COULD_NOT_CHECK, checked_at, reason=reason, present=issue.labels)


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
                f"the {name} is not as its schema says, at {where or 'its top'}: {one_line(fault.message)}"
            )
