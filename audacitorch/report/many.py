"""Many models in one table: a line each, and what came of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, List, Optional, Sequence

from audacitorch.errors import AudacitorchError
from audacitorch.findings import ERROR, WARNING
from audacitorch.hosts import HOSTS
from audacitorch.report import content
from audacitorch.report.model import FAIL, PASS, UNKNOWN, Report
from audacitorch.safetext import markdown, visible
from audacitorch.wording import plural

#: The exit statuses of single targets, the one that decides for all first: a model's fault, the call's, ours.
_ORDER = (1, 2, 3, 0)


@dataclass(frozen=True)
class Checked:
    """What came of one of many targets: its report, or why there is none."""

    target: str
    report: Optional[Report] = None
    error: Optional[AudacitorchError] = None

    @property
    def exit_status(self) -> int:
        """As if it had been checked alone."""
        if self.report is not None:
            return self.report.exit_status
        return self.error.exit_status if self.error is not None else 3

    def cells(self) -> List[str]:
        """The target, every host's verdict, how many errors and warnings, and what speaks against it first."""
        if self.report is None:
            return [self.target, *("–" for _ in HOSTS), "–", "–", str(self.error)]
        found = self.report.findings_in_order
        first = next((f"{f.rule}: {content.first_line(f)}" for f in found if f.severity == ERROR), "")
        verdicts = [verdict.upper() for verdict in self.report.hosts.values()]
        return [self.target, *verdicts, f"{self.report.count(ERROR):,}", f"{self.report.count(WARNING):,}", first]


def exit_status(checked: Sequence[Checked]) -> int:
    """One exit status for all: 1 where a model has problems, else 2 or 3 where one could not be read or checked."""
    return min((one.exit_status for one in checked), key=_ORDER.index, default=0)


def summary(checked: Sequence[Checked]) -> str:
    """ "3 models: 1 pass, 2 fail" """
    verdicts = [one.report.verdict if one.report is not None else "not checked" for one in checked]
    told = [f"{verdicts.count(word):,} {word}" for word in (PASS, FAIL, UNKNOWN, "not checked") if word in verdicts]
    return f"{plural(len(checked), 'model')}: {', '.join(told)}."


def heads() -> List[str]:
    """The titles of the columns."""
    return ["model", *(host.name for host in HOSTS), "errors", "warnings", "first error"]


def text_table(checked: Sequence[Checked], width: int) -> str:
    """The table for a terminal: the model comes last, what speaks against it stands below, cut at ``width``."""
    head, rows = heads(), [[visible(cell, 300) for cell in one.cells()] for one in checked]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(1, len(head) - 1)]

    def line(row: List[str]) -> str:
        return "  ".join([*(cell.ljust(size) for cell, size in zip(row[1:-1], widths)), row[0]]).rstrip()

    lines = [line(head)]
    for row in rows:
        lines.append(line(row))
        if row[-1]:
            told = f"    {row[-1]}"
            lines.append(told if len(told) <= width else f"{told[: width - 1]}…")
    return "\n".join([*lines, "", summary(checked)]) + "\n"


def markdown_table(checked: Sequence[Checked]) -> str:
    """The table in Markdown, for the beginning of a job's summary."""

    def lines() -> Iterator[str]:
        yield f"## {summary(checked)}"
        yield ""
        yield f"| {' | '.join(heads())} |"
        yield f"| {' | '.join('---' for _ in heads())} |"
        for one in checked:
            yield f"| {' | '.join(markdown(cell, 300) for cell in one.cells())} |"

    return "\n".join(lines()) + "\n"
