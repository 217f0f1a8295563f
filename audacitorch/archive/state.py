"""A model's state as it is pickled: its tensors, and whether each value is what the code says that it is.

Torch 1.9.0 puts what data.pkl holds into a model's attributes and does not ask for its type; code that was compiled for
one type then takes the memory of a value of another for its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from audacitorch.archive import types
from audacitorch.archive.names import CUSTOM_CLASSES, ClassInfo, Names
from audacitorch.archive.pickles import MAX_VALUES, Pickled
from audacitorch.archive.types import ANY, UNKNOWN, Type
from audacitorch.archive.values import Called, Key, Object, Storage, Tensor


@dataclass(frozen=True)
class Contents:
    """The tensors of a module tree: elements that are parameters, that are buffers, and of each dtype."""

    root_type: Optional[str]
    parameters: int
    buffers: int
    dtypes: Dict[str, int]
    parameter_dtypes: Dict[str, int]
    tensors: Tuple[Tensor, ...]


def count_tensors(root: Any, parameter_names: Callable[[str], frozenset[str]]) -> Contents:
    """Walk everything below ``root``; ``parameter_names`` gives the attributes of a class that are parameters."""
    dtypes: Dict[str, int] = {}
    trained_dtypes: Dict[str, int] = {}
    tensors: List[Tensor] = []
    for tensor, trained in _tensors(root, parameter_names):
        tensors.append(tensor)
        dtypes[tensor.dtype] = dtypes.get(tensor.dtype, 0) + tensor.elements
        if trained:
            trained_dtypes[tensor.dtype] = trained_dtypes.get(tensor.dtype, 0) + tensor.elements
    root_type = root.type if isinstance(root, Object) else None
    parameters = sum(trained_dtypes.values())
    buffers = sum(dtypes.values()) - parameters
    return Contents(root_type, parameters, buffers, dtypes, trained_dtypes, tuple(tensors))


def _tensors(root: Any, parameter_names: Callable[[str], frozenset[str]]) -> Iterator[Tuple[Tensor, bool]]:
    """Every tensor once, and whether it is a parameter."""
    seen = set()
    waiting: List[Tuple[Any, bool]] = [(root, False)]
    while waiting:
        value, trained = waiting.pop()
        if not isinstance(value, (Tensor, Object, Called, dict, list, tuple)) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Tensor):
            yield value, trained
        elif isinstance(value, Object) and isinstance(value.state, dict):
            names = parameter_names(value.type)
            waiting.extend((inner, name in names) for name, inner in reversed(list(value.state.items())))
        elif isinstance(value, (Object, Called)):
            waiting.append((value.state if isinstance(value, Object) else value.arguments, False))
        elif isinstance(value, dict):
            waiting.extend((key.value, False) for key in value if isinstance(key, Key))
            waiting.extend((inner, False) for inner in value.values())
        else:
            waiting.extend((inner, False) for inner in value)


#: What a value of a plain type is in a pickle.
_PLAIN: Dict[str, Tuple[type, ...]] = {
    "int": (int,), "float": (float,), "bool": (bool,), "str": (str,), "Tensor": (Tensor,), "NoneType": (type(None),),
    "number": (int, float, Called), "complex": (Called,), "Device": (Called,), "Dict": (dict,), "List": (list,),
    "Tuple": (tuple,),
}  # fmt: skip


_HOLDING = (Object, dict, list, tuple, Called, Storage)


def misfit(pickled: Pickled, names: Names) -> Optional[str]:
    """A clause about the first value that is not of the type which its class gives the attribute, or a type tag."""
    seen: Set[Tuple[int, Type]] = set()
    waiting: List[Tuple[Any, Type, str]] = [(value, types.parse(tag), "a container") for value, tag in pickled.tags]
    waiting.append((pickled.value, UNKNOWN, "the model"))
    left = 3 * MAX_VALUES
    while waiting:
        left -= 1
        if left < 0:
            return "its values have too many types"
        value, kind, place = waiting.pop()
        if kind.name == "Optional":
            if value is None:
                continue
            kind = kind.arguments[0]
        if isinstance(value, Storage):
            return f"{place} is the data of a tensor, not a tensor"
        if isinstance(value, (Object, dict, list, tuple)):
            if (id(value), kind) in seen:
                continue
            seen.add((id(value), kind))
        if isinstance(value, Object):
            if not _is_of(value, kind, names):
                return f"{place} is of {value.type[:120]}, and the code says {str(kind)[:120]}"
            known = names.find_class(value.type)
            if known is not None and not _fits_form(value, known):
                return f"{place} is not made as its class {value.type[:120]} is"
            waiting.extend(_attributes(value, known))
            continue
        if kind in (UNKNOWN, ANY):
            waiting.extend(_inside(value, UNKNOWN, UNKNOWN, place))
            continue
        if type(value) not in _PLAIN.get(kind.name, (type(value),)) or kind.name.startswith("__torch__."):
            return f"{place} is not of the type {str(kind)[:120]} that the code says"
        if isinstance(value, tuple) and len(value) != len(kind.arguments):
            return f"{place} is a tuple of {len(value)}, and the code says {str(kind)[:120]}"
        if isinstance(value, tuple):
            waiting.extend((one, part, place) for one, part in zip(value, kind.arguments))
        elif kind.arguments:
            waiting.extend(_inside(value, kind.arguments[0], kind.arguments[-1], place))
    return None


def _is_of(value: Object, kind: Type, names: Names) -> bool:
    """Whether an object may stand where the code wants ``kind``: it is of that class, or has an interface's methods."""
    if kind in (UNKNOWN, ANY) or value.type == kind.name:
        return True
    wanted, known = names.find_class(kind.name), names.find_class(value.type)
    if wanted is None or known is None or not wanted.base.endswith("Interface"):
        return False
    pairs = [(signature, known.methods.get(name)) for name, signature in wanted.methods.items()]
    return all(has is not None and len(has.parameters) == len(wants.parameters) for wants, has in pairs)


def _fits_form(value: Object, known: ClassInfo) -> bool:
    """An object has a state; a tuple with names, or a member of an enumeration, has as many values as it needs."""
    if known.base == "NamedTuple":
        return isinstance(value.state, tuple) and len(value.state) == len(known.attributes)
    if known.base == "Enum":
        return isinstance(value.state, tuple) and len(value.state) == 1
    return "__setstate__" in known.methods or isinstance(value.state, dict)


def _attributes(value: Object, known: Optional[ClassInfo]) -> Iterator[Tuple[Any, Type, str]]:
    """What an object holds, each with its type by the class; what ``__setstate__`` takes, with the parameter's."""
    if known is None or value.type.startswith(CUSTOM_CLASSES) or known.base == "Enum":
        yield value.state, UNKNOWN, value.type[:120]
    elif "__setstate__" in known.methods:
        taken = known.methods["__setstate__"].parameters[1:]
        yield value.state, taken[0].type if taken else UNKNOWN, f"the state of {value.type[:120]}"
    elif isinstance(value.state, tuple):
        for one, (name, kind) in zip(value.state, known.attributes.items()):
            yield one, kind, f"the attribute {name[:80]!a} of {value.type[:120]}"
    else:
        for name, one in value.state.items():
            kind = known.attributes.get(name, UNKNOWN)
            yield one, kind, f"the attribute {str(name)[:80]!a} of {value.type[:120]}"


def _inside(value: Any, keys: Type, values: Type, place: str) -> Iterator[Tuple[Any, Type, str]]:
    """What a container holds; plain values are left out where any would do."""
    held: List[Tuple[Any, Type]] = []
    if isinstance(value, dict):
        held = [(key.value if isinstance(key, Key) else key, keys) for key in value]
        held += [(one, values) for one in value.values()]
    elif isinstance(value, (list, tuple)):
        held = [(one, values) for one in value]
    elif isinstance(value, Called):
        held = [(value.arguments, UNKNOWN)]
    for one, kind in held:
        is_right = kind == UNKNOWN or type(one) in _PLAIN.get(kind.name, ())
        if type(one) in _HOLDING or not is_right:
            yield one, kind, place
