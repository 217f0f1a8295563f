"""Clips through a model in the real worker, for tests of what comes out."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Sequence

import numpy as np
import soundfile
import torch

from audacitorch.hosts import DEFAULT_HOST, Host
from audacitorch.hosts.tracks import tracks_of
from audacitorch.render import Renderer, Rendering
from audacitorch.render.audio_file import open_audio
from audacitorch.render.staging import Outputs
from audacitorch.trial.starters import worker_starter

EFFECT: Dict[str, Any] = {
    "sample_rate": 44100,
    "effect_type": "waveform-to-waveform",
    "multichannel": False,
    "labels": ["boosted"],
}
ANALYZER: Dict[str, Any] = {
    **EFFECT,
    "sample_rate": 16000,
    "effect_type": "waveform-to-labels",
    "labels": ["first", "second"],
}


@contextmanager
def renderer(
    folder: Path, module: Any, metadata: Mapping[str, Any], host: Host = DEFAULT_HOST, **options: Any
) -> Iterator[Renderer]:
    """A renderer with the scripted ``module`` loaded, kept in ``folder``."""
    model = folder / "model.pt"
    torch.jit.script(module.eval()).save(str(model))
    with Renderer(worker_starter(), model, metadata, host, **options) as started:
        yield started


def render_file(started: Renderer, clip: Path, folder: Path, track_format: str = "wav") -> List[Rendering]:
    """The file's tracks rendered into ``folder``, overwriting what is there."""
    with Outputs(force=True) as outputs:
        audio = open_audio(clip, folder)
        return [started.render(track, folder, outputs, track_format) for track in tracks_of(audio, clip.stem)]


def render_clip(
    folder: Path, module: Any, clip: Any, metadata: Mapping[str, Any], rate: int = 44100, **options: Any
) -> Rendering:
    """A clip, (samples, channels), through a worker of its own."""
    path = folder / "song.wav"
    soundfile.write(path, clip, rate, "FLOAT")
    with renderer(folder, module, metadata, **options) as started:
        return render_file(started, path, folder / "out")[0]


def noise(samples: int, channels: int = 1) -> Any:
    return np.random.default_rng(1).uniform(-0.4, 0.4, (samples, channels)).astype(np.float32)


def samples_of(paths: Sequence[Path]) -> List[Any]:
    return [soundfile.read(path, dtype="float32")[0] for path in paths]
