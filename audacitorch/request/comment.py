"""The one comment of a request: verdict, menu, what to mend, facts, the whole report, and older checks folded.

Everything in it is written from a decision's facts; text of the model repo or of the issue is only ever shown as
escaped words or as code.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Iterator, List, Mapping, Optional

from audacitorch.report import content
from audacitorch.report.escape import markdown, markdown_code, without_commands
from audacitorch.report.markdown import COMMENT_LIMIT, render
from audacitorch.request import facts
from audacitorch.request.decision import Decision
from audacitorch.request.record import Record, Run
from audacitorch.request.states import READY
from audacitorch.request.wording import TITLES, next_sentence, reason_text

#: The part that changes when a maintainer has spoken lies between these two.
STATUS, STATUS_END = "<!-- status -->", "<!-- /status -->"
_MOST_RULES = 20
_MOST_PLACES = 3
_MENDING_LIMIT = 20_000
_SMALLEST_REPORT = 2_000
_NAME = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Links:
    """Where the comment may lead: this repository's own pages, and no other."""

    server: str = "https://github.com"
    repository: str = ""
    run: str = ""

    @classmethod
    def from_environment(cls) -> Links:
        """As GitHub tells a workflow."""
        server = os.environ.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/")
        repository, run = os.environ.get("GITHUB_REPOSITORY", ""), os.environ.get("GITHUB_RUN_ID", "")
        good = re.fullmatch(r"https?://[\w.:-]+", server) and _NAME.fullmatch(repository)
        return cls(server, repository, run if run.isdigit() else "") if good else cls()

    @property
    def run_page(self) -> str:
        """The page of the workflow's run, to which the reports are attached; empty outside of one."""
        return f"{self.server}/{self.repository}/actions/runs/{self.run}" if self.repository and self.run else ""


def render_request(decision: Decision, record: Record, links: Links) -> str:
    """The comment, in at most 65,536 characters; ``record`` holds the checks up to this one, this one included."""
    parts = [
        record.line(),
        status_part(_heading(decision), _said(decision)),
        *_verdict(decision),
        facts.table(decision),
        _attachment(decision, links),
    ]
    folded = _earlier(record)
    ending = _footer(decision)
    used = sum(len(part.encode()) + 2 for part in (*parts, folded, ending))
    report = _whole_report(decision, COMMENT_LIMIT - used - 100)
    text = "\n\n".join(part for part in (*parts, report, folded, ending) if part)
    return without_commands(text) + "\n"


def status_part(heading: str, text: str) -> str:
    """The part of a comment that says where the request stands."""
    return f"{STATUS}\n## {heading}\n\n{text}\n{STATUS_END}"


def with_status(comment: str, record: Record, heading: str, text: str) -> str:
    """A comment of ours with another record and status, and everything else as it was."""
    _, _, rest = comment.partition("\n")
    start, end = rest.find(STATUS), rest.find(STATUS_END)
    before, after = (rest[:start], rest[end + len(STATUS_END) :]) if 0 <= start < end else ("\n", "\n\n" + rest.strip())
    changed = f"{record.line()}\n{before}{status_part(heading, text)}{after}"
    return changed if len(changed) <= COMMENT_LIMIT else f"{record.line()}\n\n{status_part(heading, text)}\n"


def _heading(decision: Decision) -> str:
    about = f": {markdown_code(decision.repo_id, 100)}" if decision.repo_id else ""
    return TITLES[decision.state] + about


def _said(decision: Decision) -> str:
    said = [reason_text(decision), f"**Next:** {next_sentence(decision.state)}"]
    return "\n\n".join(text for text in said if text)


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
    yield f"### What to mend ({markdown(content.counts(report))})"
    room = _MENDING_LIMIT
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
    """A rule's name, with a link to where it is explained if there is such a rule."""
    from audacitorch.report.rules_doc import help_url
    from audacitorch.rules import all_rules

    return f"[`{name}`]({help_url(name)})" if name in all_rules() else f"**{markdown(name, 100)}**"


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


def _earlier(record: Record) -> str:
    runs = record.runs[:-1]
    if not runs:
        return ""
    rows = [_row(run) for run in reversed(runs)]
    table = "\n".join(
        ["| when | model | commit | state | errors | warnings |", "| --- | --- | --- | --- | ---: | ---: |", *rows]
    )
    return f"<details>\n<summary>Earlier checks ({len(runs)})</summary>\n\n{table}\n\n</details>"


def _row(run: Run) -> str:
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
    steps: Mapping[str, str] = {step["command"]: step["effect"] for step in decision.next}
    if decision.state != READY:
        steps = {command: effect for command, effect in steps.items() if command == "/recheck"}
    said = "; ".join(f"`{command}` {effect}" for command, effect in steps.items())
    tool = f"Checked by audacitorch {markdown(decision.tool, 60)} at {markdown(decision.checked_at, 20)}."
    return f"<sub>{tool}{f' In a comment: {said}.' if said else ''}</sub>"
