"""TorchScript types, as far as they are known, and how Torch 1.9.0 fits one to another.

Every question has three answers, because an unknown type (``?``) may be anything: ``NO``, ``MAYBE``, ``YES``.
The order of the answers makes "all of these" a minimum. Source: ``tryMatchSchema`` and ``unifyTypes`` of Torch 1.9.0.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Dict, List, NamedTuple, Optional, Tuple

NO, MAYBE, YES = 0, 1, 2

MAX_SIZE = 64
#: Deeper types than this are unknown: nobody writes them, and the functions here call themselves.
MAX_DEPTH = 40


class Type(NamedTuple):
    """``List[int]`` is ``Type("List", (Type("int"),))``; classes have their qualified names."""

    name: str
    arguments: Tuple[Type, ...] = ()

    def __str__(self) -> str:
        if not self.arguments:
            return "Tuple[()]" if self.name == "Tuple" else self.name
        return f"{self.name}[{', '.join(map(str, self.arguments))}]"


UNKNOWN = Type("?")
NONE = Type("NoneType")
TENSOR = Type("Tensor")
INT, FLOAT, COMPLEX, BOOL, STR = Type("int"), Type("float"), Type("complex"), Type("bool"), Type("str")
NUMBER, DEVICE, ANY = Type("number"), Type("Device"), Type("Any")
_NUMBERS = (INT, FLOAT, COMPLEX, NUMBER)
_TOKEN = re.compile(r"\s*([\w.?]+|[\[\],()])")
Bindings = Dict[str, Type]


def list_of(element: Type) -> Type:
    return Type("List", (element,))


def optional(element: Type) -> Type:
    return element if element.name == "Optional" or element == NONE else Type("Optional", (element,))


def unwrapped(kind: Type) -> Type:
    return kind.arguments[0] if kind.name == "Optional" else kind


def _size(kind: Type) -> int:
    return 1 + sum(map(_size, kind.arguments))


def bounded(kind: Type) -> Type:
    """``kind``, or unknown where it is larger than anybody writes: comparing types must stay cheap."""
    return kind if _size(kind) <= MAX_SIZE else UNKNOWN


def is_class(kind: Type) -> bool:
    return kind.name.startswith("__torch__.")


def has_unknown(kind: Type) -> bool:
    return kind == UNKNOWN or any(map(has_unknown, kind.arguments))


@lru_cache(maxsize=4096)
def parse(text: str) -> Type:
    """The type that ``str(type)`` gave: ``Dict[str, List[int]]``."""
    tokens = _TOKEN.findall(text)
    position = 0

    def one(depth: int) -> Type:
        nonlocal position
        if position >= len(tokens) or depth > MAX_DEPTH:
            raise ValueError(f"not a type: {text[:100]}")
        name = tokens[position]
        position += 1
        arguments: List[Type] = []
        if position < len(tokens) and tokens[position] == "[":
            while tokens[position] != "]":
                position += 1
                if tokens[position : position + 2] == ["(", ")"]:
                    position += 2
                else:
                    arguments.append(one(depth + 1))
            position += 1
        return Type(name, tuple(arguments))

    try:
        return one(0)
    except (ValueError, IndexError):
        return UNKNOWN


def equal(left: Type, right: Type) -> int:
    """Whether two types are one, as the elements of lists and dicts must be."""
    if UNKNOWN in (left, right):
        return MAYBE
    if left == right:
        return YES
    if left.name != right.name or len(left.arguments) != len(right.arguments):
        return NO
    return min(map(equal, left.arguments, right.arguments), default=YES)


def subtype(actual: Type, formal: Type) -> int:
    """Whether a value of type ``actual`` is one of type ``formal``, without any conversion."""
    if UNKNOWN in (actual, formal):
        return MAYBE
    if actual == formal or formal == ANY:
        return YES
    if formal.name == "Optional":
        if actual == NONE:
            return YES
        return subtype(unwrapped(actual), formal.arguments[0])
    if formal == NUMBER:
        return YES if actual in _NUMBERS else NO
    if formal.name in ("AnyListType", "list"):
        return YES if actual.name == "List" else NO
    if formal.name in ("AnyTupleType", "tuple"):
        return YES if actual.name == "Tuple" else MAYBE if is_class(actual) else NO
    if formal.name in ("AnyEnumType", "AnyClassType"):
        return MAYBE if is_class(actual) else NO
    if formal.name == "Tuple" and actual.name == "Tuple":
        if len(formal.arguments) != len(actual.arguments):
            return NO
        return min(map(subtype, actual.arguments, formal.arguments), default=YES)
    if is_class(actual) and (formal.name == "Tuple" or (is_class(formal) and ".torch.classes." not in formal.name)):
        return MAYBE  # a named tuple is a tuple; a class may implement an interface
    return equal(actual, formal)


def accepts(formal: Type, actual: Type, conversions: bool) -> int:
    """Whether an argument declared as ``formal`` takes ``actual``; ``conversions`` allows those that Torch makes."""
    if formal.name == "Optional" and actual.name != "Optional" and actual not in (NONE, UNKNOWN):
        return accepts(formal.arguments[0], actual, conversions)
    if actual.name == "Tuple":
        wanted = unwrapped(formal)
        if wanted.name == "List":
            return min((subtype(element, wanted.arguments[0]) for element in actual.arguments), default=YES)
        if formal.name == "Tuple" and len(formal.arguments) == len(actual.arguments):
            pairs = zip(formal.arguments, actual.arguments)
            return min((accepts(inner, element, conversions) for inner, element in pairs), default=YES)
    if is_class(actual) and unwrapped(formal).name == "List":
        return MAYBE  # a named tuple becomes a list as a tuple does
    if conversions and (
        (actual == TENSOR and formal in _NUMBERS)
        or (actual == NUMBER and formal in (INT, FLOAT, COMPLEX))
        or (actual == STR and formal == DEVICE)
    ):
        return YES
    return subtype(actual, formal)


def unify(left: Type, right: Type) -> Optional[Type]:
    """The type of a value that is one or the other, None where Torch finds none."""
    if left == right:
        return left
    if UNKNOWN in (left, right):
        return UNKNOWN
    if subtype(left, right) == YES:
        return right
    if subtype(right, left) == YES:
        return left
    if left == NONE or right == NONE:
        return optional(left if right == NONE else right)
    if "Optional" in (left.name, right.name):
        inner = unify(unwrapped(left), unwrapped(right))
        return None if inner is None else optional(inner)
    if left.name == right.name and len(left.arguments) == len(right.arguments) and left.arguments:
        parts = [unify(*pair) for pair in zip(left.arguments, right.arguments)]
        if all(part is not None for part in parts) and (
            left.name == "Tuple" or has_unknown(left) or has_unknown(right)
        ):
            return Type(left.name, tuple(part for part in parts if part is not None))
    if is_class(left) and is_class(right):
        return UNKNOWN
    return None


def is_variable(formal: Type) -> bool:
    """``t`` and ``tVal`` in schemas stand for any type; every other name is a known one or begins with a capital."""
    known = ("int", "float", "complex", "bool", "str", "number", "list", "tuple")
    return not formal.arguments and formal.name[:1].islower() and formal.name not in known


def has_variable(formal: Type) -> bool:
    return is_variable(formal) or any(map(has_variable, formal.arguments))


def bind(formal: Type, actual: Type, bindings: Bindings) -> int:
    """Find what the type variables of ``formal`` stand for, given an argument of type ``actual``."""
    if not has_variable(formal):
        return YES
    if is_variable(formal):
        return _bind_variable(formal.name, actual, bindings)
    if actual == UNKNOWN:
        return MAYBE
    if formal.name == "Optional":
        return MAYBE if actual == NONE else bind(formal.arguments[0], unwrapped(actual), bindings)
    if formal.name == "List" and actual.name == "Tuple":
        element: Optional[Type] = actual.arguments[0] if actual.arguments else UNKNOWN
        for other in actual.arguments[1:]:
            element = None if element is None else unify(element, other)
        return NO if element is None else bind(formal.arguments[0], element, bindings)
    if is_class(actual):
        return MAYBE if formal.name in ("List", "Tuple") else NO
    if formal.name != actual.name or len(formal.arguments) != len(actual.arguments):
        return NO
    return min(bind(inner, given, bindings) for inner, given in zip(formal.arguments, actual.arguments))


def _bind_variable(name: str, actual: Type, bindings: Bindings) -> int:
    before = bindings.get(name)
    if before is None:
        bindings[name] = actual
        return YES
    both = unify(before, actual)
    if both is None:
        return NO
    return MAYBE if has_unknown(both) else YES


def substitute(formal: Type, bindings: Bindings) -> Type:
    """``formal`` with its variables replaced; those that nothing bound are unknown."""
    if is_variable(formal):
        return bindings.get(formal.name, UNKNOWN)
    if not formal.arguments:
        return formal
    return Type(formal.name, tuple(substitute(inner, bindings) for inner in formal.arguments))
