"""The calls in a function of an archive: operators, the archive's own functions, and forms of the language."""

from __future__ import annotations

import ast
from typing import Dict, List, Optional, Tuple

from audacitorch.archive import schemas, types
from audacitorch.archive.expressions import Expressions
from audacitorch.archive.forbidden import INTERNAL
from audacitorch.archive.names import Signature, annotation, dotted
from audacitorch.archive.pieces import Unusual
from audacitorch.archive.scope import NAMESPACES, Arguments, Function, Value
from audacitorch.archive.types import BOOL, FLOAT, INT, NONE, STR, TENSOR, UNKNOWN, Type
from audacitorch.facts import Argument

_CASTS = {"int": INT, "float": FLOAT, "bool": BOOL, "str": STR, "complex": types.COMPLEX}
#: Operators that have a syntax of their own, by the word that is printed for each.
_FORMS = {
    "rpc_async": "prim::rpc_async", "rpc_sync": "prim::rpc_sync", "rpc_remote": "prim::rpc_remote",
    "awaitable": "prim::awaitable",
}  # fmt: skip
#: What the exporter prints below ``torch.`` with two dots.
_DOTTED_OPERATORS = {"torch.autograd.grad": "aten::grad", "torch.autograd.backward": "aten::backward"}


class Calls(Expressions):
    """Visits expressions and calls. ``record`` gets every operator."""

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
            if operator in INTERNAL:
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
