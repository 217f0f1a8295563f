"""What a pickled module holds: parameters, buffers and their types, counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

from audacitorch.archive.pickles import Called, Object, Tensor


@dataclass(frozen=True)
class Contents:
    """The tensors of a module tree: elements that are parameters, that are buffers, and of each dtype."""

    root_type: Optional[str]
    parameters: int
    buffers: int
    dtypes: Dict[str, int]


def count_tensors(root: Any, parameter_names: Callable[[str], frozenset[str]]) -> Contents:
    """Walk everything below ``root``; ``parameter_names`` gives the attributes of a class that are parameters."""
    parameters = buffers = 0
    dtypes: Dict[str, int] = {}
    seen = set()
    waiting: List[Tuple[Any, bool]] = [(root, False)]
    while waiting:
        value, trained = waiting.pop()
        if isinstance(value, Tensor):
            if id(value) not in seen:
                dtypes[value.dtype] = dtypes.get(value.dtype, 0) + value.elements
                parameters += value.elements if trained else 0
                buffers += 0 if trained else value.elements
        elif isinstance(value, Object) and id(value) not in seen and isinstance(value.state, dict):
            names = parameter_names(value.type)
            waiting.extend((inner, name in names) for name, inner in reversed(list(value.state.items())))
        elif isinstance(value, (Object, Called)) and id(value) not in seen:
            waiting.append((value.state if isinstance(value, Object) else value.arguments, False))
        elif isinstance(value, (dict, list, tuple)) and id(value) not in seen:
            waiting.extend((inner, False) for inner in (value.values() if isinstance(value, dict) else value))
        if isinstance(value, (Tensor, Object, Called, dict, list, tuple)):
            seen.add(id(value))
    return Contents(root.type if isinstance(root, Object) else None, parameters, buffers, dtypes)
