"""The facts that rules judge: what is in a model repo, and what happened when its model ran.

Collectors (`repo`, `metadata`, `archive`, `trial`) fill these in and never judge. All of them are immutable, hold
plain values only, and import no torch. :func:`decode` reads them, and every other dataclass, back from JSON.
"""

from __future__ import annotations

import sys
import typing
from collections import Counter
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Dict, Mapping, Optional, Set, Tuple, Union

if TYPE_CHECKING:
    from audacitorch.trial.observations import Trial


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


#: The files of a model repo: the model, its card's metadata, the page on the Hub.
MODEL = "model.pt"
METADATA = "metadata.json"
README = "README.md"


@dataclass(frozen=True)
class Unavailable:
    """A fact that is not available, with the reason as a clause: "model.pt is missing"."""

    reason: str


@dataclass(frozen=True)
class RepoFile:
    """A file of a model repo; ``lfs`` is None where nobody can tell whether the Hub keeps it in LFS storage."""

    name: str
    size: int
    lfs: Optional[bool] = None
    sha256: Optional[str] = None


@dataclass(frozen=True)
class Repo:
    """A model repo: where it is from, and the files that a check looks at."""

    source: str  # "folder" or "hub"
    id: Optional[str] = None
    revision: Optional[str] = None
    files: Mapping[str, RepoFile] = field(default_factory=_empty)


@dataclass(frozen=True)
class TextProblem:
    """Why a text file could not be read, and where."""

    kind: str
    message: str
    line: Optional[int] = None


@dataclass(frozen=True)
class Card:
    """README.md's front matter, as the Hub reads it. ``tags`` is None where there is none.

    ``problems`` holds what kept front matter from being read: kinds ``encoding``, ``syntax``, ``unsafe``,
    ``too-large``, ``not-an-object``, ``tags``. With any of them, ``tags`` is None.
    """

    present: bool
    tags: Optional[Tuple[str, ...]] = None
    front_matter: Mapping[str, Any] = field(default_factory=_empty)
    problems: Tuple[TextProblem, ...] = ()


@dataclass(frozen=True)
class Metadata:
    """metadata.json: its fields as they are written, and the line of each (keys are JSON pointers: ``/tags/0``).

    ``problems`` holds what kept it from being one JSON object: kinds ``encoding``, ``lfs-pointer``, ``syntax``,
    ``not-an-object``, ``duplicate-key``, ``too-large``. With any but ``duplicate-key``, ``fields`` is empty; of a key
    that comes twice the first value is kept, as Audacity does. Very long keys have no line.
    """

    fields: Mapping[str, Any] = field(default_factory=_empty)
    lines: Mapping[str, int] = field(default_factory=_empty)
    problems: Tuple[TextProblem, ...] = ()


@dataclass(frozen=True)
class Argument:
    """An argument of an operator call: its TorchScript type where it is known (``?`` where not)."""

    type: str
    keyword: Optional[str] = None


@dataclass(frozen=True)
class Call:
    """An operator call in an archive's code; ``file`` is the member's path below the archive's top folder.

    ``arguments`` is None where they can't be told; a method's own value has the keyword ``self``. Where ``called`` is
    false, the code only names the operator, and may call it by another name.
    """

    operator: str
    arguments: Optional[Tuple[Argument, ...]]
    file: str
    line: int
    source: str
    called: bool = True


@dataclass(frozen=True)
class TypeName:
    """A name that an annotation in an archive's code uses and that is not a class of the archive."""

    name: str
    file: str
    line: int


@dataclass(frozen=True)
class Setting:
    """A literal in an archive's code that matters by its value.

    ``kind`` is ``device`` (``value`` is the device's name) or ``training`` (``value`` is what is called with a flag
    that says so).
    """

    kind: str
    value: str
    file: str
    line: int
    source: str


@dataclass(frozen=True)
class Parameter:
    """A parameter of a method: its TorchScript type, ``?`` where it is not known."""

    name: str
    type: str
    has_default: bool


@dataclass(frozen=True)
class Archive:
    """model.pt as a file.

    ``kind`` is ``torchscript`` or why it is not one: ``empty``, ``lfs-pointer``, ``cut-off``, ``not-a-zip``,
    ``torch-save``, ``pickle``, ``zip-without-code``, ``unreadable``, ``ambiguous`` (it can be read in two ways).
    ``unsafe`` holds one sentence for each thing that makes it dangerous to unpack or that no zip writer writes,
    ``code_problems`` what could not be read as it should: kinds ``damaged`` (not even its bytes), ``too-large``,
    ``unusual`` (PyTorch's exporter does not write it), ``version``.
    ``methods`` holds the parameters of the model's own methods behind ``self``, None where its class is not known.
    ``parameters`` and ``buffers`` count elements, and so do ``dtypes`` and ``parameter_dtypes``; ``constants``
    counts tensors.
    """

    kind: str
    detail: str = ""
    size: int = 0
    unsafe: Tuple[str, ...] = ()
    format_version: Optional[int] = None
    producer: Optional[str] = None
    members: int = 0
    unpacked_size: int = 0
    calls: Tuple[Call, ...] = ()
    types: Tuple[TypeName, ...] = ()
    settings: Tuple[Setting, ...] = ()
    methods: Optional[Mapping[str, Tuple[Parameter, ...]]] = None
    #: The type that ``forward`` is declared to return; None where that is not known.
    returns: Optional[str] = None
    code_problems: Tuple[TextProblem, ...] = ()
    code_size: int = 0
    parameters: Optional[int] = None
    buffers: Optional[int] = None
    dtypes: Mapping[str, int] = field(default_factory=_empty)
    parameter_dtypes: Mapping[str, int] = field(default_factory=_empty)
    constants: int = 0
    root_type: Optional[str] = None
    #: Operators that Torch compiled, told by the trial; those that ``calls`` lacks are hidden in the code.
    compiled: Tuple[str, ...] = ()
    #: Calls by operator, of an archive of which ``calls`` are not kept.
    counted: Mapping[str, int] = field(default_factory=_empty)

    @property
    def operators(self) -> Mapping[str, int]:
        """The number of calls of each operator, by the operator's name."""
        return Counter(call.operator for call in self.calls) if self.calls else self.counted

    def summary(self) -> Archive:
        """The archive as reports keep it: calls are counted, and what only rules read is left out."""
        return replace(self, calls=(), types=(), settings=(), methods=None, compiled=(), counted=dict(self.operators))


@dataclass(frozen=True)
class Facts:
    """Everything that is known about a target; what is not available says why."""

    repo: Repo
    card: Union[Card, Unavailable]
    metadata: Union[Metadata, Unavailable]
    archive: Union[Archive, Unavailable]
    trial: Union[Trial, Unavailable]


class Undecodable(ValueError):
    """A value is not of the type that belongs at its place, which the message names."""


def decode(kind: Any, value: Any, where: str, lenient: bool = False) -> Any:
    """``value``, as JSON gives it, as a value of the type ``kind``: dataclasses from objects, tuples from arrays.

    A ``lenient`` reader passes over fields that ``kind`` does not have, and takes the default where a field is null.

    Raises:
        Undecodable: ``value`` does not fit; the message names its place, which starts with ``where``.
    """
    if kind is Any:
        return value
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and is_dataclass(kind) and isinstance(value, dict):
        return _decode_object(kind, value, where, lenient)
    if origin is Union:
        return None if value is None and type(None) in arguments else decode(arguments[0], value, where, lenient)
    if origin is tuple and isinstance(value, (list, tuple)):
        return tuple(decode(arguments[0], item, where, lenient) for item in value)
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, dict):
        return {str(key): decode(arguments[1], item, f"{where}.{key}", lenient) for key, item in value.items()}
    if kind is float and type(value) in (int, float) and abs(value) <= sys.float_info.max:
        return float(value)
    if kind is not float and type(value) is kind:
        return value
    raise Undecodable(f"{where} is {str(value)[:80]!r}")


def _decode_object(kind: Any, value: Dict[str, Any], where: str, lenient: bool) -> Any:
    types, required = _types(kind), _required(kind)
    if lenient:
        value = {name: item for name, item in value.items() if name in types and (item is not None or name in required)}
    unknown, missing = sorted(set(value) - set(types)), sorted(required - set(value))
    if unknown or missing:
        fault = f"has no {missing[0]}" if missing else f"has the unknown field {unknown[0]!a}"
        raise Undecodable(f"{where} {fault}")
    return kind(**{name: decode(types[name], item, f"{where}.{name}", lenient) for name, item in value.items()})


@cache
def _types(kind: Any) -> Dict[str, Any]:
    return {name: hint for name, hint in typing.get_type_hints(kind).items() if typing.get_origin(hint) is not ClassVar}


@cache
def _required(kind: Any) -> Set[str]:
    return {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
