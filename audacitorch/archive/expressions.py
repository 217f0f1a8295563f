"""The expressions in a function of an archive: what each stands for, and the operators that it calls."""

from __future__ import annotations

import ast
from typing import Dict, List, Optional, Tuple

from audacitorch.archive import schemas, types
from audacitorch.archive.names import CUSTOM_CLASSES, Names, Signature, annotation, dotted
from audacitorch.archive.scope import NAMESPACES, Arguments, Function, Note, Record, Scope, Value, described
from audacitorch.archive.source import Unusual
from audacitorch.archive.types import BOOL, FLOAT, INT, NONE, STR, TENSOR, UNKNOWN, Type
from audacitorch.facts import Argument

_CASTS = {"int": INT, "float": FLOAT, "bool": BOOL, "str": STR, "complex": types.COMPLEX}
_CONSTANTS = {"inf": FLOAT, "nan": FLOAT, "infj": types.COMPLEX, "nanj": types.COMPLEX}
#: Operators that have a syntax of their own, by the word that is printed for each.
_FORMS = {
    "rpc_async": "prim::rpc_async", "rpc_sync": "prim::rpc_sync", "rpc_remote": "prim::rpc_remote",
    "awaitable": "prim::awaitable",
}  # fmt: skip
#: What the exporter prints below ``torch.`` with two dots.
_DOTTED_OPERATORS = {"torch.autograd.grad": "aten::grad", "torch.autograd.backward": "aten::backward"}


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
        operator = schemas.REACHES_OUT_NAMES.get(name)
        if operator is not None:
            self.record(operator, None, node, False)

    def visit_Call(self, node: ast.Call) -> Value:
        path = dotted(node.func)
        root = path.partition(".")[0] if path is not None else ""
        if path is not None and "." not in path and path not in self.scope.values:
            return self.form(path, node)
        if path is not None and root in NAMESPACES:
            return self.named_call(path, root, node)
        if isinstance(node.func, ast.Attribute):
            base = self.type(node.func.value)
            self.arguments(node)
            if node.func.attr == "tolist" and base in (TENSOR, UNKNOWN) and not node.args and not node.keywords:
                return self.call("prim::tolist", (argument(base, None),), node)
            return self.method(base, node.func.attr, node)
        callee = self.value(node.func)
        if not isinstance(callee, Function):
            raise Unusual("a call of a value", node.lineno)
        self.arguments(node)
        signature = self.names.find_function(callee.name)
        if signature is not None:
            self.calls_function(callee.name, signature, node)
        return callee.returns

    def calls_function(self, name: str, signature: Signature, node: ast.Call) -> None:
        """A function of the archive is called; for those who want to know with what."""

    def called_function(self, node: ast.Call) -> Optional[str]:
        """The qualified name of the archive's function or method that is called, None for everything else."""
        path = dotted(node.func)
        if path is not None and self.names.find_function(path) is not None:
            return path
        if isinstance(node.func, ast.Name):
            value = self.scope.values.get(node.func.id)
            return value.name or None if isinstance(value, Function) else None
        if not isinstance(node.func, ast.Attribute) or (path or "").partition(".")[0] in NAMESPACES:
            return None
        owner = self.type(node.func.value).name
        found = self.names.find_class(owner)
        return f"{owner}.{node.func.attr}" if found is not None and node.func.attr in found.methods else None

    def named_call(self, path: str, root: str, node: ast.Call) -> Type:
        """``torch.f(…)``, ``ops.n.f(…)``, a function of the archive, or a new object of one of its classes."""
        parts = path.split(".")
        if root == "__torch__" and parts[-1] == "__new__":
            owner = ".".join(parts[:-1])
            if [dotted(one) for one in node.args] != [owner] or node.keywords:
                raise Unusual("an object made in an unknown way", node.lineno)
            self.note(node.args[0])
            return Type(owner)
        given = self.arguments(node)
        if path in _DOTTED_OPERATORS:
            return self.call(_DOTTED_OPERATORS[path], given, node)
        if len(parts) == (2 if root == "torch" else 3) and root in ("torch", "ops"):
            operator = f"{'aten' if root == 'torch' else parts[1]}::{parts[-1]}"
            if operator in schemas.INTERNAL:
                raise Unusual(f"a call of {operator}, which only Torch's compiler makes", node.lineno)
            return self.call(operator, given, node)
        signature = self.names.find_function(path)
        if signature is not None:
            self.calls_function(path, signature, node)
            return signature.returns
        if root != "__torch__" or self.names.find_class(path) is None:
            raise Unusual(f"a call of {path[:120]}, which the archive does not define", node.lineno)
        return Type(path)

    def call(self, operator: str, given: Arguments, node: ast.expr) -> Type:
        self.record(operator, given, node, True)
        if given is None:
            return UNKNOWN
        return types.bounded(schemas.match(schemas.effective(operator, self.version), given).returns)

    def arguments(self, node: ast.Call) -> Arguments:
        given: List[Argument] = [argument(self.type(one), None) for one in node.args]
        for keyword in node.keywords:
            if keyword.arg is None:
                raise Unusual("starred arguments", node.lineno)
            given.append(argument(self.type(keyword.value), keyword.arg))
        return tuple(given)

    def form(self, name: str, node: ast.Call) -> Type:
        """A call of something that is part of the language."""
        special = getattr(self, f"form_{name}", None)
        if special is not None:
            returns: Type = special(node)
            return returns
        if name in _FORMS:
            self.record(_FORMS[name], None, node, True)
            for one in (*node.args, *(keyword.value for keyword in node.keywords)):
                self.value(one)
            return UNKNOWN
        if name not in _CASTS and name not in ("print", "sorted", "ord", "len"):
            raise Unusual(f"a call of {name[:80]}", node.lineno)
        given = self.arguments(node)
        if name == "sorted":
            return self.call("aten::sorted", given, node)
        return _CASTS.get(name, NONE if name == "print" else INT)

    def form_annotate(self, node: ast.Call) -> Type:
        if len(node.args) != 2 or node.keywords:
            raise Unusual("a type given to a value in an unknown way", node.lineno)
        self.type(node.args[1])
        self.note(node.args[0])
        return annotation(node.args[0])

    form_unchecked_cast = form_annotate

    def form_uninitialized(self, node: ast.Call) -> Type:
        if len(node.args) != 1 or node.keywords:
            raise Unusual("a value without content made in an unknown way", node.lineno)
        self.note(node.args[0])
        return annotation(node.args[0])

    def form_isinstance(self, node: ast.Call) -> Type:
        if len(node.args) != 2 or node.keywords:
            raise Unusual("a type asked for in an unknown way", node.lineno)
        self.type(node.args[0])
        self.note(node.args[1])
        return BOOL

    def form_getattr(self, node: ast.Call) -> Type:
        """Printed for attributes whose names are not identifiers, and for no other."""
        selector = node.args[1] if len(node.args) == 2 and not node.keywords else None
        if not isinstance(selector, ast.Constant) or not isinstance(selector.value, str):
            raise Unusual("an attribute taken in an unknown way", node.lineno)
        if selector.value.isidentifier() and selector.value.isascii():
            raise Unusual("an attribute taken by getattr, although its name is an identifier", node.lineno)
        return self.attribute(self.type(node.args[0]), selector.value, node)

    def form_fork(self, node: ast.Call) -> Type:
        callee = self.value(node.args[0]) if node.args else UNKNOWN
        if not isinstance(callee, Function):
            raise Unusual("a fork of something else than a function", node.lineno)
        self.arguments(ast.copy_location(ast.Call(node.func, node.args[1:], node.keywords), node))
        return Type("Future", (callee.returns,))

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
