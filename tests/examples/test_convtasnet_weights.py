"""Asteroid's weights in torchaudio's network: the same function, and nothing but tensors read from a checkpoint."""

from __future__ import annotations

import io
import os
import pickle
from typing import Any, Dict

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchaudio")

from tests.examples.test_exports import script  # noqa: E402

pytestmark = pytest.mark.torch

ARGUMENTS: Dict[str, Any] = {
    "n_src": 2,
    "kernel_size": 8,
    "stride": 4,
    "n_filters": 10,
    "bn_chan": 4,
    "hid_chan": 6,
    "skip_chan": 4,
    "n_blocks": 2,
    "n_repeats": 2,
    "conv_kernel_size": 3,
    "in_chan": 10,
    "out_chan": 10,
    "fb_name": "free",
    "norm_type": "gLN",
    "mask_act": "relu",
}


@pytest.fixture(scope="module")
def example() -> Any:
    return script("asteroid-convtasnet")


def asteroid_state(seed: int = 0) -> Dict[str, Any]:
    """Random weights under the names, and in the shapes, that Asteroid publishes them in."""
    shapes: Dict[str, Any] = {"encoder.filterbank._filters": (10, 1, 8), "decoder.filterbank._filters": (10, 1, 8)}
    shapes.update({"masker.bottleneck.0.gamma": (10,), "masker.bottleneck.0.beta": (10,)})
    shapes.update({"masker.bottleneck.1.weight": (4, 10, 1), "masker.bottleneck.1.bias": (4,)})
    for block in range(4):
        at = f"masker.TCN.{block}"
        shapes.update({f"{at}.shared_block.0.weight": (6, 4, 1), f"{at}.shared_block.0.bias": (6,)})
        shapes.update({f"{at}.shared_block.3.weight": (6, 1, 3), f"{at}.shared_block.3.bias": (6,)})
        for layer in (1, 4):
            shapes[f"{at}.shared_block.{layer}.weight"] = (1,)
            shapes[f"{at}.shared_block.{layer + 1}.gamma"] = shapes[f"{at}.shared_block.{layer + 1}.beta"] = (6,)
        for side in ("res_conv", "skip_conv"):
            shapes.update({f"{at}.{side}.weight": (4, 6, 1), f"{at}.{side}.bias": (4,)})
    shapes.update({"masker.mask_net.0.weight": (1,)})
    shapes.update({"masker.mask_net.1.weight": (20, 4, 1), "masker.mask_net.1.bias": (20,)})
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def asteroid_forward(state: Dict[str, Any], x: Any, activation: Any) -> Any:
    """What Asteroid computes, written from its definition: (1, 1, samples) to (1, 2, samples)."""
    functional = torch.nn.functional

    def conv(x: Any, name: str, **options: Any) -> Any:
        return functional.conv1d(x, state[f"{name}.weight"], state[f"{name}.bias"], **options)

    def norm(x: Any, name: str) -> Any:
        centred = x - x.mean(dim=(1, 2), keepdim=True)
        scaled = centred / (centred.pow(2).mean(dim=(1, 2), keepdim=True) + 1e-8).sqrt()
        return state[f"{name}.gamma"][:, None] * scaled + state[f"{name}.beta"][:, None]

    def prelu(x: Any, name: str) -> Any:
        return functional.prelu(x, state[f"{name}.weight"])

    mixture = functional.conv1d(x, state["encoder.filterbank._filters"], stride=4)
    features = conv(norm(mixture, "masker.bottleneck.0"), "masker.bottleneck.1")
    skipped = 0
    for block in range(4):
        at, dilation = f"masker.TCN.{block}", 2 ** (block % 2)
        hidden = norm(prelu(conv(features, f"{at}.shared_block.0"), f"{at}.shared_block.1"), f"{at}.shared_block.2")
        hidden = conv(hidden, f"{at}.shared_block.3", groups=6, dilation=dilation, padding=dilation)
        hidden = norm(prelu(hidden, f"{at}.shared_block.4"), f"{at}.shared_block.5")
        features, skipped = features + conv(hidden, f"{at}.res_conv"), skipped + conv(hidden, f"{at}.skip_conv")
    masks = activation(conv(prelu(skipped, "masker.mask_net.0"), "masker.mask_net.1")).view(2, 10, -1)
    return functional.conv_transpose1d(masks * mixture, state["decoder.filterbank._filters"], stride=4).view(1, 2, -1)


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_the_network_computes_what_asteroid_does(example: Any, activation: str) -> None:
    state = asteroid_state()
    network = example.build({**ARGUMENTS, "mask_act": activation})
    network.load_state_dict(example.torchaudio_state(state, last_block=3))
    x = torch.randn(1, 1, 400, generator=torch.Generator().manual_seed(1))
    # torchaudio adds a stride of silence on both sides, and takes it off again; Asteroid does not.
    expected = asteroid_forward(state, torch.nn.functional.pad(x, (4, 4)), getattr(torch, activation))[..., 4:-4]
    assert torch.allclose(torch.jit.script(network)(x), expected, rtol=1e-4, atol=1e-3)


def test_older_filter_names_are_known_too(example: Any) -> None:
    state = {name.replace("filterbank.", ""): tensor for name, tensor in asteroid_state().items()}
    example.build(ARGUMENTS).load_state_dict(example.torchaudio_state(state, last_block=3))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("skip_chan", 8),
        ("stride", 2),
        ("norm_type", "cLN"),
        ("fb_name", "stft"),
        ("mask_act", "softmax"),
        ("causal", True),
    ],
)
def test_a_network_that_torchaudio_lacks_is_refused(example: Any, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=repr(value)):
        example.build({**ARGUMENTS, name: value})


def checkpoint(content: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_of_tensors_is_read(example: Any, zipped: bool) -> None:
    content = {"model_name": "ConvTasNet", "model_args": ARGUMENTS, "state_dict": asteroid_state(), "infos": {"a": "b"}}
    weights = example.read_checkpoint(checkpoint(content, _use_new_zipfile_serialization=zipped), "author/name@abc")
    assert weights.arguments == ARGUMENTS
    assert weights.state.keys() == asteroid_state().keys()
    assert all(torch.equal(weights.state[name], tensor) for name, tensor in asteroid_state().items())


class Command:
    """What a hostile checkpoint holds: unpickled, it runs a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_that_is_a_program_is_refused_unrun(example: Any, zipped: bool, tmp_path: Any) -> None:
    content = {"model_args": Command(f"touch {tmp_path}/ran"), "state_dict": {}}
    with pytest.raises(pickle.UnpicklingError, match="system"):
        example.read_checkpoint(checkpoint(content, _use_new_zipfile_serialization=zipped), "x/y")
    assert list(tmp_path.iterdir()) == []


def test_a_torchscript_archive_is_no_checkpoint(example: Any) -> None:
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), file)
    with pytest.raises(ValueError, match="TorchScript"):
        example.read_checkpoint(file.getvalue(), "x/y")


def test_the_reader_is_told_which_weights_there_are(example: Any) -> None:
    seeded = example.Weights(ARGUMENTS, None, None)
    trained = example.Weights(ARGUMENTS, asteroid_state(), "author/name@abc")
    assert "seeded" in example.card(seeded)
    assert "untrained" in example.metadata(seeded)["tags"]
    assert "`author/name@abc`" in example.card(trained)
    assert "cc-by-sa-4.0" in example.card(trained)
    assert "trained" in example.metadata(trained)["tags"]
    for weights in (seeded, trained):
        success, message = example.validate_metadata(example.metadata(weights))
        assert success, message


def test_without_the_hub_auto_takes_seeded_weights_and_hub_says_why(
    example: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable() -> Any:
        raise OSError("no route")

    monkeypatch.setattr(example, "trained_weights", unreachable)
    assert example.choose_weights("auto").origin is None
    assert "seeded" in capsys.readouterr().err
    assert example.choose_weights("seeded").origin is None
    with pytest.raises(OSError, match="no route"):
        example.choose_weights("hub")


@pytest.mark.slow
def test_trained_weights_from_a_checkpoint_make_a_whole_model_repo(
    example: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    weights = example.Weights(ARGUMENTS, asteroid_state(), "author/name@abc")
    monkeypatch.setattr(example, "trained_weights", lambda: weights)
    example.export(tmp_path, "hub")
    output = torch.jit.load(str(tmp_path / "model.pt"))(torch.randn(1, 1001))
    assert tuple(output.shape) == (2, 1001)
    assert bool(torch.isfinite(output).all())
    assert "author/name@abc" in (tmp_path / "README.md").read_text(encoding="utf-8")
