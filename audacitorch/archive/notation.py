"""Torch's notation for operator schemas: ``aten::f.out(Tensor self, *, Scalar alpha=1) -> (Tensor)``."""

from __future__ import annotations

import re
from typing import List, NamedTuple, Tuple

from audacitorch.archive import types
from audacitorch.archive.types import UNKNOWN, Type

_TOKEN = re.compile(r"\"(?:[^\"\\]|\\.)*\"|[\w.:]+|->|\.\.\.|.", re.DOTALL)
_NAMES = {"Scalar": types.NUMBER, "None": types.NONE}


class Formal(NamedTuple):
    """A declared argument. ``broadcast``: a single number stands for the whole list, as in ``int[2]``."""

    name: str
    type: Type
    broadcast: bool
    keyword_only: bool
    has_default: bool


class Schema(NamedTuple):
    """One overload of an operator; ``open_ended`` takes any further arguments (``...``)."""

    text: str
    arguments: Tuple[Formal, ...]
    open_ended: bool
    returns: Type


def parse_schema(text: str) -> Schema:
    """The schema that ``text`` writes."""
    return _Reader(text).schema()


class _Reader:
    """Reads one schema in Torch's notation: ``aten::add.Tensor(Tensor self, …, *, Scalar alpha=1) -> (Tensor)``."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: List[str] = [token for token in _TOKEN.findall(text[text.index("(") :]) if not token.isspace()]
        self.position = 0

    def take(self) -> str:
        self.position += 1
        return self.tokens[self.position - 1]

    def see(self, token: str) -> bool:
        return self.position < len(self.tokens) and self.tokens[self.position] == token

    def skip(self, token: str) -> bool:
        found = self.see(token)
        self.position += found
        return found

    def type(self) -> Tuple[Type, bool]:
        """A type, and whether it is a list of fixed length."""
        if self.skip("("):
            inner = []
            while not self.skip(")"):
                inner.append(self.type()[0])
                self.skip(",")
            kind = Type("Tuple", tuple(inner))
        else:
            name = self.take()
            kind = _NAMES.get(name, Type(name))
            if name in ("Dict", "Future", "RRef") and self.skip("("):
                inner = []
                while not self.skip(")"):
                    inner.append(self.type()[0])
                    self.skip(",")
                kind = Type(name, tuple(inner))
        broadcast = False
        while True:
            if self.skip("?"):
                kind = types.optional(kind)
            elif self.skip("["):
                broadcast = not self.see("]")
                while self.take() != "]":
                    pass
                kind = types.list_of(kind)
            elif self.skip("("):  # what it may alias
                while self.take() != ")":
                    pass
            else:
                return kind, broadcast

    def default(self) -> bool:
        if not self.skip("="):
            return False
        depth = 0
        while depth or not (self.see(",") or self.see(")")):
            token = self.take()
            depth += (token in "([") - (token in ")]")
        return True

    def schema(self) -> Schema:
        self.skip("(")
        arguments: List[Formal] = []
        keyword_only = open_ended = False
        while not self.skip(")"):
            if self.skip("..."):
                open_ended = True
            elif self.skip("*"):
                keyword_only = True
            else:
                kind, broadcast = self.type()
                arguments.append(Formal(self.take(), kind, broadcast, keyword_only, self.default()))
            self.skip(",")
        self.skip("->")
        self.skip("(")
        returns: List[Type] = []
        while not self.skip(")"):
            if self.skip("..."):
                returns.append(UNKNOWN)
            else:
                returns.append(self.type()[0])
                if not (self.see(",") or self.see(")")):
                    self.take()
            self.skip(",")
        several = UNKNOWN if UNKNOWN in returns else Type("Tuple", tuple(returns))  # () returns an empty tuple
        result = returns[0] if len(returns) == 1 else several
        return Schema(self.text, tuple(arguments), open_ended, result)
