"""Small models whose output shows what the host did with it; TorchScript compiles them from this file's source."""

from typing import Any, Dict, List, Tuple

import torch
from torch import Tensor, nn


class Double(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.repeat_interleave(2, 1)


class Half(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, ::2].contiguous()


class Minus(nn.Module):
    def __init__(self, samples: int) -> None:
        super().__init__()
        self.samples = samples

    def forward(self, x: Tensor) -> Tensor:
        return x[:, : max(x.shape[1] - self.samples, 0)] * 0.5


class Plus(nn.Module):
    def __init__(self, samples: int) -> None:
        super().__init__()
        self.samples = samples

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x * 0.5, torch.ones(x.shape[0], self.samples)], 1)


class Three(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        mono = x.sum(0, keepdim=True)
        return torch.cat([mono * 0.1, mono * 0.2, mono * 0.3], 0)


class Gain(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 0.7


class Fails(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] < 1000:
            raise RuntimeError("too short")
        mono = x.sum(0, keepdim=True)
        return torch.cat([mono * 0.1, mono * 0.2], 0)


class Batch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x * 0.5).unsqueeze(0)


class OneDimension(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x * 0.5)[0]


class DoublePrecision(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x * 0.5).double()


class Planned(nn.Module):
    """One result for each block, as planned: so many samples more or less than the block, or an exception."""

    def __init__(self, surplus: List[int], raises: List[bool]) -> None:
        super().__init__()
        self.surplus = surplus
        self.raises = raises
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        call = self.calls
        self.calls += 1
        if self.raises[call]:
            raise RuntimeError("planned")
        samples = max(x.shape[1] + self.surplus[call], 0)
        return torch.cat([x, torch.ones(x.shape[0], max(self.surplus[call], 0))], 1)[:, :samples] * (call + 1)


class Labels(nn.Module):
    """Class indices in turn, three steps of a tenth of a second each."""

    def __init__(self, rate: int) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        steps = max(int(x.shape[1] * 10 / self.rate), 1)
        classes = torch.remainder(torch.div(torch.arange(steps), 3, rounding_mode="floor"), 3)
        starts = torch.arange(steps).float() * 0.1
        return classes, torch.stack([starts, starts + 0.1], 1)


class LabelsFail(nn.Module):
    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        if x.shape[1] < 1000:
            raise RuntimeError("too short")
        return torch.tensor([0, 1]), torch.tensor([[0.5, 0.6], [1.0, 1.2]])


class CountsCalls(nn.Module):
    """Raises on its first call, and labels later ones at as many milliseconds as there were calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        self.calls += 1
        if self.calls == 1:
            raise RuntimeError("not yet")
        start = self.calls * 0.001
        return torch.tensor([[0.0, 1.0]]), torch.tensor([[start, start + 0.01]])


class WholeTimestamps(nn.Module):
    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        return torch.tensor([0]), torch.tensor([[0, 1]])


#: Module and metadata of each model in ``tests/data/host/expected.json``.
MODELS: Dict[str, Tuple[Any, Dict[str, Any]]] = {
    "double": (Double(), {}),
    "half": (Half(), {}),
    "minus100": (Minus(100), {}),
    "three2": (Three(), {"labels": ["a", "b"]}),
    "gain16k": (Gain(), {"sample_rate": 16000}),
    "lab": (
        Labels(16000),
        {"sample_rate": 16000, "labels": ["x", "y", "z"], "effect_type": "waveform-to-labels"},
    ),
    "labfails": (
        LabelsFail(),
        {"sample_rate": 16000, "labels": ["x", "y"], "effect_type": "waveform-to-labels"},
    ),
}
