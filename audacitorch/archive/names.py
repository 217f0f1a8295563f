"""What an archive's code defines: classes with their attributes and methods, functions, and what these return."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Optional, Set, Tuple

from audacitorch.archive import types
from audacitorch.archive.pieces import Unusual
from audacitorch.archive.schemas import custom_classes, type_names
from audacitorch.archive.source import Source
from audacitorch.archive.types import MAX_DEPTH, UNKNOWN, Type

CUSTOM_CLASSES = "__torch__.torch.classes."
#: Types of which 1.9.0 makes one, ``number``.
NUMBERS = frozenset(("int", "float", "complex", "number"))
#: What a class may be derived from; PyTorch prints no other bases.
_BASES = ("Module", "NamedTuple", "Interface", "ModuleInterface", "Enum")
#: Lists in a class that say what its attributes are.
_LISTS = ("__parameters__", "__buffers__", "__annotations__", "__forward_hooks__", "__forward_pre_hooks__")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function, its type as the code declares it."""

    name: str
    type: Type
    has_default: bool


@dataclass(frozen=True)
class Signature:
    """What a function takes, a method's own value included, and what it returns."""

    parameters: Tuple[Parameter, ...]
    returns: Type


@dataclass
class ClassInfo:
    """A class of the archive; ``base`` is Module, NamedTuple, Interface, ModuleInterface, Enum or empty."""

    base: str
    attributes: Dict[str, Type] = field(default_factory=dict)
    methods: Dict[str, Signature] = field(default_factory=dict)
    parameters: frozenset[str] = frozenset()
    hooks: Tuple[str, ...] = ()


@dataclass
class Names:
    """Classes and functions by their qualified names, and the types of the constants."""

    classes: Dict[str, ClassInfo] = field(default_factory=dict)
    functions: Dict[str, Signature] = field(default_factory=dict)
    constants: Tuple[Type, ...] = ()
    #: Of any class: what a value whose type is unknown may have.
    attribute_names: Set[str] = field(default_factory=set)
    method_names: Set[str] = field(default_factory=set)

    def find_class(self, qualified: str) -> Optional[ClassInfo]:
        return self.classes.get(qualified)

    def find_function(self, qualified: str) -> Optional[Signature]:
        return self.functions.get(qualified)

    def parameter_names(self, qualified: str) -> frozenset[str]:
        found = self.find_class(qualified)
        return found.parameters if found else frozenset()

    def collect(self, source: Source) -> None:
        """Add what a code member defines.

        Raises:
            Unusual: something is defined twice, or a class holds what PyTorch's exporter does not print.
        """
        of_torch = f"{source.module}.".startswith(CUSTOM_CLASSES)
        for piece in source.pieces:
            if of_torch and piece.kind != "class":
                raise Unusual("code of a class that is written in C++", piece.line)
            tree = source.header(piece)
            if piece.kind == "method":
                methods = self.classes[f"{source.module}.{piece.owner}"].methods
                if piece.name in methods:
                    raise Unusual(f"the method {piece.name} is there twice", piece.line)
                methods[piece.name] = _signature(tree)
                self.method_names.add(piece.name)
                continue
            qualified = f"{source.module}.{piece.name}"
            if qualified in self.classes or qualified in self.functions:
                raise Unusual(f"{piece.name} is defined twice", piece.line)
            if isinstance(tree, ast.ClassDef):
                self.classes[qualified] = _class_info(tree)
                self.attribute_names.update(self.classes[qualified].attributes)
            else:
                self.functions[qualified] = _signature(tree)
        for piece in source.pieces if not of_torch else ():
            known = self.classes.get(f"{source.module}.{piece.name}") if piece.kind == "class" else None
            if known is not None and not known.methods.keys() >= {*known.hooks}:
                raise Unusual(f"the class {piece.name} names hooks that are not among its methods", piece.line)


def _signature(tree: ast.stmt) -> Signature:
    if not isinstance(tree, ast.FunctionDef) or tree.decorator_list:
        raise Unusual("a function of an unknown form", tree.lineno)
    given = tree.args
    if given.vararg or given.kwarg or given.posonlyargs:
        raise Unusual("a function with starred parameters", tree.lineno)
    without = len(given.args) - len(given.defaults)
    parameters = [
        Parameter(one.arg, annotation(one.annotation), index >= without) for index, one in enumerate(given.args)
    ]
    parameters += [
        Parameter(one.arg, annotation(one.annotation), default is not None)
        for one, default in zip(given.kwonlyargs, given.kw_defaults)
    ]
    return Signature(tuple(parameters), annotation(tree.returns))


def _class_info(statement: ast.ClassDef) -> ClassInfo:
    base = statement.bases[0] if statement.bases else None
    info = ClassInfo(base.id if isinstance(base, ast.Name) else "")
    if (base is not None and info.base not in _BASES) or len(statement.bases) > 1 or statement.keywords:
        raise Unusual(f"the class {statement.name} has a base that PyTorch does not print", statement.lineno)
    for inner in statement.body:
        if isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name):
            _add_attribute(info, inner.target.id, annotation(inner.annotation), inner)
        elif isinstance(inner, ast.Assign) and len(inner.targets) == 1:
            _class_assignment(info, statement.name, inner)
        elif not isinstance(inner, ast.Pass):
            raise Unusual(f"the class {statement.name} holds what PyTorch does not print", inner.lineno)
    return info


def _add_attribute(info: ClassInfo, name: str, kind: Type, node: ast.stmt) -> None:
    if name in info.attributes:
        raise Unusual(f"the attribute {name!a} is there twice", node.lineno)
    info.attributes[name] = kind


def _class_assignment(info: ClassInfo, owner: str, inner: ast.Assign) -> None:
    """``__parameters__ = [...]``, ``__annotations__["0"] = T``, or a member of an enumeration."""
    target = inner.targets[0]
    if isinstance(target, ast.Subscript) and dotted(target.value) == "__annotations__":
        key = target.slice
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            _add_attribute(info, key.value, annotation(inner.value), inner)
            return
    elif isinstance(target, ast.Name) and info.base == "Enum" and _is_literal(inner.value):
        _add_attribute(info, target.id, UNKNOWN, inner)
        return
    elif isinstance(target, ast.Name) and target.id in _LISTS and isinstance(inner.value, ast.List):
        values = [item.value for item in inner.value.elts if isinstance(item, ast.Constant)]
        if len(values) == len(inner.value.elts):
            if target.id == "__parameters__":
                info.parameters = frozenset(value for value in values if isinstance(value, str))
            if target.id.endswith("_hooks__"):
                info.hooks += tuple(map(str, values))
            return
    raise Unusual(f"the class {owner} holds what PyTorch does not print", inner.lineno)


def _is_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant))


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


def named_types(node: ast.expr, names: Names) -> Iterator[Tuple[str, int]]:
    """Every name in an annotation with its line: constructors, plain types, classes that are not the archive's own.

    Raises:
        Unusual: it is not an annotation as PyTorch prints it, or names a class that the archive does not define.
    """
    waiting = [node]
    while waiting:
        one = waiting.pop()
        name = dotted(one)
        if name is not None:
            if "." in name and not name.startswith(CUSTOM_CLASSES) and names.find_class(name) is None:
                raise Unusual(f"the type {name[:120]}, which the archive does not define", one.lineno)
            if name in ("torch", "ops", "__torch__", "CONSTANTS"):
                raise Unusual(f"{name} as a type", one.lineno)
            if "." not in name or name.startswith(CUSTOM_CLASSES):
                yield name, one.lineno
        elif isinstance(one, ast.Subscript):
            waiting.extend((one.slice,) if _is_optional(one) else (one.value, one.slice))
        elif isinstance(one, (ast.Tuple, ast.List)):
            waiting.extend(one.elts)
        elif not (isinstance(one, ast.Constant) and one.value is None):
            raise Unusual("an annotation that names no type", one.lineno)


def union_parts(node: ast.AST) -> Optional[List[Optional[str]]]:
    """The types in a ``Union[…]``; None for anything else, and for what 1.9.0 reads as Optional."""
    if not isinstance(node, ast.Subscript) or dotted(node.value) != "Union":
        return None
    parts = [dotted(part) for part in (node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice])]
    return None if len(parts) == 2 and "NoneType" in parts else parts


def is_hard(node: Optional[ast.AST]) -> bool:
    """Whether an annotation holds a union that is not one of plain numbers."""
    for inner in ast.walk(node) if node is not None else ():
        parts = union_parts(inner)
        if parts is not None and not set(parts) <= {*NUMBERS, "NoneType"}:
            return True
    return False


def is_custom_class(name: str) -> bool:
    """Whether libtorch 1.9.0 has this class, written in C++."""
    return name in custom_classes()


def _is_optional(node: ast.Subscript) -> bool:
    """``Union[T, NoneType]`` is how some versions write ``Optional[T]``; Torch 1.9.0 reads no other union."""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
    named = [dotted(part) for part in parts]
    return dotted(node.value) == "Union" and len(parts) == 2 and "NoneType" in named
