"""The report as GitHub workflow commands, which show findings beside the lines that they are about."""

from __future__ import annotations

from typing import Dict, List
from urllib.parse import quote

from audacitorch.findings import ERROR, NOTE, WARNING, Finding
from audacitorch.report import content
from audacitorch.report.model import Report
from audacitorch.report.rules_doc import help_url
from audacitorch.safetext import command_message, command_property, visible_lines

#: GitHub shows no more of one level from one step.
MOST_OF_A_LEVEL = 10
_COMMANDS = {ERROR: "error", WARNING: "warning", NOTE: "notice"}


def render(report: Report, *, folder: str = "") -> str:
    """One command a line, the verdict first, then the most important findings that GitHub will show.

    ``folder`` is the model repo's path below the root of the checkout. Every rule is shown once before any is shown
    twice, so thirty findings of one rule hide no other.
    """
    room = dict.fromkeys(_COMMANDS, MOST_OF_A_LEVEL)
    room[NOTE] -= 1
    verdict = "\n".join([content.headline(report), *content.identity(report), content.counts(report)])
    lines = [_command(NOTE, verdict, title="audacitorch")]
    for failed in report.could_not_run[:3]:
        room[WARNING] -= 1
        message = f"This rule could not run: {failed.error}. This is not the author's fault."
        lines.append(_command(WARNING, message, title=failed.rule))
    for finding, more in _chosen(report, room):
        lines.append(_of_finding(report, finding, more, folder))
    return "\n".join(lines) + "\n"


def _chosen(report: Report, room: Dict[str, int]) -> List[tuple[Finding, str]]:
    """Findings to show, each with a sentence on those that stay hidden behind it; of one cause only the cause."""
    groups = content.groups(report)
    shown = [0] * len(groups)
    folded = [any(finding.rule != group.rule for finding in group.findings) for group in groups]
    longest = max((len(group.findings) for group in groups), default=0)
    for turn in range(min(longest, MOST_OF_A_LEVEL)):
        for index, group in enumerate(groups):
            level = content.level(report, group.findings[0])
            if turn < (1 if folded[index] else len(group.findings)) and room[level]:
                room[level] -= 1
                shown[index] += 1
    return [
        (finding, _hidden(len(group.findings) - count, fold) if position == 0 else "")
        for group, count, fold in zip(groups, shown, folded)
        for position, finding in enumerate(group.findings[:count])
    ]


def _hidden(more: int, folded: bool) -> str:
    what = "that come of it" if folded and more > 1 else "that comes of it" if folded else "of this rule"
    return f"And {more:,} more {what}: the report has them all." if more else ""


def _of_finding(report: Report, finding: Finding, more: str, folder: str) -> str:
    lines = visible_lines(finding.message, 20)
    if finding.hint:
        lines += visible_lines(finding.hint, 12)
    if set(finding.hosts) != set(report.hosts):
        lines.append(f"Holds for {', '.join(str(host) for host in finding.hosts)} only.")
    if more:
        lines.append(more)
    lines.append(help_url(quote(finding.rule, errors="replace")))
    place = {}
    if finding.file:
        place["file"] = "/".join(part for part in (folder.strip("/"), finding.file) if part)
        if finding.line:
            place["line"] = str(finding.line)
    return _command(content.level(report, finding), "\n".join(lines), **place, title=finding.rule)


def _command(level: str, message: str, **properties: str) -> str:
    shown = ",".join(f"{key}={command_property(value)}" for key, value in properties.items())
    text = "\n".join(visible_lines(message, 60, 8000))
    return f"::{_COMMANDS[level]} {shown}::{command_message(text)}"
