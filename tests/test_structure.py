"""How the package is divided: no package needs another that needs it, and no two modules have one name."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import Dict, Iterator, List, Set

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "audacitorch"
#: Packages that may need each other. There are none, and there should be none.
ALLOWED_CYCLES: List[Set[str]] = []

Graph = Dict[str, Set[str]]


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {dotted(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that the code names in an import, at the top or within a function; not what is for types alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imported(ast.Module(node.orelse, []))
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            full = [f"{node.module}.{name.name}" for name in node.names]
            yield from (name if name in MODULES else node.module for name in full)
        yield from imported(node)


def graph_of(texts: Dict[str, str]) -> Graph:
    """The packages directly below audacitorch, and its modules at the top, with those that they import."""
    graph: Graph = {}
    for module, text in texts.items():
        place = ".".join(module.split(".")[:2])
        there = {".".join(name.split(".")[:2]) for name in imported(ast.parse(text)) if name in MODULES}
        graph.setdefault(place, set()).update(there - {place, "audacitorch"})
    return graph


def cycles(graph: Graph) -> List[Set[str]]:
    """The sets of packages of which each reaches every other."""

    def reached(start: str) -> Set[str]:
        found: Set[str] = set()
        waiting = [start]
        while waiting:
            new = graph.get(waiting.pop(), set()) - found
            found |= new
            waiting += new
        return found

    reach = {name: reached(name) for name in graph}
    groups = {frozenset(o for o in reach[name] if name in reach.get(o, ())) for name in graph if name in reach[name]}
    return sorted((set(group) for group in groups), key=sorted)


def test_no_package_needs_one_that_needs_it() -> None:
    assert cycles(graph_of({name: path.read_text("utf-8") for name, path in MODULES.items()})) == ALLOWED_CYCLES


def test_an_import_within_a_function_counts_and_one_for_types_does_not() -> None:
    lazy = "def judge():\n    from audacitorch.rules import all_rules\n"
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from audacitorch.rules import Rule\n"
    back = "import audacitorch.archive.names\n"
    both = [{"audacitorch.archive", "audacitorch.rules"}]
    assert cycles(graph_of({"audacitorch.archive.code": lazy, "audacitorch.rules.trial": back})) == both
    assert cycles(graph_of({"audacitorch.archive.code": typed, "audacitorch.rules.trial": back})) == []


def test_no_two_modules_have_one_name() -> None:
    names = Counter(path.name for path in MODULES.values() if path.stem not in ("__init__", "__main__"))
    assert [name for name, count in names.items() if count > 1] == []
