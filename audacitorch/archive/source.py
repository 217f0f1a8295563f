"""A code member as text and as syntax trees; only one function's tree is held at a time."""

from __future__ import annotations

import ast
import warnings
from typing import Iterator, List, Optional, Tuple

from audacitorch.archive.pieces import Piece, Unusual, cut

#: One letter that no exporter writes: it makes no word of Python, and takes the place of one letter.
STAND_IN = "ǂ"


class Source:
    """A code member: its path below the archive's folder, its text, its classes and functions in order."""

    def __init__(self, path: str, data: bytes) -> None:
        """Read ``data``.

        Raises:
            Unusual: it is not what PyTorch's exporter prints.
        """
        self.path = path
        try:
            self.text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Unusual("it is not UTF-8", data.count(b"\n", 0, error.start) + 1) from error
        self._lines: List[str] = []
        self.pieces = cut(self.text)

    @property
    def module(self) -> str:
        """``code/__torch__/a/b.py`` holds ``__torch__.a.b``."""
        return self.path[len("code/") : -len(".py")].replace("/", ".")

    def line(self, number: int) -> str:
        """One line, as a message may quote it."""
        if not self._lines:
            self._lines = self.text.split("\n")
        return self._lines[number - 1][:400].strip()[:160] if 0 < number <= len(self._lines) else ""

    def parsed_text(self, piece: Piece) -> str:
        """The text that ``tree`` parses: as long as the piece, with other letters in words of Python."""
        return _with_stand_ins(self.text[piece.start : piece.end], [at - piece.start for at in piece.stand_ins])

    def parsed_member(self) -> str:
        """The whole text as its trees are parsed: as long as the text, line by line."""
        return _with_stand_ins(self.text, [place for piece in self.pieces for place in piece.stand_ins])

    def tree(self, piece: Piece, absolute: bool = True) -> ast.stmt:
        """The syntax tree of a class without its methods, or of a function.

        Lines are those of the member; unless ``absolute``, ``piece.lines_before`` is to be added to them, which saves
        a walk over the tree.

        Raises:
            Unusual: Python can't parse it.
        """
        text = self.parsed_text(piece)
        if piece.kind == "class" and not text[piece.header_end - piece.start :].strip():
            text += "\n  pass\n"
        return self._parse(piece, text, absolute)

    def header(self, piece: Piece) -> ast.stmt:
        """The same without the body of a function."""
        if piece.kind == "class":
            return self.tree(piece)
        end = piece.header_end - piece.start
        return self._parse(piece, f"{self.parsed_text(piece)[:end]}\n{' ' * piece.indent}  pass\n")

    def _parse(self, piece: Piece, text: str, absolute: bool = True) -> ast.stmt:
        before = "if 1:\n" if piece.indent else ""
        lines_before = piece.lines_before
        try:
            tree = self._python(before + text)
        except SyntaxError as error:
            if piece.kind == "class" or "default" not in str(error.msg):
                raise Unusual(str(error.msg), lines_before + (error.lineno or 1)) from error
            # PyTorch 1.4 prints arguments without a default behind those with one; Python allows that by name only.
            opening = text.index("(") + 1
            try:
                tree = self._python(f"{before}{text[:opening]}*, {text[opening:]}")
            except SyntaxError:
                raise Unusual(str(error.msg), lines_before + (error.lineno or 1)) from error
        if absolute:
            ast.increment_lineno(tree, lines_before)
        statement = tree.body[0]
        return statement.body[0] if isinstance(statement, ast.If) else statement

    @staticmethod
    def _python(text: str) -> ast.Module:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return ast.parse(text)
            except (ValueError, RecursionError, MemoryError) as error:
                raise Unusual("it is nested too deeply") from error


def _with_stand_ins(text: str, places: List[int]) -> str:
    """Another last letter for the words that end at ``places``."""
    parts: List[str] = []
    at = 0
    for place in places:
        parts += (text[at : place - 1], STAND_IN)
        at = place
    return "".join((*parts, text[at:]))


def functions(source: Source) -> Iterator[Tuple[Piece, Optional[str], ast.FunctionDef]]:
    """Every function with its tree, and of methods the qualified name of the class; one tree after the other.

    Lines of the trees are counted from ``piece.lines_before``.
    """
    for piece in source.pieces:
        if piece.kind != "class":
            tree = source.tree(piece, absolute=False)
            if isinstance(tree, ast.FunctionDef):
                yield piece, None if piece.owner is None else f"{source.module}.{piece.owner}", tree
