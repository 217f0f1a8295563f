"""What stands in for newer operators: other names, arguments to leave out, and functions in TorchScript.

The functions' text is data: ``data/backport.torchscript`` is what people change, ``data/backport-printed.torchscript``
the same as PyTorch's exporter prints it (``scripts/make-backport-functions``), which is all that an archive may hold.
An archive gets those that it needs as a code member of its own. Each has its operator's parameters, names and defaults
included, so that a call needs another name and no more. The comment above a function says for which operators it
stands:

- ``# replaces aten::f``: where 1.9.0 takes no such call;
- ``# widens aten::f: what``: also where 1.9.0 takes it, because newer versions do more;
- ``# raises for aten::f``: in branches, where there is no equivalent.

None of them calls ``aten::full``, or ``aten::div`` but for floating point without a rounding mode: in archives of old
formats these mean something else.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple, Optional, Tuple

from audacitorch.archive import schemas
from audacitorch.archive.inference import Inference
from audacitorch.archive.names import annotation
from audacitorch.archive.schemas import Formal, Schema
from audacitorch.archive.scope import Arguments
from audacitorch.archive.source import Source
from audacitorch.archive.types import NO, UNKNOWN, Type
from audacitorch.facts import Archive, Call

_DATA = Path(__file__).parent.parent / "data"
#: How the functions name their own member; the name is changed where an archive has such a member already.
MODULE = "audacitorch_backport"

#: A class of C++ code that 1.9.0 lacks, for ``torch.profiler.record_function``.
RECORD = "__torch__.torch.classes.profiler._RecordFunction"
#: An argument that may have any value.
ANYTHING = object()
#: Arguments that came after 1.9.0, and the values (as Python has them) with which a call means the same without.
NEWER_ARGUMENTS: Dict[str, Dict[str, Tuple[object, ...]]] = {
    "aten::cross_entropy_loss": {"label_smoothing": (0.0,)},
    "aten::einsum": {"path": (None,)},
    "aten::gelu": {"approximate": ("none",)},
    "aten::linalg_svd": {"driver": (None,)},
    "aten::linalg_svdvals": {"driver": (None,)},
    "aten::meshgrid": {"indexing": ("ij",)},
    "aten::nanquantile": {"interpolation": ("linear",)},
    "aten::pad_sequence": {"padding_side": ("right",)},
    "aten::quantile": {"interpolation": ("linear",)},
    "aten::repeat_interleave": {"output_size": (ANYTHING,)},
    "aten::searchsorted": {"side": (None,), "sorter": (None,)},
    "aten::stft": {"align_to_window": (None, False)},
    "prim::RaiseException": {"cls": (ANYTHING,)},
}
#: Where such an argument stands when it is given without its name.
POSITIONS = {
    "prim::RaiseException": (1, "cls"),
    "aten::stft": (8, "align_to_window"),
    "aten::cross_entropy_loss": (5, "label_smoothing"),
    "aten::pad_sequence": (3, "padding_side"),
}
#: Operators that have another name in 1.9.0.
RENAMED: Dict[str, str] = {
    "aten::_conj_physical": "conj",
    "aten::arctan2": "atan2",
    "aten::arctan2_": "atan2_",
    "aten::argwhere": "nonzero",
    "aten::bitwise_left_shift": "__lshift__",
    "aten::bitwise_right_shift": "__rshift__",
    "aten::concat": "cat",
    "aten::concatenate": "cat",
    "aten::lift": "alias",
    "aten::lift_fresh": "alias",
    "aten::lift_fresh_copy": "clone",
    "aten::linalg_matmul": "matmul",
    "aten::linalg_matrix_exp": "matrix_exp",
    "aten::special_digamma": "digamma",
    "aten::special_gammainc": "igamma",
    "aten::special_gammaincc": "igammac",
    "aten::special_i0": "i0",
    "aten::special_log1p": "log1p",
    "aten::special_log_softmax": "log_softmax",
    "aten::special_logsumexp": "logsumexp",
    "aten::special_multigammaln": "mvlgamma",
    "aten::special_polygamma": "polygamma",
    "aten::special_psi": "digamma",
    "aten::special_round": "round",
    "aten::special_sinc": "sinc",
    "aten::special_softmax": "softmax",
    "aten::special_xlogy": "xlogy",
    "aten::trapezoid": "trapz",
}
#: Operators of both versions whose results differ in a way that no function here removes; the text is a clause.
DIFFERS: Dict[str, str] = {
    **dict.fromkeys(
        ("aten::_unique", "aten::_unique2", "aten::unique_dim", "aten::unique_consecutive"),
        "where NaN is among the values",
    ),
    **dict.fromkeys(
        ("aten::linalg_eig", "aten::linalg_eigh", "aten::linalg_svd", "aten::svd", "aten::linalg_qr"),
        "where the sign of a vector is free",
    ),
    **dict.fromkeys(
        ("aten::__lshift__", "aten::__rshift__", "aten::bitwise_left_shift", "aten::bitwise_right_shift"),
        "where a shift is negative or longer than the number",
    ),
    **dict.fromkeys(
        ("aten::mvlgamma", "aten::special_multigammaln"), "where an element is below (p - 1) / 2: it raises"
    ),
    **dict.fromkeys(
        [
            *(f"aten::{name}_" for name in ("eq", "ne", "lt", "le", "gt", "ge", "addcmul", "addcdiv")),
            *(
                f"aten::{name}_"
                for name in ("logical_and", "logical_or", "logical_xor", "greater", "less", "not_equal")
            ),
            *("aten::equal", "aten::greater_equal_", "aten::less_equal_"),
        ],
        "where the tensors are of two dtypes: it raises",
    ),
}


class Equivalent(NamedTuple):
    """A function of the data file: its text and schema, the operators that it is for, and how."""

    source: str
    schema: Schema
    operators: Tuple[str, ...]
    how: str
    about: str


@cache
def functions() -> Dict[str, Equivalent]:
    """Every function, by its name."""
    text = (_DATA / "backport.torchscript").read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    printed = _printed()
    found: Dict[str, Equivalent] = {}
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.FunctionDef):
            above = lines[statement.lineno - 2] if statement.lineno > 1 else ""
            how, operators, about = _purpose(above.rstrip("\n"))
            found[statement.name] = Equivalent(printed[statement.name], _schema(statement), operators, how, about)
    return found


def _printed() -> Dict[str, str]:
    """Every function's text as PyTorch's exporter prints it."""
    text = (_DATA / "backport-printed.torchscript").read_text(encoding="utf-8")
    parts = re.split(r"(?m)^(?=def )", text)
    return {part[len("def ") : part.index("(")]: part for part in parts if part}


def _purpose(comment: str) -> Tuple[str, Tuple[str, ...], str]:
    """``# widens aten::f, aten::g: what``: how, the operators, what."""
    if not comment.startswith("# "):
        return "", (), ""
    how, _, rest = comment[2:].partition(" ")
    names, _, about = rest.replace("for ", "", 1).partition(": ")
    return how, tuple(name.strip() for name in names.split(",")), about


def _schema(definition: ast.FunctionDef) -> Schema:
    formal = definition.args
    required = len(formal.args) - len(formal.defaults)
    arguments = tuple(
        Formal(one.arg, annotation(one.annotation), False, False, index >= required)
        for index, one in enumerate(formal.args)
    )
    return Schema(definition.name, arguments, False, annotation(definition.returns))


@cache
def _by_purpose() -> Dict[Tuple[str, str], Tuple[str, ...]]:
    found: Dict[Tuple[str, str], Tuple[str, ...]] = {}
    for name, function in functions().items():
        for operator in function.operators:
            found[function.how, operator] = (*found.get((function.how, operator), ()), name)
    return found


def replacing(operator: str) -> Tuple[str, ...]:
    """The functions that stand in for calls that 1.9.0 does not take."""
    return _by_purpose().get(("replaces", operator), ()) + widening(operator)


def widening(operator: str) -> Tuple[str, ...]:
    """The functions that do more than 1.9.0's own operator does."""
    return _by_purpose().get(("widens", operator), ())


def raising(operator: str) -> Tuple[str, ...]:
    """The functions that only raise an error."""
    return _by_purpose().get(("raises", operator), ())


class Typed(Inference):
    """Follows a function as the archive's reader does, and knows what newer operators return."""

    def call(self, operator: str, given: Arguments, node: ast.expr) -> Type:
        kind = super().call(operator, given, node)
        if kind != UNKNOWN or given is None:
            return kind
        if operator in schemas.operators():
            return kind
        renamed = RENAMED.get(operator)
        if renamed is not None:
            return schemas.match(f"aten::{renamed}", given).returns
        for function in replacing(operator):
            if schemas.fits(schema_of(function), given) != NO:
                return schema_of(function).returns
        return kind


@cache
def rewritten_operators() -> frozenset[str]:
    """The operators for which something is known to be done, if not with every argument that they can have."""
    return frozenset((*NEWER_ARGUMENTS, *RENAMED, *(operator for _, operator in _by_purpose())))


_HARD_DTYPES = frozenset(("float16", "bfloat16"))


def would_fix(archive: Archive) -> bool:
    """Whether a backport is likely to leave nothing that 1.9.0 does not take: as far as calls, types and dtypes tell.

    False where something surely or possibly stays: a dtype of half precision, a union, which can only be rewritten
    where the types of calls are known. Values are not looked at: an argument that came later may have one for which no
    way is known.
    """
    if any(kind in _HARD_DTYPES or kind.endswith("Storage") for kind in archive.dtypes):
        return False
    calls = all(_would_fix_call(call, archive.format_version) for call in archive.calls)
    known = schemas.type_names() | schemas.custom_classes() | {"Capsule", RECORD}
    return calls and all(used.name in known or not _is_foreign(used.name) for used in archive.types)


def _is_foreign(name: str) -> bool:
    return "." not in name or name.startswith("__torch__.torch.classes.")


def _would_fix_call(call: Call, version: Optional[int]) -> bool:
    if call.operator.startswith("profiler::_record_function_"):
        return True
    if call.operator.partition("::")[0] not in schemas.namespaces():
        return False
    operator = schemas.effective(call.operator, version)
    given = call.arguments
    if operator in schemas.operators() and (given is None or schemas.match(operator, given).verdict != NO):
        return True
    if call.operator in RENAMED or given is None:
        return call.operator in rewritten_operators()
    dropped = NEWER_ARGUMENTS.get(call.operator, {})
    position = POSITIONS.get(call.operator, (-1, ""))[0]
    kept = tuple(one for index, one in enumerate(given) if one.keyword not in dropped and index != position)
    if len(kept) < len(given) and schemas.match(operator, kept).verdict != NO:
        return True
    names = (*replacing(call.operator), *raising(call.operator))
    return any(schemas.fits(schema_of(name), given) != NO for name in names)


def schema_of(function: str) -> Schema:
    """What the function takes and returns."""
    return functions()[function].schema


def member_text(wanted: Iterable[str], module: str) -> str:
    """The source of a code member ``__torch__.{module}`` that holds ``wanted`` and whatever these call."""
    needed: List[str] = []
    waiting = sorted(wanted)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.append(name)
            source = functions()[name].source
            waiting.extend(re.findall(rf"__torch__\.{MODULE}\.(\w+)", source))
    text = "".join(function.source for name, function in functions().items() if name in needed)
    return text.replace(f"__torch__.{MODULE}.", f"__torch__.{module}.")


def functions_source(wanted: Iterable[str], module: str) -> Source:
    """Such a member as the archive's reader has it, so that calls of its functions have types."""
    return Source(f"code/__torch__/{module}.py", member_text(wanted, module).encode())
