"""Reports on disk: every format in one folder, each file whole or not there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Dict, Union

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
        write_atomically(written[ending], text)
    return written


def write_atomically(path: Path, text: str) -> None:
    """Put ``text`` at ``path`` as UTF-8: a reader sees the old file or the whole new one.

    Raises:
        OSError: the file can't be written; what was there is untouched.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
