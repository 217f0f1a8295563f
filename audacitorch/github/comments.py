"""One comment on an issue or pull request that is kept up to date and never repeated, found again by a hidden marker.

Run as a program (``python -m audacitorch.github.comments``), it shows a report on a pull request. The GitHub Action
does so in a container of its own, in which no model runs. The token comes in ``GITHUB_TOKEN``.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, Optional

from audacitorch.errors import AudacitorchError
from audacitorch.github import GitHub, GitHubError
from audacitorch.github.tracker import Comment, IssueTracker

#: The most characters that GitHub takes.
LONGEST_BODY = 65_536
_NO_REPORT = "## ❔ The check was not made\n"
#: People whose comments may be ours, written with a token of their own; a stranger's marker does not count.
_TRUSTED = ("OWNER", "MEMBER", "COLLABORATOR")


def marker(key: str) -> str:
    """The line that tells a comment from all others; it can't be seen on the page."""
    name = re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9_./@-]", "-", key))  # two would end the comment
    return f"<!-- audacitorch: {name[:200]} -->"


def is_trusted(comment: Comment) -> bool:
    """Whether a bot wrote it, or somebody who belongs to the repository: anybody can write a marker."""
    return comment.by_bot or comment.association in _TRUSTED


@dataclass(frozen=True)
class KeptComment:
    """The comment on issue ``number`` that starts with ``start`` and that ``is_ours``."""

    tracker: IssueTracker
    number: int
    start: str
    is_ours: Callable[[Comment], bool] = is_trusted

    def found(self) -> List[Comment]:
        """The comment, and its doubles where runs at the same time left some, oldest first.

        Raises:
            GitHubError: the comments can't be read.
        """
        written = (comment for comment in self.tracker.comments(self.number) if comment.body.startswith(self.start))
        return sorted((comment for comment in written if self.is_ours(comment)), key=lambda comment: comment.id)

    def put(self, body: str) -> Comment:
        """Make the comment say ``body``, which starts as it does, whether it is there or not.

        A comment that says so already is left alone; of several, the oldest is kept. Where GitHub's answer to a new
        comment is lost, the comment is looked for before it is written again.

        Raises:
            GitHubError: GitHub did not do it.
            ValueError: the text is longer than GitHub takes.
        """
        if len(body) > LONGEST_BODY:
            raise ValueError(f"The comment has {len(body):,} characters, and GitHub takes {LONGEST_BODY:,}.")
        first, *doubles = self.found() or self._created(body)
        for double in doubles:
            self.tracker.delete_comment(double.id)
        return first if first.body.rstrip() == body.rstrip() else self.tracker.edit_comment(first.id, body)

    def _created(self, body: str) -> List[Comment]:
        try:
            created = self.tracker.add_comment(self.number, body)
        except GitHubError as error:
            if not error.may_be_done:
                raise
            found = self.found()
            if found:
                return found
            created = self.tracker.add_comment(self.number, body)
        return self.found() or [created]  # another run may have been faster


def put_comment(github: GitHub, number: int, key: str, text: str) -> Comment:
    """Make the comment of ``key`` on ``number`` say ``text``.

    Raises:
        GitHubError, ValueError: as :meth:`KeptComment.put`.
    """
    return KeptComment(IssueTracker(github), number, marker(key)).put(f"{marker(key)}\n{text}")


def main(words: Optional[List[str]] = None) -> int:
    """Show a report on a pull request; 3 where GitHub did not take it."""
    parser = argparse.ArgumentParser(prog="comments", description="Show a report on a pull request.")
    parser.add_argument("folder", type=Path, help="holds report.json, and may hold workflow.md")
    parser.add_argument("--pull-request", type=int, required=True, metavar="NUMBER")
    parser.add_argument("--key", required=True, help="which of several comments this is")
    parser.add_argument("--links", default="", help="a line of Markdown: where the report's files are")
    arguments = parser.parse_args(words)
    try:
        with GitHub() as github:
            room = LONGEST_BODY - len(marker(arguments.key)) - len(arguments.links.encode()) - 3
            text = "\n".join(part for part in (report_text(arguments.folder, room), arguments.links) if part)
            comment = put_comment(github, arguments.pull_request, arguments.key, text)
    except AudacitorchError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    print(comment.url)
    return 0


def report_text(folder: Path, limit: int) -> str:
    """What is wrong with the workflow, if anything is, and the report, in at most ``limit`` bytes.

    The report is rendered again from its JSON: report.md comes out of the container in which the model ran, and may
    hold anything.
    """
    from audacitorch.report import markdown
    from audacitorch.report.model import Report

    parts = [_text(folder / "workflow.md")]
    room = limit - len(parts[0].encode()) - 1
    try:
        parts.append(markdown.render(Report.load(_text(folder / "report.json")), limit=room))
    except ValueError:
        parts.append(_NO_REPORT)
    return "\n".join(part for part in parts if part).encode()[:limit].decode("utf-8", "ignore")


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
