"""The code members of an archive, rewritten for Torch 1.9.0 where a way is known that gives the same numbers."""

from __future__ import annotations

import ast
import keyword
import re
import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Match, NamedTuple, Optional, Set, Tuple

from audacitorch.archive.code import MAX_PARSED, MAX_PARSED_MEMBER
from audacitorch.archive.environment import Arguments, TooMuchWork
from audacitorch.archive.infer import Function
from audacitorch.archive.names import Names, dotted
from audacitorch.backport.edits import Edits
from audacitorch.backport.recipes import Change, Recipes, Site

#: A letter that no exporter writes: it makes no word of Python, and takes the place of one letter.
_STAND_IN = "ǂ"
_WORDS = "|".join(sorted(keyword.kwlist))
_WORD_AS_NAME = re.compile(rf"\.({_WORDS})\b|^\s+({_WORDS})(?= : )", re.MULTILINE)
_NUMBERS = frozenset(("int", "float", "complex", "number"))
#: Trees of sources beyond this length together are not kept between the two passes.
_KEPT = 1 << 19


class Parsed(NamedTuple):
    """A syntax tree, and the text that it is of: as long as the member's, line by line."""

    tree: ast.Module
    text: str


@dataclass
class Member:
    """A code member: what ``__torch__.a.b`` it holds, and its text."""

    name: str
    module: str
    text: str
    parsed: Optional[Parsed] = None


@dataclass
class Rewritten:
    """Members with their new text, what was done how often, and which functions the archive now needs."""

    texts: Dict[str, str] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    raising: Counter[str] = field(default_factory=Counter)
    helpers: Set[str] = field(default_factory=set)

    def note(self, change: Change) -> None:
        (self.raising if change.raises else self.done)[change.what] += 1
        if change.helper is not None:
            self.helpers.add(change.helper)


def rewrite(members: List[Member], names: Names, version: Optional[int], newer: bool, module: str) -> Rewritten:
    """Rewrite what can be rewritten; members that can't be parsed stay as they are.

    ``version`` is the number of the format that will be written, ``newer`` says that the archive is surely from
    PyTorch 2.0 or later, ``module`` is the name below ``__torch__`` that the functions get.
    """
    result = Rewritten()
    readable: List[Member] = []
    length = 0
    for member in members:
        length += len(member.text)
        if len(member.text) > MAX_PARSED_MEMBER or length > MAX_PARSED:
            continue
        member.parsed = _parse(member.text)
        if member.parsed is not None:
            names.collect(member.module, member.parsed.tree)
            readable.append(member)
        if length > _KEPT:
            member.parsed = None
    for member in readable:
        parsed = member.parsed or _parse(member.text)
        member.parsed = None
        if parsed is None:
            continue
        tree = parsed.tree
        edits = Edits(member.text, parsed.text)
        found: List[Change] = []
        try:
            found.extend(_calls(member, tree, names, version, Recipes(edits, newer, module)))
            found.extend(_unions(tree, edits))
            found.extend(_optional_lists(tree, edits))
        except (RecursionError, TooMuchWork):
            continue
        if edits:
            result.texts[member.name] = edits.result()
            for change in found:
                result.note(change)
    return result


def _parse(text: str) -> Optional[Parsed]:
    """The syntax tree of ``text``, or of a text that differs in letters only; None where Python can't read it."""
    if "\r" in text or _STAND_IN in text:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for source in (text, _WORD_AS_NAME.sub(_as_name, text)):
            try:
                return Parsed(ast.parse(source), source)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
    return None


def _as_name(found: Match[str]) -> str:
    """A module may have an attribute named as one of Python's words; of its length, another name takes its place."""
    return found[0][:-1] + _STAND_IN


def _calls(
    member: Member, tree: ast.Module, names: Names, version: Optional[int], recipes: Recipes
) -> Iterator[Change]:
    """Change the operator calls of every function, one after the other."""
    sites: Dict[int, Site] = {}
    guarded: Set[int] = set()

    def record(operator: str, arguments: Arguments, node: ast.expr, called: bool) -> None:
        if called and arguments is not None and isinstance(node, ast.Call) and _by_own_name(node, arguments):
            sites[id(node)] = Site(operator, arguments, node, version, id(node) in guarded)

    for function, owner in _functions(member, tree):
        guarded.clear()
        guarded.update(_in_branches(function))
        Function(names, version, record, lambda node: None, owner).run(function)
    for site in sites.values():
        change = recipes.change(site)
        if change is not None:
            yield change


def _by_own_name(node: ast.Call, arguments: Tuple[object, ...]) -> bool:
    """``torch.f(…)`` or ``ops.n.f(…)``: neither a method of a value, nor called by way of another name."""
    path = dotted(node.func)
    begins = path is not None and path.partition(".")[0] in ("torch", "ops")
    return begins and len(arguments) == len(node.args) + len(node.keywords)


def _functions(member: Member, tree: ast.Module) -> Iterator[Tuple[ast.FunctionDef, Optional[str]]]:
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            yield statement, None
        elif isinstance(statement, ast.ClassDef):
            for inner in statement.body:
                if isinstance(inner, ast.FunctionDef):
                    yield inner, f"{member.module}.{statement.name}"


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


def _unions(tree: ast.Module, edits: Edits) -> Iterator[Change]:
    """``Union`` of numbers becomes ``number``, any other ``Any``: code asks for its type before it uses it."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Subscript) or dotted(node.value) != "Union":
            continue
        parts = {dotted(part) for part in (node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice])}
        if len(parts) == 2 and "NoneType" in parts:
            continue  # 1.9.0 reads this as Optional
        instead = "number" if parts <= _NUMBERS else "Optional[number]" if parts <= {*_NUMBERS, "NoneType"} else "Any"
        edits.replace(*edits.span(node), instead)
        yield Change(f"Union: {instead}")


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
