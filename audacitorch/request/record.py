"""What the one comment of a request remembers, unseen by readers: every check so far, and what was decided.

It is the comment's first line, so that a request has no other memory than GitHub's. It is believed only in comments
that we wrote ourselves.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Dict, Optional, Tuple

from audacitorch.hub.repos import is_commit
from audacitorch.request.decision import Decision

MARKER = "<!-- audacitorch:built-in-request "
_END = " -->"
_MOST_RUNS = 20
_LONGEST_RECORD = 12_000
_STATE = re.compile(r"[a-z-]{1,40}")


@dataclass(frozen=True)
class Run:
    """One check of a request."""

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

    @classmethod
    def of(cls, decision: Decision) -> Run:
        """What is remembered of a decision."""
        report = decision.report
        if report is None:
            return cls(decision.checked_at, decision.state, decision.repo_id, tool=decision.tool)
        factor = (report.trial or {}).get("realtime_factor")
        return cls(
            checked_at=decision.checked_at,
            state=decision.state,
            repo_id=decision.repo_id,
            revision=decision.revision,
            verdict=report.verdict,
            errors=report.count("error"),
            warnings=report.count("warning"),
            model_bytes=report.target.model_bytes,
            realtime_factor=factor if isinstance(factor, (int, float)) else None,
            tool=decision.tool,
        )

    @classmethod
    def from_json(cls, data: Any) -> Optional[Run]:
        """The run in a record; None for anything else."""
        if not isinstance(data, dict) or not _STATE.fullmatch(str(data.get("state"))):
            return None
        known = {field.name: data[field.name] for field in fields(cls) if field.name in data}
        texts = ("checked_at", "repo_id", "verdict", "tool")
        if any(not isinstance(known.get(name, ""), (str, type(None))) for name in texts):
            return None
        if known.get("revision") is not None and not is_commit(known["revision"]):
            return None
        return cls(**{"checked_at": "", **known})

    def same_as(self, other: Run) -> bool:
        """Whether the other one says the same of the same commit."""
        return replace(self, checked_at="", realtime_factor=None) == replace(other, checked_at="", realtime_factor=None)


@dataclass(frozen=True)
class Record:
    """The checks of a request, the last one last; and the pull request that was opened for it."""

    runs: Tuple[Run, ...] = ()
    pull: Optional[int] = None

    @property
    def last(self) -> Optional[Run]:
        """The check that counts."""
        return self.runs[-1] if self.runs else None

    def with_run(self, run: Run) -> Record:
        """The record after one more check; the same result of the same commit again replaces the one before."""
        kept = self.runs[:-1] if self.runs and self.runs[-1].same_as(run) else self.runs
        return replace(self, runs=(*kept, run)[-_MOST_RUNS:])

    def line(self) -> str:
        """The record as the comment's first line. Nothing in it can end the HTML comment that hides it."""
        data: Dict[str, Any] = {"runs": [_lean(run) for run in self.runs]}
        if self.pull is not None:
            data["pull"] = self.pull
        text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
        for sign in "<>&":
            text = text.replace(sign, f"\\u{ord(sign):04x}")
        if len(text) > _LONGEST_RECORD and len(self.runs) > 1:
            return replace(self, runs=self.runs[1:]).line()
        return MARKER + text.replace("--", "-\\u002d") + _END


def _lean(run: Run) -> Dict[str, Any]:
    return {name: value for name, value in asdict(run).items() if value is not None}


def read_record(comment: str) -> Optional[Record]:
    """The record in a comment of ours; None where the comment has none, an empty one where it can't be read."""
    first = comment.lstrip("\ufeff \r\n").split("\n", 1)[0].rstrip()
    if not first.startswith(MARKER):
        return None
    try:
        data = json.loads(first[len(MARKER) :].removesuffix(_END))
    except (ValueError, RecursionError):
        return Record()
    if not isinstance(data, dict) or not isinstance(data.get("runs"), list):
        return Record()
    runs = [Run.from_json(item) for item in data["runs"][-_MOST_RUNS:]]
    pull = data.get("pull")
    return Record(tuple(run for run in runs if run is not None), pull if isinstance(pull, int) else None)
