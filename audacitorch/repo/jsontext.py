"""JSON text with the line of every value: strict RFC 8259, bounded in depth, size and time.

The standard library's parser keeps no positions, takes NaN and lone surrogates, and recurses as deep as the text
says. This one never recurses; depth, number of values and numbers' digits are bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Dict, List, Mapping, NoReturn, Optional, Tuple, Union

#: Audacity's parser recurses on nested values; deeper text would overflow its stack. No metadata needs ten levels.
MAX_DEPTH = 100
MAX_VALUES = 20_000
#: Lines are kept for pointers up to this length; a huge key must not be copied for each item below it.
MAX_POINTER = 200
#: Longest number that can still fit a double; longer ones are refused before they cost anything.
MAX_NUMBER_CHARACTERS = 400

_SPACE = re.compile(r"[ \t\n\r]*")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z0-9_.+$-]{1,40}")
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LITERALS = {"true": True, "false": False, "null": None}
_HINTS = {
    "True": "JSON writes it true, not True",
    "False": "JSON writes it false, not False",
    "None": "JSON writes it null, not None",
    **{word: f"{word} is not a number in JSON" for word in ("NaN", "Infinity", "-Infinity")},
}


class JsonTextError(ValueError):
    """The text is not JSON. ``line`` and ``column`` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True)
class JsonText:
    """A JSON text's value, the line of each value in it (by JSON pointer), and the keys that come twice.

    Of a key that comes twice the first value is kept, as Audacity's parser (RapidJSON) finds it; ``duplicates`` holds
    the pointer and the line of each later one.
    """

    value: Any
    lines: Mapping[str, int]
    duplicates: Tuple[Tuple[str, int], ...] = ()


def parse(text: str) -> JsonText:
    """Read one JSON text.

    Raises:
        JsonTextError: the text is not strict JSON, or goes beyond this module's bounds.
    """
    return _Parser(text).run()


def pointer(parent: str, key: Union[str, int]) -> str:
    """The JSON pointer (RFC 6901) of a member or item of ``parent``."""
    return f"{parent}/{str(key).replace('~', '~0').replace('/', '~1')}"


@dataclass
class _Open:
    """An array or object that is being read; ``recorded`` is False where no lines are kept."""

    value: Union[List[Any], Dict[str, Any]]
    pointer: str
    recorded: bool
    members: int = 0


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.line = 1
        self.counted_to = 0
        self.values = 0
        self.lines: Dict[str, int] = {}
        self.duplicates: List[Tuple[str, int]] = []

    def run(self) -> JsonText:
        self.space()
        if self.position == len(self.text):
            self.fail("the file holds nothing but white space" if self.text else "the file is empty")
        root = self.value("", True)
        stack = [root] if isinstance(root, _Open) else []
        while stack:
            child = self.next_container(stack[-1])
            if child is None:
                stack.pop()
            elif len(stack) == MAX_DEPTH:
                self.fail(f"values are nested deeper than {MAX_DEPTH} levels")
            else:
                stack.append(child)
        self.space()
        if self.position < len(self.text):
            self.fail(f"{self.seen()} after the end of the JSON value")
        value = root.value if isinstance(root, _Open) else root
        return JsonText(value, MappingProxyType(self.lines), tuple(self.duplicates))

    def next_container(self, parent: _Open) -> Optional[_Open]:
        """Read on in ``parent``: up to the next array or object in it (returned), or to its end (None)."""
        items = parent.value
        closing = "]" if isinstance(items, list) else "}"
        while not self.closes(parent, closing):
            parent.members += 1
            if isinstance(items, list):
                where = pointer(parent.pointer, len(items)) if parent.recorded else ""
                child = self.value(where, parent.recorded)
                items.append(child.value if isinstance(child, _Open) else child)
            else:
                child = self.member(parent, items)
            if isinstance(child, _Open):
                return child
        return None

    def closes(self, parent: _Open, closing: str) -> bool:
        """Whether ``parent`` ends here; if not, step over the comma to its next member."""
        self.space()
        if self.peek() == closing:
            self.position += 1
            return True
        if parent.members:
            if self.peek() != ",":
                self.fail(f"expected , or {closing} but found {self.seen()}")
            self.position += 1
            self.space()
            if self.peek() == closing:
                self.fail(f"JSON allows no comma before {closing}")
        return False

    def member(self, parent: _Open, members: Dict[str, Any]) -> Any:
        if self.peek() != '"':
            self.fail(f"expected a key in double quotes but found {self.seen()}")
        line = self.here()
        key = self.string()
        again = key in members
        where = pointer(parent.pointer, key) if parent.recorded else ""
        if again and parent.recorded:
            self.duplicates.append((where, line))
        self.space()
        if self.peek() != ":":
            self.fail(f"expected : after a key but found {self.seen()}")
        self.position += 1
        self.space()
        recorded = parent.recorded and not again and len(where) <= MAX_POINTER
        if recorded:
            self.lines[where] = line
        child = self.value(where if recorded else "", recorded)
        members.setdefault(key, child.value if isinstance(child, _Open) else child)
        return child

    def value(self, where: str, recorded: bool) -> Any:
        """The value that starts here; of an array or object only its beginning, as :class:`_Open`."""
        self.values += 1
        if self.values > MAX_VALUES:
            self.fail(f"the file holds more than {MAX_VALUES:,} values")
        if recorded:
            self.lines.setdefault(where, self.here())
        start = self.peek()
        if start == '"':
            return self.string()
        if start == "{" or start == "[":
            self.position += 1
            return _Open({} if start == "{" else [], where, recorded)
        number = _NUMBER.match(self.text, self.position)
        word = _WORD.match(self.text, self.position)
        if word is None:
            return self.fail(f"expected a value but found {self.seen()}")
        if word.group() in _LITERALS:
            self.position = word.end()
            return _LITERALS[word.group()]
        if number is None or number.end() < word.end():
            return self.fail(_HINTS.get(word.group(), f"{self.seen()} is not a JSON value"))
        return self.number(number)

    def number(self, match: re.Match[str]) -> Union[int, float]:
        digits = match.group()
        value = float(digits) if len(digits) <= MAX_NUMBER_CHARACTERS else float("inf")
        if value in (float("inf"), float("-inf")):
            self.fail("a number is too long or too large for a parser that keeps doubles")
        self.position = match.end()
        return int(digits) if match.group(1) is None and match.group(2) is None else value

    def string(self) -> str:
        self.position += 1
        parts: List[str] = []
        while True:
            plain = _PLAIN.match(self.text, self.position)
            assert plain is not None
            parts.append(plain.group())
            self.position = plain.end()
            stop = self.peek()
            if stop == '"':
                self.position += 1
                return "".join(parts)
            if stop != "\\":
                self.fail(f"{self.seen()} inside a string" if stop else "the file ends inside a string")
            parts.append(self.escape())

    def escape(self) -> str:
        letter = self.text[self.position + 1 : self.position + 2]
        if letter in _ESCAPES and letter:
            self.position += 2
            return _ESCAPES[letter]
        unit = self.code_unit()
        if 0xD800 <= unit < 0xDC00:
            low = self.code_unit() if self.text.startswith("\\u", self.position) else 0
            if 0xDC00 <= low < 0xE000:
                return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
        if 0xD800 <= unit < 0xE000:
            self.fail(f"\\u{unit:04x} is half of a surrogate pair: no character")
        return chr(unit)

    def code_unit(self) -> int:
        digits = _HEX.match(self.text, self.position + 2)
        if not self.text.startswith("\\u", self.position) or digits is None:
            self.fail("a backslash in a string begins no escape that JSON knows")
        assert digits is not None
        self.position = digits.end()
        return int(digits.group(), 16)

    def space(self) -> None:
        blank = _SPACE.match(self.text, self.position)
        assert blank is not None
        self.position = blank.end()

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def here(self) -> int:
        """The line of the current position, counted on from the last one asked for."""
        self.line += self.text.count("\n", self.counted_to, self.position)
        self.counted_to = self.position
        return self.line

    def seen(self) -> str:
        """What stands at the current position, fit to be printed."""
        character = self.peek()
        if not character:
            return "the end of the file"
        if character == "'":
            return "a single quote (JSON strings stand in double quotes)"
        if self.text.startswith(("//", "/*", "#"), self.position):
            return "a comment (JSON has none)"
        word = _WORD.match(self.text, self.position)
        if word is not None:
            return _HINTS.get(word.group(), word.group())
        return character if character.isprintable() and character.isascii() else f"U+{ord(character):04X}"

    def fail(self, message: str) -> NoReturn:
        column = self.position - self.text.rfind("\n", 0, self.position)
        raise JsonTextError(message, self.here(), column)
