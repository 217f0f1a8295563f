"""The report as one HTML page: no script, nothing to load, light or dark as the reader's system is."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import Any, Dict, List, Tuple
from urllib.parse import quote

from markupsafe import Markup

from audacitorch.findings import Finding
from audacitorch.report import content, drawings, measured
from audacitorch.report.content import Group, groups
from audacitorch.report.model import Report
from audacitorch.report.rules_doc import help_url
from audacitorch.safetext import visible, visible_lines, without_commands

_OF_THE_MODEL = ("Target", "Revision", "Model", "SHA-256", "Archive", "Operators", "Audio", "Labels")
_OF_THE_SANDBOX = ("Sandbox",)
#: Hints that are a command and nothing else.
_COMMANDS = ("git ", "audacitorch ", "pip ", "scripts/")
_MOST_OPERATORS = 500
_MOST_ALIKE = 200


def render(report: Report) -> str:
    """The page. Its template escapes whatever is put into it, and shows what could not be seen.

    Its policy allows one style sheet, by its hash, and pictures and sounds that the page itself holds.
    """
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("audacitorch.report"),
        autoescape=True,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = environment.get_template("report.css").render()
    rendered = environment.get_template("report.html").render(
        report=report,
        content=content,
        by_file=by_file,
        quoted=quoted,
        remedy=remedy,
        sections=sections,
        operators=operators,
        figures=measured.figures,
        drawings=drawings,
        source=drawings.data_uri,
        passes=measured.passes(report),
        lines=visible_lines,
        link=lambda rule: help_url(quote(rule, errors="replace")),
        most_alike=_MOST_ALIKE,
        style=Markup(style),  # noqa: S704  # our own file
        policy=b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )
    return without_commands(rendered)


def _shown(value: Any) -> Any:
    """Whatever the template prints: text from a repo is made visible, markup of the template's own is left alone."""
    return visible(value, 20_000) if type(value) is str else value


def by_file(report: Report) -> List[Tuple[str, List[Group]]]:
    """The findings in groups, by the file that has to change; what belongs to no file comes last."""
    files: Dict[str, List[Group]] = {}
    for group in groups(report):
        for name in dict.fromkeys(finding.file or "" for finding in group.findings):
            own = tuple(finding for finding in group.findings if (finding.file or "") == name)
            files.setdefault(name, []).append(Group(group.rule, group.severity, group.hosts, own))
    return sorted(files.items(), key=lambda item: not item[0])


def quoted(report: Report, finding: Finding) -> Tuple[str, str]:
    """The line that a finding is about, and where it stands; empty where none is known."""
    if finding.file and finding.line and (finding.file, finding.line) in report.excerpts:
        return report.excerpts[(finding.file, finding.line)], f"{finding.file}:{finding.line}"
    source, member = finding.details.get("source"), finding.details.get("member")
    if isinstance(source, str) and source.strip() and isinstance(member, str):
        return source.strip(), f"{member}:{finding.details.get('member_line')}"
    return "", ""


def remedy(hint: str) -> Tuple[str, str]:
    """A hint's sentence, and what of it is to be copied."""
    if hint.startswith(_COMMANDS):
        return "Run:", hint
    sentence, _, snippet = hint.partition("\n")
    return sentence, snippet


def sections(report: Report) -> List[Tuple[str, List[measured.Row]]]:
    """Every fact, under three titles."""
    rows = measured.rows(report)
    model = [row for row in rows if row[0] in _OF_THE_MODEL]
    sandbox = [row for row in rows if row[0] in _OF_THE_SANDBOX]
    rest = [row for row in rows if row not in model and row not in sandbox]
    named = (("The model", model), ("The sandbox", sandbox), ("The check", rest))
    return [(title, found) for title, found in named if found]


def operators(report: Report) -> List[Tuple[str, int]]:
    """The archive's operators with their calls, the most frequent first."""
    calls = report.archive.operators if report.archive is not None else {}
    return sorted(calls.items(), key=lambda item: (-item[1], item[0]))[:_MOST_OPERATORS]
