"""The report for a terminal, or for a log of 80 columns."""

from __future__ import annotations

import os
import shutil
from io import StringIO
from typing import TYPE_CHECKING, Iterator, List, TextIO
from urllib.parse import quote

from audacitorch.report import content, measured
from audacitorch.report.model import Report
from audacitorch.report.rules_doc import RULES_URL, help_url
from audacitorch.safetext import visible, visible_lines, without_commands

if TYPE_CHECKING:
    from rich.console import RenderableType

LOG_WIDTH = 80
_NARROWEST, _WIDEST = 40, 120
#: Findings of one rule that are shown; report.json has all.
_MOST_ALIKE = 3
_MOST_LINES = 8
_STYLES = {
    "error": "bold red",
    "warning": "yellow",
    "note": "cyan",
    content.GREEN: "bold green",
    content.AMBER: "bold yellow",
    content.RED: "bold red",
}


def render(report: Report, *, width: int = LOG_WIDTH, colour: bool = False) -> str:
    """The report as lines of at most ``width`` columns; only the first line may be longer."""
    from rich.console import Console
    from rich.text import Text

    page = StringIO()
    console = Console(
        file=page,
        width=max(_NARROWEST, min(width, _WIDEST)),
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    first = Text(visible(content.headline(report)), style=_STYLES[content.colour(report)])
    console.print(first, soft_wrap=True)
    for part in _parts(report):
        console.print(part)
    return without_commands("\n".join(line.rstrip() for line in page.getvalue().splitlines())) + "\n"


def render_for(report: Report, stream: TextIO) -> str:
    """The report as suits ``stream``: its width and colours if it is a terminal, and letters that it can write."""
    terminal = stream.isatty()
    width = shutil.get_terminal_size((LOG_WIDTH, 24)).columns if terminal else LOG_WIDTH
    colour = terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    shown = render(report, width=width, colour=colour)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def _parts(report: Report) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    for line in (*content.identity(report), content.menu(report), *content.notices(report)):
        if line:
            yield Text(visible(line))
    for severity, groups in content.sections(report):
        number = report.count(severity)
        yield Text(f"\n{content.SECTION_TITLES[severity]} ({number:,})", style=_STYLES[severity])
        for group in groups:
            yield Padding(_group(report, group), (0, 0, 0, 2))
    yield Text("\nFacts", style="bold")
    yield Padding(_facts(report), (0, 0, 0, 2))


def _group(report: Report, group: content.Group) -> RenderableType:
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    only_for = f"  [{group.only_for}]" if group.only_for else ""
    style = f"{_STYLES[group.severity]} link {help_url(quote(group.rule, errors='replace'))}"
    lines: List[RenderableType] = [Text.assemble((visible(group.rule), style), visible(only_for))]
    shown = group.findings[:_MOST_ALIKE]
    for finding in shown:
        where = content.place(finding)
        message = visible(content.first_line(finding), 600)
        found = Text.assemble((f"{visible(where)}: ", "bold"), message) if where else Text(message)
        lines.append(Padding(found, (0, 0, 0, 2)))
        evidence = content.evidence(report, finding)
        if evidence:
            quoted = "\n".join(visible_lines(evidence, _MOST_LINES, 1200))
            lines.append(Padding(Text(quoted, style="dim"), (0, 0, 0, 6)))
        if finding.hint and not group.hint:
            lines.append(_hint(finding.hint))
    if len(group.findings) > len(shown):
        lines.append(Padding(Text(visible(content.hidden(group, len(shown)))), (0, 0, 0, 2)))
    if group.hint:
        lines.append(_hint(group.hint))
    return Group(*lines)


def _hint(hint: str) -> RenderableType:
    """What to do; a snippet to paste stands on lines of its own."""
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text("→ " + "\n  ".join(visible_lines(hint, 12, 800))), (0, 0, 0, 2))


def _facts(report: Report) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in measured.rows(report):
        table.add_row(Text(label, style="dim"), Text(visible(value, 400)))
    table.add_row(Text("Rules", style="dim"), Text(RULES_URL))
    return table
