"""Export stereo-widener, an effect on stereo tracks: model.pt and metadata.json.

python export.py [--output FOLDER]
"""

import argparse
from pathlib import Path

import torch
from torch import nn

from audacitorch import WaveformToWaveformBase
from audacitorch.utils import save_model, test_run, validate_metadata

METADATA = {
    "sample_rate": 44100,
    "domain_tags": ["music", "environmental", "other"],
    "short_description": "Use me to make a stereo recording sound wider.",
    "long_description": "Splits a stereo track into what both sides share and how they differ, and makes the "
    "difference 1.5 times as strong. The sum of both sides stays what it was. A mono track has no difference: it comes "
    "out the same on both sides.",
    "tags": ["stereo", "width", "mid-side"],
    "labels": ["left", "right"],
    "effect_type": "waveform-to-waveform",
    "multichannel": True,
}


class MidSideWidener(nn.Module):
    """Mid/side processing with a gain on the side signal."""

    def __init__(self, width: float) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = x[0], x[-1]  # the same channel twice, where there is but one
        mid = (left + right) / 2
        side = (left - right) / 2 * self.width
        return torch.stack([mid + side, mid - side])


class Widener(WaveformToWaveformBase):
    """(1, samples) or (2, samples) to (2, samples): two labels need two channels, for a mono track too."""

    def do_forward_pass(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


def export(folder: Path) -> None:
    """Write model.pt and metadata.json to ``folder``."""
    model = torch.jit.script(Widener(MidSideWidener(width=1.5)))
    test_run(model, multichannel=True)
    success, message = validate_metadata(METADATA)
    if not success:
        raise ValueError(message)
    folder.mkdir(parents=True, exist_ok=True)
    save_model(model, METADATA, folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Export stereo-widener.")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder of the model repo")
    export(parser.parse_args().output)
