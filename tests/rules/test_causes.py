"""What real layers say under Torch 1.9.0 about an input that Audacity gives, and the cause that is made of it."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple

import pytest

pytest.importorskip("torch")

import torch
from torch import nn
from torch.nn import functional

from audacitorch.rules.causes import cause_of

pytestmark = pytest.mark.torch

BLOCK = torch.zeros(1, 2048)


class ThreeSizes(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, channels, samples = x.size()
        return x.view(batch * channels, samples)


class FromDict(nn.Module):
    def forward(self, x: Dict[str, torch.Tensor]) -> torch.Tensor:
        return x["mix"]


class FromList(nn.Module):
    def forward(self, x: List[torch.Tensor]) -> torch.Tensor:
        return x[0]


class FromTuple(nn.Module):
    def forward(self, x: Tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return x[0]


class Window(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.hann_window(x.shape[1])


def scripted(module: Any) -> Callable[[], Any]:
    return lambda: torch.jit.script(module)(BLOCK)


LAYERS: Dict[str, List[Callable[[], Any]]] = {
    "no-batch": [
        lambda: nn.LSTM(1, 2, batch_first=True)(BLOCK),
        lambda: nn.Conv1d(1, 1, 3)(BLOCK),
        lambda: nn.Conv2d(1, 1, 3)(BLOCK),
        lambda: nn.ConvTranspose1d(1, 1, 4, 2)(BLOCK),
        lambda: nn.AvgPool1d(2)(BLOCK),
        lambda: nn.AdaptiveAvgPool1d(1)(BLOCK),
        lambda: nn.Upsample(scale_factor=2)(BLOCK),
        lambda: functional.interpolate(BLOCK, scale_factor=2.0, mode="linear", align_corners=False),
        lambda: functional.pad(BLOCK, (3, 3), mode="reflect"),
        lambda: functional.unfold(BLOCK, (3, 1)),
        lambda: nn.InstanceNorm1d(4)(BLOCK),
        lambda: nn.GroupNorm(4, 8)(BLOCK),
        lambda: nn.BatchNorm1d(4).eval()(BLOCK),
        lambda: nn.BatchNorm2d(1).eval()(BLOCK),
        lambda: nn.PReLU(4)(BLOCK),
        lambda: nn.PixelShuffle(2)(BLOCK),
        lambda: nn.MultiheadAttention(2048, 2)(BLOCK, BLOCK, BLOCK),
        lambda: torch.einsum("bct,cd->bdt", BLOCK, torch.zeros(1, 2)),
        lambda: torch.bmm(BLOCK, BLOCK),
        lambda: torch.cat([BLOCK.unsqueeze(0), BLOCK], 1),
        lambda: BLOCK[:, 0, :],
        lambda: BLOCK.permute(0, 2, 1),
        lambda: BLOCK.sum(2),
        scripted(ThreeSizes()),
    ],
    "list-input": [scripted(FromDict()), scripted(FromList()), scripted(FromTuple())],
    "layer-size": [lambda: nn.Linear(64, 3)(BLOCK), lambda: nn.LayerNorm(64)(BLOCK)],
    "stereo-only": [lambda: nn.Conv1d(2, 1, 3)(BLOCK.unsqueeze(0))],
    "mono-only": [lambda: nn.Conv1d(1, 1, 3)(torch.zeros(1, 2, 2048))],
    "channels": [lambda: nn.Conv1d(80, 1, 3)(BLOCK.unsqueeze(0))],
    "extra-dimension": [lambda: torch.stft(BLOCK.unsqueeze(0), 64, return_complex=True)],
    "frames-too-few": [
        lambda: torch.stft(BLOCK[:, :100], 512, center=False, return_complex=True),
        lambda: BLOCK.unfold(1, 4096, 256),
        lambda: nn.Conv1d(1, 1, 4096)(BLOCK.unsqueeze(1)),
    ],
    "one-value": [lambda: nn.InstanceNorm1d(1)(BLOCK[:, :1].unsqueeze(1))],
    "integers": [
        lambda: nn.Linear(2048, 1)(BLOCK.int()),
        lambda: nn.Embedding(3, 3)(BLOCK),
        lambda: torch.zeros(3)[BLOCK],
        lambda: functional.conv1d(BLOCK.unsqueeze(1), torch.zeros(1, 1, 3, dtype=torch.int8)),
    ],
    "dtype": [lambda: nn.Linear(2048, 1).double()(BLOCK), lambda: torch.fft.rfft(BLOCK.half())],
    "window-dtype": [scripted(Window())],
    "device": [lambda: BLOCK.to("mps")],
}


@pytest.mark.parametrize(("name", "number"), [(name, index) for name in LAYERS for index in range(len(LAYERS[name]))])
def test_a_layers_error_names_its_cause(name: str, number: int) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011
        LAYERS[name][number]()
    cause = cause_of(str(raised.value))
    assert cause is not None, str(raised.value)
    assert cause.name == name, str(raised.value)


def test_every_cause_of_forward_has_a_layer_or_a_field_failure() -> None:
    from audacitorch.rules.causes import CAUSES

    elsewhere = {  # tests/test_field_failures.py and tests/rules/test_trial_rules.py
        "no-forward", "lazy-buffer", "quantized-engine", "missing-argument", "extra-argument", "frames",
        "traced-length", "newer-operator", "shared-object", "file",
    }  # fmt: skip
    assert {cause.name for cause in CAUSES} == set(LAYERS) | elsewhere
