"""data.pkl and constants.pkl, read without running anything.

TorchScript pickles values with few opcodes. Here a pickle is only a description: globals are names, calls make
``Called`` records, tensors become ``Tensor`` records, and nothing is ever imported or called. Opcodes, memo and sizes
are bounded by the length of the pickle, which the caller bounds.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Tuple

#: The dtype of each storage class.
_DTYPES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "QInt8Storage": "qint8",
    "QUInt8Storage": "quint8",
    "QInt32Storage": "qint32",
}


class Unreadable(Exception):
    """Not a pickle that TorchScript writes; the text is a clause."""


@dataclass(frozen=True)
class Global:
    """A class or function by name."""

    name: str


@dataclass(frozen=True)
class Tensor:
    """A tensor as it is pickled: its data lies in the member ``data/{storage}``."""

    dtype: str
    shape: Tuple[int, ...]
    storage: str

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


def describe(pickled: bytes) -> Any:
    """The value that ``pickled`` describes, made of plain values, ``Tensor``, ``Object``, ``Global`` and ``Called``.

    Raises:
        Unreadable: it is cut off, damaged, or uses opcodes that TorchScript never writes.
    """
    try:
        return _Machine(pickled).run()
    except (IndexError, struct.error, UnicodeDecodeError, TypeError, ValueError, KeyError, OverflowError) as error:
        raise Unreadable("it is cut off or damaged") from error


class _Machine:
    """The stack machine of the pickle protocol, for the opcodes that TorchScript's pickler emits."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.stack: List[Any] = []
        self.memo: Dict[int, Any] = {}

    def run(self) -> Any:
        while True:
            opcode = self.data[self.at]
            self.at += 1
            if opcode == 0x2E:
                return self.stack[-1]
            handler = _HANDLERS.get(opcode)
            if handler is None:
                raise Unreadable(f"it has the opcode 0x{opcode:02x}, which TorchScript never writes")
            handler(self)

    def raw(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise IndexError(count)
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, layout: str) -> Any:
        return struct.unpack(layout, self.raw(struct.calcsize(layout)))[0]

    def line(self) -> str:
        end = self.data.index(b"\n", self.at)
        text = self.data[self.at : end].decode("utf-8")
        self.at = end + 1
        return text

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


def _called(function: Any, arguments: Any) -> Any:
    """What a call makes: a tensor, an object, or a note of the call."""
    name = function.name if isinstance(function, Global) else ""
    if name in ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_qtensor"):
        storage, _, shape = arguments[:3]
        if isinstance(storage, tuple) and len(storage) > 2 and isinstance(shape, tuple):
            kind = storage[1].name.rpartition(".")[2] if isinstance(storage[1], Global) else "?"
            sizes = tuple(length for length in shape if isinstance(length, int))
            return Tensor(_DTYPES.get(kind, kind), sizes, str(storage[2]))
    if name == "torch._utils._rebuild_parameter" and isinstance(arguments, tuple) and arguments:
        return arguments[0]
    if name == "collections.OrderedDict":
        return {}
    if name.startswith("torch.jit._pickle.build_") and isinstance(arguments, tuple) and arguments:
        return arguments[0]  # a typed list: its elements
    if name == "torch.jit._pickle.restore_type_tag" and isinstance(arguments, tuple) and arguments:
        return arguments[0]
    if name.startswith("__torch__."):
        return Object(name, arguments)
    return Called(function, arguments)


def _push(make: Callable[[_Machine], Any]) -> Callable[[_Machine], None]:
    return lambda machine: machine.stack.append(make(machine))


def _global(machine: _Machine) -> Global:
    module = machine.line()
    return Global(f"{module}.{machine.line()}")


def _memoize(layout: str) -> Callable[[_Machine], None]:
    def put(machine: _Machine) -> None:
        machine.memo[machine.number(layout)] = machine.stack[-1]

    return put


def _tuple(count: Optional[int]) -> Callable[[_Machine], None]:
    def make(machine: _Machine) -> None:
        if count is None:
            machine.stack.append(tuple(machine.since_mark()))
            return
        values = tuple(machine.stack[len(machine.stack) - count :])
        if len(values) < count:
            raise IndexError(count)
        del machine.stack[len(machine.stack) - count :]
        machine.stack.append(values)

    return make


def _one_item(machine: _Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.set_items([key, value])


def _one_element(machine: _Machine) -> None:
    machine.append([machine.stack.pop()])


def _skip_protocol(machine: _Machine) -> None:
    machine.raw(1)


def _drop(machine: _Machine) -> None:
    machine.stack.pop()


_HANDLERS: Dict[int, Callable[[_Machine], None]] = {
    0x80: _skip_protocol,
    ord("("): _push(lambda machine: _MARK),
    ord("c"): _push(_global),
    ord("N"): _push(lambda machine: None),
    0x88: _push(lambda machine: True),
    0x89: _push(lambda machine: False),
    ord("K"): _push(lambda machine: machine.number("<B")),
    ord("M"): _push(lambda machine: machine.number("<H")),
    ord("J"): _push(lambda machine: machine.number("<i")),
    0x8A: _push(lambda machine: int.from_bytes(machine.raw(machine.number("<B")), "little", signed=True)),
    ord("G"): _push(lambda machine: machine.number(">d")),
    ord("X"): _push(lambda machine: machine.raw(machine.number("<I")).decode("utf-8", "surrogateescape")),
    ord("U"): _push(lambda machine: machine.raw(machine.number("<B"))),
    ord("T"): _push(lambda machine: machine.raw(machine.number("<i"))),
    ord(")"): _push(lambda machine: ()),
    0x85: _tuple(1),
    0x86: _tuple(2),
    0x87: _tuple(3),
    ord("t"): _tuple(None),
    ord("]"): _push(lambda machine: []),
    ord("}"): _push(lambda machine: {}),
    ord("e"): lambda machine: machine.append(machine.since_mark()),
    ord("a"): _one_element,
    ord("u"): lambda machine: machine.set_items(machine.since_mark()),
    ord("s"): _one_item,
    ord("q"): _memoize("<B"),
    ord("r"): _memoize("<I"),
    ord("h"): _push(lambda machine: machine.memo[machine.number("<B")]),
    ord("j"): _push(lambda machine: machine.memo[machine.number("<I")]),
    ord("Q"): lambda machine: None,  # BINPERSID: the tuple that names a storage stands for it
    ord("R"): _Machine.reduce,
    0x81: _Machine.new_object,
    ord("b"): _Machine.build,
    ord("0"): _drop,
}
