"""What the pickles of an archive hold: plain values, and records of everything else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Tuple

#: The dtype of each storage class, and its elements' size in bytes.
DTYPES = {
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
KNOWN_DTYPES = frozenset(dtype for dtype, _ in DTYPES.values())


@dataclass(frozen=True)
class Global:
    """A class or function by name."""

    name: str


@dataclass(frozen=True)
class Storage:
    """What a tensor's data is said to be: ``elements`` of a dtype in the member ``data/{key}``."""

    key: str
    dtype: str
    itemsize: int
    elements: int

    @property
    def size(self) -> int:
        """In bytes."""
        return self.elements * self.itemsize


@dataclass(frozen=True)
class Tensor:
    """A tensor as it is pickled; ``is_inside`` where all its elements are among those of its storage."""

    dtype: str
    shape: Tuple[int, ...]
    storage: str
    is_inside: bool = True

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
    is_built: bool = False


@dataclass(eq=False)
class Called:
    """What a function that is none of PyTorch's own would have made."""

    function: Any
    arguments: Any = field(default=())


class Key:
    """A dictionary's key that is not a plain value."""

    def __init__(self, value: Any) -> None:
        self.value = value
