"""What an archive's code defines: classes with their attributes and methods, functions, and what these return."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Optional, Tuple

from audacitorch.archive import types
from audacitorch.archive.schemas import type_names
from audacitorch.archive.types import MAX_DEPTH, UNKNOWN, Type


@dataclass
class ClassInfo:
    """A class of the archive; ``base`` is Module, NamedTuple, Interface, ModuleInterface, Enum or empty."""

    base: str
    attributes: Dict[str, Type] = field(default_factory=dict)
    methods: Dict[str, Type] = field(default_factory=dict)
    parameters: frozenset[str] = frozenset()


@dataclass
class Names:
    """Classes and functions by their qualified names; members are found whatever their case, as the host does."""

    classes: Dict[str, ClassInfo] = field(default_factory=dict)
    functions: Dict[str, Type] = field(default_factory=dict)
    constants: Tuple[Type, ...] = ()

    @staticmethod
    def key(qualified: str) -> str:
        module, _, name = qualified.rpartition(".")
        return f"{module.lower()}.{name}"

    def find_class(self, qualified: str) -> Optional[ClassInfo]:
        return self.classes.get(self.key(qualified))

    def find_function(self, qualified: str) -> Optional[Type]:
        return self.functions.get(self.key(qualified))

    def parameter_names(self, qualified: str) -> frozenset[str]:
        found = self.find_class(qualified)
        return found.parameters if found else frozenset()

    def collect(self, module: str, tree: ast.Module) -> None:
        """Add what the member of the name ``module`` defines."""
        for statement in tree.body:
            if isinstance(statement, ast.ClassDef):
                self.classes[self.key(f"{module}.{statement.name}")] = _class_info(statement)
            elif isinstance(statement, ast.FunctionDef):
                self.functions[self.key(f"{module}.{statement.name}")] = annotation(statement.returns)


def _class_info(statement: ast.ClassDef) -> ClassInfo:
    base = statement.bases[0] if statement.bases else None
    info = ClassInfo(base.id if isinstance(base, ast.Name) else "")
    for inner in statement.body:
        if isinstance(inner, ast.FunctionDef):
            info.methods[inner.name] = annotation(inner.returns)
        elif isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name):
            info.attributes[inner.target.id] = annotation(inner.annotation)
        elif isinstance(inner, ast.Assign) and isinstance(inner.targets[0], ast.Subscript):
            key = inner.targets[0].slice
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                info.attributes[key.value] = annotation(inner.value)
        elif isinstance(inner, ast.Assign) and dotted(inner.targets[0]) == "__parameters__":
            items = inner.value.elts if isinstance(inner.value, ast.List) else []
            values = [item.value for item in items if isinstance(item, ast.Constant)]
            info.parameters = frozenset(value for value in values if isinstance(value, str))
    return info


def dotted(node: ast.expr) -> Optional[str]:
    """``__torch__.a.B`` as text, None for anything but names and dots."""
    parts: List[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join((node.id, *reversed(parts)))


def annotation(node: Optional[ast.expr]) -> Type:
    """The type that an annotation names; ``Final[T]`` is T."""
    return types.bounded(_annotation(node, 0))


def _annotation(node: Optional[ast.expr], depth: int) -> Type:
    if node is None or depth > MAX_DEPTH:
        return UNKNOWN
    if isinstance(node, ast.Constant):
        return types.NONE if node.value is None else UNKNOWN
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        inner = node.slice
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        arguments = tuple(_annotation(part, depth + 1) for part in parts)
        if node.value.id == "Final" and arguments:
            return arguments[0]
        if node.value.id == "Optional" and arguments:
            return UNKNOWN if arguments[0] == UNKNOWN else types.optional(arguments[0])
        wanted = {"List": 1, "Dict": 2, "Future": 1, "RRef": 1, "Tuple": len(arguments)}
        return Type(node.value.id, arguments) if wanted.get(node.value.id) == len(arguments) else UNKNOWN
    name = dotted(node)
    if name is None or name in ("list", "tuple", "Final"):
        return UNKNOWN
    if "." not in name and name not in type_names():
        return UNKNOWN  # unknown-type says so; what is made of it is not judged
    return types.NONE if name == "None" else Type(name)


def named_types(node: ast.expr) -> Iterator[Tuple[str, int]]:
    """Every name in an annotation with its line: constructors, plain types, qualified classes."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        name = dotted(one)
        if name is not None:
            yield name, one.lineno
        elif isinstance(one, ast.Subscript):
            waiting.extend((one.slice,) if _is_optional(one) else (one.value, one.slice))
        elif isinstance(one, (ast.Tuple, ast.List)):
            waiting.extend(one.elts)


def _is_optional(node: ast.Subscript) -> bool:
    """``Union[T, NoneType]`` is how some versions write ``Optional[T]``; Torch 1.9.0 reads no other union."""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
    named = [dotted(part) for part in parts]
    return dotted(node.value) == "Union" and len(parts) == 2 and "NoneType" in named
