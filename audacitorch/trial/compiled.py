"""What Torch compiled out of an archive, asked after the load and before the first pass, inside the worker.

The archive's reader works on text; Torch works on what it compiled. Every function of the compilation unit is walked:
methods of all modules and classes, free functions, hooks, ``__setstate__``. What Torch compiles without anybody having
written a call is known by name here (:data:`IMPLIED`). Importing this module imports no torch.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, FrozenSet, Iterable, Iterator, Mapping, Set, Tuple

#: What Torch 1.9.0's compiler puts in for syntax: subscripts, conditions, loops, arithmetic signs, casts, f-strings.
#: All of them compute on values; none reaches a file, a process or the network.
IMPLIED: FrozenSet[str] = frozenset(
    f"aten::{name}"
    for names in (
        # conditions and casts
        "Bool Int Float Complex IntImplicit FloatImplicit ScalarImplicit ComplexImplicit",
        "__is__ __isnot__ __not__ __and__ __or__ __xor__ __contains__ bitwise_not",
        # subscripts, slices, deletion, comprehensions, loops
        "__getitem__ _set_item Delete select slice index index_put_ unsqueeze tensor copy_ fill_",
        "len append list keys items values __range_length __derive_index",
        # arithmetic and comparison signs, also with assignment
        "add sub mul div floordiv remainder pow matmul neg __lshift__ __rshift__ add_ sub_ mul_ div_ eq ne lt gt le ge",
        # f-strings, attributes, warnings
        "format warn dim numel size",
    )
    for name in names.split()
)
#: Containers in containers that are looked into.
_DEEPEST = 8


def is_implied(operator: str) -> bool:
    """Whether Torch compiles ``operator`` for syntax alone; ``prim`` is the namespace of control flow and data.

    Three of its operators reach out, and Python's can do anything; both are written as calls.
    """
    reaches = operator.startswith(("prim::rpc_", "prim::PythonOp"))
    return operator in IMPLIED or (operator.startswith("prim::") and not reaches)


def load(path: str) -> Tuple[Any, Any]:
    """``torch.jit.load(path, "cpu").eval()``, and the compilation unit that holds everything that came with it."""
    import torch
    from torch import _C
    from torch.jit._recursive import wrap_cpp_module

    unit = _C.CompilationUnit()
    module = _C.import_ir_module(unit, path, torch.device("cpu"), {})
    return wrap_cpp_module(module).eval(), unit


def count_operators(unit: Any) -> Tuple[Dict[str, int], int]:
    """Calls by operator name over every compiled function, and the number of functions."""
    functions = unit.get_functions()
    return dict(Counter(node.kind() for function in functions for node in _nodes(function.graph))), len(functions)


def _nodes(block: Any) -> Iterator[Any]:
    """Every node of a graph, those of its branches and loops included."""
    waiting = [block]
    while waiting:
        for node in waiting.pop().nodes():
            yield node
            waiting.extend(node.blocks())


class State:
    """What a module and those in it keep from pass to pass: attributes that any compiled function reads or sets."""

    def __init__(self, module: Any, unit: Any) -> None:
        kinds = ("prim::GetAttr", "prim::SetAttr")
        nodes = (node for function in unit.get_functions() for node in _nodes(function.graph))
        names = sorted({node.s("name") for node in nodes if node.kind() in kinds})
        parts = [one._c for one in module.modules() if hasattr(one, "_c")]
        places = [(part, name) for part in parts for name in names if part.hasattr(name)]
        self._places = [place for place in places if _can_hold(place[0].getattr(place[1]))]

    def held_bytes(self) -> int:
        """Tensors' bytes, and eight for each item of a container."""
        return sum(_size(part.getattr(name), 0) for part, name in self._places)


def _can_hold(value: Any) -> bool:
    import torch

    return isinstance(value, (torch.Tensor, str, list, tuple, dict))


def _size(value: Any, depth: int) -> int:
    import torch

    if isinstance(value, torch.Tensor):
        return int(value.numel() * value.element_size())
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple)) and depth < _DEEPEST:
        return sum(8 + _size(item, depth + 1) for item in value)
    return 0


def follows_input(module: Any) -> bool:
    """Whether what ``forward`` returns depends on its input's values, not only its size, as far as its graph tells.

    A trace can freeze all decisions of a decoder: the labels are constants then, whatever the sound. True where in
    doubt: operators that write the input's values into something, and calls that can't be seen through.
    """
    graph = module._c._get_method("forward").inlined_graph
    flow = _Flow({value.debugName() for value in list(graph.inputs())[1:]})
    for _ in range(2):  # twice: a loop carries values back to its beginning
        flow.through(graph)
    return flow.in_doubt or flow.any_of(graph.outputs())


class _Flow:
    """Which values of a graph depend on the input's values."""

    _SIZE_ONLY = ("aten::size", "aten::len", "aten::dim", "aten::numel", "prim::shape", "prim::dtype", "prim::device")
    _CALLS = ("prim::CallMethod", "prim::CallFunction", "prim::fork", "prim::SetAttr")

    def __init__(self, names: Set[str]) -> None:
        self._names = names
        self.in_doubt = False

    def any_of(self, values: Iterable[Any]) -> bool:
        return any(value.debugName() in self._names for value in values)

    def through(self, block: Any, conditional: bool = False) -> None:
        """Follow one block, and those in it; ``conditional`` where whether it runs depends on the input's values."""
        for node in block.nodes():
            kind, inner = node.kind(), list(node.blocks())
            marked = kind not in self._SIZE_ONLY and (conditional or self.any_of(node.inputs()))
            if kind == "prim::Loop" and marked:
                for one in inner:
                    self._mark(one.inputs())
            for one in inner:
                self.through(one, marked)
            if marked or any(self.any_of(one.outputs()) for one in inner):
                self._mark(node.outputs())
                self.in_doubt |= kind.endswith("_") or kind in self._CALLS
                self._mark(value for value in node.inputs() if value.type().kind() in ("ListType", "DictType"))

    def _mark(self, values: Iterable[Any]) -> None:
        self._names.update(value.debugName() for value in values)
