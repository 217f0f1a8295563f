"""Models that are slower than most: the time of a whole check over that of one pass with a whole block.

A ConvTasNet of 5 million parameters as asteroid and torchaudio build it, and a U-Net of 20 million on waveforms.
Prints the ratio, and what the report says was left out. The pass is timed in a process of its own, before and after
the check, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, List, Tuple

import torch
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 5.0
WHOLE_BLOCK = 262144
BARE = """
import sys, time, torch
model = torch.jit.load(sys.argv[1]).eval()
block = torch.rand(1, int(sys.argv[2])) - 0.5
with torch.no_grad():
    model(block[:, :2048])
    model(block[:, :2048])
    start, processor = time.perf_counter(), time.process_time()
    model(block)
print(time.perf_counter() - start, time.process_time() - processor)
"""


class Separator(nn.Module):
    """One of ConvTasNet's convolutional blocks, of growing dilation."""

    def __init__(self, bottleneck: int, hidden: int, dilation: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv1d(bottleneck, hidden, 1),
            nn.PReLU(),
            nn.GroupNorm(1, hidden),
            nn.Conv1d(hidden, hidden, 3, padding=dilation, dilation=dilation, groups=hidden),
            nn.PReLU(),
            nn.GroupNorm(1, hidden),
        )
        self.residual = nn.Conv1d(hidden, bottleneck, 1)
        self.skip = nn.Conv1d(hidden, bottleneck, 1)

    def forward(self, x: Tensor) -> List[Tensor]:
        hidden = self.block(x)
        return [x + self.residual(hidden), self.skip(hidden)]


class ConvTasNet(nn.Module):
    """Two sources from one channel: 512 filters of 16 samples, 3 repeats of 8 blocks, no length that fails."""

    def __init__(self, filters: int = 512, kernel: int = 16, bottleneck: int = 128, hidden: int = 512) -> None:
        super().__init__()
        self.kernel = kernel
        self.encoder = nn.Conv1d(1, filters, kernel, stride=kernel // 2, bias=False)
        self.prepare = nn.Sequential(nn.GroupNorm(1, filters), nn.Conv1d(filters, bottleneck, 1))
        self.separators = nn.ModuleList(Separator(bottleneck, hidden, 2**i) for _ in range(3) for i in range(8))
        self.masks = nn.Sequential(nn.PReLU(), nn.Conv1d(bottleneck, 2 * filters, 1), nn.Sigmoid())
        self.decoder = nn.ConvTranspose1d(filters, 1, kernel, stride=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        samples = x.shape[1]
        step = self.kernel // 2
        missing = (step - samples % step) % step + self.kernel
        encoded = torch.relu(self.encoder(nn.functional.pad(x, [0, missing]).unsqueeze(1)))
        flow = self.prepare(encoded)
        skips = torch.zeros_like(flow)
        for separator in self.separators:
            flow, skip = separator(flow)
            skips = skips + skip
        masks = self.masks(skips).view(2, encoded.shape[1], encoded.shape[2])
        return self.decoder(masks * encoded)[:, 0, :samples]


class UNet(nn.Module):
    """Wave-U-Net: ten levels, each with half the samples and more channels, and the same back with their skips."""

    def __init__(self, depth: int = 10, first: int = 44) -> None:
        super().__init__()
        channels = [1, *(first * level for level in range(1, depth + 1))]
        pairs = list(zip(channels, channels[1:]))
        self.step = 2**depth
        self.down = nn.ModuleList(nn.Sequential(nn.Conv1d(a, b, 15, padding=7), nn.LeakyReLU()) for a, b in pairs)
        self.middle = nn.Sequential(nn.Conv1d(channels[-1], channels[-1], 15, padding=7), nn.LeakyReLU())
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv1d(b + (channels[level + 2] if level + 2 < len(channels) else b), b, 5, padding=2))
            for level, (a, b) in reversed(list(enumerate(pairs)))
        )
        self.last = nn.Conv1d(channels[1], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        samples = x.shape[1]
        flow = nn.functional.pad(x, [0, (self.step - samples % self.step) % self.step]).unsqueeze(1)
        skips: List[Tensor] = []
        for down in self.down:
            flow = down(flow)
            skips.append(flow)
            flow = flow[:, :, ::2]
        flow = self.middle(flow)
        for up in self.up:
            flow = nn.functional.interpolate(flow, scale_factor=2.0, mode="linear", align_corners=False)
            flow = nn.functional.leaky_relu(up(torch.cat([flow, skips.pop()], dim=1)))
        return torch.tanh(self.last(flow))[:, 0, :samples]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=("ConvTasNet", "UNet"), action="append", help="default: both")
    options = parser.parse_args()
    models: Any = {"ConvTasNet": (ConvTasNet, ["one", "two"]), "UNet": (UNet, ["same"])}
    worst = 0.0
    for name in options.model or models:
        module, labels = models[name]
        with tempfile.TemporaryDirectory() as folder:
            worst = max(worst, ratio(name, repo(Path(folder), module(), labels)))
    return 0 if worst <= LIMIT else 1


def repo(folder: Path, module: Any, labels: List[str]) -> Path:
    """A model repo around a module with random weights."""
    torch.jit.script(module.eval()).save(str(folder / "model.pt"))
    parameters = sum(parameter.numel() for parameter in module.parameters())
    print(f"{type(module).__name__}: {parameters / 1e6:.1f} million parameters", flush=True)
    fields = json.loads((ROOT / "examples" / "booster-net" / "metadata.json").read_text(encoding="utf-8"))
    fields.update(sample_rate=44100, multichannel=False, labels=labels)
    (folder / "metadata.json").write_text(json.dumps(fields), encoding="utf-8")
    return folder


def ratio(name: str, folder: Path) -> float:
    """A check's seconds over those of one pass with a whole block; the processor's seconds are shown as well."""
    before = one_pass(folder)
    start, processor = time.perf_counter(), processor_seconds()
    command = [sys.executable, "-m", "audacitorch", "check", str(folder), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    taken, processor = time.perf_counter() - start, processor_seconds() - processor
    whole, of_processor = ((one + other) / 2 for one, other in zip(before, one_pass(folder)))
    trial = json.loads(done.stdout)["trial"]
    print(f"{name}: one whole block takes {whole:.2f} s, {whole / (WHOLE_BLOCK / 44100):.2f} times its duration")
    print(f"{name}: check over one whole block: {taken / whole:.2f} (at most {LIMIT:g}), {len(trial['passes'])} passes")
    print(f"  of the processor: {processor:.1f} s over {of_processor:.1f} s, {processor / of_processor:.2f}")
    for left_out in trial["left_out"]:
        print(f"  left out: {left_out}")
    sys.stdout.flush()
    return taken / whole


def one_pass(folder: Path) -> Tuple[float, float]:
    """Seconds that passed, and seconds of the processor."""
    command = [sys.executable, "-c", BARE, str(folder / "model.pt"), str(WHOLE_BLOCK)]
    passed, processor = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(passed), float(processor)


def processor_seconds() -> float:
    """What the processes that ended so far have taken of the processor."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
