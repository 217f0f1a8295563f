"""The modules of tests/repos_make as their authors would leave them after following the hint.

Where a hint gives a line of code, that line is here.
"""

from typing import List, Tuple

import torch
from torch import Tensor, nn


class Around(nn.Module):
    """Another module, with something before or after it."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner


class WithoutBatch(Around):
    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x).squeeze(0)


class WithBatch(Around):
    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.unsqueeze(0)).squeeze(0)


class AsFloat(Around):
    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x).float()


class LabelsAsFloat(Around):
    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        labels, timestamps = self.inner(x)
        return labels, timestamps.float()


class RepeatsMono(Around):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] == 1:
            x = x.repeat(2, 1)
        return self.inner(x)


class Encodes(Around):
    def forward(self, x: Tensor) -> Tensor:
        return self.inner.encode(x)


class OfOneTensor(Around):
    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x, torch.zeros_like(x))


class Cut(Around):
    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)[:, : x.shape[1]]


class Padded(Around):
    """To the length that the inner module needs, and back."""

    def __init__(self, inner: nn.Module, shortest: int) -> None:
        super().__init__(inner)
        self.shortest = shortest

    def forward(self, x: Tensor) -> Tensor:
        samples = x.shape[1]
        missing = max(0, self.shortest - samples)
        return self.inner(torch.constant_pad_nd(x, [0, missing]))[:, :samples]


class InTime(Around):
    """The last 100 samples are not there yet: their place is silent."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.constant_pad_nd(self.inner(x)[:, 100:], [0, min(100, x.shape[1])])


class WithoutMean(Around):
    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(x)
        return y - y.mean()


class Quieter(Around):
    def __init__(self, inner: nn.Module, by: float) -> None:
        super().__init__(inner)
        self.by = by

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) * self.by


class SoftMaxed(Around):
    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        logits, timestamps = self.inner(x)
        return torch.softmax(logits + x.abs().mean(), dim=1) * (1.0 - 1e-3 * x.abs().mean()), timestamps


class Seconds(Around):
    """Times that the inner module gives in milliseconds."""

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        labels, timestamps = self.inner(x)
        return labels, timestamps / 1000


class NormalizesSafely(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / (x.abs().max() + 1e-6) * 0.5


class CountsLocally(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        passes = torch.ones(1)
        return x * 0.5 / passes


class KeepsLocally(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        kept: List[Tensor] = []
        kept.append(x)
        return kept[0] * 0.5


class InChunks(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        done: List[Tensor] = []
        for start in range(0, x.shape[1], 65536):
            done.append(x[:, start : start + 65536] * 0.5)
        return torch.cat(done, dim=1)


class WhereTheInputIs(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.to(x.device) * 0.5


class DropsInTraining(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x, 0.1, self.training)


class HasItsTable(nn.Module):
    """What another module would read from a file."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.full((1,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.table
