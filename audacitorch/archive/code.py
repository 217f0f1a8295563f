"""What an archive's code does: the operators that it calls, the types that it names, and some of its literals."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from itertools import islice
from typing import Dict, Iterator, List, Optional, Set

from audacitorch.archive.forbidden import REACHES_OUT_NAMES
from audacitorch.archive.inference import Inference
from audacitorch.archive.names import Names, Signature, dotted, named_types
from audacitorch.archive.pieces import Unusual
from audacitorch.archive.scope import Arguments, Value
from audacitorch.archive.source import Source, functions
from audacitorch.facts import Call, Setting, TextProblem, TypeName

#: Calls that are kept; a program with more is beyond anything that is exported.
MAX_CALLS = 200_000
MAX_SETTINGS = 100
#: Of code that is refused as a whole.
MAX_NAMED = 1000
_REACHES_OUT = re.compile(rb"\b(?:" + "|".join(sorted(REACHES_OUT_NAMES)).encode() + rb")\b")
#: Operators that behave otherwise in training: where the flag stands, and where the running mean does (None: batch
#: statistics are what the model wants) or the probability (0: nothing is dropped).
_TRAINING_FLAGS = {
    **dict.fromkeys(
        (f"aten::{name}{end}" for name in ("dropout", "alpha_dropout", "feature_dropout") for end in ("", "_")), (2, 1)
    ),
    "aten::batch_norm": (5, 3),
    "aten::instance_norm": (5, 3),
}


@dataclass
class Code:
    """What was found in the code members."""

    names: Names = field(default_factory=Names)
    calls: List[Call] = field(default_factory=list)
    types: List[TypeName] = field(default_factory=list)
    settings: List[Setting] = field(default_factory=list)
    problems: List[TextProblem] = field(default_factory=list)

    def problem(self, kind: str, message: str, line: Optional[int] = None) -> None:
        self.problems.append(TextProblem(kind, message, line))


def read_code(contents: Dict[str, bytes], version: Optional[int], code: Code) -> None:
    """Add every operator that the code members call, and every type that they name; ``contents`` by path, emptied."""
    sources: List[Source] = []
    for path in list(contents):
        data = contents.pop(path)
        try:
            source = Source(path, data)
            code.names.collect(source)
            sources.append(source)
        except Unusual as error:
            _refuse(path, data, error, code)
    for source in sources:
        try:
            _Member(source, version, code).read()
        except Unusual as error:
            _refuse(source.path, source.text.encode(), error, code)
        if len(code.calls) > MAX_CALLS:
            code.problem("too-large", f"it makes more than {MAX_CALLS:,} calls")
            break


def _refuse(path: str, data: bytes, error: Unusual, code: Code) -> None:
    code.problem("unusual", f"{path}: {error}", error.line)
    code.calls.extend(_names_that_reach_out(path, data))


class _Member:
    """Collects the calls and types of one code member."""

    def __init__(self, source: Source, version: Optional[int], code: Code) -> None:
        self.source = source
        self.version = version
        self.names = code.names
        self.code = code
        self.named: Set[str] = set()
        self.lines_before = 0

    def read(self) -> None:
        for piece in self.source.pieces:
            if piece.kind == "class":
                tree = self.source.tree(piece)
                for annotation in _annotations(tree):
                    self.note(annotation)
                for value in _constants(tree):
                    _Constant(self, None).type(value)
        for piece, owner, function in functions(self.source):
            self.lines_before = piece.lines_before
            try:
                _Reading(self, owner).run(function)
            except Unusual as error:
                error.line = None if error.line is None else error.line + self.lines_before
                raise

    def record(self, operator: str, arguments: Arguments, node: ast.expr, called: bool) -> None:
        line = node.lineno + self.lines_before
        self.code.calls.append(Call(operator, arguments, self.source.path, line, self.source.line(line), called))
        if len(self.code.calls) > MAX_CALLS:
            raise Unusual(f"more than {MAX_CALLS:,} calls", node.lineno)

        if isinstance(node, ast.Call):
            self.operator_settings(operator, node)

    def operator_settings(self, operator: str, node: ast.Call) -> None:
        """Literal devices, and flags that keep a model in training."""
        if operator == "aten::device" and node.args and isinstance(node.args[0], ast.Constant):
            self.setting("device", str(node.args[0].value), node)
        elif operator == "aten::cuda":
            self.setting("device", "cuda", node)
        elif operator == "aten::to" or any(one.arg == "device" for one in node.keywords):
            given = [*node.args[1:2], *(one.value for one in node.keywords if one.arg == "device")]
            for one in given:
                if isinstance(one, ast.Constant) and isinstance(one.value, str):
                    self.setting("device", one.value, node)
        flag, reason = _TRAINING_FLAGS.get(operator, (0, 0))
        if flag and len(node.args) > flag and _is_true(node.args[flag]):
            other = node.args[reason]
            if not (isinstance(other, ast.Constant) and other.value in (None, 0)):
                self.setting("training", operator, node)

    def function_settings(self, name: str, signature: Signature, node: ast.Call) -> None:
        """``dropout(x, 0.1, True)`` of torch.nn.functional keeps dropping when the model is in use."""
        place = next((index for index, one in enumerate(signature.parameters) if one.name == "training"), None)
        of_torch = self.source.module.startswith("__torch__.torch.")  # which asks whether it trains before it calls
        if place is None or of_torch or not name.startswith("__torch__.torch.nn.functional."):
            return
        given = node.args[place] if place < len(node.args) else None
        given = next((one.value for one in node.keywords if one.arg == "training"), given)
        statistics = len(node.args) > 1 and isinstance(node.args[1], ast.Constant) and node.args[1].value in (None, 0)
        if given is not None and _is_true(given) and not statistics:
            self.setting("training", name.rpartition(".")[2], node)

    def setting(self, kind: str, value: str, node: ast.expr) -> None:
        line = node.lineno + self.lines_before
        if len(self.code.settings) < MAX_SETTINGS:
            self.code.settings.append(Setting(kind, value, self.source.path, line, self.source.line(line)))

    def note(self, node: ast.expr) -> None:
        for name, line in named_types(node, self.names):
            if name not in self.named:
                self.named.add(name)
                self.code.types.append(TypeName(name, self.source.path, line + self.lines_before))


class _Reading(Inference):
    """Follows a function for the member that it is of."""

    def __init__(self, member: _Member, owner: Optional[str]) -> None:
        super().__init__(member.names, member.version, member.record, member.note, owner)
        self.member = member

    def calls_function(self, name: str, signature: Signature, node: ast.Call) -> None:
        self.member.function_settings(name, signature, node)


class _Constant(_Reading):
    """Follows the value of a class's constant: Torch computes it while it loads, and keeps no trace of that."""

    def visit_Call(self, node: ast.Call) -> Value:
        if dotted(node.func) not in ("torch.device", "annotate"):
            raise Unusual("a constant of a class that is computed", node.lineno)
        return super().visit_Call(node)


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _annotations(tree: ast.stmt) -> Iterator[ast.expr]:
    """The annotations of a class's attributes."""
    for statement in tree.body if isinstance(tree, ast.ClassDef) else ():
        if isinstance(statement, ast.AnnAssign):
            yield statement.annotation
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Subscript):
            yield statement.value


def _constants(tree: ast.stmt) -> Iterator[ast.expr]:
    """The values that a class gives its attributes: ``rate : Final[int] = 44100``."""
    for statement in tree.body if isinstance(tree, ast.ClassDef) else ():
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:
            yield statement.value


def _names_that_reach_out(path: str, text: bytes) -> Iterator[Call]:
    """Where code that can't be judged has the name of an operator that opens files or speaks to other processes."""
    line, at = 1, 0
    for found in islice(_REACHES_OUT.finditer(text), MAX_NAMED):
        line, at = line + text.count(b"\n", at, found.start()), found.start()
        begin = max(text.rfind(b"\n", max(0, at - 80), at) + 1, at - 80, 0)
        end = text.find(b"\n", at, at + 80)
        source = text[begin : at + 80 if end < 0 else end].decode("utf-8", "replace")
        yield Call(REACHES_OUT_NAMES[found[0].decode()], None, path, line, source.strip(), called=False)
