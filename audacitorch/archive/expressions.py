"""The types of expressions, and the operators that they call."""

from __future__ import annotations

import ast
from typing import List, Optional, Tuple

from audacitorch.archive import schemas, types
from audacitorch.archive.attributes import Attributes
from audacitorch.archive.environment import Arguments, Ref, Value, argument
from audacitorch.archive.names import annotation
from audacitorch.archive.types import BOOL, FLOAT, INT, NONE, STR, TENSOR, UNKNOWN, Type
from audacitorch.facts import Argument

_CASTS = {"int": INT, "float": FLOAT, "bool": BOOL, "str": STR, "complex": types.COMPLEX, "len": INT, "hash": INT}
_FORMS = ("annotate", "uninitialized", "unchecked_cast", "fork", "getattr", "hasattr", "isinstance", "range", "print")
_BUILTINS = ("min", "max", "abs", "round", "all", "any", "sum", "pow", "sorted", "zip", "enumerate", "list", "tuple")
_BINARY = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.FloorDiv: "floordiv", ast.Mod: "remainder",
    ast.Pow: "pow", ast.MatMult: "matmul", ast.BitAnd: "__and__", ast.BitOr: "__or__", ast.BitXor: "__xor__",
    ast.LShift: "__lshift__", ast.RShift: "__rshift__",
}  # fmt: skip
_COMPARE = {ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"}
_SCALARS = (TENSOR, INT, FLOAT, BOOL, STR, types.COMPLEX, types.NUMBER)


class Expressions(Attributes):
    """Evaluates expressions to types; a handler a kind of node, named ``of_`` and the node."""

    def assign(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Name):
            self.env[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            starred = any(isinstance(one, ast.Starred) for one in target.elts)
            for index, one in enumerate(target.elts):
                inner: Value = UNKNOWN
                if isinstance(value, Type) and value.name == "Tuple" and len(value.arguments) == len(target.elts):
                    inner = UNKNOWN if starred else value.arguments[index]
                elif isinstance(value, Type) and value.name == "List":
                    inner = UNKNOWN if starred else value.arguments[0]
                self.assign(one.value if isinstance(one, ast.Starred) else one, inner)
        elif isinstance(target, (ast.Attribute, ast.Subscript)):
            self.type(target.value)
            if isinstance(target, ast.Subscript):
                self.type(target.slice)

    def type(self, node: ast.expr) -> Type:
        """The type of an expression; what is no object has none that is known."""
        value = self.value(node)
        if isinstance(value, Ref):
            if value.kind == "operator":
                self.record(value.name, None, node, False)
            return UNKNOWN
        return value

    def value(self, node: ast.expr) -> Value:
        handler = getattr(self, f"of_{type(node).__name__}", None)
        if handler is not None:
            value: Value = handler(node)
            return value
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.type(child)
            elif isinstance(child, ast.comprehension):
                self.type(child.iter)
        return UNKNOWN

    def of_Constant(self, node: ast.Constant) -> Value:
        if node.value is None:
            return NONE
        return {bool: BOOL, int: INT, float: FLOAT, str: STR, complex: types.COMPLEX}.get(type(node.value), UNKNOWN)

    def of_Name(self, node: ast.Name) -> Value:
        if node.id in self.env:
            return self.env[node.id]
        if node.id == "torch":
            return Ref("namespace", "aten")
        if node.id in ("ops", "CONSTANTS"):
            return Ref(node.id, "")
        if node.id == "__torch__":
            return Ref("path", "__torch__")
        if node.id in ("inf", "nan"):
            return FLOAT
        if node.id in _CASTS or node.id in _FORMS or node.id in _BUILTINS:
            return Ref("form", node.id)
        return UNKNOWN

    def of_Attribute(self, node: ast.Attribute) -> Value:
        base = self.value(node.value)
        return self.attribute(base, node.attr, node)

    def of_Call(self, node: ast.Call) -> Value:
        callee = self.value(node.func)
        if isinstance(callee, Ref) and callee.kind == "form":
            return self.form(callee.name, node)
        given = self.arguments(node)
        if not isinstance(callee, Ref):
            return UNKNOWN
        if callee.kind == "operator":
            return self.call(callee, given, node)
        if callee.kind == "returns":
            return callee.receiver if callee.receiver is not None else UNKNOWN
        if callee.kind == "path" and self.names.find_class(callee.name) is not None:
            return Type(callee.name)
        return UNKNOWN

    def call(self, callee: Ref, given: Arguments, node: ast.expr) -> Type:
        if callee.receiver is not None and given is not None:
            given = (argument(callee.receiver, "self"), *given)
        self.record(callee.name, given, node, True)
        if given is None:
            return UNKNOWN
        return types.bounded(schemas.match(schemas.effective(callee.name, self.version), given).returns)

    def arguments(self, node: ast.Call) -> Arguments:
        given: List[Argument] = []
        certain = True
        for one in node.args:
            if isinstance(one, ast.Starred):
                certain = False
                self.type(one.value)
            else:
                given.append(argument(self.type(one), None))
        for keyword in node.keywords:
            certain = certain and keyword.arg is not None
            given.append(argument(self.type(keyword.value), keyword.arg))
        return tuple(given) if certain else None

    def form(self, name: str, node: ast.Call) -> Value:
        """A call of something that is part of the language: the result's type, and what its arguments hold."""
        first = node.args[0] if node.args else None
        if name in ("annotate", "unchecked_cast", "uninitialized") and first is not None:
            for one in node.args[1:]:
                self.type(one)
            self.note(first)
            return annotation(first)
        if name == "getattr" and len(node.args) > 1 and first is not None:
            selector = node.args[1]
            if isinstance(selector, ast.Constant) and isinstance(selector.value, str):
                return self.attribute(self.value(first), selector.value, node)
        if name == "fork" and first is not None:
            callee = self.value(first)
            given = self.arguments(ast.Call(func=first, args=node.args[1:], keywords=node.keywords))
            if isinstance(callee, Ref) and callee.kind == "operator":
                return Type("Future", (self.call(callee, given, node),))
            known = isinstance(callee, Ref) and callee.kind == "returns" and callee.receiver is not None
            return Type("Future", (callee.receiver,)) if known else UNKNOWN  # type: ignore[union-attr, arg-type]
        given = self.arguments(node)
        if name in ("hasattr", "isinstance"):
            return BOOL
        if name == "range":
            return types.list_of(INT)
        if name in ("min", "max", "abs") and given:
            return schemas.match(f"prim::{name}", given).returns
        return _CASTS.get(name, UNKNOWN)

    def of_Tuple(self, node: ast.Tuple) -> Value:
        inner = tuple(self.type(one) for one in node.elts)
        return (
            UNKNOWN if any(isinstance(one, ast.Starred) for one in node.elts) else types.bounded(Type("Tuple", inner))
        )

    def of_List(self, node: ast.List) -> Value:
        if not node.elts:
            return types.list_of(TENSOR)
        kind: Optional[Type] = None
        for index, one in enumerate(node.elts):
            element = self.type(one)
            kind = element if index == 0 else types.unify(kind, element) if kind is not None else None
        return types.bounded(types.list_of(kind if kind is not None else UNKNOWN))

    def of_Dict(self, node: ast.Dict) -> Value:
        pairs = [(self.type(key), self.type(value)) for key, value in zip(node.keys, node.values) if key is not None]
        if pairs and all(pair == pairs[0] for pair in pairs):
            return types.bounded(Type("Dict", pairs[0]))
        return UNKNOWN

    def of_Subscript(self, node: ast.Subscript) -> Value:
        base = self.type(node.value)
        index = self.type(node.slice)
        if isinstance(node.slice, ast.Slice):
            return base if base in (TENSOR, STR) or base.name == "List" else UNKNOWN
        if base.name == "Tuple":
            position = _constant_index(node.slice)
            inside = position is not None and -len(base.arguments) <= position < len(base.arguments)
            return base.arguments[position] if inside and position is not None else UNKNOWN
        if base.name in ("List", "Dict"):
            return base.arguments[-1] if base.name == "Dict" or index == INT else UNKNOWN
        return base if base in (TENSOR, STR) else UNKNOWN

    def of_BinOp(self, node: ast.BinOp) -> Value:
        left, right = self.type(node.left), self.type(node.right)
        return self.operation(_BINARY[type(node.op)], (left, right), node)

    def of_UnaryOp(self, node: ast.UnaryOp) -> Value:
        operand = self.type(node.operand)
        if isinstance(node.op, ast.Not):
            return BOOL
        if operand in (INT, FLOAT):
            return operand
        return self.operation("neg" if isinstance(node.op, ast.USub) else "bitwise_not", (operand,), node)

    def of_Compare(self, node: ast.Compare) -> Value:
        kinds = [self.type(node.left), *(self.type(one) for one in node.comparators)]
        name = _COMPARE.get(type(node.ops[0]))
        if name is None or len(node.ops) > 1:
            return BOOL if len(node.ops) == 1 else UNKNOWN
        return self.operation(name, (kinds[0], kinds[1]), node)

    def of_BoolOp(self, node: ast.BoolOp) -> Value:
        for one in node.values:
            self.type(one)
            self.forget_refined(one)
        return BOOL

    def of_IfExp(self, node: ast.IfExp) -> Value:
        self.type(node.test)
        self.forget_refined(node.test)
        both = types.unify(self.type(node.body), self.type(node.orelse))
        return both if both is not None else UNKNOWN

    def of_ListComp(self, node: ast.ListComp) -> Value:
        before = self.copy()
        for generator in node.generators:
            self.assign(generator.target, self.element(self.value(generator.iter)))
            for test in generator.ifs:
                self.type(test)
        element = self.type(node.elt)
        self.env = before
        return types.bounded(types.list_of(element))

    def operation(self, name: str, operands: Tuple[Type, ...], node: ast.expr) -> Type:
        """An operator that is written as a sign; for classes, tuples and lists it may mean something else."""
        if any(operand not in _SCALARS for operand in operands):
            return UNKNOWN
        given = tuple(argument(operand, None) for operand in operands)
        name = "percentFormat" if name == "remainder" and operands[0] == STR else name
        self.record(f"aten::{name}", given, node, True)
        return schemas.match(f"aten::{name}", given).returns

    @staticmethod
    def element(iterated: Value) -> Type:
        if isinstance(iterated, Type) and iterated.name == "List":
            return iterated.arguments[0]
        return iterated if isinstance(iterated, Type) and iterated in (TENSOR, STR) else UNKNOWN


def _constant_index(node: ast.expr) -> Optional[int]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        return -node.operand.value if isinstance(node.operand.value, int) else None
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, int) else None
