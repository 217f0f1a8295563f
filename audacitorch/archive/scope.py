"""What the names in a function of an archive stand for, and how branches and loops are joined."""

from __future__ import annotations

import ast
from typing import Callable, Dict, NamedTuple, Optional, Tuple, Union

from audacitorch.archive import types
from audacitorch.archive.pieces import Unusual
from audacitorch.archive.types import UNKNOWN, Type
from audacitorch.facts import Argument

NAMESPACES = frozenset(("torch", "ops", "__torch__", "CONSTANTS"))
#: Names that may be copied at the branches of one function.
MAX_WORK = 5_000_000


class Function(NamedTuple):
    """A function of the archive as a value: its qualified name (none inside of another function), what it returns."""

    name: str
    returns: Type


Value = Union[Type, Function]
Arguments = Optional[Tuple[Argument, ...]]
#: operator, arguments (None: they can't be told), the node, and whether it is called there or only named.
Record = Callable[[str, Arguments, ast.expr, bool], None]
#: An annotation inside a function.
Note = Callable[[ast.expr], None]


class Scope:
    """What the names in a function stand for, and how branches are joined."""

    def __init__(self, values: Optional[Dict[str, Value]] = None, budget: int = MAX_WORK) -> None:
        self.values: Dict[str, Value] = dict(values or {})
        self.budget = budget

    def snapshot(self) -> Dict[str, Value]:
        self.budget -= len(self.values)
        if self.budget < 0:
            raise Unusual("its branches hold too many names")
        return dict(self.values)

    def bind(self, target: ast.expr, value: Value) -> None:
        """Give a name, or every name of a tuple, a value."""
        if isinstance(target, ast.Name):
            if target.id in NAMESPACES:
                raise Unusual(f"a variable called {target.id}", target.lineno)
            self.values[target.id] = value
        elif isinstance(target, ast.Tuple):
            parts = value.arguments if isinstance(value, Type) and value.name == "Tuple" else ()
            element = value.arguments[0] if isinstance(value, Type) and value.name == "List" else UNKNOWN
            fits = len(parts) == len(target.elts)
            for index, one in enumerate(target.elts):
                self.bind(one, parts[index] if fits else element)
        else:
            raise Unusual(f"an assignment to {described(target)}", target.lineno)

    def join(self, other: Dict[str, Value]) -> None:
        """Make every name what it is on both ways here."""
        for name in {*self.values, *other}:
            left, right = self.values.get(name), other.get(name)
            if left is right or left == right:
                continue
            both = types.unify(left, right) if isinstance(left, Type) and isinstance(right, Type) else None
            self.values[name] = both if both is not None else UNKNOWN

    def forget_refined(self, test: ast.expr) -> None:
        """``isinstance`` narrows types in ways that are not followed here."""
        nodes = list(ast.walk(test))
        if any(isinstance(node, ast.Name) and node.id == "isinstance" for node in nodes):
            for node in nodes:
                kind = self.values.get(node.id) if isinstance(node, ast.Name) else None
                if isinstance(node, ast.Name) and isinstance(kind, Type) and kind.name in ("Optional", "Any"):
                    self.values[node.id] = UNKNOWN


def described(node: ast.AST) -> str:
    """A kind of syntax, by its name in Python's grammar."""
    return f"Python's {type(node).__name__}"
