"""data.pkl and constants.pkl, read without running anything, and the tensors that they hold.

TorchScript pickles values with few opcodes. Here a pickle is only a description: globals are names, calls make
``Called`` records, tensors become ``Tensor`` records, and nothing is ever imported or called. ``pickletools`` of the
standard library reads the opcodes; stack, memo and sizes are bounded by the length of the pickle, which the caller
bounds.
"""

from __future__ import annotations

import pickletools
import struct
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

#: The dtype of each storage class, and its elements' size in bytes.
_DTYPES = {
    "FloatStorage": ("float32", 4),
    "DoubleStorage": ("float64", 8),
    "HalfStorage": ("float16", 2),
    "BFloat16Storage": ("bfloat16", 2),
    "LongStorage": ("int64", 8),
    "IntStorage": ("int32", 4),
    "ShortStorage": ("int16", 2),
    "CharStorage": ("int8", 1),
    "ByteStorage": ("uint8", 1),
    "BoolStorage": ("bool", 1),
    "ComplexFloatStorage": ("complex64", 8),
    "ComplexDoubleStorage": ("complex128", 16),
    "QInt8Storage": ("qint8", 1),
    "QUInt8Storage": ("quint8", 1),
    "QInt32Storage": ("qint32", 4),
}
#: What Torch 1.9.0 can hold in a tensor.
KNOWN_DTYPES = frozenset(dtype for dtype, _ in _DTYPES.values())


class Unreadable(Exception):
    """Not a pickle that TorchScript writes; the text is a clause."""


@dataclass(frozen=True)
class Global:
    """A class or function by name."""

    name: str


@dataclass(frozen=True)
class Tensor:
    """A tensor as it is pickled: its data lies in the member ``data/{storage}``.

    ``stored`` is the number of bytes that the member must have, None where the tensor reaches beyond what it says
    that is stored, or has a negative length.
    """

    dtype: str
    shape: Tuple[int, ...]
    storage: str
    itemsize: int = 1
    stored: Optional[int] = 0

    @property
    def elements(self) -> int:
        count = 1
        for length in self.shape[:64]:
            count = min(count * max(0, length), 1 << 62)
        return count


@dataclass(eq=False)
class Object:
    """An instance of a class of the archive, with its state: the attributes, or what ``__getstate__`` gave."""

    type: str
    state: Any = None


@dataclass(eq=False)
class Called:
    """What a function that is none of PyTorch's own would have made."""

    function: Any
    arguments: Any = field(default=())


class _Mark:
    pass


_MARK = _Mark()


@dataclass(frozen=True)
class Pickled:
    """The value that a pickle describes, and the names of all classes and functions in it."""

    value: Any
    globals: frozenset[str]


def describe(pickled: bytes) -> Pickled:
    """What ``pickled`` holds, made of plain values, ``Tensor``, ``Object``, ``Global`` and ``Called``.

    Raises:
        Unreadable: it is cut off, damaged, or uses opcodes that TorchScript never writes.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(pickled):
            handler = _HANDLERS.get(opcode.name)
            if handler is None:
                raise Unreadable(f"it has the opcode {opcode.name}, which TorchScript never writes")
            handler(machine, argument)
        return Pickled(machine.stack[-1], frozenset(machine.globals))
    except (IndexError, struct.error, UnicodeError, TypeError, ValueError, KeyError, OverflowError) as error:
        raise Unreadable("it is cut off or damaged") from error


class _Machine:
    """The stack machine of the pickle protocol, for the opcodes that TorchScript's pickler writes."""

    def __init__(self) -> None:
        self.stack: List[Any] = []
        self.memo: Dict[int, Any] = {}
        self.globals: Set[str] = set()

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

    def set_items(self, values: List[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, dict):
            for key, value in zip(values[::2], values[1::2]):
                target[key if isinstance(key, (str, int, float, bool, type(None))) else id(key)] = value

    def append(self, values: List[Any]) -> None:
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(values)

    def tuple(self, count: int) -> None:
        values = tuple(self.stack[len(self.stack) - count :])
        if len(values) < count:
            raise IndexError(count)
        del self.stack[len(self.stack) - count :]
        self.stack.append(values)

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self.stack.append(_called(function, arguments))

    def new_object(self) -> None:
        self.stack.pop()
        kind = self.stack.pop()
        self.stack.append(Object(kind.name if isinstance(kind, Global) else "?"))

    def build(self) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Object):
            self.stack[-1].state = state

    def set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.set_items([key, value])

    def append_one(self) -> None:
        value = self.stack.pop()
        self.append([value])


def _called(function: Any, arguments: Any) -> Any:
    """What a call makes: a tensor, an object, or a note of the call."""
    name = function.name if isinstance(function, Global) else ""
    if name.startswith("torch._utils._rebuild_") and isinstance(arguments, tuple) and len(arguments) > 2:
        tensor = _tensor(name, arguments)
        if tensor is not None:
            return tensor
    if name == "torch._utils._rebuild_parameter" and isinstance(arguments, tuple) and arguments:
        return arguments[0]
    if name == "collections.OrderedDict":
        return {}
    if name.startswith("torch.jit._pickle.") and isinstance(arguments, tuple) and arguments:
        return arguments[0]  # a typed list, or a container with its type: the container
    if name.startswith("__torch__."):
        return Object(name, arguments)
    return Called(function, arguments)


def _tensor(function: str, arguments: Tuple[Any, ...]) -> Optional[Tensor]:
    """A tensor: storage, offset, shape, …; ``_rebuild_tensor_v3`` gives the dtype at the end."""
    storage, offset, shape = arguments[:3]
    if not (isinstance(storage, tuple) and len(storage) > 2 and isinstance(shape, tuple)):
        return None
    kind = storage[1].name.rpartition(".")[2] if isinstance(storage[1], Global) else "?"
    dtype, itemsize = _DTYPES.get(kind, (kind, 1))
    if function.endswith("_v3") and len(arguments) > 6 and isinstance(arguments[6], Global):
        dtype, itemsize = arguments[6].name.rpartition(".")[2], 1
    lengths = tuple(length for length in shape if isinstance(length, int))
    strides = arguments[3] if len(arguments) > 3 and isinstance(arguments[3], tuple) else ()
    elements: Any = storage[4] if len(storage) > 4 else None
    inside = _is_inside(elements, offset, shape, strides)
    return Tensor(dtype, lengths, str(storage[2]), itemsize, elements * itemsize if inside else None)


def _is_inside(elements: Any, offset: Any, shape: Tuple[Any, ...], strides: Tuple[Any, ...]) -> bool:
    """Whether a tensor's elements are all among the ``elements`` of its storage; Torch 1.9.0 does not ask."""
    numbers = (elements, offset, *shape, *strides)
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


def _memoize(machine: _Machine, argument: Any) -> None:
    machine.memo[argument] = machine.stack[-1]


def _recall(machine: _Machine, argument: Any) -> None:
    machine.stack.append(machine.memo[argument])


def _nothing(machine: _Machine, argument: Any) -> None:
    pass


_HANDLERS: Dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": _nothing,
    "STOP": _nothing,
    "BINPERSID": _nothing,  # the tuple that names a storage stands for it
    "MARK": _constant(lambda: _MARK),
    "GLOBAL": lambda machine, argument: machine.named(argument),
    "NONE": _constant(lambda: None),
    "NEWTRUE": _constant(lambda: True),
    "NEWFALSE": _constant(lambda: False),
    **dict.fromkeys(("BININT1", "BININT2", "BININT", "LONG1", "BINFLOAT"), _push),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINSTRING", "BINSTRING"), _push),
    "EMPTY_TUPLE": _constant(tuple),
    "EMPTY_LIST": _constant(list),
    "EMPTY_DICT": _constant(dict),
    "TUPLE1": lambda machine, argument: machine.tuple(1),
    "TUPLE2": lambda machine, argument: machine.tuple(2),
    "TUPLE3": lambda machine, argument: machine.tuple(3),
    "TUPLE": lambda machine, argument: machine.stack.append(tuple(machine.since_mark())),
    "APPENDS": lambda machine, argument: machine.append(machine.since_mark()),
    "APPEND": lambda machine, argument: machine.append_one(),
    "SETITEMS": lambda machine, argument: machine.set_items(machine.since_mark()),
    "SETITEM": lambda machine, argument: machine.set_item(),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _memoize),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _recall),
    "REDUCE": lambda machine, argument: machine.reduce(),
    "NEWOBJ": lambda machine, argument: machine.new_object(),
    "BUILD": lambda machine, argument: machine.build(),
    "POP": lambda machine, argument: machine.stack.pop(),
}


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
        else:
            waiting.extend((inner, False) for inner in (value.values() if isinstance(value, dict) else value))
