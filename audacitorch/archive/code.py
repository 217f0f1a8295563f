"""The operators that an archive's code calls, with file and line.

TorchScript source is a subset of Python, so Python's parser reads it. What it does not read (deeper nesting than it
allows, names that are Python's own words, damage) is searched for the names of operators instead: nothing hides.
"""

from __future__ import annotations

import ast
import keyword
import re
import warnings
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Match, Optional, Set, Tuple

from audacitorch.archive import schemas
from audacitorch.archive.environment import Arguments, TooMuchWork
from audacitorch.archive.infer import Function
from audacitorch.archive.names import Names, dotted, named_types
from audacitorch.facts import Call, TextProblem, TypeName

#: A syntax tree takes about a hundred times its source; as many as this are kept between the two passes.
KEPT_SOURCE = 1 << 19
#: What is parsed; code beyond it is only searched for names.
MAX_PARSED_MEMBER = 2 << 20
MAX_PARSED = 8 << 20
#: Calls that are kept; a program with more is beyond anything that is exported.
MAX_CALLS = 200_000
_WORDS = "|".join(sorted(keyword.kwlist))
_WORD_AS_NAME = re.compile(rf"\.({_WORDS})\b|^(\s+)({_WORDS})( : )", re.MULTILINE)
_NAMED_OPERATOR = re.compile(r"(?<![\w.])(?:torch(?:\s*\.\s*autograd)*|ops\s*\.\s*(\w+))\s*\.\s*(\w+)")
_COMMENT_OR_STRING = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|#[^\n]*")
_DOTTED_NAME = re.compile(r"\.\s*(\w+)")


@dataclass
class Code:
    """What was found in the code members."""

    names: Names = field(default_factory=Names)
    calls: List[Call] = field(default_factory=list)
    types: List[TypeName] = field(default_factory=list)
    problems: List[TextProblem] = field(default_factory=list)


@dataclass
class Source:
    """A code member: its path below the top folder, and its text."""

    path: str
    text: str
    tree: Optional[ast.Module] = None

    @property
    def module(self) -> str:
        """``code/__torch__/a/b.py`` holds ``__torch__.a.b``."""
        path = self.path[5:] if self.path[:5].lower() == "code/" else self.path
        return path[:-3].replace("/", ".")

    def line(self, number: int) -> str:
        """One line, as a message may quote it."""
        if not hasattr(self, "_lines"):
            self._lines = self.text.split("\n")
        return self._lines[number - 1].strip()[:160] if 0 < number <= len(self._lines) else ""


def read_code(sources: List[Source], version: Optional[int], names: Names) -> Code:
    """Every operator that the code members call or name, and every type that they name."""
    code = Code(names)
    kept = parsed = 0
    readable: List[Source] = []
    for source in sources:
        parsed += len(source.text)
        if len(source.text) > MAX_PARSED_MEMBER or parsed > MAX_PARSED:
            code.problems.append(TextProblem("syntax", f"{source.path}: there is too much code to parse"))
            tree = None
        else:
            tree = _parse(source, code)
        if tree is None:
            code.calls.extend(_calls_by_name(source))
            continue
        names.collect(source.module, tree)
        readable.append(source)
        kept += len(source.text)
        source.tree = tree if kept <= KEPT_SOURCE else None
    for source in readable:
        tree = source.tree or _parse(source, code)
        source.tree = None
        if tree is not None:
            _read_member(source, tree, version, code)
        if len(code.calls) > MAX_CALLS:
            code.problems.append(TextProblem("too-large", f"its code makes more than {MAX_CALLS:,} calls"))
            break
    return code


def _parse(source: Source, code: Code) -> Optional[ast.Module]:
    problem: Optional[BaseException] = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for text in (source.text, None):
            try:
                # A module may have an attribute named as one of Python's words; TorchScript doesn't mind all of them.
                return ast.parse(text if text is not None else _WORD_AS_NAME.sub(_as_name, source.text))
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                problem = problem or error
    line = problem.lineno if isinstance(problem, SyntaxError) else None
    reason = problem.msg if isinstance(problem, SyntaxError) else "it is nested too deeply"
    code.problems.append(TextProblem("syntax", f"{source.path}: {reason}", line))
    return None


def _as_name(found: Match[str]) -> str:
    return f".{found[1]}_" if found[1] else f"{found[2]}{found[3]}_{found[4]}"


def _read_member(source: Source, tree: ast.Module, version: Optional[int], code: Code) -> None:
    reader = _Member(source, version, code.names)
    try:
        reader.read(tree)
        found = reader.calls
    except (RecursionError, TooMuchWork):
        code.problems.append(TextProblem("syntax", f"{source.path}: it is nested too deeply", None))
        found = list(_calls_by_name(source))
    code.calls.extend(found)
    code.types.extend(reader.types)


class _Member:
    """Collects the calls and types of one member."""

    def __init__(self, source: Source, version: Optional[int], names: Names) -> None:
        self.source = source
        self.version = version
        self.names = names
        self.calls: List[Call] = []
        self.types: List[TypeName] = []
        self.seen: Set[Tuple[int, str]] = set()
        self.named: Set[str] = set()
        self.own: Set[ast.Attribute] = set()

    def read(self, tree: ast.Module) -> None:
        for statement in tree.body:
            if isinstance(statement, ast.ClassDef):
                owner = f"{self.source.module}.{statement.name}"
                for inner in statement.body:
                    self.definition(inner, owner)
            else:
                self.definition(statement, None)
        if any(name in self.source.text for name in ("getattr", *schemas.REACHES_OUT_NAMES)):
            self.sweep(tree)

    def definition(self, statement: ast.stmt, owner: Optional[str]) -> None:
        if isinstance(statement, ast.FunctionDef):
            function = Function(self.names, self.version, self.record, self.annotation, owner)
            function.own = self.own
            function.run(statement)
        self.annotations(statement)

    def record(self, operator: str, arguments: Arguments, node: ast.expr, called: bool) -> None:
        line = node.lineno
        self.calls.append(Call(operator, arguments, self.source.path, line, self.source.line(line), called))
        self.seen.add((line, operator.partition("::")[2]))

    def annotations(self, statement: ast.stmt) -> None:
        """Note where each type is named first, but for classes of the archive."""
        found: List[ast.expr] = []
        if isinstance(statement, ast.FunctionDef):
            found.extend(one.annotation for one in statement.args.args if one.annotation is not None)
            found.extend([statement.returns] if statement.returns is not None else [])
        elif isinstance(statement, ast.AnnAssign):
            found.append(statement.annotation)
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Subscript):
            found.append(statement.value)
        for node in found:
            self.annotation(node)

    def annotation(self, node: ast.expr) -> None:
        for name, line in named_types(node):
            if name not in self.named and self.names.find_class(name) is None:
                self.named.add(name)
                self.types.append(TypeName(name, self.source.path, line))

    def sweep(self, tree: ast.Module) -> None:
        """Note operators that reach out of the process wherever something bears their name.

        Whatever an alias, an unknown type or a branch hides from inference, the name has to be written somewhere.
        """
        for node in ast.walk(tree):
            name = self.named_by(node)
            operator = schemas.REACHES_OUT_NAMES.get(name)
            if operator is not None and isinstance(node, ast.expr) and (node.lineno, name) not in self.seen:
                if isinstance(node, ast.Attribute) and self.names_definition(node):
                    continue
                self.record(operator, None, node, False)

    def named_by(self, node: ast.AST) -> str:
        """The attribute that ``x.name`` or ``getattr(x, "name")`` names, unless it is known to be the archive's own."""
        if isinstance(node, ast.Attribute) and node not in self.own:
            return node.attr
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            selector = node.args[1] if len(node.args) > 1 else None
            if isinstance(selector, ast.Constant) and isinstance(selector.value, str):
                return selector.value
        return ""

    def names_definition(self, node: ast.Attribute) -> bool:
        """Whether ``__torch__.a.save`` names a class or function of the archive."""
        path = dotted(node)
        known = path is not None and path.startswith("__torch__.")
        return known and (
            self.names.find_function(str(path)) is not None or self.names.find_class(str(path)) is not None
        )


def _calls_by_name(source: Source) -> Iterator[Call]:
    """Operators that the text names, where it can't be parsed: nothing is known but names and lines."""
    text = _COMMENT_OR_STRING.sub(lambda found: " " * len(found[0]) if found[0][0] == "#" else found[0], source.text)
    line, at = 1, 0
    seen: Dict[Tuple[int, str], bool] = {}
    for found in _NAMED_OPERATOR.finditer(text):
        line, at = line + text.count("\n", at, found.start()), found.start()
        operator = f"{found[1] or 'aten'}::{found[2]}"
        seen[line, operator] = True
        yield Call(operator, None, source.path, line, source.line(line))
    line, at = 1, 0
    for found in _DOTTED_NAME.finditer(text):
        named = schemas.REACHES_OUT_NAMES.get(found[1])
        if named is not None:
            line, at = line + text.count("\n", at, found.start()), found.start()
            if (line, named) not in seen:
                yield Call(named, None, source.path, line, source.line(line), called=False)
