"""What ``value.name`` is: a member of a class of the archive, a property of a tensor, or an operator."""

from __future__ import annotations

import ast
from typing import Dict

from audacitorch.archive import types
from audacitorch.archive.environment import Environment, Ref, Value
from audacitorch.archive.types import BOOL, INT, STR, TENSOR, UNKNOWN, Type

_TENSOR_PROPERTIES: Dict[str, Type] = {
    **dict.fromkeys(
        ("is_cuda", "is_sparse", "is_sparse_csr", "is_mkldnn", "is_mlc", "is_quantized", "is_vulkan", "is_xpu"), BOOL
    ),
    **dict.fromkeys(("is_meta", "is_leaf", "requires_grad"), BOOL),
    **dict.fromkeys(("dtype", "layout", "ndim"), INT),
    **dict.fromkeys(("data", "grad", "T", "name", "H"), UNKNOWN),
    "data": TENSOR,
    "T": TENSOR,
    "shape": types.list_of(INT),
    "device": types.DEVICE,
}


class Attributes(Environment):
    """Resolves attributes as Torch's ``SugaredValue::attr`` does."""

    def attribute(self, base: Value, name: str, node: ast.expr) -> Value:
        if isinstance(base, Ref):
            return self.attribute_of_ref(base, name)
        if base == TENSOR and name in _TENSOR_PROPERTIES:
            return _TENSOR_PROPERTIES[name]
        if types.is_class(base):
            return self.attribute_of_class(base, name, node)
        if base == types.DEVICE and name in ("type", "index"):
            return STR if name == "type" else types.optional(INT)
        if base == UNKNOWN or base.name in ("Optional", "Any", "Tuple", "Stream") or not name.isidentifier():
            return UNKNOWN
        return Ref("operator", f"aten::{name}", base)

    def attribute_of_ref(self, base: Ref, name: str) -> Value:
        if base.kind == "namespace":
            return Ref("namespace", "aten") if name == "autograd" else Ref("operator", f"{base.name}::{name}")
        if base.kind == "ops":
            return Ref("namespace", name)
        if base.kind == "CONSTANTS":
            index = int(name[1:]) if name[1:].isdecimal() and len(name) < 9 else -1
            return self.names.constants[index] if 0 <= index < len(self.names.constants) else UNKNOWN
        if base.kind == "path":
            path = f"{base.name}.{name}"
            returned = self.names.find_function(path)
            if returned is not None:
                return Ref("returns", path, returned)
            found = self.names.find_class(base.name)
            if found is not None:  # Class.__new__, or a member of an enumeration
                return Ref("returns", path, Type(base.name)) if name == "__new__" else UNKNOWN
            return Ref("path", path)
        return UNKNOWN

    def attribute_of_class(self, base: Type, name: str, node: ast.expr) -> Value:
        found = self.names.find_class(base.name)
        if found is None:
            return UNKNOWN
        if name in found.methods:
            self._is_own(node)
            return Ref("returns", f"{base.name}.{name}", found.methods[name])
        if name in found.attributes:
            self._is_own(node)
            return found.attributes[name]
        return UNKNOWN

    def _is_own(self, node: ast.expr) -> None:
        if isinstance(node, ast.Attribute):
            self.own.add(node)
