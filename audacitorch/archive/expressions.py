"""The expressions in a function of an archive: what each stands for, and the operators that it calls."""

from __future__ import annotations

import ast
from typing import List, Optional, Tuple

from audacitorch.archive import types
from audacitorch.archive.forbidden import REACHES_OUT_NAMES
from audacitorch.archive.names import CUSTOM_CLASSES, Names, dotted
from audacitorch.archive.pieces import Unusual
from audacitorch.archive.scope import NAMESPACES, Function, Note, Record, Scope, Value, described
from audacitorch.archive.types import BOOL, FLOAT, INT, NONE, STR, TENSOR, UNKNOWN, Type

_CONSTANTS = {"inf": FLOAT, "nan": FLOAT, "infj": types.COMPLEX, "nanj": types.COMPLEX}


class Expressions(ast.NodeVisitor):
    """Visits expressions, each of which gives its value. ``record`` gets every operator, ``note`` every annotation."""

    def __init__(
        self, names: Names, version: Optional[int], record: Record, note: Note, owner: Optional[str] = None
    ) -> None:
        self.names = names
        self.version = version
        self.record = record
        self.note = note
        self.owner = owner
        self.scope = Scope()
        self.returned: List[Type] = []

    def generic_visit(self, node: ast.AST) -> None:
        raise Unusual(described(node), getattr(node, "lineno", None))

    def value(self, node: ast.expr) -> Value:
        """What an expression stands for: a value of some type, or a function of the archive."""
        value: Value = self.visit(node)
        return value

    def type(self, node: ast.expr) -> Type:
        """The type of an expression that must be a value."""
        value = self.value(node)
        if isinstance(value, Function):
            raise Unusual("a function in place of a value", node.lineno)
        return value

    def visit_Constant(self, node: ast.Constant) -> Type:
        if node.value is None:
            return NONE
        known = {bool: BOOL, int: INT, float: FLOAT, str: STR, complex: types.COMPLEX}.get(type(node.value))
        if known is None:
            raise Unusual("a constant of an unknown kind", node.lineno)
        return known

    def visit_Name(self, node: ast.Name) -> Value:
        if node.id in self.scope.values:
            return self.scope.values[node.id]
        if node.id in _CONSTANTS:
            return _CONSTANTS[node.id]
        raise Unusual(f"{node.id[:80]}, which nothing defines, in place of a value", node.lineno)

    def visit_Attribute(self, node: ast.Attribute) -> Value:
        path = dotted(node)
        root = path.partition(".")[0] if path is not None else ""
        if root not in NAMESPACES or path is None:
            return self.attribute(self.type(node.value), node.attr, node)
        signature = self.names.find_function(path)
        if signature is not None:
            return Function(path, signature.returns)
        owner, _, name = path.rpartition(".")
        known = self.names.find_class(owner)
        if known is not None and known.base == "Enum" and name in known.attributes:
            return Type(owner)
        if root == "CONSTANTS" and owner == root and name[:1] == "c" and name[1:].isdecimal() and len(name) < 9:
            index = int(name[1:])
            return self.names.constants[index] if index < len(self.names.constants) else UNKNOWN
        raise Unusual(f"{path[:120]} in place of a value", node.lineno)

    def attribute(self, base: Type, name: str, node: ast.expr) -> Type:
        """The type of ``base.name``, where ``base`` is a value."""
        if base == UNKNOWN and name in self.names.attribute_names:
            self.named(name, node)
            return UNKNOWN
        found = self.names.find_class(base.name)
        if found is not None and found.base == "Enum" and name in ("name", "value"):
            return STR if name == "name" else UNKNOWN
        if found is not None and name in found.attributes:
            return found.attributes[name]
        if base.name.startswith(CUSTOM_CLASSES):
            return UNKNOWN
        raise Unusual(f"the attribute {ascii(name)[:80]} of a value of type {str(base)[:120]}", node.lineno)

    def method(self, base: Type, name: str, node: ast.expr) -> Type:
        """What the method ``name`` of a value of type ``base`` returns."""
        if (base == UNKNOWN and name in self.names.method_names) or base.name.startswith(CUSTOM_CLASSES):
            self.named(name, node)
            return UNKNOWN
        found = self.names.find_class(base.name)
        if found is None or name not in found.methods:
            raise Unusual(f"the method {ascii(name)[:80]} of a value of type {str(base)[:120]}", node.lineno)
        return found.methods[name].returns

    def named(self, name: str, node: ast.expr) -> None:
        """Of a value of unknown type: an operator that reaches out of the process is told by its mere name."""
        operator = REACHES_OUT_NAMES.get(name)
        if operator is not None:
            self.record(operator, None, node, False)

    def visit_Tuple(self, node: ast.Tuple) -> Type:
        return types.bounded(Type("Tuple", tuple(self.type(one) for one in node.elts)))

    def visit_List(self, node: ast.List) -> Type:
        if not node.elts:
            return types.list_of(TENSOR)
        kind: Optional[Type] = None
        for index, one in enumerate(node.elts):
            element = self.type(one)
            kind = element if index == 0 else types.unify(kind, element) if kind is not None else None
        return types.bounded(types.list_of(kind if kind is not None else UNKNOWN))

    def visit_Dict(self, node: ast.Dict) -> Type:
        if None in node.keys:
            raise Unusual("starred entries of a dictionary", node.lineno)
        pairs = [(self.type(key), self.type(value)) for key, value in zip(node.keys, node.values) if key is not None]
        if pairs and all(pair == pairs[0] for pair in pairs):
            return types.bounded(Type("Dict", pairs[0]))
        return UNKNOWN

    def visit_Subscript(self, node: ast.Subscript) -> Type:
        base = self.type(node.value)
        if isinstance(node.slice, ast.Slice):
            return self.part_of_tuple(base, node.slice)
        index = self.type(node.slice)
        position = _constant_index(node.slice)
        found = self.names.find_class(base.name)
        parts = tuple(found.attributes.values()) if found is not None and found.base == "NamedTuple" else ()
        parts = base.arguments if base.name == "Tuple" else parts
        if parts and position is not None:
            return parts[position] if -len(parts) <= position < len(parts) else UNKNOWN
        if base.name in ("List", "Dict"):
            return base.arguments[-1] if base.name == "Dict" or index == INT else UNKNOWN
        return base if base in (TENSOR, STR) else UNKNOWN

    def part_of_tuple(self, base: Type, part: ast.Slice) -> Type:
        ends = [None if one is None else _constant_index(one) for one in (part.lower, part.upper, part.step)]
        odd = ends[2] == 0 or any(one is not None and end is None for one, end in zip(_slice(part), ends))
        if base.name != "Tuple" or odd:
            raise Unusual("a slice of something else than a tuple", None if part.lower is None else part.lower.lineno)
        return Type("Tuple", base.arguments[slice(*ends)])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Type:
        """Negative numbers; everything else is printed as an operator's call."""
        number = node.operand
        literal = isinstance(number, ast.Constant) and type(number.value) in (int, float, complex)
        infinite = isinstance(number, ast.Name) and number.id in _CONSTANTS
        if not isinstance(node.op, ast.USub) or not (literal or infinite):
            raise Unusual("a sign in place of an operator's call", node.lineno)
        return self.type(number)

    def visit_BinOp(self, node: ast.BinOp) -> Type:
        """Complex numbers: ``-6.+3.j``."""
        kinds = (self.number(node.left), self.number(node.right))
        if not isinstance(node.op, (ast.Add, ast.Sub)) or kinds[1] != types.COMPLEX or None in kinds:
            raise Unusual("a sign in place of an operator's call", node.lineno)
        return types.COMPLEX

    def number(self, node: ast.expr) -> Optional[Type]:
        if isinstance(node, (ast.UnaryOp, ast.Constant, ast.Name)):
            return self.type(node)
        return None


def _slice(part: ast.Slice) -> Tuple[Optional[ast.expr], ...]:
    return part.lower, part.upper, part.step


def _constant_index(node: ast.expr) -> Optional[int]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        return -node.operand.value if isinstance(node.operand.value, int) else None
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, int) else None
