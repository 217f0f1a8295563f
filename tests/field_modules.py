"""What people's models did on public trackers, each as small as it can be, and again with its remedy."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LazyBuffer(nn.Module):
    """audio#1454: a buffer that gets its size at the first call."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bank", torch.zeros(0))

    def forward(self, x: Tensor) -> Tensor:
        if self.bank.numel() == 0:
            made = torch.linspace(0.5, 1.0, x.size(0) * 8)
            self.bank.resize_(made.size())
            self.bank.copy_(made)
        return x * self.bank.mean()


class AssignedBuffer(LazyBuffer):
    def forward(self, x: Tensor) -> Tensor:
        if self.bank.numel() == 0:
            self.bank = torch.linspace(0.5, 1.0, x.size(0) * 8)
        return x * self.bank.mean()


class FixedLength(nn.Module):
    """pytorch#15391: a view to the example's length, as a trace writes it down."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv1d(1, 1, 9, padding=4)

    def forward(self, x: Tensor) -> Tensor:
        batch: Tensor = self.layer(x.view(1, 1, 16000))
        return batch.view(1, 16000)


class AnyLength(FixedLength):
    def forward(self, x: Tensor) -> Tensor:
        batch: Tensor = self.layer(x.view(1, 1, -1))
        return batch.view(1, -1)


class BakedBound(nn.Module):
    """pytorch#43548: only the first second is processed."""

    def forward(self, x: Tensor) -> Tensor:
        done = torch.zeros_like(x)
        done[:, :16000] = x[:, :16000] * 0.5
        return done


class DividesByPeak(nn.Module):
    """Chirpity#47, hifigan#4, MP-SENet#33: silence divided by its peak."""

    def forward(self, x: Tensor) -> Tensor:
        return x / x.abs().max()


class DividesSafely(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * x / (x.abs().max() + 1e-8)


class StandardDeviation(nn.Module):
    """fairseq#1863, and the denoiser upstream: `std` of one value."""

    def forward(self, x: Tensor) -> Tensor:
        return 0.1 * x / (x.std() + 1.0)


class BiasedDeviation(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 0.1 * x / (x.std(unbiased=False) + 1.0)


class ReflectPad(nn.Module):
    """query-bandit#7: a reflection pad that is larger than the block."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv1d(1, 1, 1025)

    def forward(self, x: Tensor) -> Tensor:
        padded = nn.functional.pad(x.unsqueeze(1), [512, 512], mode="reflect")
        out: Tensor = self.layer(padded)
        return out.squeeze(1)


class PaddedFirst(ReflectPad):
    def forward(self, x: Tensor) -> Tensor:
        samples = x.shape[1]
        enough = nn.functional.pad(x, [0, max(0, 1025 - samples)])
        padded = nn.functional.pad(enough.unsqueeze(1), [512, 512], mode="reflect")
        out: Tensor = self.layer(padded)
        return out.squeeze(1)[:, :samples]
