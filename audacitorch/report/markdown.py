"""The report as GitHub-flavoured Markdown: for a job's summary, and short enough for a comment."""

from __future__ import annotations

from typing import Iterator, List
from urllib.parse import quote

from audacitorch.report import content, measured
from audacitorch.report.model import FAIL, PASS, UNKNOWN, Report
from audacitorch.report.rules_doc import help_url
from audacitorch.safetext import markdown, markdown_block, markdown_code, without_commands
from audacitorch.wording import plural

#: GitHub refuses a longer job summary, in bytes, and a longer comment, in characters.
SUMMARY_LIMIT = 1_048_576
COMMENT_LIMIT = 65_536

_MARKS = {PASS: "✅", FAIL: "❌"}
_UNDECIDED = "❔"
_COLOURS = {content.GREEN: "✅", content.AMBER: "⚠️", content.RED: "❌"}
_MOST_ALIKE = 20
_MOST_LINES = 20
_ROOM_FOR_ENDING = 200


def render(report: Report, *, limit: int = SUMMARY_LIMIT) -> str:
    """The report in at most ``limit`` bytes of UTF-8; the most important first, and what did not fit counted."""
    shown: List[str] = []
    room = limit - _ROOM_FOR_ENDING
    parts = list(_parts(report))
    for part in parts:
        room -= len(part.encode()) + 2
        if room < 0:
            break
        shown.append(part)
    if len(shown) < len(parts):
        left_out = plural(len(parts) - len(shown), "more part")
        shown.append(f"*{left_out} did not fit here: the report itself has the rest.*")
    return without_commands("\n\n".join(shown)) + "\n"


def _parts(report: Report) -> Iterator[str]:
    """The report in self-contained pieces, the most important first."""
    yield f"## {_colour(report)} {markdown(content.headline(report), 600)}"
    about = [*content.identity(report), content.menu(report), *content.notices(report)]
    yield from (markdown(line, 600) for line in about if line)
    yield _hosts(report)
    figures = measured.figures(report)
    if figures:
        yield " · ".join(f"{markdown(label)}: **{markdown(value, 100)}**" for label, value in figures)
    for severity, groups in content.sections(report):
        yield f"### {content.SECTION_TITLES[severity]} ({report.count(severity):,})"
        for group in groups:
            yield _group(report, group)
    yield "### Facts"
    rows = (f"| {markdown(label)} | {markdown(value, 600)} |" for label, value in measured.rows(report))
    yield "\n".join(["| | |", "| --- | --- |", *rows])


def _colour(report: Report) -> str:
    return _UNDECIDED if report.verdict == UNKNOWN else _COLOURS[content.colour(report)]


def _mark(verdict: str) -> str:
    return _MARKS.get(verdict, _UNDECIDED)


def _hosts(report: Report) -> str:
    lines = ["| host | verdict | errors | warnings | notes |", "| --- | --- | ---: | ---: | ---: |"]
    for host, verdict in report.hosts.items():
        numbers = " | ".join(f"{report.count(severity, host):,}" for severity in content.SECTION_TITLES)
        lines.append(f"| {markdown(host)} | {_mark(verdict)} {verdict} | {numbers} |")
    return "\n".join(lines)


def _group(report: Report, group: content.Group) -> str:
    only_for = f" (only {markdown(group.only_for)})" if group.only_for else ""
    link = help_url(quote(group.rule, errors="replace"))
    lines = [f"- **[{markdown(group.rule)}]({link})**{only_for}"]
    if group.hint:
        lines[0] += f": {_hint(group.hint)}"
    for finding in group.findings[:_MOST_ALIKE]:
        where = content.place(finding)
        place = f"{markdown_code(where, 300)}: " if where else ""
        lines.append(f"  - {place}{markdown(content.first_line(finding), 1000)}")
        if finding.hint and not group.hint:
            lines[-1] += f" {_hint(finding.hint)}"
        evidence = content.evidence(report, finding)
        if evidence:
            lines += ["", f"    {markdown_block(evidence, _MOST_LINES)}", ""]
    hidden = len(group.findings) - _MOST_ALIKE
    if hidden > 0:
        lines.append(f"  - {markdown(content.hidden(group, _MOST_ALIKE))}")
    return "\n".join(lines).rstrip()


def _hint(hint: str) -> str:
    """What to do; a snippet to paste is preformatted."""
    sentence, _, snippet = hint.partition("\n")
    return markdown(sentence, 1000) + (f" {markdown_block(snippet, 12)}" if snippet else "")
