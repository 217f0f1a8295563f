"""The report as one HTML page: no script, nothing to load, light or dark as the reader's system is."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from audacitorch.report import charts, content, measured, page
from audacitorch.report.escape import visible, visible_lines, without_commands
from audacitorch.report.model import Report
from audacitorch.report.rules_doc import help_url

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
        page=page,
        figures=measured.figures,
        charts=charts,
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
