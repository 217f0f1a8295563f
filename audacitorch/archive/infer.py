"""The calls in one function of an archive, with the types of their arguments as far as they are certain.

Statements are followed in order, as Torch's own compiler does: every name stands for a value of some type, or for
something that can be called (an operator, a function or class of the archive). Where anything is in doubt the type is
unknown, and an unknown type fits everywhere.
"""

from __future__ import annotations

import ast
from typing import List

from audacitorch.archive.expressions import Expressions
from audacitorch.archive.names import annotation
from audacitorch.archive.types import TENSOR, UNKNOWN, Type


class Function(Expressions):
    """Walks one function or method; a handler a kind of statement, named ``on_`` and the statement."""

    def run(self, definition: ast.FunctionDef) -> None:
        formal = definition.args
        for index, argument in enumerate([*formal.posonlyargs, *formal.args, *formal.kwonlyargs]):
            kind = annotation(argument.annotation)
            if index == 0 and self.owner and argument.annotation is None:
                kind = Type(self.owner)
            self.env[argument.arg] = kind
        for default in [*formal.defaults, *(one for one in formal.kw_defaults if one is not None)]:
            self.type(default)
        self.block(definition.body)

    def block(self, statements: List[ast.stmt]) -> bool:
        """Follow ``statements``; True when they never reach their end."""
        for statement in statements:
            handler = getattr(self, f"on_{type(statement).__name__}", None)
            if handler is not None:
                handler(statement)
            else:
                for child in ast.iter_child_nodes(statement):
                    if isinstance(child, ast.expr):
                        self.type(child)
            if isinstance(statement, (ast.Return, ast.Raise, ast.Break, ast.Continue)):
                return True
        return False

    def on_Assign(self, statement: ast.Assign) -> None:
        value = self.value(statement.value)
        for target in statement.targets:
            self.assign(target, value)

    def on_AnnAssign(self, statement: ast.AnnAssign) -> None:
        if statement.value is not None:
            self.type(statement.value)
        self.note(statement.annotation)
        self.assign(statement.target, annotation(statement.annotation))

    def on_AugAssign(self, statement: ast.AugAssign) -> None:
        left, right = self.type(statement.target), self.type(statement.value)
        if left == right and not isinstance(statement.op, ast.Div):
            return
        if left != TENSOR:
            self.assign(statement.target, UNKNOWN)

    def on_If(self, statement: ast.If) -> None:
        self.type(statement.test)
        self.forget_refined(statement.test)
        before = self.copy()
        left_ends = self.block(statement.body)
        left, self.env = self.env, before
        right_ends = self.block(statement.orelse)
        if right_ends:
            self.env = left
        elif not left_ends:
            self.join(left)
        self.forget_refined(statement.test)

    def on_For(self, statement: ast.For) -> None:
        iterated = self.value(statement.iter)
        before = self.copy()
        self.assign(statement.target, self.element(iterated))
        self.block(statement.body)
        self.join(before)

    def on_While(self, statement: ast.While) -> None:
        self.type(statement.test)
        self.forget_refined(statement.test)
        before = self.copy()
        self.block(statement.body)
        self.join(before)

    def on_With(self, statement: ast.With) -> None:
        for item in statement.items:
            self.type(item.context_expr)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, UNKNOWN)
        self.block(statement.body)

    def on_FunctionDef(self, statement: ast.FunctionDef) -> None:
        self.env[statement.name] = UNKNOWN
        inner = Function(self.names, self.version, self.record, self.note)
        inner.env, inner.own, inner.budget = self.copy(), self.own, self.budget
        inner.run(statement)

    def on_Try(self, statement: ast.Try) -> None:
        for part in (statement.body, statement.orelse, statement.finalbody, *(one.body for one in statement.handlers)):
            self.block(part)

    def on_Assert(self, statement: ast.Assert) -> None:
        self.type(statement.test)
        self.forget_refined(statement.test)
