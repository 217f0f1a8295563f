"""The commands of a page: each line of its blocks marked ``sh``, as a reader would copy it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
#: What a block can be. A block without a language might hold commands that nothing runs.
LANGUAGES = ("sh", "python", "yaml", "json", "dockerfile", "text")


@dataclass(frozen=True)
class Block:
    """A block of code; ``language`` is empty where the page names none, ``line`` is its first line's."""

    language: str
    line: int
    text: str


@dataclass(frozen=True)
class Command:
    """A command of a page, and the line where it begins."""

    line: int
    text: str


def pages() -> List[Path]:
    """README and the pages in docs and examples; the specification is quoted, and shows no command."""
    found = [*ROOT.glob("*.md"), ROOT / "examples" / "README.md", *(ROOT / "docs").glob("*.md")]
    return sorted(page for page in found if page.name != "specification.md")


def page_name(page: Path) -> str:
    """The page's path in the checkout."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    """The page's blocks of code, fenced or indented."""
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type in ("fence", "code_block") and token.map is not None:
            yield Block(token.info.strip(), token.map[0] + 1 + (token.type == "fence"), token.content)


def commands(page: Path) -> List[Command]:
    """The page's commands in order; a line that ends in a backslash goes on in the next."""
    found = []
    for block in blocks(page):
        if block.language != "sh":
            continue
        begun = ""
        for number, line in enumerate(block.text.splitlines(), block.line):
            begun += line
            if begun.endswith("\\"):
                begun = begun[:-1]
                continue
            if begun.strip() and not begun.lstrip().startswith("#"):
                found.append(Command(number, begun.strip()))
            begun = ""
    return found
