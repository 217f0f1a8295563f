"""Changes to a model repo's text files as suggested changes in a pull request's review, each of them once.

GitHub takes a suggestion only on lines that are in the pull request's diff; of other changes nothing is said, and the
artifact has them all. Run as a program (``python -m audacitorch.github.suggestions``), it compares a model's files with
those that `audacitorch fix` made of them. The GitHub Action does so in a container of its own, in which no model runs.
The token comes in ``GITHUB_TOKEN``.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Set

from audacitorch.errors import AudacitorchError
from audacitorch.facts import METADATA, README
from audacitorch.github import GitHub, NotFound, NotPermitted
from audacitorch.github.comments import LONGEST_BODY, is_trusted, marker
from audacitorch.github.tracker import Comment

#: Files that are text; .gitattributes comes too late on a pull request that commits the model without it.
_FILES = (METADATA, README)
_MOST_SUGGESTIONS = 20
_LARGEST_FILE = 1 << 20
_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_INTRODUCTION = "`audacitorch fix` would change these lines: each by itself, or all of them in one commit."


@dataclass(frozen=True)
class Change:
    """Lines ``first`` to ``last`` of a file, counted from 1, and what should be there instead."""

    path: str
    first: int
    last: int
    before: Sequence[str]
    after: Sequence[str]

    @property
    def marker(self) -> str:
        """A line that nobody sees, by which this very change is found again."""
        content = "\0".join([self.path, *self.before, "", *self.after])
        return marker(f"suggestion {hashlib.sha256(content.encode()).hexdigest()[:32]}")

    @property
    def body(self) -> str:
        """The comment: the lines in a fence that none of them closes."""
        text = "\n".join(self.after)
        longest = max(map(len, re.findall(r"`+", text)), default=0)
        fence = "`" * max(3, longest + 1)
        return f"{self.marker}\n{fence}suggestion\n{text}{chr(10) if self.after else ''}{fence}"

    def as_comment(self) -> Dict[str, Any]:
        """The comment as the API for reviews takes it; one line has no ``start_line``."""
        place: Dict[str, Any] = {"path": self.path, "side": "RIGHT", "line": self.last, "body": self.body}
        return place if self.first == self.last else {**place, "start_side": "RIGHT", "start_line": self.first}


def changes(path: str, before: str, after: str) -> Iterator[Change]:
    """What to change in a file; lines that are only added replace the line before them by itself and theirs."""
    old, new = before.splitlines(), after.splitlines()
    for kind, first, last, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        if first == last:  # nothing is there to be replaced: take the line before, or the first one
            first, start, last, end = (first - 1, start - 1, last, end) if first else (0, start, 1, end + 1)
        if first < last <= len(old):
            yield Change(path, first + 1, last, old[first:last], new[start:end])


def lines_in_diff(patch: str) -> List[Dict[int, str]]:
    """Of each part of a file's diff, the lines that the file has now, by their numbers."""
    hunks: List[Dict[int, str]] = []
    number = 0
    for line in patch.split("\n"):
        begun = _HUNK.match(line)
        if begun is not None:
            hunks.append({})
            number = int(begun[1])
        elif hunks and line[:1] in (" ", "+"):
            hunks[-1][number] = line[1:]
            number += 1
    return hunks


def suggest(github: GitHub, number: int, wanted: Sequence[Change]) -> int:
    """Suggest the changes whose lines are in the diff of pull request ``number`` and that were not suggested before.

    Returns:
        How many were suggested now.

    Raises:
        GitHubError: GitHub did not do it; NotPermitted or NotFound where the token may not.
    """
    placed = [change for change in wanted if len(change.body) <= LONGEST_BODY]
    if placed:
        files = {str(file.get("filename")): file for file in github.pages(f"pulls/{number}/files", "read the diff")}
        placed = [change for change in placed if _is_in_diff(change, files.get(change.path))]
    if placed:
        said = _suggested(github, number)
        placed = [change for change in placed if change.marker not in said][:_MOST_SUGGESTIONS]
    if placed:
        head = github.get(f"pulls/{number}", "read the pull request")["head"]["sha"]
        review = {
            "commit_id": head,
            "event": "COMMENT",
            "body": _INTRODUCTION,
            "comments": [change.as_comment() for change in placed],
        }
        github.call("POST", f"pulls/{number}/reviews", "suggest changes", review)
    return len(placed)


def _is_in_diff(change: Change, file: Optional[Dict[str, Any]]) -> bool:
    """Whether a part of the diff has all of the change's lines, with the text that was compared."""
    lines = {change.first + index: text for index, text in enumerate(change.before)}
    hunks = lines_in_diff(str((file or {}).get("patch") or ""))
    return any(lines.items() <= hunk.items() for hunk in hunks)


def _suggested(github: GitHub, number: int) -> Set[str]:
    """The first lines of the review comments that are ours."""
    found: Set[str] = set()
    for data in github.pages(f"pulls/{number}/comments", "read the review comments"):
        comment = Comment.from_json(data)
        if is_trusted(comment):
            found.add(comment.body.partition("\n")[0].rstrip())
    return found


def main(words: Optional[List[str]] = None) -> int:
    """Suggest the changes; 3 where GitHub did not take them, and nothing at all where the token may not write."""
    parser = argparse.ArgumentParser(prog="suggestions", description="Suggest changes on a pull request.")
    parser.add_argument("before", type=Path, help="the model's folder as it was checked")
    parser.add_argument("after", type=Path, help="the folder with what `audacitorch fix` changed")
    parser.add_argument("--pull-request", type=int, required=True, metavar="NUMBER")
    parser.add_argument("--folder", default="", help="the model's folder below the checkout's root")
    arguments = parser.parse_args(words)
    folder = "" if arguments.folder in ("", ".") else arguments.folder.strip("/") + "/"
    wanted: List[Change] = []
    for name in _FILES:
        before, after = _text(arguments.before / name), _text(arguments.after / name)
        if before is not None and after is not None:
            wanted += changes(folder + name, before, after)
    try:
        with GitHub() as github:
            print(f"{suggest(github, arguments.pull_request, wanted)} suggested")
    except (NotFound, NotPermitted) as error:
        print(f"Nothing was suggested: {error}")
    except AudacitorchError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return 0


def _text(path: Path) -> Optional[str]:
    """A small text file's content; None for what is none."""
    if not path.is_file() or path.is_symlink() or path.stat().st_size > _LARGEST_FILE:
        return None
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return None


if __name__ == "__main__":
    sys.exit(main())
