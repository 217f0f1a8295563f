"""The code members of an archive, rewritten for Torch 1.9.0 where a way is known that gives the same numbers."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Optional, Set, Tuple

from audacitorch.archive import equivalents
from audacitorch.archive.equivalents import Typed
from audacitorch.archive.names import Names, dotted
from audacitorch.archive.pieces import Unusual
from audacitorch.archive.scope import Arguments
from audacitorch.backport import unions
from audacitorch.backport.edits import Edits, Member, functions_of, parse
from audacitorch.backport.exporter import Exporter
from audacitorch.backport.folding import AS_NUMBER
from audacitorch.backport.recipes import Change, Recipes, Remark, Site

_CONJUGATES = frozenset(f"aten::{name}" for name in ("conj", "_conj", "mH", "matrix_H", "adjoint"))


@dataclass
class Rewritten:
    """Members with their new text, what was done how often, and which functions the archive now needs."""

    texts: Dict[str, str] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    raising: Counter[str] = field(default_factory=Counter)
    functions: Set[str] = field(default_factory=set)
    remarks: List[Tuple[str, Remark]] = field(default_factory=list)
    #: Operators whose calls depend on which PyTorch wrote the archive, where it does not show that.
    doubtful: Counter[str] = field(default_factory=Counter)

    def note(self, change: Change) -> None:
        (self.raising if change.raises else self.done)[change.what] += 1
        if change.function is not None:
            self.functions.add(change.function)


def rewrite(members: List[Member], names: Names, version: Optional[int], exporter: Exporter, module: str) -> Rewritten:
    """Rewrite what can be rewritten; members that can't be parsed stay as they are.

    ``version`` is the number of the format that will be written, ``module`` is the name below ``__torch__`` that the
    functions get.
    """
    result = Rewritten()
    before = {member.name: member.text for member in members}
    for member in members:
        _write_numbers(member, result)
    copies = unions.specialise(members, names, version)
    if copies:
        result.done["Union: functions copied for the types that they are called with"] += copies
    for member in members:
        if member.text != before[member.name]:
            called = f"__torch__.{module}.{AS_NUMBER}("
            member.text = member.text.replace(f"__torch__.{equivalents.MODULE}.{AS_NUMBER}(", called)
            result.texts[member.name] = member.text
            if called in member.text:
                result.functions.add(AS_NUMBER)
    names.collect(equivalents.functions_source([AS_NUMBER], module))
    readable: List[Member] = []
    for member in members:
        parsed = parse(member)
        if parsed is not None:
            names.collect(parsed.source)
            readable.append(member)
    for member in readable:
        parsed = parse(member)  # a tree is far larger than its text: only one is kept
        if parsed is None:
            continue
        tree = parsed.tree
        edits = Edits(member.text, parsed.text)
        found: List[Change] = []
        remarks: List[Remark] = []
        recipes = Recipes(edits, exporter, module)
        try:
            found.extend(_calls(member, tree, names, version, recipes, remarks))
            found.extend(Change(f"Union: {instead}") for instead in unions.plain(tree, edits, numbers=False))
            found.extend(_optional_lists(tree, edits))
        except Unusual:
            continue
        result.remarks.extend((member.name, remark) for remark in remarks)
        result.doubtful.update(recipes.doubtful)
        if edits:
            result.texts[member.name] = edits.result()
            for change in found:
                result.note(change)
    return result


def _write_numbers(member: Member, result: Rewritten) -> None:
    """Unions of numbers first, so that the types of what is computed with them are known."""
    parsed = parse(member) if "Union[" in member.text else None
    if parsed is not None:
        edits = Edits(member.text, parsed.text)
        for instead in unions.plain(parsed.tree, edits, numbers=True):
            result.done[f"Union: {instead}"] += 1
        member.text = edits.result()


def _calls(
    member: Member,
    tree: ast.Module,
    names: Names,
    version: Optional[int],
    recipes: Recipes,
    remarks: List[Remark],
) -> Iterator[Change]:
    """Change the operator calls of every function, one after the other."""
    sites: Dict[int, Site] = {}
    guarded: Set[int] = set()

    def record(operator: str, arguments: Arguments, node: ast.expr, called: bool) -> None:
        if called and arguments is not None and isinstance(node, ast.Call) and _by_own_name(node, arguments):
            sites[id(node)] = Site(operator, arguments, node, version, id(node) in guarded)

    for function, owner in functions_of(member.module, tree):
        guarded.clear()
        guarded.update(_in_branches(function))
        before = len(sites)
        Typed(names, version, record, lambda node: None, owner).run(function)
        conjugates = list(_conjugates(list(sites.values())[before:]))
        if recipes.exporter.newer:
            remarks.extend(conjugates)
        elif not recipes.exporter.shown:
            recipes.doubtful.update(remark.operator for remark in conjugates)
        remarks.extend(_autocasts(function))
    for site in sites.values():
        remarks.extend(recipes.remarks(site))
        if recipes.depends_on_exporter(site):
            recipes.doubtful[site.operator] += 1
        change = recipes.change(site)
        if change is not None:
            yield change


def _conjugates(sites: List[Site]) -> Iterator[Remark]:
    """``conj`` is a view from 1.10 on: what is written later to one of the two changes the other."""
    if any(_writes(site.operator) for site in sites):
        for site in sites:
            if site.operator in _CONJUGATES:
                yield Remark(site.node.lineno, site.operator, "where its result, or what it is of, is written to later")


def _writes(operator: str) -> bool:
    return operator.endswith("_") and not operator.endswith("__")


def _autocasts(function: ast.FunctionDef) -> Iterator[Remark]:
    """Newer versions compute in bfloat16 below an ``autocast`` that is not surely off."""
    made: Set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.targets[0], ast.Name):
            path = dotted(node.value.func) or ""
            if path.startswith("__torch__.torch.") and path.endswith(".autocast.__new__"):
                made.add(node.targets[0].id)
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "__init__":
            off = any(isinstance(one, ast.Constant) and one.value is False for one in node.args)
            if isinstance(node.func.value, ast.Name) and node.func.value.id in made and not off:
                yield Remark(node.lineno, "autocast", "in precision: newer versions compute in bfloat16 below it")


def _by_own_name(node: ast.Call, arguments: Tuple[object, ...]) -> bool:
    """``torch.f(…)`` or ``ops.n.f(…)``: neither a method of a value, nor called by way of another name."""
    path = dotted(node.func)
    begins = path is not None and path.partition(".")[0] in ("torch", "ops")
    return begins and len(arguments) == len(node.args) + len(node.keywords)


def _in_branches(function: ast.FunctionDef) -> Iterator[int]:
    """The calls that stand in some branch of an ``if``, by the identity of their nodes."""
    waiting: List[Tuple[ast.AST, bool]] = [(function, False)]
    while waiting:
        node, inside = waiting.pop()
        if inside and isinstance(node, ast.Call):
            yield id(node)
        for child in ast.iter_child_nodes(node):
            branch = isinstance(node, ast.If) and child is not node.test
            waiting.append((child, inside or branch))


def _optional_lists(tree: ast.Module, edits: Edits) -> Iterator[Change]:
    """``x : Optional[List[int]] = [1]`` fails in 1.9.0, which takes an annotation for the list's own type."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.value, (ast.List, ast.ListComp)):
            continue
        kind = node.annotation
        inner = kind.slice if isinstance(kind, ast.Subscript) and dotted(kind.value) == "Optional" else None
        if isinstance(inner, ast.Subscript) and dotted(inner.value) == "List":
            written = slice(*edits.span(inner))
            start, end = edits.span(node.value)
            edits.replace(start, start, f"annotate({edits.text[written]}, ")
            edits.replace(end, end, ")")
            yield Change("Optional[List]: the list annotated by itself, as 1.9.0 wants it")
