"""The text of code members: parsed, and changed at positions of its syntax tree, so that all else stays as it is."""

from __future__ import annotations

import ast
import copy
import textwrap
from dataclasses import dataclass
from typing import Iterator, List, NamedTuple, Optional, Tuple

from audacitorch.archive.pieces import Unusual
from audacitorch.archive.source import Source


class Parsed(NamedTuple):
    """A syntax tree, and the text that it is of: as long as the member's, line by line."""

    tree: ast.Module
    text: str
    source: Source


@dataclass
class Member:
    """A code member: what ``__torch__.a.b`` it holds, and its text."""

    name: str
    module: str
    text: str


def parse(member: Member) -> Optional[Parsed]:
    """A member's syntax tree; None where it holds what PyTorch's exporter does not print."""
    tree = ast.Module(body=[], type_ignores=[])
    try:
        source = Source(f"code/{member.module.replace('.', '/')}.py", member.text.encode())
        for piece in source.pieces:
            statement = source.tree(piece)
            owner = tree.body[-1] if piece.kind == "method" else tree
            if isinstance(owner, (ast.ClassDef, ast.Module)):
                owner.body.append(statement)
    except Unusual:
        return None
    return Parsed(tree, source.parsed_member(), source)


def functions_of(module: str, tree: ast.Module) -> Iterator[Tuple[ast.FunctionDef, Optional[str]]]:
    """Every function and method of a member, with the qualified name of the class that it is a method of."""
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            yield statement, None
        elif isinstance(statement, ast.ClassDef):
            for inner in statement.body:
                if isinstance(inner, ast.FunctionDef):
                    yield inner, f"{module}.{statement.name}"


class Edits:
    """Collects replacements of parts of ``text``, which has no line breaks but ``\\n``.

    ``parsed`` is what the tree was parsed from: as many letters in every line, if not all of them the same.
    """

    def __init__(self, text: str, parsed: str) -> None:
        self.text = text
        self._lines = parsed.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._changes: List[Tuple[int, int, str]] = []

    def __bool__(self) -> bool:
        return bool(self._changes)

    def _offset(self, line: int, column: int) -> int:
        """From Python's line and column, which counts bytes of UTF-8, to an index into the text."""
        content = self._lines[line - 1]
        if not content.isascii():
            column = len(content.encode("utf-8")[:column].decode("utf-8"))
        return self._starts[line - 1] + column

    def span(self, node: ast.expr) -> Tuple[int, int]:
        """Where an expression begins and ends, without parentheses around it."""
        if node.end_lineno is None or node.end_col_offset is None:
            raise ValueError("the tree was not parsed from a text")
        return self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno, node.end_col_offset)

    def lines_of(self, definition: ast.FunctionDef) -> Tuple[int, int]:
        """Where the lines of a function begin and end, the last line break included."""
        start = self._starts[definition.lineno - 1]
        return start, min(self._starts[definition.end_lineno or definition.lineno], len(self.text))

    def replace(self, start: int, end: int, text: str) -> None:
        """Put ``text`` in place of what lies between two indices."""
        self._changes.append((start, end, text))

    def result(self) -> str:
        """The text with every change made; of changes that overlap the first one is."""
        parts: List[str] = []
        at = 0
        for start, end, text in sorted(self._changes, key=lambda change: change[:2]):
            if start >= at:
                parts += (self.text[at:start], text)
                at = end
        return "".join((*parts, self.text[at:]))


def printed(definition: ast.FunctionDef, owner: Optional[str]) -> str:
    """A function's lines as PyTorch prints them; ``owner`` is the class of a method."""
    changed = _AsPrinted().visit(copy.deepcopy(definition))
    text = ast.unparse(ast.fix_missing_locations(changed))
    return textwrap.indent(text, "  " if owner else "") + "\n"


class _AsPrinted(ast.NodeTransformer):
    """Makes Python's printer print as PyTorch's does: strings in double quotes, no ``elif``."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if not isinstance(node.value, str):
            return node
        escaped = node.value.replace("\\", "\\\\").replace('"', '\\"')
        text = "".join(one if one.isprintable() else f"\\{ord(one):03o}" for one in escaped)
        return ast.Name(f'"{text}"', ast.Load())

    def visit_If(self, node: ast.If) -> ast.stmt:
        self.generic_visit(node)
        if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
            node.orelse.insert(0, ast.Pass())
        return node
