"""JSON values as typed values: what :func:`dataclasses.asdict` wrote, read back and checked field by field."""

from __future__ import annotations

import sys
import typing
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, ClassVar, Dict, Mapping, Set, Union


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
