"""Export band-splitter, a separator with four outputs: model.pt and metadata.json.

python export.py [--output FOLDER]
"""

import argparse
import math
from pathlib import Path
from typing import Sequence

import torch
from torch import nn

from audacitorch import WaveformToWaveformBase
from audacitorch.utils import save_model, test_run, validate_metadata

SAMPLE_RATE = 44100
CUTOFFS = (250.0, 2000.0, 8000.0)
TAPS = 1025
METADATA = {
    "sample_rate": SAMPLE_RATE,
    "domain_tags": ["music", "speech", "environmental", "other"],
    "short_description": "Use me to split a track into four frequency bands.",
    "long_description": "Four bands, with borders at 250 Hz, 2 kHz and 8 kHz. The filters have linear phase and the "
    "bands add up to the input, so whatever is left alone stays as it was.",
    "tags": ["filter bank", "crossover", "equalizer"],
    "labels": ["bass", "low-mid", "high-mid", "treble"],
    "effect_type": "waveform-to-waveform",
    "multichannel": False,
}


def low_pass_filters(cutoffs: Sequence[float], taps: int, sample_rate: int) -> torch.Tensor:
    """Windowed-sinc low-pass filters with a gain of 1 at 0 Hz: (filters, taps); cut-offs in Hz, ``taps`` odd."""
    times = torch.arange(taps, dtype=torch.float64) - taps // 2
    window = torch.blackman_window(taps, periodic=False, dtype=torch.float64)
    filters = []
    for cutoff in cutoffs:
        angle = 2 * math.pi * cutoff / sample_rate * times
        sinc = torch.where(angle == 0, torch.ones_like(angle), torch.sin(angle) / angle)
        filters.append(sinc * window / (sinc * window).sum())
    return torch.stack(filters).float()


class FilterBank(nn.Module):
    """Bands as differences of neighbouring low-pass outputs, which is why they add up to the input."""

    def __init__(self, filters: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("filters", filters)
        self.half = filters.shape[-1] // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        edges = torch.cat([torch.zeros_like(x), self.low_pass(x), x])
        return edges[1:] - edges[:-1]

    def low_pass(self, x: torch.Tensor) -> torch.Tensor:
        """(1, samples) to (filters, samples), not delayed: by Fourier transform, as the filters are long."""
        samples = x.shape[-1]
        size = 1
        while size < samples + 2 * self.half:
            size *= 2
        filtered = torch.fft.irfft(torch.fft.rfft(x, size) * torch.fft.rfft(self.filters, size), size)
        return filtered[:, self.half : self.half + samples]


class BandSplitter(WaveformToWaveformBase):
    """(1, samples) to (4, samples)."""

    def do_forward_pass(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


def export(folder: Path) -> None:
    """Write model.pt and metadata.json to ``folder``."""
    bank = FilterBank(low_pass_filters(CUTOFFS, TAPS, SAMPLE_RATE))
    model = torch.jit.script(BandSplitter(bank))
    test_run(model)
    success, message = validate_metadata(METADATA)
    if not success:
        raise ValueError(message)
    folder.mkdir(parents=True, exist_ok=True)
    save_model(model, METADATA, folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Export band-splitter.")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder of the model repo")
    export(parser.parse_args().output)
