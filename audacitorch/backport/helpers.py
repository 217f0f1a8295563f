"""Functions in TorchScript that do with Torch 1.9.0's operators what newer operators do.

Their text is data (``data/backport.torchscript``). An archive gets the functions that it needs as a code member of its
own. Each has its operator's parameters, names and defaults included, so that a call needs another name and no more.
None calls ``aten::div`` or ``aten::full``, which mean something else in archives of old formats.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Dict, Iterable, List, Tuple

from audacitorch.archive.names import annotation
from audacitorch.archive.notation import Formal, Schema

_DATA = Path(__file__).parent.parent / "data" / "backport.torchscript"
#: How the functions name their own member; the name is changed where an archive has such a member already.
MODULE = "audacitorch_backport"

#: The functions that stand in for each operator: the first that the call's arguments fit.
HELPERS: Dict[str, Tuple[str, ...]] = {
    "aten::_native_multi_head_attention": ("_native_multi_head_attention",),
    "aten::_nested_tensor_from_mask_left_aligned": ("_nested_tensor_from_mask_left_aligned",),
    "aten::_transformer_encoder_layer_fwd": ("_transformer_encoder_layer_fwd",),
    "aten::_upsample_nearest_exact1d": ("_upsample_nearest_exact1d",),
    "aten::_upsample_nearest_exact2d": ("_upsample_nearest_exact2d",),
    "aten::_upsample_nearest_exact3d": ("_upsample_nearest_exact3d",),
    "aten::adjoint": ("mH",),
    "aten::aminmax": ("aminmax",),
    "aten::conj_physical": ("conj_physical",),
    "aten::gelu": ("gelu",),
    "aten::is_autocast_enabled": ("is_autocast_enabled",),
    "aten::isin": ("isin",),
    "aten::mH": ("mH",),
    "aten::mT": ("mT",),
    "aten::new_ones": ("new_ones",),
    "aten::pad": ("pad",),
    "aten::resolve_conj": ("resolve_conj",),
    "aten::resolve_neg": ("resolve_conj",),
    "aten::rms_norm": ("rms_norm",),
    "aten::round": ("round",),
    "aten::scaled_dot_product_attention": ("scaled_dot_product_attention",),
    "aten::squeeze": ("squeeze",),
    "aten::stft": ("stft", "stft_center"),
    "prim::is_nested": ("is_nested",),
}
#: Operators that 1.9.0 has, and that do less there: they take no numbers or tensors of two dtypes (``where``), or cut
#: off the end of what was not centred (``istft``).
WIDER: Dict[str, Tuple[str, ...]] = {
    "aten::istft": ("istft",),
    "aten::where": ("where_tensors", "where_number_last", "where_number_first"),
}
#: Operators without an equivalent. Newer libraries write them into branches that most models never enter; there, and
#: only there, a function that raises takes their place.
RAISING: Dict[str, str] = {
    "aten::_nested_tensor_from_mask": "_nested_tensor_from_mask",
    "aten::_upsample_bicubic2d_aa": "_upsample_bicubic2d_aa",
    "aten::_upsample_bilinear2d_aa": "_upsample_bilinear2d_aa",
    "aten::_upsample_lanczos2d_aa": "_upsample_lanczos2d_aa",
    "aten::to_padded_tensor": "to_padded_tensor",
}


@cache
def _definitions() -> Dict[str, Tuple[str, Schema]]:
    text = _DATA.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    found: Dict[str, Tuple[str, Schema]] = {}
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.FunctionDef):
            source = "".join(lines[statement.lineno - 1 : statement.end_lineno])
            found[statement.name] = (source, _schema(statement))
    return found


def _schema(definition: ast.FunctionDef) -> Schema:
    formal = definition.args
    required = len(formal.args) - len(formal.defaults)
    arguments = tuple(
        Formal(one.arg, annotation(one.annotation), False, False, index >= required)
        for index, one in enumerate(formal.args)
    )
    return Schema(definition.name, arguments, False, annotation(definition.returns))


def schema_of(helper: str) -> Schema:
    """What the function takes and gives."""
    return _definitions()[helper][1]


def member_text(helpers: Iterable[str], module: str) -> str:
    """The source of a code member ``__torch__.{module}`` that holds ``helpers`` and whatever these call."""
    needed: List[str] = []
    waiting = sorted(helpers)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.append(name)
            source = _definitions()[name][0]
            waiting.extend(other for other in _definitions() if f"__torch__.{MODULE}.{other}(" in source)
    text = "".join(source for name, (source, _) in _definitions().items() if name in needed)
    return text.replace(f"__torch__.{MODULE}.", f"__torch__.{module}.")
