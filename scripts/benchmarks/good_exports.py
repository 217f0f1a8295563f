"""Write effects that are good models in every way of saving them: `python good_exports.py FOLDER`, with any PyTorch.

It needs torch and nothing else. What the running PyTorch can't export is left out.
"""

# mypy: ignore-errors
# Modules as people write them; TorchScript reads their annotations.

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn

warnings.simplefilter("ignore")


class Pair(NamedTuple):
    left: Tensor
    right: Tensor


class Batched(nn.Module):
    """A layer between what the host gives, (channels, samples), and what layers take."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.unsqueeze(0)).squeeze(0)[:, : x.size(1)]


class Recurrent(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.out = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        frames = nn.functional.pad(x, [0, 511 - (x.size(1) - 1) % 512]).reshape(-1, 1, 512)
        steps = self.layer(frames.mean(2, keepdim=True))[0]
        return x * torch.sigmoid(self.out(steps)).reshape(1, -1).repeat_interleave(512, 1)[:, : x.size(1)]


class Spectral(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(256))
        self.gain = nn.Parameter(torch.linspace(1.0, 0.1, 129).unsqueeze(1))

    def forward(self, x: Tensor) -> Tensor:
        padded = nn.functional.pad(x, [256, 512])
        spectrum = torch.stft(padded, 256, 64, 256, self.window, True, "constant", False, True, return_complex=True)
        sound = torch.istft(spectrum * self.gain, 256, 64, 256, self.window, True, False, None, padded.size(1))
        return sound[:, 256 : 256 + x.size(1)]


class Attributes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gains = [0.5, 0.25]
        self.names = {"left": 0, "right": 1}
        self.pair = (1, 2.0)
        self.nothing: Optional[Tensor] = None
        self.layers = nn.ModuleDict({"first-layer": nn.Identity(), "2": nn.Identity()})
        self.stages = nn.ModuleList([nn.Identity(), nn.Tanh()])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers.values():
            x = layer(x)
        for stage in self.stages:
            x = stage(x)
        if self.nothing is not None:
            x = x + self.nothing
        for index, gain in enumerate(self.gains):
            x = x * (gain + self.names["right"] * 0.1 * index) * self.pair[1]
        return x


class Tuples(nn.Module):
    def split(self, x: Tensor) -> Pair:
        return Pair(torch.relu(x), torch.relu(-x))

    def forward(self, x: Tensor) -> Tensor:
        parts = self.split(x)
        named: Dict[str, Tuple[Tensor, Optional[int]]] = {"left": (parts.left, 1), "right": (parts[1], None)}
        left, count = named["left"]
        return left * 0.5 - named["right"][0] * (0.5 if count is not None else 0.1)


class Loops(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        delays: List[int] = [1, 3, 5]
        y = x
        for number, delay in enumerate(delays):
            shifted = nn.functional.pad(x, [delay, 0])[:, : x.size(1)]
            y = y + shifted * (0.3 / (number + 1))
        return torch.tanh(y) if bool(y.abs().max() > 0.1) else y * 0.9


class Forked(nn.Module):
    def half(self, x: Tensor) -> Tensor:
        return x * 0.5

    def forward(self, x: Tensor) -> Tensor:
        waiting = [torch.jit.fork(self.half, x) for _ in range(2)]
        return torch.stack([torch.jit.wait(one) for one in waiting]).mean(0)


class Exported(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.threshold = 0.5
        self.register_buffer("calls", torch.zeros(1))

    @torch.jit.export
    def set_threshold(self, value: float) -> None:
        self.threshold = value

    @torch.jit.ignore
    def draw(self) -> None:
        print("not exported")

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(x, -self.threshold, self.threshold)


def _hooked() -> nn.Module:
    module = Loops()

    def before(self: Loops, given: Tuple[Tensor]) -> Tuple[Tensor]:
        return (given[0] * 0.9,)

    def after(self: Loops, given: Tuple[Tensor], result: Tensor) -> Tensor:
        return result * 1.1

    module.register_forward_pre_hook(before)
    module.register_forward_hook(after)
    return module


def _sequence(*layers: nn.Module) -> nn.Module:
    return Batched(nn.Sequential(*layers))


MODELS: Dict[str, Callable[[], nn.Module]] = {
    "conv": lambda: _sequence(nn.Conv1d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv1d(4, 1, 1)),
    "dilated": lambda: _sequence(nn.Conv1d(1, 4, 3, padding=4, dilation=4), nn.PReLU(), nn.Conv1d(4, 1, 1)),
    "groups": lambda: _sequence(nn.Conv1d(1, 4, 1), nn.Conv1d(4, 4, 3, padding=1, groups=4), nn.Conv1d(4, 1, 1)),
    "transposed": lambda: _sequence(nn.Conv1d(1, 2, 4, stride=2, padding=4), nn.ConvTranspose1d(2, 1, 4, stride=2)),
    "batch-norm": lambda: _sequence(nn.Conv1d(1, 4, 1), nn.BatchNorm1d(4), nn.ELU(), nn.Conv1d(4, 1, 1)),
    "group-norm": lambda: _sequence(nn.Conv1d(1, 4, 1), nn.GroupNorm(2, 4), nn.GELU(), nn.Conv1d(4, 1, 1)),
    "dropout": lambda: _sequence(nn.Conv1d(1, 4, 1), nn.Dropout(0.5), nn.LeakyReLU(0.1), nn.Conv1d(4, 1, 1)),
    "weight-norm": lambda: _sequence(nn.utils.weight_norm(nn.Conv1d(1, 2, 3, padding=1)), nn.Conv1d(2, 1, 1)),
    "shared": lambda: (lambda layer: _sequence(layer, nn.Sigmoid(), layer))(nn.Conv1d(1, 1, 1)),
    "gru": lambda: Recurrent(nn.GRU(1, 4)),
    "lstm": lambda: Recurrent(nn.LSTM(1, 2, bidirectional=True)),
    "rnn": lambda: Recurrent(nn.RNN(1, 4, 2)),
    "spectral": Spectral,
    "attributes": Attributes,
    "tuples": Tuples,
    "loops": Loops,
    "forked": Forked,
    "exported": Exported,
    "hooked": _hooked,
}


def ways(module: nn.Module) -> Dict[str, Callable[[Path], object]]:
    """How a module can be saved."""
    block = torch.randn(1, 4096)

    def script() -> torch.jit.ScriptModule:
        return torch.jit.script(module)

    def trace() -> torch.jit.ScriptModule:
        return torch.jit.trace(module, block)

    def mobile(path: Path) -> None:
        from torch.utils.mobile_optimizer import optimize_for_mobile

        optimize_for_mobile(script())._save_for_lite_interpreter(str(path))

    def preserved(path: Path) -> None:
        names = ["set_threshold", "threshold"] if isinstance(module, Exported) else []
        torch.jit.freeze(script(), preserved_attrs=names).save(str(path))

    def quantized(path: Path) -> None:
        dynamic = torch.quantization.quantize_dynamic(module, {nn.Linear, nn.LSTM, nn.GRU}, dtype=torch.qint8)
        torch.jit.script(dynamic).save(str(path))

    extra = {"about.json": "{}", "notes/été.txt": "é"}
    return {
        "scripted": lambda path: script().save(str(path)),
        "traced": lambda path: trace().save(str(path)),
        "frozen": lambda path: torch.jit.freeze(script()).save(str(path)),
        "frozen-trace": lambda path: torch.jit.freeze(trace()).save(str(path)),
        "preserved": preserved,
        "for-inference": lambda path: torch.jit.optimize_for_inference(script()).save(str(path)),
        "with-extra-files": lambda path: torch.jit.save(script(), str(path), _extra_files=extra),
        "mobile": mobile,
        "quantized": quantized,
        "loaded-again": lambda path: (script().save(str(path)), torch.jit.load(str(path)).save(str(path))),
    }


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in MODELS.items():
        torch.manual_seed(0)
        module = make().eval()
        for way, save in ways(module).items():
            path = folder / f"{name}-{way}.pt"
            with suppress(Exception), torch.no_grad():
                save(path)


if __name__ == "__main__":
    main()
