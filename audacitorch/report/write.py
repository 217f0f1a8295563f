"""Reports on disk: every format in one folder, each file whole or not there."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Union

from audacitorch import atomic
from audacitorch.report import html, jsonfile, markdown, sarif
from audacitorch.report.model import Report


def write_reports(report: Report, folder: Union[str, Path], *, checkout_folder: str = "") -> Dict[str, Path]:
    """Write report.json, report.md, report.html and report.sarif into ``folder``, which is made where it is missing.

    ``checkout_folder`` is the model repo's path below the root of its checkout, for SARIF's locations.

    Returns:
        Where each format went, by name: ``json``, ``md``, ``html``, ``sarif``.

    Raises:
        OSError: the folder can't be made or written.
    """
    texts = {
        "json": jsonfile.render(report),
        "md": markdown.render(report),
        "html": html.render(report),
        "sarif": sarif.render(report, folder=checkout_folder),
    }
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    written = {}
    for ending, text in texts.items():
        written[ending] = place / f"report.{ending}"
        atomic.write(written[ending], text)
    return written
