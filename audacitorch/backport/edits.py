"""Changes to a source text by the positions of its syntax tree, so that everything else stays as it is."""

from __future__ import annotations

import ast
from typing import List, Tuple


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
