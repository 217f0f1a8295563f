"""The operators of Torch 1.9.0: their schemas, and whether a call fits one of them.

The schemas are data (``data/torch-1.9.0-operators.json``, written by ``scripts/make-operator-schemas``) and are parsed
one operator at a time. A call is matched as Torch's ``matchSchemas`` does it: every schema in order, first without
implicit conversions, then with them.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from audacitorch.archive import types
from audacitorch.archive.notation import Formal, Schema, parse_schema
from audacitorch.archive.types import MAYBE, NO, UNKNOWN, YES, Type
from audacitorch.facts import Argument

_DATA = Path(__file__).parent.parent / "data" / "torch-1.9.0-operators.json"
#: Old archives get the operator as it was: name, last format version that does, and what stands in for it.
_UPGRADED = {
    "aten::div": (3, "upgraders::div_0_3"),
    "aten::div_": (3, "upgraders::div__0_3"),
    "aten::full": (4, "upgraders::full_0_4"),
}
#: What lets a model read or write files, or speak to other processes; found by reading all schemas of Torch 1.9.0.
REACHES_OUT = {
    "aten::from_file": "reads and, if shared, writes a file",
    "aten::save": "writes a file",
    "prim::rpc_sync": "calls another process",
    "prim::rpc_async": "calls another process",
    "prim::rpc_remote": "calls another process",
    "aten::dist_backward": "speaks to other processes",
}
REACHES_OUT_NAMES = {operator.partition("::")[2]: operator for operator in REACHES_OUT}


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
