"""``python -m audacitorch.github.report_comment``: a report as the one comment of a pull request.

The GitHub Action calls it, in a container of its own in which no model is. The token comes in ``GITHUB_TOKEN``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import List, Optional

from audacitorch.github.client import GitHub
from audacitorch.github.comments import LONGEST_BODY, marker, put_comment
from audacitorch.github.errors import GitHubError
from audacitorch.report import jsonfile, markdown


def main(words: Optional[List[str]] = None) -> int:
    """Write the comment; 3 where GitHub did not take it."""
    parser = argparse.ArgumentParser(prog="report_comment", description="Show a report on a pull request.")
    parser.add_argument("folder", type=Path, help="with report.json or report.md, and maybe workflow.md")
    parser.add_argument("--pull-request", type=int, required=True, metavar="NUMBER")
    parser.add_argument("--key", required=True, help="which of several comments this is")
    parser.add_argument("--links", default="", help="a line of Markdown: where the report's files are")
    arguments = parser.parse_args(words)
    try:
        with GitHub() as github:
            room = LONGEST_BODY - len(marker(arguments.key)) - len(arguments.links.encode()) - 3
            text = "\n".join(part for part in (comment_text(arguments.folder, room), arguments.links) if part)
            comment = put_comment(github, arguments.pull_request, arguments.key, text)
    except GitHubError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    print(comment.get("html_url", ""))
    return 0


def comment_text(folder: Path, limit: int) -> str:
    """What is wrong with the workflow, if anything is, and the report, in at most ``limit`` bytes."""
    parts = [_text(folder / "workflow.md")]
    room = limit - len(parts[0].encode()) - 1
    if (folder / "report.json").is_file():
        report = jsonfile.load((folder / "report.json").read_text("utf-8"))
        parts.append(markdown.render(report, limit=room))
    else:
        parts.append(_text(folder / "report.md"))
    return "\n".join(part for part in parts if part).encode()[:limit].decode("utf-8", "ignore")


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
