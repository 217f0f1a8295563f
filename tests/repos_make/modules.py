"""The modules of fixtures, each with one habit. TorchScript 1.9.0 compiles them from this file's source."""

from typing import List, Optional, Tuple

import torch
from torch import Tensor, nn


class Halves(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 0.5


class Mixes(nn.Module):
    """As many channels out as asked for, whatever comes in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        return (x.mean(0, keepdim=True) * 0.5).repeat(self.channels, 1)


class NeedsChannels(nn.Module):
    """A first layer made for one number of channels."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((out, channels, 1), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        return torch.conv1d(x.unsqueeze(0), self.weight)[0]


class EndlessLoop(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        while bool(x.sum() < 1e30):
            x = x * 0.5
        return x


class EatsMemory(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        kept: List[Tensor] = []
        while len(kept) < 1000000:
            kept.append(torch.ones(1 << 24))
        return torch.cat(kept)[: x.size(1)].unsqueeze(0)


class ReadsPasswords(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.from_file("/etc/passwd", shared=False, size=16, dtype=torch.uint8).float().unsqueeze(0)


class WritesInForward(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        torch.save(x, "/tmp/audacitorch-written-by-forward")
        return x


class WritesInSetstate(nn.Module):
    @torch.jit.export
    def __getstate__(self) -> Tuple[int, bool]:
        return (1, self.training)

    @torch.jit.export
    def __setstate__(self, state: Tuple[int, bool]) -> None:
        torch.save([1, 2, 3], "/tmp/audacitorch-written-by-setstate")
        self.training = state[1]

    def forward(self, x: Tensor) -> Tensor:
        return x


class AlwaysRaises(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(7, -1, 11)


class RaisesOnSilence(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if bool(x.abs().max() == 0):
            raise ValueError("nothing to hear")
        return x * 0.5


class NeedsLength(nn.Module):
    def __init__(self, shortest: int) -> None:
        super().__init__()
        self.shortest = shortest

    def forward(self, x: Tensor) -> Tensor:
        if x.size(1) < self.shortest:
            raise ValueError("too few samples")
        return x * 0.5


class Resizes(nn.Module):
    """Cuts a part of the block off, or puts it there twice."""

    def __init__(self, part: int, longer: bool) -> None:
        super().__init__()
        self.part = part
        self.longer = longer

    def forward(self, x: Tensor) -> Tensor:
        by = x.size(1) // self.part
        if self.longer:
            return torch.cat([x, x[:, :by]], 1) * 0.5
        return x[:, : x.size(1) - by] * 0.5


class ReturnsNothing(nn.Module):
    def forward(self, x: Tensor) -> Optional[Tensor]:
        return None


class ReturnsAList(nn.Module):
    def forward(self, x: Tensor) -> List[Tensor]:
        return [x]


class Reshapes(nn.Module):
    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.dimensions = dimensions

    def forward(self, x: Tensor) -> Tensor:
        return x[0] * 0.5 if self.dimensions == 1 else x.unsqueeze(0) * 0.5


class Converts(nn.Module):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype: int = {torch.float64: 7, torch.float16: 5, torch.int16: 2}[dtype]

    def forward(self, x: Tensor) -> Tensor:
        return (x * 0.5).to(self.dtype)


class Normalizes(nn.Module):
    """Divides by the level, which silence has none of."""

    def forward(self, x: Tensor) -> Tensor:
        return x / x.abs().max() * 0.5


class Logarithm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(x, 0.0, 1.0).log()


class Counts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("passes", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        return x * 0.5 / self.passes


class Adds(nn.Module):
    def __init__(self, gain: float, offset: float) -> None:
        super().__init__()
        self.gain = gain
        self.offset = offset

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gain + self.offset


class Smooths(nn.Module):
    """A long filter, which hears beyond the edges of a block."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.conv1d(x.unsqueeze(0), torch.ones(1, 1, 1001) / 1001, padding=500)[0]


class TakesItsTime(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        total = 0.0
        for step in range(x.size(1) * 800):
            total += 0.5 * step
        return x * 0.5 + 0.0 * total


class Labeler(nn.Module):
    """Two labels for every block, at given places in it (from 0, its start, to 1, its end)."""

    def __init__(self, labels: Tensor, places: Tensor, rate: int = 44100) -> None:
        super().__init__()
        self.register_buffer("labels", labels)
        self.register_buffer("places", places)
        self.rate = rate

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        return self.labels + (x.max() > 1e9).to(self.labels.dtype), self.places * (x.size(1) / self.rate)


class LabelerInWholeSeconds(Labeler):
    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        return self.labels + (x.max() > 1e9).to(self.labels.dtype), self.places.to(torch.int64)


class LabelerInMilliseconds(Labeler):
    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        seconds = self.places * (x.size(1) / self.rate)
        return self.labels + (x.max() > 1e9).to(self.labels.dtype), seconds * 1000


class LabelerThatNeedsLength(Labeler):
    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        if x.size(1) < 101:
            raise ValueError("too few samples")
        return self.labels + (x.max() > 1e9).to(self.labels.dtype), self.places * (x.size(1) / self.rate)


class FrozenLabeler(Labeler):
    """What a trace makes of a decoder: the labels of its example, whatever the sound."""

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        return self.labels, self.places * (x.size(1) / self.rate)


class FrozenTimes(Labeler):
    """What a trace makes of times: those of its example, whatever the length."""

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        return self.labels + (x.max() > 1e9).to(self.labels.dtype), self.places


class FrozenSound(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(torch.arange(x.size(1)) * 0.05).unsqueeze(0) * 0.5


class Stops(nn.Module):
    """Works on the beginning of a block alone."""

    def forward(self, x: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        y[:, :20000] = x[:, :20000] * 0.5
        return y


class Delays(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.constant_pad_nd(x, [100, 0])[:, : x.size(1)] * 0.5


class Hoards(nn.Module):
    kept: List[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.kept = []

    def forward(self, x: Tensor) -> Tensor:
        self.kept.append(x.clone())
        return x * 0.5


class Frames(nn.Module):
    """Takes whole frames of 1,000 samples, and pads a block that is shorter than one."""

    def forward(self, x: Tensor) -> Tensor:
        n = x.size(1)
        if n < 1000:
            x = torch.constant_pad_nd(x, [0, 1000 - n])
        return x.reshape(-1, 1000).mul(0.5).reshape(1, -1)[:, :n]


class WholeFrames(nn.Module):
    """Takes whole frames of 441 samples and nothing else, shorter blocks least of all."""

    def forward(self, x: Tensor) -> Tensor:
        frames = x.view(x.size(0), x.size(1) // 441, 441)
        return frames.mul(0.5).view(x.size(0), -1)


class OneSampleIsNotANumber(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 0.5 / (1.0 + x.std(dim=1, keepdim=True) * 0.01)


class FollowsChannels(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 0.5


class DrawsNoise(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 0.5 + torch.randn_like(x) * 0.001


class EverySecondSample(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, ::2] * 0.5


class WantsABatch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((1, 1, 9), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.conv1d(x, self.weight, padding=[4])


class ReturnsThree(nn.Module):
    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        return x, x, x


class ReturnsSparse(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.to_sparse()


class ReturnsQuantized(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.quantize_per_tensor(x, 0.1, 0, torch.qint8)


class ReturnsComplex(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.complex(x, x)


class ReturnsNowhere(nn.Module):
    """A tensor without memory."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.empty(x.size(0), x.size(1), device="meta")


class ChangesItsMind(nn.Module):
    """Another dtype from the second block on."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("passes", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        return x * 0.5 if bool(self.passes[0] < 2) else x.double() * 0.5


class RaisesUnicode(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise ValueError("\x1b[31mno\n::error::ünfug")


class HasNoForward(nn.Module):
    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        return x * 0.5


class WantsTwoTensors(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


class MovesToCuda(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.to(torch.device("cuda:0")) * 0.5


class DropsAlways(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x, 0.1, True)


class Scales(nn.Module):
    """By a weight of some dtype."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((1,), 0.5).to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class Quantizes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = torch.quantize_per_tensor(x, 0.01, 0, torch.quint8)
        return torch.ops.quantized.add(y, y, 0.01, 0).dequantize()


class RaisesWhenLoaded(nn.Module):
    @torch.jit.export
    def __getstate__(self) -> Tuple[int, bool]:
        return (1, self.training)

    @torch.jit.export
    def __setstate__(self, state: Tuple[int, bool]) -> None:
        self.training = state[1]
        if not state[1]:
            raise ValueError("no state of this version")

    def forward(self, x: Tensor) -> Tensor:
        return x * 0.5
