"""What the names in a function stand for while it is followed, and how branches are joined."""

from __future__ import annotations

import ast
from typing import Callable, Dict, NamedTuple, Optional, Set, Tuple, Union

from audacitorch.archive import types
from audacitorch.archive.names import Names
from audacitorch.archive.types import UNKNOWN, Type
from audacitorch.facts import Argument


class Ref(NamedTuple):
    """A value that is no object. ``kind`` is one of

    namespace (torch, ops.x), ops, CONSTANTS, operator, path (into the archive), returns (a function), form (language).
    """

    kind: str
    name: str
    receiver: Optional[Type] = None


Value = Union[Type, Ref]
Arguments = Optional[Tuple[Argument, ...]]
#: operator, arguments (None: they can't be told), the node, and whether it is called there or only named.
Record = Callable[[str, Arguments, ast.expr, bool], None]
#: An annotation inside a function.
Note = Callable[[ast.expr], None]
#: Names that may be copied at the branches of one function.
MAX_WORK = 5_000_000


class TooMuchWork(Exception):
    """A function whose branches hold more names than anybody writes."""


class Environment:
    """Names and their values; ``record`` gets every operator, ``note`` every annotation that a function holds."""

    def __init__(
        self, names: Names, version: Optional[int], record: Record, note: Note, owner: Optional[str] = None
    ) -> None:
        self.names = names
        self.note = note
        self.version = version
        self.record = record
        self.owner = owner
        self.env: Dict[str, Value] = {}
        #: Attribute nodes that are known to be members of classes of the archive.
        self.own: Set[ast.Attribute] = set()
        self.budget = MAX_WORK

    def copy(self) -> Dict[str, Value]:
        self.budget -= len(self.env)
        if self.budget < 0:
            raise TooMuchWork
        return dict(self.env)

    def join(self, other: Dict[str, Value]) -> None:
        """Make every name what it is on both ways here."""
        for name in {*self.env, *other}:
            left, right = self.env.get(name), other.get(name)
            if left is right or left == right:
                continue
            both = types.unify(left, right) if isinstance(left, Type) and isinstance(right, Type) else None
            self.env[name] = both if both is not None else UNKNOWN

    def forget_refined(self, test: ast.expr) -> None:
        """A test such as ``x is not None`` narrows types in ways that are not followed here."""
        nodes = list(ast.walk(test))
        if any(
            isinstance(node, (ast.Is, ast.IsNot))
            or (isinstance(node, ast.Name) and node.id in ("isinstance", "hasattr"))
            for node in nodes
        ):
            for node in nodes:
                if isinstance(node, ast.Name) and isinstance(self.env.get(node.id), Type):
                    kind = self.env[node.id]
                    if isinstance(kind, Type) and kind.name in ("Optional", "Any", "NoneType"):
                        self.env[node.id] = UNKNOWN


_arguments: Dict[Tuple[Type, Optional[str]], Argument] = {}


def argument(kind: Type, keyword: Optional[str]) -> Argument:
    """The fact for one argument; equal ones are one object while there are few."""
    key = (kind, keyword)
    found = _arguments.get(key)
    if found is None:
        found = Argument(str(kind), keyword)
        if len(_arguments) < 4096:
            _arguments[key] = found
    return found
