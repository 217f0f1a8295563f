"""Branches of a function that its types rule out: a test for a type has an answer where the type is known."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Protocol, Tuple

from audacitorch.archive.equivalents import MODULE, Typed
from audacitorch.archive.names import NUMBERS, Names, annotation, dotted, is_hard
from audacitorch.archive.pieces import Unusual
from audacitorch.archive.scope import Value
from audacitorch.archive.types import BOOL, INT, NONE, UNKNOWN, Type, has_unknown, unwrapped
from audacitorch.backport.edits import Member

#: The function of the archive that makes a number of a type that is not said.
AS_NUMBER = "as_number"


Key = Tuple[Optional[Type], ...]


@dataclass
class Target:
    """A function with unions among its parameters, its copies, and whether every call has one."""

    member: Member
    definition: ast.FunctionDef
    owner: Optional[str]
    copies: Dict[Key, str] = field(default_factory=dict)
    called: bool = False
    unresolved: bool = False

    @property
    def parameters(self) -> List[ast.arg]:
        return self.definition.args.args[1 if self.owner else 0 :]


#: Copies that a round has to make, by their target.
Wanted = Dict[int, List[Tuple[Target, Key, str]]]


class Copies(Protocol):
    """What a folder knows of the functions around its own, and asks for copies of."""

    names: Names
    version: Optional[int]

    @property
    def targets(self) -> Mapping[str, Target]: ...

    def request(self, target: Target, key: Key, wanted: Wanted) -> str: ...


class Folder(Typed):
    """Follows one function and leaves out the branches that its types rule out."""

    def __init__(self, around: Copies, owner: Optional[str], wanted: Optional[Wanted]) -> None:
        super().__init__(around.names, around.version, lambda *_: None, lambda _: None, owner)
        self.around = around
        self.wanted = wanted
        self.known: Dict[str, bool] = {}
        self.changed = False
        self.stores: Counter[str] = Counter()

    def fold(self, definition: ast.FunctionDef) -> ast.FunctionDef:
        """A changed copy of ``definition``; what can't be followed stays."""
        folded = copy.deepcopy(definition)
        try:
            formal = folded.args
            for index, one in enumerate(formal.args):
                kind = annotation(one.annotation)
                self.scope.values[one.arg] = (
                    Type(self.owner) if index == 0 and self.owner and not one.annotation else kind
                )
            names = (node for node in ast.walk(folded) if isinstance(node, ast.Name))
            self.stores.update(node.id for node in names if isinstance(node.ctx, ast.Store))
            self.cast_numbers(folded)
            folded.body = self.folded(folded.body) or [ast.Pass()]
        except Unusual:
            self.changed = False
            return definition
        kinds = set(self.returned)
        if is_hard(folded.returns) and len(kinds) == 1 and not has_unknown(self.returned[0]):
            folded.returns = annotated(self.returned[0])
            self.changed = True
        return folded

    @staticmethod
    def without_impossible_defaults(definition: ast.FunctionDef) -> None:
        """A default of another type than the copy's is never used: every call of the copy gives the argument."""
        formal = definition.args
        first = len(formal.args) - len(formal.defaults)
        last = first
        for index in range(first, len(formal.args)):
            default = formal.defaults[index - first]
            kind = annotation(formal.args[index].annotation)
            if isinstance(default, ast.Constant) and not has_unknown(kind):
                given = Type("NoneType" if default.value is None else type(default.value).__name__)
                if given not in (kind, unwrapped(kind)) and not (given == NONE and kind.name == "Optional"):
                    last = index + 1
        formal.defaults = formal.defaults[last - first :]

    def cast_numbers(self, definition: ast.FunctionDef) -> None:
        """A name that is an int here and a float there gets a value of type ``number`` at every assignment."""
        joined = {
            node.target.id
            for node in ast.walk(definition)
            if isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and dotted(node.annotation) == "number"
            and self.stores[node.target.id] > 1
        }
        for node in ast.walk(definition) if joined else ():
            if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
                continue
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            done = isinstance(node.value, ast.Call) and dotted(node.value.func) == f"__torch__.{MODULE}.{AS_NUMBER}"
            if isinstance(target, ast.Name) and target.id in joined and not done:
                cast = ast.Call(func=_dotted_node(f"__torch__.{MODULE}.{AS_NUMBER}"), args=[node.value], keywords=[])
                node.value = ast.fix_missing_locations(ast.copy_location(cast, node.value))
                self.changed = True

    def folded(self, statements: List[ast.stmt]) -> List[ast.stmt]:
        found: List[ast.stmt] = []
        for statement in statements:
            if isinstance(statement, ast.If):
                answer = self.answer(statement.test)
                if answer is not None:
                    self.changed = True
                    found.extend(self.folded(statement.body if answer else statement.orelse))
                    continue
                self.both(statement)
            elif isinstance(statement, (ast.For, ast.While)):
                self.loop(statement)
            elif isinstance(statement, ast.AnnAssign) and is_hard(statement.annotation):
                statement = self.assigned(statement)
            elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                self.assignment(statement, statement.targets[0].id)
            else:
                if isinstance(statement, ast.Return) and statement.value is not None:
                    self.returned.append(self.type(statement.value))
                self.block([statement])
            found.append(statement)
        return found

    def both(self, statement: ast.If) -> None:
        self.type(statement.test)
        self.scope.forget_refined(statement.test)
        before, known = self.scope.snapshot(), dict(self.known)
        statement.body = self.folded(statement.body) or [ast.Pass()]
        left, self.scope.values = self.scope.values, before
        self.known = dict(known)
        statement.orelse = self.folded(statement.orelse)
        self.scope.join(left)
        self.known = known

    def loop(self, statement: ast.stmt) -> None:
        assert isinstance(statement, (ast.For, ast.While))
        before = self.scope.snapshot()
        if isinstance(statement, ast.For):
            self.scope.bind(statement.target, INT)
        else:
            self.type(statement.test)
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.known.pop(node.id, None)
        statement.body = self.folded(statement.body)
        self.scope.join(before)

    def assigned(self, statement: ast.AnnAssign) -> ast.stmt:
        """``a : Union[…] = x`` where the type of ``x`` is known; where branches join two types, nothing is."""
        kind = self.type(statement.value) if statement.value is not None else UNKNOWN
        self.scope.bind(statement.target, kind)
        several = isinstance(statement.target, ast.Name) and self.stores[statement.target.id] > 1
        if has_unknown(kind) or statement.value is None or several:
            return statement
        self.changed = True
        return ast.Assign(targets=[statement.target], value=statement.value, lineno=statement.lineno)

    def assignment(self, statement: ast.Assign, name: str) -> None:
        value = statement.value
        self.known.pop(name, None)
        answer = self.answer(value)
        if answer is not None:
            self.known[name] = answer
            self.scope.values[name] = BOOL
            statement.value = ast.Constant(answer)
            self.changed = True
            return
        cast = value.args if isinstance(value, ast.Call) and dotted(value.func) == "unchecked_cast" else []
        given = self.scope.values.get(cast[1].id) if len(cast) == 2 and isinstance(cast[1], ast.Name) else None
        if isinstance(given, Type) and not has_unknown(given):
            self.scope.values[name] = unwrapped(given)
            if given.name == "Optional" and is_hard(cast[0]):
                cast[0] = annotated(unwrapped(given))
                self.changed = True
            elif given.name != "Optional" and given.name not in ("number", "Any"):
                statement.value = cast[1]
                self.changed = True
            else:
                self.scope.values[name] = annotation(cast[0])
            return
        path = dotted(value)
        if path is not None and path.startswith("__torch__.") and path in self.around.targets:
            self.scope.values[name] = self.value(value)
            statement.value = ast.Constant(0)  # another name for a function that copies take the place of
            self.changed = True
            return
        self.visit_Assign(statement)

    def answer(self, test: ast.expr) -> Optional[bool]:
        """What a test for a type or for None gives, where that is certain."""
        if isinstance(test, ast.Name):
            return self.known.get(test.id)
        if not isinstance(test, ast.Call):
            return None
        path = dotted(test.func)
        if path == "torch.__not__" and len(test.args) == 1:
            inner = self.answer(test.args[0])
            return None if inner is None else not inner
        subject = self.scope.values.get(test.args[0].id) if test.args and isinstance(test.args[0], ast.Name) else None
        if len(test.args) != 2 or not isinstance(subject, Type) or has_unknown(subject):
            return None
        if path in ("torch.__is__", "torch.__isnot__"):
            other = test.args[1]
            if not (isinstance(other, ast.Constant) and other.value is None):
                return None
            if subject.name in ("Optional", "Any"):
                return None
            return (subject == NONE) == (path == "torch.__is__")
        return _is_instance(subject, test.args[1]) if path == "isinstance" else None

    def visit_Call(self, node: ast.Call) -> Value:
        callee = self.called_function(node)
        value = super().visit_Call(node)
        if callee is not None and self.wanted is not None:
            target = self.around.targets.get(callee)
            if target is not None:
                target.called = True
                key = self.key(target, node)
                if key is None:
                    target.unresolved = True
                else:
                    name = self.around.request(target, key, self.wanted)
                    path = f"{callee.rpartition('.')[0]}.{name}"
                    is_method = target.owner is not None and isinstance(node.func, ast.Attribute)
                    node.func = ast.Attribute(node.func.value, name) if is_method else _dotted_node(path)  # type: ignore[attr-defined]
                    self.changed = True
        return value

    def key(self, target: Target, node: ast.Call) -> Optional[Key]:
        """The types of the arguments whose parameters have unions; None where one is not known."""
        given: Dict[str, Type] = {}
        for one, value in zip(target.parameters, node.args):
            given[one.arg] = self.type(value)
        for keyword in node.keywords:
            given[str(keyword.arg)] = self.type(keyword.value)
        defaults = target.definition.args.defaults
        for one, default in zip(target.parameters[len(target.parameters) - len(defaults) :], defaults):
            if one.arg not in given:
                given[one.arg] = self.type(default)
                if is_hard(one.annotation):  # the copy may be for another type than the default's
                    node.keywords.append(ast.keyword(one.arg, default))
        kinds: List[Optional[Type]] = []
        for one in target.parameters:
            kind = given.get(one.arg, UNKNOWN) if is_hard(one.annotation) else None
            if kind is not None and has_unknown(kind):
                return None
            kinds.append(kind)
        return tuple(kinds)


def _is_instance(kind: Type, asked: ast.expr) -> Optional[bool]:
    answers: List[Optional[bool]] = []
    for one in asked.elts if isinstance(asked, (ast.Tuple, ast.List)) else [asked]:
        wanted = annotation(one)
        if wanted == UNKNOWN or kind.name in ("Optional", "Any") or (kind.name == "number" and wanted.name in NUMBERS):
            answers.append(None)
        else:
            answers.append(kind == wanted)
    return True if True in answers else None if None in answers else False


def annotated(kind: Type) -> ast.expr:
    return ast.parse(str(kind), mode="eval").body


def _dotted_node(path: str) -> ast.expr:
    return ast.parse(path, mode="eval").body
