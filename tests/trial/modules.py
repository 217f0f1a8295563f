"""Modules that behave well and badly, for trials; TorchScript compiles them from this file's source."""

from typing import List, Tuple

import torch
from torch import Tensor, nn


class Booster(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2


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


class WritesInForward(nn.Module):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, x: Tensor) -> Tensor:
        torch.save(x, self.path)
        return x


class MapsAFileForWriting(nn.Module):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, x: Tensor) -> Tensor:
        mapped = torch.from_file(self.path, shared=True, size=64)
        mapped.fill_(1.0)
        return x + mapped.sum()


class ReadsAFile(nn.Module):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, x: Tensor) -> Tensor:
        stolen = torch.from_file(self.path, shared=False, size=16, dtype=torch.uint8)
        return x + stolen.sum()


class WritesInSetstate(nn.Module):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    @torch.jit.export
    def __getstate__(self) -> Tuple[str, bool]:
        return (self.path, self.training)

    @torch.jit.export
    def __setstate__(self, state: Tuple[str, bool]) -> None:
        torch.save([1, 2, 3], state[0])
        self.path = state[0]
        self.training = state[1]

    def forward(self, x: Tensor) -> Tensor:
        return x


class NeedsLength(nn.Module):
    def __init__(self, shortest: int) -> None:
        super().__init__()
        self.shortest = shortest

    def forward(self, x: Tensor) -> Tensor:
        if x.size(1) < self.shortest:
            raise ValueError("too few samples")
        return x


class NeedsMono(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.size(0) != 1:
            raise ValueError("one channel only")
        return x


class AlwaysRaises(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(7, -1, 11)


class WorksInPlace(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mul_(2.0)


class ReturnsMoreThanMemory(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros(1, 1).expand(1 << 24, 1 << 24)


class ReturnsManyTensors(nn.Module):
    def forward(
        self, x: Tensor
    ) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        return x, x, x, x, x, x, x, x, x, x


class Counts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("passes", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        return x * self.passes


class Smooths(nn.Module):
    """A long filter, which hears beyond the edges of a block."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.conv1d(x.unsqueeze(0), torch.ones(1, 1, 1001) / 1001, padding=500)[0]


class Prints(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        print('{"event": "done", "seconds": 0}')
        return x


class ReturnsNothing(nn.Module):
    def forward(self, x: Tensor) -> None:
        return None


class ReturnsNoChannel(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:0]


class Labels(nn.Module):
    """Class indices for two steps, the first half of the block and the second."""

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        seconds = x.size(1) / 16000.0
        stamps = torch.tensor([[0.0, seconds / 2], [seconds / 2, seconds]])
        return torch.tensor([0, 1]), stamps


class IsSlow(nn.Module):
    """About a second of computing for 8,192 samples, whatever the machine."""

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(x.size(1) // 2):
            x = x + torch.sin(x).mean() * 0.0
        return x


class Syntax(nn.Module):
    """Everything that Torch compiles operators for without a call."""

    kept: List[int]

    def __init__(self) -> None:
        super().__init__()
        self.kept = [1, 2]

    def forward(self, x: Tensor) -> Tensor:
        numbers = [n * 2 for n in [1, 2, 3]]
        named = {"a": 1, "b": 2}
        del named["b"]
        for n in self.kept:
            numbers[0] += n
        for key, value in named.items():
            if key in named and value != 3 and value is not None:
                x[:, 0] *= float(value) / 2 - -(1**2) % 3 // 1
        if x.max() > 100 or bool(x.sum() < -1e9):
            x = -x + int(x[0, 0])
        x[..., :1] = x[:, None, -1:][:, 0]
        assert x.size(0) > 0, f"no channels in {x.size(0)}"
        return x * len(numbers)


class MultipliesForEver(nn.Module):
    """Computes with as many threads as there are."""

    def forward(self, x: Tensor) -> Tensor:
        y = torch.ones(400, 400)
        while bool(x.sum() < 1e30):
            y = torch.mm(y, y) * 1e-3
        return x
