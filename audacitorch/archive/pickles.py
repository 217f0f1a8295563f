"""data.pkl and constants.pkl, read without running anything.

TorchScript pickles values with few opcodes. Here a pickle is only a description: globals are names, calls make
``Called`` records, tensors become ``Tensor`` records, and nothing is ever imported or called. ``pickletools`` of the
standard library reads the opcodes; stack, memo and sizes are bounded by the length of the pickle, which the caller
bounds. What PyTorch's pickler does not write is refused, because Torch's unpickler trusts it: a memo's number is the
length of an allocation, and a tensor may lie anywhere.
"""

from __future__ import annotations

import pickletools
import struct
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Set, Tuple

from audacitorch.archive.types import MAX_DEPTH
from audacitorch.archive.values import DTYPES, Called, Global, Key, Object, Storage, Tensor

#: Lists whose name says what they hold.
_LISTS = {"build_intlist": "int", "build_doublelist": "float", "build_boollist": "bool", "build_tensorlist": "Tensor"}
#: More than any model holds; Torch's own destructors call themselves for each level.
MAX_VALUES, MAX_NESTING = 2_000_000, 500


class Unreadable(Exception):
    """Not a pickle that TorchScript writes; the text is a clause."""


class _Mark:
    pass


_MARK = _Mark()


@dataclass(frozen=True)
class Pickled:
    """The value that a pickle describes, the names of all classes and functions in it, and everything of tensors.

    A tensor is among ``tensors`` wherever it is, also where no value holds it any more: Torch has made it. ``tags``
    has containers with the types that the pickle gives them.
    """

    value: Any
    globals: frozenset[str]
    tensors: Tuple[Tensor, ...] = ()
    storages: Tuple[Storage, ...] = ()
    tags: Tuple[Tuple[Any, str], ...] = ()


def describe(pickled: bytes) -> Pickled:
    """What ``pickled`` holds, made of plain values, ``Tensor``, ``Object``, ``Global`` and ``Called``.

    Raises:
        Unreadable: it is cut off, damaged, or uses opcodes that TorchScript never writes.
    """
    machine = _Machine()
    end = 0
    try:
        for number, (opcode, argument, position) in enumerate(pickletools.genops(pickled)):
            handler = _HANDLERS.get(opcode.name)
            if number > MAX_VALUES:
                raise Unreadable(f"it holds more than {MAX_VALUES:,} values")
            if handler is None:
                raise Unreadable(f"it has the opcode {opcode.name}, which TorchScript never writes")
            handler(machine, argument)
            end = (position or 0) + 1
    except (IndexError, struct.error, UnicodeError, TypeError, ValueError, KeyError, OverflowError) as error:
        raise Unreadable("it is cut off or damaged") from error
    if len(machine.stack) != 1 or end != len(pickled):
        raise Unreadable("it holds more than one value")
    if {id(one) for one in machine.storages} - machine.rebuilt:
        raise Unreadable("it has the data of a tensor without a tensor")
    tensors, storages = tuple(machine.tensors), tuple(machine.storages)
    return Pickled(machine.stack[0], frozenset(machine.globals), tensors, storages, tuple(machine.tags))


class _Machine:
    """The stack machine of the pickle protocol, for the opcodes that TorchScript's pickler writes."""

    def __init__(self) -> None:
        self.stack: List[Any] = []
        self.memo: List[Any] = []
        self.globals: Set[str] = set()
        self.tensors: List[Tensor] = []
        self.storages: List[Storage] = []
        self.rebuilt: Set[int] = set()  # ids of storages of which tensors were made
        self.tags: List[Tuple[Any, str]] = []
        self.depths: Dict[int, int] = {}  # of containers that hold others, by their ids

    def push_new(self, container: Any) -> None:
        self.depths.pop(id(container), None)
        self.stack.append(container)

    def nest(self, outer: Any, values: Iterable[Any]) -> None:
        """Note how deeply ``outer``, which holds ``values`` now, is nested."""
        depth = max((self.depths.get(id(one), 1) for one in values if isinstance(one, _NESTING)), default=0)
        if depth >= MAX_NESTING:
            raise Unreadable("it is nested too deeply")
        if depth:
            self.depths[id(outer)] = max(depth + 1, self.depths.get(id(outer), 0))

    def named(self, argument: str) -> None:
        name = argument.replace(" ", ".", 1)
        self.globals.add(name)
        self.stack.append(Global(name))

    def since_mark(self) -> List[Any]:
        index = len(self.stack) - 1
        while self.stack[index] is not _MARK:
            index -= 1
            if index < 0:
                raise IndexError("no mark")
        values = self.stack[index + 1 :]
        del self.stack[index:]
        return values

    def memoize(self, number: int) -> None:
        """Torch makes room for as many values as ``number`` says; its pickler counts."""
        if number != len(self.memo):
            raise Unreadable("it does not number its values one after the other")
        self.memo.append(self.stack[-1])

    def set_items(self, values: List[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(values) % 2:
            raise ValueError("no dictionary")
        self.nest(target, values)
        for key, value in zip(values[::2], values[1::2]):
            target[key if isinstance(key, (str, int, float, bool, type(None))) else Key(key)] = value

    def append(self, values: List[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise TypeError("no list")
        self.nest(self.stack[-1], values)
        self.stack[-1].extend(values)

    def tuple(self, count: int) -> None:
        values = tuple(self.stack[len(self.stack) - count :])
        if len(values) < count or any(one is _MARK for one in values):
            raise IndexError(count)
        del self.stack[len(self.stack) - count :]
        self.push_new(values)
        self.nest(values, values)

    def tuple_since_mark(self) -> None:
        values = tuple(self.since_mark())
        self.push_new(values)
        self.nest(values, values)

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        made = _called(function, arguments)
        if isinstance(made, Tensor) and isinstance(arguments[0], Storage):
            self.tensors.append(made)
            self.rebuilt.add(id(arguments[0]))
        if isinstance(made, Object):
            self.nest(made, (arguments,))
        elif isinstance(function, Global) and function.name.startswith(_TYPED):
            self.tag(made, function.name[len(_TYPED) :], arguments)
        self.stack.append(made)

    def tag(self, container: Any, name: str, arguments: Any) -> None:
        """Note the type that a container is said to have."""
        kind = f"List[{_LISTS[name]}]" if name in _LISTS else arguments[1]
        if kind.count("[") > MAX_DEPTH:
            raise Unreadable("it has a type that is nested too deeply")
        self.tags.append((container, kind))

    def new_object(self) -> None:
        arguments, kind = self.stack.pop(), self.stack.pop()
        if arguments != () or not isinstance(kind, Global):
            raise TypeError("no class")
        self.stack.append(Object(kind.name))

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if not isinstance(target, Object) or target.is_built:
            raise TypeError("no new object")
        self.nest(target, (state,))
        target.state, target.is_built = state, True

    def persistent(self) -> None:
        """A tuple that names a storage."""
        what, kind, key, _, elements = self.stack.pop()[:5]
        if what != "storage" or type(elements) is not int or elements < 0 or not isinstance(key, str):
            raise Unreadable("it has a tensor's data in a form that TorchScript never writes")
        name = kind.name.rpartition(".")[2]
        dtype, itemsize = DTYPES.get(name, (name, 1))
        self.storages.append(Storage(key, dtype, itemsize, elements))
        self.stack.append(self.storages[-1])


_TYPED = "torch.jit._pickle."
_NESTING = (list, tuple, dict, Object)


def _called(function: Any, arguments: Any) -> Any:
    """What a call makes: a tensor, an object, or a note of the call."""
    name = function.name if isinstance(function, Global) else ""
    if name == "torch._utils._rebuild_parameter" and isinstance(arguments, tuple) and arguments:
        return arguments[0]
    if name.startswith("torch._utils._rebuild_"):
        return _tensor(name, arguments)
    if name == "collections.OrderedDict":
        return {}
    if name.startswith(_TYPED) and isinstance(arguments, tuple) and arguments:
        return arguments[0]  # a typed list, or a container with its type: the container
    if name.startswith("__torch__."):
        return Object(name, arguments, is_built=True)
    return Called(function, arguments)


def _tensor(function: str, arguments: Tuple[Any, ...]) -> Tensor:
    """A tensor: storage, offset, shape, strides, …; ``_rebuild_tensor_v3`` gives the dtype at the end."""
    if len(arguments) < 4:
        raise Unreadable(f"it has a tensor made by {function}, which TorchScript never writes")
    storage, offset, shape, strides = arguments[:4]
    if not (isinstance(storage, Storage) and isinstance(shape, tuple) and isinstance(strides, tuple)):
        raise Unreadable("it has a tensor in a form that TorchScript never writes")
    dtype = storage.dtype
    if function.endswith("_v3") and len(arguments) > 6 and isinstance(arguments[6], Global):
        dtype = arguments[6].name.rpartition(".")[2]
    lengths = tuple(length for length in shape if isinstance(length, int))
    return Tensor(dtype, lengths, storage.key, _is_inside(storage.elements, offset, shape, strides))


def _is_inside(elements: int, offset: Any, shape: Tuple[Any, ...], strides: Tuple[Any, ...]) -> bool:
    """Whether a tensor's elements are all among the ``elements`` of its storage; Torch 1.9.0 does not ask."""
    numbers = (offset, *shape, *strides)
    if len(shape) != len(strides) or not all(type(one) is int and one >= 0 for one in numbers):
        return False
    if 0 in shape:
        return True
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides))
    return bool(last < elements)


def _push(machine: _Machine, argument: Any) -> None:
    machine.stack.append(argument)


def _constant(make: Callable[[], Any]) -> Callable[[_Machine, Any], None]:
    return lambda machine, argument: machine.stack.append(make())


def _recall(machine: _Machine, argument: Any) -> None:
    machine.stack.append(machine.memo[argument])


def _nothing(machine: _Machine, argument: Any) -> None:
    pass


_HANDLERS: Dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": _nothing,
    "STOP": _nothing,
    "BINPERSID": lambda machine, argument: machine.persistent(),
    "MARK": _constant(lambda: _MARK),
    "GLOBAL": lambda machine, argument: machine.named(argument),
    "NONE": _constant(lambda: None),
    "NEWTRUE": _constant(lambda: True),
    "NEWFALSE": _constant(lambda: False),
    **dict.fromkeys(("BININT1", "BININT2", "BININT", "LONG1", "BINFLOAT"), _push),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINSTRING", "BINSTRING"), _push),
    "EMPTY_TUPLE": _constant(tuple),
    "EMPTY_LIST": lambda machine, argument: machine.push_new([]),
    "EMPTY_DICT": lambda machine, argument: machine.push_new({}),
    "TUPLE1": lambda machine, argument: machine.tuple(1),
    "TUPLE2": lambda machine, argument: machine.tuple(2),
    "TUPLE3": lambda machine, argument: machine.tuple(3),
    "TUPLE": lambda machine, argument: machine.tuple_since_mark(),
    "APPENDS": lambda machine, argument: machine.append(machine.since_mark()),
    "SETITEMS": lambda machine, argument: machine.set_items(machine.since_mark()),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), lambda machine, argument: machine.memoize(argument)),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _recall),
    "REDUCE": lambda machine, argument: machine.reduce(),
    "NEWOBJ": lambda machine, argument: machine.new_object(),
    "BUILD": lambda machine, argument: machine.build(),
}
