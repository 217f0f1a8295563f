"""The one comment of a request: verdict, menu, what to fix, facts, the whole report, and earlier checks folded.

Everything in it is written from a decision's facts; text of the model repo or of the issue is only ever shown as
escaped words or as code.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from audacitorch.report import content, measured
from audacitorch.report.markdown import COMMENT_LIMIT, render
from audacitorch.request import READY, STATES
from audacitorch.request.decision import Decision
from audacitorch.request.memory import CheckRun, Memory, status_part
from audacitorch.safetext import markdown, markdown_code, without_commands
from audacitorch.wording import plural, size_text, speed_text

#: Where a model's page is, whatever mirror it was fetched from.
HUB = "https://huggingface.co"
_MOST_RULES = 20
_MOST_PLACES = 3
_MOST_LABELS = 12
_FIXES_LIMIT = 20_000
_SMALLEST_REPORT = 2_000
_NAME = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Links:
    """Where links in the comment may lead: to this repository's own pages."""

    server: str = "https://github.com"
    repository: str = ""
    run: str = ""

    @classmethod
    def from_environment(cls) -> Links:
        """The links that a workflow's environment gives."""
        server = os.environ.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/")
        repository, run = os.environ.get("GITHUB_REPOSITORY", ""), os.environ.get("GITHUB_RUN_ID", "")
        good = re.fullmatch(r"https?://[\w.:-]+", server) and _NAME.fullmatch(repository)
        return cls(server, repository, run if run.isdigit() else "") if good else cls()

    @property
    def run_page(self) -> str:
        """The page of the workflow's run, to which the reports are attached; empty outside a workflow."""
        return f"{self.server}/{self.repository}/actions/runs/{self.run}" if self.repository and self.run else ""


def render_request(decision: Decision, memory: Memory, links: Links) -> str:
    """The comment, in at most 65,536 characters; ``memory`` holds the checks up to this one, included."""
    parts = [
        memory.line(),
        status_part(_heading(decision), _said(decision)),
        *_verdict(decision),
        _facts(decision),
        _attachment(decision, links),
    ]
    folded = _earlier(memory)
    ending = _footer(decision)
    used = sum(len(part.encode()) + 2 for part in (*parts, folded, ending))
    report = _whole_report(decision, COMMENT_LIMIT - used - 100)
    text = "\n\n".join(part for part in (*parts, report, folded, ending) if part)
    return without_commands(text) + "\n"


def _heading(decision: Decision) -> str:
    about = f": {markdown_code(decision.repo_id, 100)}" if decision.repo_id else ""
    return STATES[decision.state].title + about


def _said(decision: Decision) -> str:
    said = [decision.reason.text()] if decision.reason is not None else []
    said.append(f"**Next:** {STATES[decision.state].next}")
    if decision.state == READY:
        said.append(f"To accept what was checked, copy this into a comment:\n\n```\n/accept {decision.revision}\n```")
    return "\n\n".join(said)


def _verdict(decision: Decision) -> Iterator[str]:
    report = decision.report
    if report is None:
        return
    yield markdown(content.headline(report), 600)
    for line in (content.menu(report), *content.notices(report)):
        if line:
            yield markdown(line, 600)
    groups = [group for group in content.groups(report) if group.severity != "note"]
    if not groups:
        return
    yield f"### What to fix ({markdown(content.counts(report))})"
    room = _FIXES_LIMIT
    for number, group in enumerate(groups):
        shown = _group(group)
        room -= len(shown.encode())
        if number == _MOST_RULES or room < 0:
            yield f"- and {len(groups) - number:,} more rules, in the report below"
            break
        yield shown


def _group(group: content.Group) -> str:
    only = f", only {markdown(group.only_for)}" if group.only_for else ""
    lines = [f"- {rule_link(group.rule)} ({markdown(group.severity)}{only}): {markdown(group.hint, 500)}".rstrip(": ")]
    for finding in group.findings[:_MOST_PLACES]:
        where = content.place(finding)
        place = f"{markdown_code(where, 200)}: " if where else ""
        lines.append(f"  - {place}{markdown(content.first_line(finding), 500)}")
        if finding.hint and not group.hint:
            lines[-1] += f" {markdown(finding.hint, 500)}"
    hidden = len(group.findings) - _MOST_PLACES
    return "\n".join([*lines, f"  - and {hidden:,} more"] if hidden > 0 else lines)


def rule_link(name: str) -> str:
    """A rule's name, with a link to its explanation if there is such a rule."""
    from audacitorch.report.rules_doc import help_url
    from audacitorch.rules import all_rules

    return f"[`{name}`]({help_url(name)})" if name in all_rules() else f"**{markdown(name, 100)}**"


def _facts(decision: Decision) -> str:
    """What a maintainer wants to know of a model at a glance, as a table; empty if there is no report."""
    report = decision.report
    if report is None:
        return ""
    metadata, trial = report.fields, report.trial
    multichannel = metadata.get("multichannel")
    factor, shortest = (None, None) if trial is None else (trial.realtime_factor, trial.minimum_samples)
    rate = measured.number(metadata.get("sample_rate"))
    rows: List[Tuple[str, str]] = [
        ("Commit", _commit(decision)),
        ("Sample rate", "" if rate is None else f"{rate:,.10g} Hz"),
        ("Channels", _CHANNELS[multichannel] if isinstance(multichannel, bool) else ""),
        ("Size", size_text(report.target.model_bytes)),
        ("Speed", "" if factor is None else speed_text(factor)),
        ("Shortest input", "" if shortest is None else plural(shortest, "sample")),
        ("Effect type", markdown(metadata.get("effect_type", ""), 60)),
        ("Labels", _labels(metadata)),
        ("Description", markdown(metadata.get("short_description", ""), 200)),
    ]
    lines = [f"| {label} | {value} |" for label, value in rows if value]
    return "\n".join(["### Facts", "", "| | |", "| --- | --- |", *lines])


_CHANNELS: Dict[bool, str] = {True: "mono and stereo, as they are", False: "mono; stereo is summed"}


def _commit(decision: Decision) -> str:
    """The checked commit, with its page on the Hub: id and commit have the forms that the Hub gives them."""
    if decision.repo_id is None or decision.revision is None:
        return ""
    return f"[{markdown_code(decision.revision)}]({HUB}/{decision.repo_id}/tree/{decision.revision})"


def _labels(metadata: Mapping[str, Any]) -> str:
    labels = metadata.get("labels")
    if not isinstance(labels, (list, tuple)):
        return ""
    more = f", and {len(labels) - _MOST_LABELS:,} more" if len(labels) > _MOST_LABELS else ""
    return ", ".join(markdown(label, 40) for label in labels[:_MOST_LABELS]) + more


def _attachment(decision: Decision, links: Links) -> str:
    if decision.report is None or not links.run_page:
        return ""
    name = f"report-{decision.issue}"
    return f"The report is attached to [this run]({links.run_page}#artifacts) as `{name}`: HTML, JSON, SARIF, Markdown."


def _whole_report(decision: Decision, room: int) -> str:
    fold = "<details>\n<summary>The whole report</summary>\n\n{}\n\n</details>"
    room -= len(fold)
    if decision.report is None or room < _SMALLEST_REPORT:
        return ""
    return fold.format(render(decision.report, limit=room).strip())


def _earlier(memory: Memory) -> str:
    runs = memory.runs[:-1]
    if not runs:
        return ""
    rows = [_row(run) for run in reversed(runs)]
    table = "\n".join(
        ["| when | model | commit | state | errors | warnings |", "| --- | --- | --- | --- | ---: | ---: |", *rows]
    )
    return f"<details>\n<summary>Earlier checks ({len(runs)})</summary>\n\n{table}\n\n</details>"


def _row(run: CheckRun) -> str:
    cells: List[Optional[str]] = [
        markdown(run.checked_at, 20),
        markdown_code(run.repo_id, 100) if run.repo_id else "",
        markdown_code(run.revision[:12]) if run.revision else "",
        markdown(run.state, 40),
        f"{run.errors:,}" if run.verdict else "",
        f"{run.warnings:,}" if run.verdict else "",
    ]
    return f"| {' | '.join(cell or '' for cell in cells)} |"


def _footer(decision: Decision) -> str:
    commands = STATES[decision.state].commands
    shown = [entry for entry in commands if decision.state == READY or entry[0] == "/recheck"]
    said = "; ".join(f"`{command}` {effect}" for command, effect in shown)
    tool = f"Checked by audacitorch {markdown(decision.tool, 60)} at {markdown(decision.checked_at, 20)}."
    return f"<sub>{tool}{f' In a comment: {said}.' if said else ''}</sub>"
