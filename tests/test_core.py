"""The base classes: eager, scripted and traced, under Torch 1.9.0 and under newer ones."""

import io
import subprocess
import sys
import warnings
from typing import Any, Tuple

import pytest

torch = pytest.importorskip("torch")

from audacitorch import WaveformToLabelsBase, WaveformToWaveformBase  # noqa: E402

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # newer Torch deprecates TorchScript
    pytest.mark.filterwarnings("error::torch.jit.TracerWarning"),
]

HOW = ["eager", "script", "trace", "script-saved", "trace-saved"]


class Gain(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


class Effect(WaveformToWaveformBase):
    def do_forward_pass(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


class FlatEffect(WaveformToWaveformBase):
    def do_forward_pass(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)[0]


class BatchEffect(WaveformToWaveformBase):
    def do_forward_pass(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x).unsqueeze(0)


class Probabilities(WaveformToLabelsBase):
    def do_forward_pass(self, x: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        return torch.ones(4, 3), torch.zeros(4, 2)


class Indices(WaveformToLabelsBase):
    """Overlaps of different classes, and gaps: several labels at once."""

    def do_forward_pass(self, x: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        starts = torch.arange(4.0)
        ends = torch.where(starts < 2, starts + 1.5, starts + 0.5)
        return torch.arange(4) % 3, torch.stack([starts, ends], dim=1)


class Nothing(WaveformToLabelsBase):
    def do_forward_pass(self, x: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(0, 3), torch.zeros(0, 2)


class Cube(WaveformToLabelsBase):
    def do_forward_pass(self, x: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(1, 4, 3), torch.zeros(4, 2)


class OneStamp(WaveformToLabelsBase):
    def do_forward_pass(self, x: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(4), torch.zeros(4, 1)


class FewerStamps(WaveformToLabelsBase):
    def do_forward_pass(self, x: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(4, 3), torch.zeros(5, 2)


def made(wrapper: Any, how: Any) -> Any:
    model = wrapper(Gain())
    if how.startswith("script"):
        model = torch.jit.script(model)
    if how.startswith("trace"):
        with warnings.catch_warnings():
            warnings.simplefilter("error", torch.jit.TracerWarning)
            model = torch.jit.trace(model, torch.rand(1, 300), check_inputs=[torch.rand(2, 7), torch.rand(1, 900)])
    if how.endswith("saved"):
        file = io.BytesIO()
        torch.jit.save(model, file)
        file.seek(0)
        model = torch.jit.load(file)
    return model


@pytest.mark.parametrize("how", HOW)
def test_an_effect_maps_any_number_of_channels_and_samples(how: Any) -> None:
    model = made(Effect, how)
    for shape in ((1, 1), (2, 77), (1, 4096)):
        x = torch.rand(shape)
        assert torch.equal(model(x), x * 2)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("wrapper", [Probabilities, Indices, Nothing])
def test_T4_T10_A34_A61_a_labeler_may_give_either_form_gaps_overlaps_and_nothing(wrapper: Any, how: Any) -> None:
    labels, timestamps = made(wrapper, how)(torch.rand(1, 500))
    assert labels.dim() == (1 if wrapper is Indices else 2)
    assert timestamps.shape == (len(labels), 2)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("wrapper", [Effect, Probabilities])
@pytest.mark.parametrize("shape", [[300], [1, 1, 300], [1, 0], []])
def test_an_input_of_another_shape_raises_and_names_both_shapes(wrapper: Any, shape: Any, how: Any) -> None:
    model = made(wrapper, how)
    with pytest.raises(ValueError if how == "eager" else torch.jit.Error) as raised:
        model(torch.zeros(shape))
    assert f"got shape {shape}" in str(raised.value)
    assert "expected a waveform of shape (channels, samples)" in str(raised.value)


@pytest.mark.parametrize("how", ["eager", "script", "script-saved"])
@pytest.mark.parametrize(
    ("wrapper", "given", "expected"),
    [
        (FlatEffect, "shape [300]", "a waveform of shape (channels, samples)"),
        (BatchEffect, "shape [1, 1, 300]", "a waveform of shape (channels, samples)"),
        (Cube, "labels of shape [1, 4, 3]", "(steps, classes) or (steps,)"),
        (OneStamp, "timestamps of shape [4, 1]", "(steps, 2)"),
        (FewerStamps, "labels of shape [4, 3] and timestamps of shape [5, 2]", "the same number of steps"),
    ],
)
def test_A90_T12_an_output_of_another_shape_raises_and_names_both_shapes(wrapper, given, expected, how):
    model = made(wrapper, how)
    with pytest.raises(ValueError if how == "eager" else torch.jit.Error) as raised:
        model(torch.zeros(1, 300))
    assert f"returned {given}" in str(raised.value)
    assert f"expected {expected}" in str(raised.value)


@pytest.mark.parametrize("wrapper", [FlatEffect, FewerStamps])
def test_a_model_of_another_output_shape_cannot_be_traced(wrapper: Any) -> None:
    with pytest.raises(Exception, match="expected"):
        made(wrapper, "trace")


@pytest.mark.parametrize(
    ("base", "returned", "message"),
    [
        (
            WaveformToWaveformBase,
            (torch.zeros(1, 2),),
            r"a tuple of 1: a Tensor of shape \[1, 2\], expected one Tensor of shape",
        ),
        (WaveformToWaveformBase, None, "a value of type NoneType"),
        (WaveformToLabelsBase, torch.zeros(4, 3), r"a Tensor of shape \[4, 3\], expected a tuple of two Tensors"),
        (WaveformToLabelsBase, [torch.zeros(4), torch.zeros(4, 2)], "a list of 2: "),
        (WaveformToLabelsBase, (torch.zeros(4), None), "a value of type NoneType, expected a tuple of two Tensors"),
    ],
)
def test_an_output_of_another_type_raises_and_says_what_it_was(base: Any, returned: Any, message: str) -> None:
    class Wrapper(base):
        def do_forward_pass(self, x: Any) -> Any:
            return returned

    with pytest.raises(TypeError, match=message):
        Wrapper(Gain())(torch.zeros(1, 10))


@pytest.mark.parametrize("base", [WaveformToWaveformBase, WaveformToLabelsBase])
def test_the_method_must_be_written(base: Any) -> None:
    with pytest.raises(NotImplementedError, match="do_forward_pass"):
        base(Gain())(torch.zeros(1, 10))


def test_the_model_is_put_in_evaluation_mode() -> None:
    dropout = torch.nn.Dropout(0.9)
    wrapper = Effect(dropout)
    assert not wrapper.training
    assert not dropout.training
    assert not torch.jit.script(wrapper).training


def test_a_trace_holds_nothing_that_depends_on_the_length_it_was_made_with() -> None:
    code = made(Effect, "trace").code
    assert "300" not in code
    assert "check_input" in code


BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchaudio", "numpy"):
            raise ImportError("No module named " + name, name=name)
sys.meta_path.insert(0, Block())
import audacitorch, audacitorch.utils
assert audacitorch.utils.validate_metadata({})[0] is False
try:
    %s
except ImportError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "statement",
    [
        "from audacitorch import WaveformToWaveformBase",
        "audacitorch.WaveformToLabelsBase",
        "import audacitorch.core",
        "audacitorch.utils.test_run(None)",
        "audacitorch.utils.get_example_inputs()",
        "audacitorch.utils.save_model(None, {}, '.')",
    ],
)
def test_without_torch_the_rest_works_and_what_needs_it_says_so_in_one_sentence(statement: str) -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED % statement], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert "needs PyTorch, which is not installed. `pip install torch==1.9.0" in done.stdout
