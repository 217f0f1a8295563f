"""What becomes of one operator call: nothing, other arguments, another name, or a function in the archive."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from typing import Dict, Optional, Tuple

from audacitorch.archive import schemas
from audacitorch.archive.types import NO, YES
from audacitorch.backport import helpers
from audacitorch.backport.edits import Edits
from audacitorch.facts import Argument

#: Arguments that came after 1.9.0, and the values (as Python has them) with which a call means the same without.
_ANYTHING = object()
_NEWER_ARGUMENTS: Dict[str, Dict[str, Tuple[object, ...]]] = {
    "aten::einsum": {"path": (None,)},
    "aten::gelu": {"approximate": ("none",)},
    "aten::meshgrid": {"indexing": ("ij",)},
    "aten::nanquantile": {"interpolation": ("linear",)},
    "aten::quantile": {"interpolation": ("linear",)},
    "aten::repeat_interleave": {"output_size": (_ANYTHING,)},
    "aten::searchsorted": {"side": (None,), "sorter": (None,)},
    "aten::stft": {"align_to_window": (None, False)},
    "prim::RaiseException": {"cls": (_ANYTHING,)},
}
#: Where such an argument stands when it is given without its name.
_POSITIONS = {"prim::RaiseException": (1, "cls"), "aten::stft": (8, "align_to_window")}
_RENAMED = {
    "aten::arctan2": "atan2",
    "aten::arctan2_": "atan2_",
    "aten::argwhere": "nonzero",
    "aten::concat": "cat",
    "aten::concatenate": "cat",
    "aten::linalg_matmul": "matmul",
    "aten::special_log1p": "log1p",
    "aten::special_log_softmax": "log_softmax",
    "aten::special_logsumexp": "logsumexp",
    "aten::special_round": "round",
    "aten::special_sinc": "sinc",
    "aten::special_softmax": "softmax",
    "aten::trapezoid": "trapz",
}
#: Without a dtype these fail in TorchScript under 1.9.0; newer versions take the default, float32, which is 6.
_WINDOWS = frozenset(f"aten::{name}_window" for name in ("bartlett", "blackman", "hamming", "hann", "kaiser"))
_FLOOR_DIVISIONS = {"aten::floor_divide": "divide", "aten::floor_divide_": "divide_"}
_BEFORE_ARGUMENT = re.compile(r",\s*(?:\w+\s*=\s*)?")
_AFTER_ARGUMENT = re.compile(r"\s*[,)]")


@cache
def rewritten_operators() -> frozenset[str]:
    """The operators for which something is known to be done, if not with every argument that they can have."""
    return frozenset((*_NEWER_ARGUMENTS, *_RENAMED, *helpers.HELPERS, *helpers.RAISING))


@dataclass(frozen=True)
class Site:
    """A call of an operator by its own name, ``torch.f(…)`` or ``ops.n.f(…)``, in an archive of format ``version``."""

    operator: str
    arguments: Tuple[Argument, ...]
    node: ast.Call
    version: Optional[int]
    guarded: bool

    def fits(self, operator: str, arguments: Tuple[Argument, ...]) -> bool:
        """Whether 1.9.0 takes such a call, as far as its types are known."""
        return schemas.match(schemas.effective(operator, self.version), arguments).verdict != NO


@dataclass(frozen=True)
class Change:
    """What was done at a call: the words for a report, and the functions that the archive now needs."""

    what: str
    helper: Optional[str] = None
    raises: bool = False


class Recipes:
    """Changes calls in one text. ``newer``: the archive is surely from PyTorch 2.0 or later; ``module``: of helpers."""

    def __init__(self, edits: Edits, newer: bool, module: str) -> None:
        self._edits = edits
        self._newer = newer
        self._module = module

    def change(self, site: Site) -> Optional[Change]:
        """Make the call one that 1.9.0 takes, or leave it as it is where no way is known."""
        if site.fits(site.operator, site.arguments):
            return self._window(site) or self._floor_division(site) or self._widened(site)
        return self._without_newer_arguments(site) or self._renamed(site) or self._helped(site)

    def _window(self, site: Site) -> Optional[Change]:
        if site.operator not in _WINDOWS:
            return None
        given = next((keyword.value for keyword in site.node.keywords if keyword.arg == "dtype"), None)
        if given is None:
            self._append(site.node, "dtype=6")
        elif isinstance(given, ast.Constant) and given.value is None:
            self._edits.replace(*self._edits.span(given), "6")
        else:
            return None
        return Change(f"{site.operator}: given the dtype float32, without which 1.9.0 fails")

    def _floor_division(self, site: Site) -> Optional[Change]:
        """From 1.13 on ``floor_divide`` rounds down; before, it cut off."""
        other = _FLOOR_DIVISIONS.get(site.operator)
        if other is None or not self._newer or len(site.arguments) != 2:
            return None
        self._rename(site, f"torch.{other}")
        self._append(site.node, 'rounding_mode="floor"')
        return Change(f"{site.operator}: torch.{other} that rounds down, as 1.9.0's cuts off")

    def _widened(self, site: Site) -> Optional[Change]:
        """Only where the archive's PyTorch surely did more, and where the call may need it."""
        fitting = [
            helper
            for helper in helpers.WIDER.get(site.operator, ())
            if schemas.fits(helpers.schema_of(helper), site.arguments) == YES
        ]
        if not fitting or not self._newer or (site.operator == "aten::istft" and _is_centred(site.node)):
            return None
        self._rename(site, f"__torch__.{self._module}.{fitting[0]}")
        return Change(f"{site.operator}: a function that does what newer versions do", fitting[0])

    def _without_newer_arguments(self, site: Site) -> Optional[Change]:
        values: Dict[int, ast.expr] = dict(enumerate(site.node.args))
        names: Dict[int, Optional[str]] = dict.fromkeys(values)
        position, named = _POSITIONS.get(site.operator, (-1, ""))
        if position in names:
            names[position] = named
        for keyword in site.node.keywords:
            index = len(values)
            values[index], names[index] = keyword.value, keyword.arg
        newer = _NEWER_ARGUMENTS.get(site.operator, {})
        dropped = [index for index, name in names.items() if name in newer and _means(values[index], newer[str(name)])]
        kept = tuple(one for index, one in enumerate(site.arguments) if index not in dropped)
        if not dropped or not site.fits(site.operator, kept):
            return None
        spans = [self._argument_span(values[index]) for index in dropped]
        if None in spans:
            return None
        for span in spans:
            if span is not None:
                self._edits.replace(*span, "")
        left_out = ", ".join(str(names[index]) for index in dropped)
        return Change(f"{site.operator}: without {left_out}")

    def _argument_span(self, value: ast.expr) -> Optional[Tuple[int, int]]:
        """From the comma before an argument to its end; None where anything unusual is around."""
        start, end = self._edits.span(value)
        text = self._edits.text
        comma = text.rfind(",", 0, start)
        before = _BEFORE_ARGUMENT.fullmatch(text, comma, start) if comma >= 0 else None
        return (comma, end) if before and _AFTER_ARGUMENT.match(text, end) else None

    def _renamed(self, site: Site) -> Optional[Change]:
        other = _RENAMED.get(site.operator)
        if other is None or not site.fits(f"aten::{other}", site.arguments):
            return None
        self._rename(site, f"torch.{other}")
        return Change(f"{site.operator}: torch.{other}")

    def _helped(self, site: Site) -> Optional[Change]:
        candidates = helpers.HELPERS.get(site.operator, ())
        raising = helpers.RAISING.get(site.operator)
        raises = not candidates and raising is not None and site.guarded
        for helper in (raising,) if raises and raising else candidates:
            if schemas.fits(helpers.schema_of(helper), site.arguments) != NO:
                self._rename(site, f"__torch__.{self._module}.{helper}")
                how = "raises an error if it is ever reached" if raises else "a function that is now in the archive"
                return Change(f"{site.operator}: {how}", helper, raises)
        return None

    def _rename(self, site: Site, name: str) -> None:
        self._edits.replace(*self._edits.span(site.node.func), name)

    def _append(self, call: ast.Call, argument: str) -> None:
        end = self._edits.span(call)[1] - 1
        before = self._edits.text[:end].rstrip()
        self._edits.replace(end, end, argument if before[-1] in ",(" else f", {argument}")


def _is_centred(call: ast.Call) -> bool:
    """Whether a call of ``istft`` leaves ``center``, its sixth argument, True."""
    given = next((keyword.value for keyword in call.keywords if keyword.arg == "center"), None)
    given = call.args[5] if given is None and len(call.args) > 5 else given
    return given is None or (isinstance(given, ast.Constant) and given.value is True)


def _means(value: ast.expr, same: Tuple[object, ...]) -> bool:
    """Whether an argument has one of these values, for certain, and computing it does nothing else."""
    if same == (_ANYTHING,):
        return isinstance(value, (ast.Constant, ast.Name))
    if not isinstance(value, ast.Constant):
        return False
    return any(type(value.value) is type(one) and value.value == one for one in same)
