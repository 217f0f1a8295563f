"""The formats of a report: one table that the command line, --report and docs/development.md read.

A renderer is imported when its format is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Dict, Union

from audacitorch.findings import WARNING
from audacitorch.report.model import Report


@dataclass(frozen=True)
class Format:
    """One format: the module that renders it, the ending of its file in a report's folder ("" where it has none).

    ``placed`` formats name files below the root of the checkout, and get the model's folder there.
    """

    module: str
    ending: str = ""
    placed: bool = False


#: By what --format says; the first is the usual one.
FORMATS: Dict[str, Format] = {
    "text": Format("text"),
    "json": Format("jsonfile", "json"),
    "markdown": Format("markdown", "md"),
    "html": Format("page", "html"),
    "github": Format("annotations", placed=True),
    "sarif": Format("sarif", "sarif", placed=True),
}


def render(report: Report, name: str, folder: str = "") -> str:
    """The report in the format called ``name``; ``folder`` is the model's, below the root of its checkout."""
    chosen = FORMATS[name]
    options = {"folder": folder} if chosen.placed else {}
    rendered: str = import_module(f"audacitorch.report.{chosen.module}").render(report, **options)
    return rendered


def checkout_folder(target: str) -> str:
    """The model's folder below the checkout's root, where a command is run from that root."""
    return "" if target == "." else target


def write_reports(report: Report, folder: Union[str, Path], *, model_folder: str = "") -> Dict[str, Path]:
    """Write every format that has a file into ``folder``, which is made where it is missing, each file whole or not.

    Returns:
        Where each went, by its ending.

    Raises:
        OSError: the folder can't be made or written.
    """
    from audacitorch.files import write_atomically

    texts = {chosen.ending: render(report, name, model_folder) for name, chosen in FORMATS.items() if chosen.ending}
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    written = {}
    for ending, text in texts.items():
        written[ending] = place / f"report.{ending}"
        write_atomically(written[ending], text)
    return written


def step_outputs(report: Report) -> str:
    """Three lines for a workflow's next steps: the verdict, and how many findings block or warn the hosts asked for."""
    wanted = set(report.hosts_wanted)
    blocking = [f for f in report.findings if any(report.blocks(f, host) for host in wanted)]
    warnings = [f for f in report.findings if f.severity == WARNING and wanted & set(f.hosts) and f not in blocking]
    return f"verdict={report.verdict}\nerrors={len(blocking)}\nwarnings={len(warnings)}\n"


def write_outputs(report: Report, path: Path) -> None:
    """Add :func:`step_outputs` to the file ``path``, as ``$GITHUB_OUTPUT`` takes them.

    Raises:
        OSError: the file can't be written.
    """
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(step_outputs(report))
