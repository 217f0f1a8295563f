"""`python -m audacitorch.report REPORT FOLDER`: every format of a report, made again from its JSON alone.

A container in which a model ran may have written anything; what people are shown is rendered outside of it.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import List, Optional

from audacitorch.report.formats import checkout_folder, write_outputs, write_reports
from audacitorch.report.model import Report

#: Bytes; the longest report of a model is far below it.
_LARGEST_REPORT = 64 << 20


def main(words: Optional[List[str]] = None) -> int:
    """Write the files; 3 where the JSON is not a report."""
    parser = argparse.ArgumentParser(prog="report", description="Render a report again from its JSON.")
    parser.add_argument("report", type=Path, help="report.json")
    parser.add_argument("folder", type=Path, help="where the report goes in every format")
    parser.add_argument("--target", default="", metavar="DIR", help="the TARGET that the check was called with")
    parser.add_argument("--page-data", type=Path, metavar="FILE", help="what `check --page-data` wrote")
    parser.add_argument("--outputs", type=Path, metavar="FILE", help="add verdict, errors, warnings")
    arguments = parser.parse_args(words)
    try:
        if arguments.report.stat().st_size > _LARGEST_REPORT:
            raise ValueError("the report is too large")
        report = Report.load(arguments.report.read_text("utf-8"))
        if arguments.page_data is not None:
            report = _with_page_data(report, arguments.page_data)
        write_reports(report, arguments.folder, model_folder=checkout_folder(arguments.target))
        if arguments.outputs is not None:
            write_outputs(report, arguments.outputs)
    except (OSError, ValueError) as error:
        print(f"audacitorch: {str(error).splitlines()[0]}", file=sys.stderr)
        return 3
    return 0


def _with_page_data(report: Report, file: Path) -> Report:
    """The report with sounds and lines; without them where the file is not what it should be."""
    from audacitorch.hear import page_data

    try:
        if file.stat().st_size > page_data.MOST_CHARACTERS:
            raise ValueError("the page's data is too large")
        heard, excerpts = page_data.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        print(f"audacitorch: The page has no sounds: {str(error).splitlines()[0]}", file=sys.stderr)
        return report
    return replace(report, heard=heard, excerpts=excerpts)


if __name__ == "__main__":
    sys.exit(main())
