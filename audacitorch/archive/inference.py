"""The operator calls in one function of an archive, with the types of their arguments.

Only the statements and expressions that PyTorch's exporter prints are followed, in order, as Torch's own compiler does;
anything else is refused. Every name stands for a value of some type or for a function of the archive. ``torch``,
``ops``, ``__torch__`` and ``CONSTANTS`` are never values: they begin the name of what is called there, of a type, or
of a constant. Where a type is in doubt it is unknown, and an unknown type fits everywhere.
"""

from __future__ import annotations

import ast
from typing import List

from audacitorch.archive.calls import Calls
from audacitorch.archive.names import annotation, dotted
from audacitorch.archive.pieces import Unusual
from audacitorch.archive.scope import Function, Scope
from audacitorch.archive.types import INT, NONE, UNKNOWN, Type


class Inference(Calls):
    """Visits one function or method. ``record`` gets every operator, ``note`` every annotation.

    Visiting a statement gives True where nothing behind it is reached, visiting an expression gives its value.
    """

    def run(self, definition: ast.FunctionDef) -> None:
        """Follow a function from its first statement to its last.

        Raises:
            Unusual: it holds what PyTorch's exporter does not print.
        """
        given = definition.args
        for index, one in enumerate([*given.args, *given.kwonlyargs]):
            kind = annotation(one.annotation)
            if index == 0 and self.owner:
                if one.annotation is not None and dotted(one.annotation) != self.owner:
                    raise Unusual("a method of one class whose first parameter is of another", definition.lineno)
                kind = Type(self.owner)
            elif one.annotation is not None:
                self.note(one.annotation)
            self.scope.bind(ast.copy_location(ast.Name(one.arg, ast.Store()), one), kind)
        for default in [*given.defaults, *(one for one in given.kw_defaults if one is not None)]:
            self.type(default)
        if definition.returns is not None:
            self.note(definition.returns)
        try:
            self.block(definition.body)
        except RecursionError as error:
            raise Unusual("it is nested too deeply", definition.lineno) from error

    def block(self, statements: List[ast.stmt]) -> bool:
        """Follow ``statements``; True when they never reach their end."""
        ended = False
        for statement in statements:
            ended = bool(self.visit(statement)) or ended
        return ended

    def visit_Pass(self, statement: ast.Pass) -> None:
        """Nothing to do."""

    def visit_Assign(self, statement: ast.Assign) -> None:
        if len(statement.targets) != 1:
            raise Unusual("an assignment to several targets", statement.lineno)
        target = statement.targets[0]
        value = self.value(statement.value)
        if isinstance(target, ast.Attribute) and isinstance(value, Type):
            self.visit(target)
        elif isinstance(target, ast.Subscript) and isinstance(value, Type):
            self.type(target.value)
            self.type(target.slice)
        else:
            self.scope.bind(target, value)

    def visit_AnnAssign(self, statement: ast.AnnAssign) -> None:
        if statement.value is None:
            raise Unusual("an annotation without a value", statement.lineno)
        self.type(statement.value)
        self.note(statement.annotation)
        self.scope.bind(statement.target, annotation(statement.annotation))

    def visit_Expr(self, statement: ast.Expr) -> None:
        if not isinstance(statement.value, ast.Call):
            raise Unusual("a statement that does nothing", statement.lineno)
        self.type(statement.value)

    def visit_Return(self, statement: ast.Return) -> bool:
        self.returned.append(NONE if statement.value is None else self.type(statement.value))
        return True

    def visit_If(self, statement: ast.If) -> bool:
        self.type(statement.test)
        self.scope.forget_refined(statement.test)
        before = self.scope.snapshot()
        left_ends = self.block(statement.body)
        left, self.scope.values = self.scope.values, before
        right_ends = self.block(statement.orelse)
        if right_ends and not left_ends:
            self.scope.values = left
        elif left_ends == right_ends:
            self.scope.join(left)
        self.scope.forget_refined(statement.test)
        return left_ends and right_ends

    def visit_For(self, statement: ast.For) -> None:
        loop = statement.iter
        counted = isinstance(loop, ast.Call) and isinstance(loop.func, ast.Name) and loop.func.id == "range"
        if statement.orelse or not counted or "range" in self.scope.values or not isinstance(loop, ast.Call):
            raise Unusual("a loop over something else than range(…)", statement.lineno)
        self.arguments(loop)
        before = self.scope.snapshot()
        self.scope.bind(statement.target, INT)
        self.block(statement.body)
        self.scope.join(before)

    def visit_While(self, statement: ast.While) -> None:
        if statement.orelse:
            raise Unusual("a loop with an else", statement.lineno)
        self.type(statement.test)
        before = self.scope.snapshot()
        self.block(statement.body)
        self.scope.join(before)

    def visit_With(self, statement: ast.With) -> bool:
        for item in statement.items:
            kind = self.type(item.context_expr)
            if item.optional_vars is not None:
                self.scope.bind(item.optional_vars, self.method(kind, "__enter__", item.context_expr))
        return self.block(statement.body)

    def visit_FunctionDef(self, statement: ast.FunctionDef) -> None:
        """What a fork runs: it sees the names around it."""
        inner = Inference(self.names, self.version, self.record, self.note)
        inner.scope = Scope(self.scope.snapshot(), self.scope.budget)
        inner.run(statement)
        self.scope.budget = inner.scope.budget
        returns = inner.returned[0] if len(set(inner.returned)) == 1 else UNKNOWN
        self.scope.bind(ast.copy_location(ast.Name(statement.name, ast.Store()), statement), Function("", returns))
