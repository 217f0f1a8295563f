"""The operators of Torch 1.9.0: their schemas, how these are written, and whether a call fits one of them.

The schemas are data (``data/torch-1.9.0-operators.json``, written by ``scripts/make-operator-schemas``) and are parsed
one operator at a time. A call is matched as Torch's ``matchSchemas`` does it: every schema in order, first without
implicit conversions, then with them.
"""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from audacitorch.archive import types
from audacitorch.archive.types import MAYBE, NO, UNKNOWN, YES, Type
from audacitorch.facts import Argument

_DATA = Path(__file__).parent.parent / "data" / "torch-1.9.0-operators.json"
#: Old archives get the operator as it was: name, last format version that does, and what stands in for it.
_UPGRADED = {
    "aten::div": (3, "upgraders::div_0_3"),
    "aten::div_": (3, "upgraders::div__0_3"),
    "aten::full": (4, "upgraders::full_0_4"),
}
_WORD = re.compile(r"\"(?:[^\"\\]|\\.)*\"|[\w.:]+|->|\.\.\.|.", re.DOTALL)
_NAMED = {"Scalar": types.NUMBER, "None": types.NONE}


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
        self.tokens: List[str] = [token for token in _WORD.findall(text[text.index("(") :]) if not token.isspace()]
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
            kind = _NAMED.get(name, Type(name))
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


class Match(NamedTuple):
    """How a call fits: ``verdict`` is NO, MAYBE or YES; where it is NO, ``nearest`` is the schema that came closest."""

    verdict: int
    returns: Type = UNKNOWN
    nearest: str = ""
    reason: str = ""


@cache
def _data() -> Mapping[str, Any]:
    data: Mapping[str, Any] = json.loads(_DATA.read_bytes())
    return data


@cache
def advice() -> Mapping[str, str]:
    """What to write instead of operators that came after 1.9.0 or changed since, as the second half of a sentence.

    The rules, the backport and docs/exporting.md all take it from ``data/operator-advice.json``.
    """
    found: Mapping[str, str] = json.loads((_DATA.parent / "operator-advice.json").read_bytes())
    return found


def operators() -> Mapping[str, List[str]]:
    """The schemas of every operator, as Torch writes them."""
    found: Mapping[str, List[str]] = _data()["operators"]
    return found


@cache
def namespaces() -> frozenset[str]:
    return frozenset(name.partition("::")[0] for name in operators())


@cache
def custom_classes() -> frozenset[str]:
    """Qualified names: ``__torch__.torch.classes.quantized.LinearPackedParamsBase``."""
    return frozenset(_data()["classes"])


@cache
def type_names() -> frozenset[str]:
    """What may stand in an annotation besides classes: ``Tensor``, ``List``, …"""
    return frozenset((*_data()["types"], *_data()["constructors"], "Final", "None"))


def effective(operator: str, version: Optional[int]) -> str:
    """The operator that a call in an archive of format ``version`` runs."""
    last, replacement = _UPGRADED.get(operator, (-1, operator))
    return replacement if version is not None and version <= last else operator


@cache
def schemas(operator: str) -> Tuple[Schema, ...]:
    """The schemas of one operator, in Torch's order; none where 1.9.0 doesn't know it."""
    return tuple(parse_schema(text) for text in operators().get(operator, ()))


@lru_cache(maxsize=65536)
def match(operator: str, arguments: Tuple[Argument, ...]) -> Match:
    """Whether Torch 1.9.0 finds a schema for this call, and what the call returns where that is certain."""
    given = [(types.parse(argument.type), argument.keyword) for argument in arguments]
    found: List[Type] = []
    failures: List[Tuple[int, str, str]] = []
    # Only what the conversions add has to wait for the second round, as in Torch.
    for conversions in (False, True):
        failures.clear()
        for schema in schemas(operator):
            verdict, returns, progress, reason = _fit(schema, given, conversions)
            if verdict == YES and not found:
                return Match(YES, returns)
            if verdict == NO:
                failures.append((progress, schema.text, reason))
            else:
                found.append(returns)
    if found:
        same = all(returns == found[0] for returns in found)
        return Match(MAYBE, found[0] if same else UNKNOWN)
    nearest = max(failures, key=lambda failure: failure[0], default=(0, "", "there is no such operator"))
    return Match(NO, UNKNOWN, nearest[1], nearest[2])


def fits(schema: Schema, arguments: Tuple[Argument, ...]) -> int:
    """Whether a call with these arguments fits one schema, which need not be Torch 1.9.0's: NO, MAYBE or YES."""
    given = [(types.parse(argument.type), argument.keyword) for argument in arguments]
    return max(_fit(schema, given, conversions)[0] for conversions in (False, True))


def _fit(schema: Schema, given: List[Tuple[Type, Optional[str]]], conversions: bool) -> Tuple[int, Type, int, str]:
    """Verdict, return type, how many arguments fitted, and why the next one did not."""
    positional = [kind for kind, keyword in given if keyword is None]
    keywords: Dict[str, Type] = {keyword: kind for kind, keyword in given if keyword is not None}
    bindings: types.Bindings = {}
    verdict, used, progress = YES, 0, 0
    for index, formal in enumerate(schema.arguments):
        if formal.name == "self" and "self" in keywords:
            actual = keywords.pop("self")
        elif not formal.keyword_only and used < len(positional):
            actual = positional[used]
            rest = positional[used:]
            used += 1
            if conversions and _takes_the_rest(schema, index, formal, actual):
                used = len(positional)
                answers = [_fit_one(formal.type.arguments[0], False, kind, True, bindings) for kind in rest]
                if min(answers) == NO:
                    return NO, UNKNOWN, progress, _mismatch(formal, rest[answers.index(NO)])
                verdict, progress = min(verdict, *answers), progress + 1
                continue
        elif formal.name in keywords:
            actual = keywords.pop(formal.name)
        elif formal.has_default:
            continue
        else:
            return NO, UNKNOWN, progress, f"the argument '{formal.name}' is missing"
        answer = _fit_one(formal.type, formal.broadcast, actual, conversions, bindings)
        if answer == NO:
            return NO, UNKNOWN, progress, _mismatch(formal, actual)
        verdict, progress = min(verdict, answer), progress + 1
    if keywords:
        return NO, UNKNOWN, progress, f"it has no argument '{next(iter(keywords))}'"
    if used < len(positional) and not schema.open_ended:
        most = sum(not formal.keyword_only for formal in schema.arguments)
        return NO, UNKNOWN, progress, f"it takes {most} argument{'s' * (most != 1)}, not {len(positional)}"
    # Torch inlines its own functions, so what one returns may be narrower than it says.
    returns = UNKNOWN if schema.returns == types.NUMBER else types.substitute(schema.returns, bindings)
    return verdict, returns, progress, ""


def _mismatch(formal: Formal, actual: Type) -> str:
    return f"'{formal.name}' is {formal.type}, not {actual}"


def _takes_the_rest(schema: Schema, index: int, formal: Formal, actual: Type) -> bool:
    """Whether ``zeros(1, 2)`` means ``zeros([1, 2])`` here: the last argument is a list, and no list is given."""
    last = index + 1 == len(schema.arguments) or schema.arguments[index + 1].keyword_only
    if not last or formal.type.name != "List" or formal.broadcast or types.is_variable(formal.type.arguments[0]):
        return False
    if actual == UNKNOWN or actual.name == "List":
        return False
    return not (actual.name == "Tuple" and types.accepts(formal.type, actual, False) != NO)


def _fit_one(formal: Type, broadcast: bool, actual: Type, conversions: bool, bindings: types.Bindings) -> int:
    wanted = types.unwrapped(formal)
    if broadcast and actual in (types.INT, types.FLOAT) and wanted == types.list_of(actual):
        return YES
    bound = types.bind(formal, actual, bindings)
    if bound == NO:
        return NO
    concrete = types.substitute(formal, bindings)
    return min(bound, types.accepts(concrete, actual, conversions))
