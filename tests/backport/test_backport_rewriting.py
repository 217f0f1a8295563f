"""The text of code members: what is changed, what is left, and that nothing else moves."""

from __future__ import annotations

import re
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

from audacitorch.archive import equivalents
from audacitorch.archive.names import Names
from audacitorch.backport.edits import Member
from audacitorch.backport.exporter import Exporter
from audacitorch.backport.rewrite import rewrite
from tests.archive.zips import MODULE

ROOT = Path(__file__).resolve().parents[2]
HERE = "__torch__.audacitorch_backport"


def module(body: str) -> str:
    """A member whose ``forward`` holds ``body``, with the quotes that PyTorch prints."""
    return MODULE.format(body=body.replace("'", '"').replace("\n", "\n    "))


def rewritten(body: str, newer: bool = True, text: str = "") -> Any:
    text = text or module(body)
    result = rewrite([Member("m", "__torch__", text)], Names(), 3, Exporter(newer, newer), equivalents.MODULE)
    return result, result.texts.get("m", text)


@pytest.mark.parametrize(
    ("body", "after"),
    [
        ("y = torch.pad(x, [1, 2], 'reflect')", f"y = {HERE}.pad(x, [1, 2], 'reflect')"),
        ("y = ops.aten.pad(x, [1, 2])", f"y = {HERE}.pad(x, [1, 2])"),
        ("y = torch.pad(torch.pad(x, [1]), pad=[2])", f"y = {HERE}.pad({HERE}.pad(x, [1]), pad=[2])"),
        ("s = ('ü — 𝄞', torch.mT(x), 'torch.mT(x)')", f"s = ('ü — 𝄞', {HERE}.mT(x), 'torch.mT(x)')"),
        ("y = torch.adjoint(x)", f"y = {HERE}.mH(x)"),
        ("y = torch.stft(x, 4, align_to_window=True)", f"y = {HERE}.stft(x, 4, align_to_window=True)"),
        ("y = torch.stft(x, 4, 1, 4, None, False, None, True, None)",
         "y = torch.stft(x, 4, 1, 4, None, False, None, True)"),
        ("ops.prim.RaiseException('a, b', 'builtins.ValueError')", "ops.prim.RaiseException('a, b')"),
        ("n = 'c'\nops.prim.RaiseException('a', cls=n, )", "n = 'c'\nops.prim.RaiseException('a', )"),
        ("y = torch.einsum('a,a', [x, x], path=None)", "y = torch.einsum('a,a', [x, x])"),
        ("y = torch.gelu(x, approximate='none')", "y = torch.gelu(x)"),
        ("y = torch.meshgrid([x, x], indexing='ij')", "y = torch.meshgrid([x, x])"),
        ("y = torch.quantile(x, 0.5, interpolation='linear')", "y = torch.quantile(x, 0.5)"),
        ("y = torch.nanquantile(x, 0.5, interpolation='linear')", "y = torch.nanquantile(x, 0.5)"),
        ("y = torch.searchsorted(x, x, side=None, sorter=None)", "y = torch.searchsorted(x, x)"),
        ("y = torch.repeat_interleave(x, 2, 1, output_size=6)", "y = torch.repeat_interleave(x, 2, 1)"),
        ("y = torch.hann_window(4)", "y = torch.hann_window(4, dtype=6)"),
        ("y = torch.hann_window(4, True, dtype=None, )", "y = torch.hann_window(4, True, dtype=6, )"),
        ("y = torch.where(x, x, 0.)", f"y = {HERE}.where_number_last(x, x, 0.)"),
        ("y = torch.where(x, 1, x)", f"y = {HERE}.where_number_first(x, 1, x)"),
        ("y = torch.where(x, x, x)", f"y = {HERE}.where_tensors(x, x, x)"),
        ("y = torch.istft(x, 4, center=False)", f"y = {HERE}.istft(x, 4, center=False)"),
        ("y = torch.resolve_conj(x)", f"y = {HERE}.resolve_conj(x)"),
        ("y = torch.floor_divide(x, 2, )", 'y = torch.divide(x, 2, rounding_mode="floor")'),
        ("y = torch.floor_divide_(x, x)", 'y = torch.divide_(x, x, rounding_mode="floor")'),
        ("y : Union[int, float] = 1", "y : number = 1"),
        ("y = unchecked_cast(Union[number], 1)", "y = unchecked_cast(number, 1)"),
        ("y : Union[int, float, NoneType] = 1", "y : Optional[number] = 1"),
        ("y : List[Union[int, str]] = torch.f(x)", "y : List[Any] = torch.f(x)"),
        ("y = torch.meshgrid([x, x], indexing='xy')", f"y = {HERE}.meshgrid([x, x], indexing='xy')"),
        ("y = torch.quantile(x, 0.5, interpolation='lower')", f"y = {HERE}.quantile(x, 0.5, interpolation='lower')"),
        ("y = torch.isin(1, x)", f"y = {HERE}.isin_number_first(1, x)"),
        ("y = torch.istft(x, 4, length=9)", f"y = {HERE}.istft(x, 4, length=9)"),
        ("y = torch.where(x, 1, 0)", f"y = {HERE}.where_numbers(x, 1, 0)"),
        ("y = torch.conv1d(x, x, None, [1])", f"y = {HERE}.conv1d(x, x, None, [1])"),
        ("y = torch.conv1d(x, x, None, [1], 'same')", f"y = {HERE}.conv1d_padding(x, x, None, [1], 'same')"),
        ("y = torch.clamp(x, 0.5)", f"y = {HERE}.clamp(x, 0.5)"),
        ("y = torch.clamp(x, x)", f"y = {HERE}.clamp_tensors(x, x)"),
        ("y = torch.std(x, None)", f"y = {HERE}.std(x, None)"),
        ("y = torch.lift_fresh(x)", "y = torch.alias(x)"),
        ("y : Optional[List[int]] = [1]", "y : Optional[List[int]] = annotate(List[int], [1])"),
    ],
)  # fmt: skip
def test_a_call_becomes_one_that_means_the_same(body: str, after: str) -> None:
    result, text = rewritten(body)
    assert text == module(after)
    assert sum(result.done.values()) >= 1


@pytest.mark.parametrize(
    "body",
    [
        "y = torch.relu(x)",
        "y = torch.einsum('a,a', [x, x], path=[0, 1])",
        "y = torch.quantile(x, 0.5, interpolation=0)",
        "y = torch.hann_window(4, dtype=7)",
        "y = torch.nothing_known(x)",
        "y = torch.special_zeta(x, x)",
        "y : List[Union[Tensor, int]] = torch.f(x)",
        "y = torch.where(x)",
        "y = torch.pad('no tensor', [1])",
        "y = torch._upsample_bilinear2d_aa(x, None, False, [2., 2.])",
        "y : Union[int, NoneType] = 1",
        "y : List[int] = [1]",
        "y : Optional[List[int]] = annotate(List[int], [])",
    ],
)
def test_what_has_no_equivalent_stays(body: str) -> None:
    result, text = rewritten(body)
    assert (result.texts, result.functions, text) == ({}, set(), module(body))


@pytest.mark.parametrize(("before", "after"), equivalents.RENAMED.items())
def test_an_operator_that_only_has_another_name_is_renamed(before: Any, after: Any) -> None:
    two = ("atan2", "atan2_", "matmul", "__lshift__", "__rshift__", "igamma", "igammac", "xlogy")
    arguments = {"cat": "[x]", "mvlgamma": "x, 2", "polygamma": "1, x", **dict.fromkeys(two, "x, x")}
    arguments.update(dict.fromkeys(("softmax", "log_softmax"), "x, 1, None"), logsumexp="x, [1]")
    given = arguments.get(after, "x")
    _, text = rewritten(f"y = torch.{before[6:]}({given})")
    wider = [f"y = {HERE}.{name}({given})" for name in equivalents.widening(f"aten::{after}")]
    assert any(line in text for line in (f"y = torch.{after}({given})", *wider))


@pytest.mark.parametrize("call", ["floor_divide(x, 2)", "where(x, x, x)", "istft(x, 4, center=False)"])
def test_what_changed_its_meaning_is_left_where_the_torch_may_be_older(call: str) -> None:
    assert not rewritten(f"y = torch.{call}", newer=False)[0].texts


@pytest.mark.parametrize(
    ("exporter", "changes", "remarks", "doubtful"),
    [
        (Exporter(False, False), False, 0, 0),
        (Exporter(True, False), True, 1, 0),
        (Exporter(True, True), True, 0, 0),
        (Exporter(False, False, shown=False), False, 0, 1),
    ],
)
def test_what_an_exporter_between_may_have_meant_otherwise_is_told(
    exporter: Exporter, changes: bool, remarks: int, doubtful: int
) -> None:
    member = Member("m", "__torch__", module("y = torch.istft(x, 4, length=9)"))
    result = rewrite([member], Names(), 3, exporter, equivalents.MODULE)
    assert (bool(result.texts), len(result.remarks), len(result.doubtful)) == (changes, remarks, doubtful)


def test_an_operator_without_equivalent_raises_only_in_a_branch() -> None:
    call = "y = torch._upsample_bilinear2d_aa(x, None, False, [2., 2.])"
    result, text = rewritten(f"if bool(x):\n  {call}")
    assert f"{HERE}._upsample_bilinear2d_aa(x, None" in text
    assert (sum(result.raising.values()), sum(result.done.values())) == (1, 0)
    test = f"if bool({call[4:]}):\n  pass"
    assert not rewritten(test)[0].texts


def test_attributes_named_as_words_of_python_keep_their_names() -> None:
    code = MODULE.format(body="y = (self.lambda, torch.mT(x), self.lambda, torch.mT(x))").replace("training", "lambda")
    _, text = rewritten("", text=code)
    assert text == code.replace("torch.mT", f"{HERE}.mT")


def test_every_function_is_used_and_brings_what_it_calls() -> None:
    for name, function in equivalents.functions().items():
        text = equivalents.member_text([name], "other_name")
        called = re.findall(r"__torch__\.other_name\.(\w+)", text)
        assert f"def {name}(" in text
        assert all(f"def {one}(" in text for one in called)
        assert equivalents.MODULE not in text
        others = [one.source for key, one in equivalents.functions().items() if key != name]
        assert function.how or name == "as_number" or any(re.search(rf"\.{name}\b", source) for source in others)


def test_functions_call_nothing_that_old_formats_mean_otherwise() -> None:
    for name, function in equivalents.functions().items():
        assert not re.search(r"\btorch\.full\(|rounding_mode", function.source), name


#: Functions whose operators the corpus calls by another name: those of layers, of torch.nn.functional and of signs.
TRIED_BY_LAYERS = frozenset((
    "_nested_tensor_from_mask_left_aligned", "_transformer_encoder_layer_fwd", "_upsample_nearest_exact1d",
    "_upsample_nearest_exact2d", "_upsample_nearest_exact3d", "as_number", "as_strided_scatter",
    "bitwise_and_number_first", "bitwise_or_number_first", "bitwise_xor_number_first", "bitwise_xor_tensors",
    "broadcast_shapes", "col2im", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "cross_entropy_loss",
    "expm1", "get_autocast_dtype", "group_norm", "instance_norm", "is_autocast_enabled", "is_cpu", "is_nested",
    "linalg_lu_factor_ex", "linalg_lu_solve", "log_sigmoid", "max_pool1d_with_indices", "nearest_exact1d",
    "nearest_exact2d", "nearest_exact3d", "record_function_enter", "record_function_exit",
))  # fmt: skip


def test_every_function_is_tried() -> None:
    """By its operator's name somewhere in the programs that are exported and compared."""
    here = Path(__file__).parent
    files = ("newer_modules.py", "architectures.py", "exports.py", Path(__file__).name, "../data/backport/corpus.json")
    words = set()
    for name in files:
        text = (here / name).read_text(encoding="utf-8")
        words.update(re.findall(r"\w+", text.partition("TRIED_BY_LAYERS = ")[0]))
    found = equivalents.functions()
    sources = {name: function.source for name, function in found.items()}
    for name, function in found.items():
        spellings = {one.partition("::")[2] for one in function.operators}
        spellings |= {re.sub("^(special|linalg|fft)_", "", one.strip("_")) for one in spellings}
        called = any(re.search(rf"\.{name}\b", source) for other, source in sources.items() if other != name)
        tried = function.how == "raises" or called or bool(spellings & words)
        assert tried != (name in TRIED_BY_LAYERS), f"{name}: add a line to tests/data/backport/corpus.json"


@pytest.mark.torch
def test_the_printed_functions_are_fresh() -> None:
    """``scripts/make-backport-functions``, run with Torch 1.9.0, makes them fresh."""
    path = ROOT / "scripts" / "make-backport-functions"
    script = SourceFileLoader("make_backport_functions", str(path)).load_module()
    data = ROOT / "audacitorch" / "data"
    text = (data / "backport.torchscript").read_text(encoding="utf-8")
    assert (data / "backport-printed.torchscript").read_text(encoding="utf-8") == script.printed(text)
