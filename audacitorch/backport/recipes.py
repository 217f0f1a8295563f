"""What becomes of one operator call: nothing, other arguments, another name, or a function in the archive."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from typing import Dict, Iterator, Optional, Tuple

from audacitorch.archive import equivalents, schemas
from audacitorch.archive.types import MAYBE, NO, YES
from audacitorch.backport.edits import Edits
from audacitorch.backport.exporter import Exporter
from audacitorch.facts import Argument

#: Without a dtype these fail in TorchScript under 1.9.0; newer versions take the default, float32, which is 6.
_WINDOWS = frozenset(f"aten::{name}_window" for name in ("bartlett", "blackman", "hamming", "hann", "kaiser"))
#: What newer versions do otherwise only since 1.12 or 1.13; before, they did what 1.9 does.
_CHANGED_LATER = frozenset(
    f"aten::{name}"
    for name in (
        "clamp", "clip", "clamp_min", "clamp_max", "cosine_similarity", "signbit", "log_sigmoid", "kl_div"
    )
)  # fmt: skip
#: Where archives of 1.12, which can look like those of 1.13, still did what 1.9 does.
_CHANGED_IN_1_13 = {"aten::signbit": "where an element is -0", "aten::kl_div": "where a target is below 0"}
_FLOOR_DIVISIONS = {"aten::floor_divide": "divide", "aten::floor_divide_": "divide_"}
_ISTFT = "by its last sample where it is neither centred nor has a length, if PyTorch 1.10 to 1.12 wrote the archive"
_BEFORE_ARGUMENT = re.compile(r",\s*(?:\w+\s*=\s*)?")
_AFTER_ARGUMENT = re.compile(r"\s*[,)]")
#: The highest number of a dtype that 1.9.0 knows, and those for which it lacks most operators on a CPU.
_LAST_DTYPE = 16
_NARROW_DTYPES = {5: "float16", 8: "complex32", 15: "bfloat16"}
_NEWER_DTYPES = {23: "float8_e5m2", 24: "float8_e4m3fn", 27: "uint16", 28: "uint32", 29: "uint64"}


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

    def given(self) -> Iterator[Tuple[int, Optional[str], ast.expr]]:
        """Every argument: its position, its name if it is given by name, and its value."""
        for index, value in enumerate(self.node.args):
            yield index, None, value
        for index, keyword in enumerate(self.node.keywords, len(self.node.args)):
            yield index, keyword.arg, keyword.value


@dataclass(frozen=True)
class Change:
    """What was done at a call: the words for a report, and the functions that the archive now needs."""

    what: str
    function: Optional[str] = None
    raises: bool = False


@dataclass(frozen=True)
class Remark:
    """What stays different at a line. ``refused``: Torch 1.9.0 can't take it at all. The text is a clause."""

    line: int
    operator: str
    clause: str
    refused: bool = False


class Recipes:
    """Changes calls in one text; ``module`` is the name of the functions' member."""

    def __init__(self, edits: Edits, exporter: Exporter, module: str) -> None:
        self._edits = edits
        self.exporter = exporter
        self._module = module
        #: Operators whose calls depend on which PyTorch wrote the archive, where it does not show that.
        self.doubtful: Counter[str] = Counter()

    def change(self, site: Site) -> Optional[Change]:
        """Make the call one that 1.9.0 takes and that means the same, or leave it as it is where no way is known."""
        if site.fits(site.operator, site.arguments):
            return self._window(site) or self._floor_division(site) or self._widened(site)
        return self._without_newer_arguments(site) or self._renamed(site) or self._replaced(site)

    def remarks(self, site: Site) -> Iterator[Remark]:
        """How the call's results may differ all the same."""
        line = site.node.lineno
        yield from _dtype_remarks(site)
        if not self.exporter.newer:
            return
        if site.operator == "aten::istft" and not self.exporter.floors:
            yield Remark(line, site.operator, _ISTFT)
        if site.operator in _CHANGED_IN_1_13 and not (self.exporter.floors or self.exporter.early):
            yield Remark(line, site.operator, f"{_CHANGED_IN_1_13[site.operator]}, if PyTorch 1.12 wrote the archive")
        if site.operator in equivalents.DIFFERS:
            yield Remark(line, site.operator, equivalents.DIFFERS[site.operator])
        if site.operator in _FLOOR_DIVISIONS and not self.exporter.floors and _fits_tensors(site):
            yield Remark(line, site.operator, "where a quotient is negative, if PyTorch 1.13 or later wrote it")
        wider = site.operator.startswith("aten::") and self._does_more(site)
        functions = equivalents.widening(site.operator) if wider else ()
        answers = [schemas.fits(equivalents.schema_of(name), site.arguments) for name in functions]
        if YES not in answers and MAYBE in answers:
            what = equivalents.functions()[functions[answers.index(MAYBE)]].about
            yield Remark(line, site.operator, f"in newer versions ({what}): its arguments' types are not known here")

    def depends_on_exporter(self, site: Site) -> bool:
        """Whether the call would be changed, or remarked upon, if a newer PyTorch wrote the archive."""
        if self.exporter.shown or not site.operator.startswith("aten::"):
            return False
        if site.operator in equivalents.DIFFERS or site.operator == "aten::istft":
            return True
        if site.operator in _FLOOR_DIVISIONS:
            return _fits_tensors(site)
        functions = equivalents.widening(site.operator)
        return any(schemas.fits(equivalents.schema_of(name), site.arguments) != NO for name in functions)

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
        if other is None or not self.exporter.floors or not _fits_tensors(site):
            return None
        self._rename(site, f"torch.{other}")
        self._append(site.node, 'rounding_mode="floor"')
        return Change(f"{site.operator}: torch.{other} that rounds down, as 1.9.0's cuts off")

    def _widened(self, site: Site) -> Optional[Change]:
        """Only where the archive's PyTorch surely did more, and where the arguments' types are known."""
        if not self._does_more(site):
            return None
        enough = YES if site.operator.startswith("aten::") else MAYBE
        for function in equivalents.widening(site.operator):
            if schemas.fits(equivalents.schema_of(function), site.arguments) >= enough:
                self._call(site, function)
                about = equivalents.functions()[function].about
                return Change(f"{site.operator}: a function that does what newer versions do ({about})", function)
        return None

    def _does_more(self, site: Site) -> bool:
        """Whether the archive's PyTorch surely did what the newest does."""
        return self.exporter.newer and not (self.exporter.early and site.operator in _CHANGED_LATER)

    def _without_newer_arguments(self, site: Site) -> Optional[Change]:
        position, named = equivalents.POSITIONS.get(site.operator, (-1, ""))
        newer = equivalents.NEWER_ARGUMENTS.get(site.operator, {})
        dropped: Dict[int, Tuple[str, ast.expr]] = {}
        for index, keyword, value in site.given():
            name = named if keyword is None and index == position else keyword
            if name in newer and _means(value, newer[str(name)]):
                dropped[index] = (str(name), value)
        kept = tuple(one for index, one in enumerate(site.arguments) if index not in dropped)
        if not dropped or not site.fits(site.operator, kept):
            return None
        spans = [self._argument_span(value) for _, value in dropped.values()]
        if None in spans:
            return None
        for span in spans:
            if span is not None:
                self._edits.replace(*span, "")
        return Change(f"{site.operator}: without {', '.join(name for name, _ in dropped.values())}")

    def _argument_span(self, value: ast.expr) -> Optional[Tuple[int, int]]:
        """From the comma before an argument to its end; None where anything unusual is around."""
        start, end = self._edits.span(value)
        text = self._edits.text
        comma = text.rfind(",", 0, start)
        before = _BEFORE_ARGUMENT.fullmatch(text, comma, start) if comma >= 0 else None
        return (comma, end) if before and _AFTER_ARGUMENT.match(text, end) else None

    def _renamed(self, site: Site) -> Optional[Change]:
        other = equivalents.RENAMED.get(site.operator)
        if other is None or not site.fits(f"aten::{other}", site.arguments):
            return None
        for function in equivalents.widening(f"aten::{other}"):
            if schemas.fits(equivalents.schema_of(function), site.arguments) == YES:
                self._call(site, function)
                return Change(f"{site.operator}: a function that is now in the archive", function)
        self._rename(site, f"torch.{other}")
        return Change(f"{site.operator}: torch.{other}")

    def _replaced(self, site: Site) -> Optional[Change]:
        candidates = equivalents.replacing(site.operator)
        raises = not candidates and site.guarded
        if raises:
            candidates = equivalents.raising(site.operator)
        answers = [schemas.fits(equivalents.schema_of(function), site.arguments) for function in candidates]
        best = max(answers, default=NO)
        if best == NO:
            return None
        function = candidates[answers.index(best)]
        self._call(site, function)
        how = "raises an error if it is ever reached" if raises else "a function that is now in the archive"
        return Change(f"{site.operator}: {how}", function, raises)

    def _call(self, site: Site, function: str) -> None:
        self._rename(site, f"__torch__.{self._module}.{function}")

    def _rename(self, site: Site, name: str) -> None:
        self._edits.replace(*self._edits.span(site.node.func), name)

    def _append(self, call: ast.Call, argument: str) -> None:
        end = self._edits.span(call)[1] - 1
        before = self._edits.text[:end].rstrip()
        self._edits.replace(end, end, argument if before[-1] in ",(" else f", {argument}")


def _fits_tensors(site: Site) -> bool:
    """Whether a division is one of tensors: numbers were always rounded down."""
    return len(site.arguments) == 2 and site.arguments[0].type in ("Tensor", "?")


def _dtype_remarks(site: Site) -> Iterator[Remark]:
    """Dtypes that are written as numbers in the call and that 1.9.0 lacks, or lacks operators for."""
    for index, keyword, value in site.given():
        if not isinstance(value, ast.Constant) or type(value.value) is not int:
            continue
        number = value.value
        if number not in _NARROW_DTYPES and number <= _LAST_DTYPE:
            continue
        if (keyword or _formal(site, index)) == "dtype":
            name = _NARROW_DTYPES.get(number) or _NEWER_DTYPES.get(number, f"number {number}")
            refused = number > _LAST_DTYPE
            clause = "which Torch 1.9.0 has no tensors of" if refused else "which it lacks most operators for on a CPU"
            yield Remark(site.node.lineno, site.operator, f"for the dtype {name}, {clause}", refused)


def _formal(site: Site, position: int) -> str:
    """The name of the parameter at a position, in the first schema that the call fits."""
    for schema in schemas.schemas(schemas.effective(site.operator, site.version)):
        if schemas.fits(schema, site.arguments) != NO and position < len(schema.arguments):
            return schema.arguments[position].name
    return ""


def _means(value: ast.expr, same: Tuple[object, ...]) -> bool:
    """Whether an argument has one of these values, for certain, and computing it does nothing else."""
    if same == (equivalents.ANYTHING,):
        return isinstance(value, (ast.Constant, ast.Name))
    if not isinstance(value, ast.Constant):
        return False
    return any(type(value.value) is type(one) and value.value == one for one in same)
