"""Export booster-net, the volume example of audacitorch's specification: model.pt and metadata.json.

python export.py [--output FOLDER]
"""

import argparse
from pathlib import Path

import torch
from torch import nn

from audacitorch import WaveformToWaveformBase
from audacitorch.utils import get_example_inputs, save_model, test_run, validate_metadata

METADATA = {
    "sample_rate": 48000,
    "domain_tags": ["music", "speech", "environmental"],
    "short_description": "Use me to boost volume by 6 dB :).",
    "long_description": "Multiplies every sample by two, which is a gain of 6 dB. "
    "The smallest model there is: start from it to write your own.",
    "tags": ["volume boost"],
    "labels": ["boosted"],
    "effect_type": "waveform-to-waveform",
    "multichannel": False,
}


class VolumeModel(nn.Module):
    """Twice the input, whatever its shape."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


class Booster(WaveformToWaveformBase):
    """(1, samples) to (1, samples)."""

    def do_forward_pass(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


def export(folder: Path) -> None:
    """Write model.pt and metadata.json to ``folder``."""
    model = torch.jit.script(Booster(VolumeModel()))
    for example in get_example_inputs(multichannel=False):
        if not torch.equal(model(example), example * 2):
            raise RuntimeError("the scripted model does not double its input")
    test_run(model)
    success, message = validate_metadata(METADATA)
    if not success:
        raise ValueError(message)
    folder.mkdir(parents=True, exist_ok=True)
    save_model(model, METADATA, folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Export booster-net.")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder of the model repo")
    export(parser.parse_args().output)
