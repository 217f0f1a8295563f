"""The report as a workflow step's outputs: three lines that the next steps can decide by."""

from __future__ import annotations

from pathlib import Path

from audacitorch.findings import WARNING
from audacitorch.report.model import Report


def render(report: Report) -> str:
    """``verdict``, and how many findings keep the model from the hosts that were asked for, or warn about them."""
    wanted = set(report.hosts_wanted)
    blocking = [f for f in report.findings if any(report.blocks(f, host) for host in wanted)]
    warnings = [f for f in report.findings if f.severity == WARNING and wanted & set(f.hosts) and f not in blocking]
    return f"verdict={report.verdict}\nerrors={len(blocking)}\nwarnings={len(warnings)}\n"


def write_outputs(report: Report, path: Path) -> None:
    """Add the outputs to the file ``path``, as ``$GITHUB_OUTPUT`` takes them.

    Raises:
        OSError: the file can't be written.
    """
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(render(report))
