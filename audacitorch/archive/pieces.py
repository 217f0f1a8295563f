"""The text of a code member: only what PyTorch's exporter prints, cut into classes and functions.

PyTorch prints a small part of Python: names and numbers, strings in double quotes, brackets, no comments, no line
continuation, no blank lines. Python and TorchScript read that part in the same way, so Python's parser may parse it.
What lies beyond is refused: Torch reads it in its own way, and what it does there can't be told. Everything takes one
pass over the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import List, Match, Optional

#: A function with more than this is not exported by anything, and would take more than 150 MB to parse.
MAX_TOKENS = 250_000
#: Deeper expressions than this are not printed: PyTorch gives intermediate results names.
MAX_NESTING = 80
#: Words of Python that TorchScript takes for names: attributes may be called so, variables never are.
_NOT_TORCHS_WORDS = frozenset(("async", "await", "except", "finally", "from", "lambda", "nonlocal", "try", "yield"))

#: Words of TorchScript that its exporter has no use for.
_NEVER_PRINTED = frozenset(
    ("and", "assert", "break", "continue", "del", "elif", "global", "import", "is", "not", "or", "raise")
)

_TOKEN = re.compile(
    r"""\ *(?:
      (?P<name>[A-Za-z_][A-Za-z0-9_]*)(?!["'\w])
    | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?j?)(?![\w.])
    | (?P<string>"[^"\\\x00-\x1f\x7f]*(?:\\(?:["'\\abfnrtv]|[0-7]{3})[^"\\\x00-\x1f\x7f]*)*")(?!["'\w])
    | (?P<newline>\n)
    | (?P<arrow>->)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<sign>[,:.=+-])
    | (?P<other>.) )""",
    re.VERBOSE | re.DOTALL,
)
_CLOSES = {"(": ")", "[": "]", "{": "}"}
_VERSION = re.compile(r"op_version_set = [0-9]{1,3}(?:\n|\Z)")


class Unusual(Exception):
    """Code that PyTorch's exporter does not write; the text is a clause, ``line`` counts from 1."""

    def __init__(self, message: str, line: Optional[int] = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass
class Piece:
    """A class without its methods, a method or a function, as a part of its member's text."""

    kind: str  # "class", "method" or "function"
    name: str
    owner: Optional[str]  # of a method: its class
    line: int  # of the member, where it begins
    start: int
    end: int = 0
    header_end: int = 0
    tokens: int = 0
    stand_ins: List[int] = field(default_factory=list)

    @property
    def indent(self) -> int:
        return 2 if self.kind == "method" else 0

    @property
    def lines_before(self) -> int:
        """Lines of the member before the first one that is parsed: a method is parsed below a line of its own."""
        return self.line - (2 if self.kind == "method" else 1)


def cut(text: str) -> List[Piece]:
    """The classes and functions of a code member, in order.

    Raises:
        Unusual: it is not what PyTorch's exporter prints.
    """
    return _Cutter(text).pieces()


class _Cutter:
    """One pass over a member's tokens: refuses what no exporter prints, and finds where classes and functions begin."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: List[Piece] = []
        self.line = 1
        self.at_start = True  # of a line, outside of brackets
        self.indent = 0
        self.open: List[str] = []
        #: For each open bracket, attributes, calls and subscripts since the last comma: they nest as brackets do.
        self.chain = [0]

    def pieces(self) -> List[Piece]:
        before = ""
        for token in _TOKEN.finditer(self.text):
            kind = token.lastgroup
            if kind == "newline":
                self._newline(token)
            elif kind is not None:
                self._token(kind, token, before)
            before = token.group(kind) if kind else ""
        if self.open:
            raise Unusual("it ends inside brackets", self.line)
        self._finish(len(self.text))
        return self.found

    def _newline(self, token: Match[str]) -> None:
        if self.open:
            header = self.found and not self.found[-1].header_end and self.open == ["("]
            if not header or self.found[-1].kind == "class":
                raise Unusual("a line break inside brackets", self.line)
        else:
            if self.at_start:
                raise Unusual("a blank line", self.line)
            if self.found and not self.found[-1].header_end:
                self.found[-1].header_end = token.end() - 1
            self.at_start = True
        self.line += 1
        self.chain[-1] = 0

    def _token(self, kind: str, token: Match[str], before: str) -> None:
        word = token.group(kind)
        if kind == "other":
            raise Unusual(f"the character {word!a}", self.line)
        if self.at_start:
            self._first_of_line(token, kind, word)
        if self.found:
            self.found[-1].tokens += 1
            if self.found[-1].tokens > MAX_TOKENS:
                raise Unusual(f"{self.found[-1].name} has more than {MAX_TOKENS:,} words and signs", self.line)
        if kind == "open":
            self.chain[-1] += 1
            self.open.append(word)
            self.chain.append(0)
        elif kind == "close":
            if not self.open or _CLOSES[self.open.pop()] != word:
                raise Unusual("brackets that do not match", self.line)
            self.chain.pop()
        elif word == ",":
            self.chain[-1] = 0
        elif word in ".-+":
            self.chain[-1] += 1
        elif kind == "name" and word in _NEVER_PRINTED:
            raise Unusual(f"the word {word!r}", self.line)
        elif kind == "name" and word in _NOT_TORCHS_WORDS:
            self._stand_in(token, before)
        elif kind == "string" and before[-1:] == '"':
            raise Unusual("two strings in a row", self.line)
        elif kind == "string" and not word.isascii() and not word.isprintable():
            self._control_characters(word)
        if self.chain[-1] > MAX_NESTING or len(self.open) > MAX_NESTING:
            raise Unusual("it is nested too deeply", self.line)

    def _control_characters(self, word: str) -> None:
        if any("\x80" <= letter <= "\x9f" or letter in "\u2028\u2029" for letter in word):
            raise Unusual("a control character in a string", self.line)

    def _stand_in(self, token: Match[str], before: str) -> None:
        """A word of Python may name an attribute or an argument, as TorchScript reads it; nothing else."""
        end = token.end()
        argument = bool(self.open) and self.text[end : end + 1] == "="
        attribute = before == "." or (self.found and self.found[-1].kind == "class" and before == "\n")
        if not (argument or attribute):
            raise Unusual(f"a variable called {token.group('name')!r}", self.line)
        self.found[-1].stand_ins.append(end)

    def _first_of_line(self, token: Match[str], kind: str, word: str) -> None:
        self.at_start = False
        start = token.start(kind)
        indent = start - token.start()
        if indent % 2:
            raise Unusual("an indentation by an odd number of spaces", self.line)
        current = self.found[-1] if self.found else None
        if indent == 0:
            self._top_level(start, word)
        elif current is None:
            raise Unusual("an indented line that belongs to nothing", self.line)
        elif indent == 2 and current.kind != "function":
            if word == "def":
                self._begin("method", start, token.start(), current.owner or current.name)
            elif current.kind == "method":
                raise Unusual("an attribute behind a class's methods", self.line)
        elif current.kind == "class":
            raise Unusual("an indented line inside a class", self.line)

    def _top_level(self, start: int, word: str) -> None:
        if word in ("class", "def"):
            self._begin("class" if word == "class" else "function", start, start, None)
        elif self.found or not _VERSION.match(self.text, start):
            raise Unusual("a statement outside of functions", self.line)

    def _begin(self, kind: str, start: int, line_start: int, owner: Optional[str]) -> None:
        self._finish(line_start)
        name = re.compile(r"(?:class|def) ([A-Za-z_]\w*)[(:]", re.ASCII).match(self.text, start)
        if name is None:
            raise Unusual("a class or function without a name", self.line)
        self.found.append(Piece(kind, name[1], owner, self.line, line_start))

    def _finish(self, end: int) -> None:
        if self.found:
            piece = self.found[-1]
            piece.end = end
            piece.header_end = piece.header_end or end
