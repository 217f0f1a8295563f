"""Clips whose tracks and labels were measured on the host's own steps: every sample and row is the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest

torch = pytest.importorskip("torch")
soundfile = pytest.importorskip("soundfile")

import numpy as np  # noqa: E402

from audacitorch.hosts import host_named  # noqa: E402
from audacitorch.hosts.label_track import format_label_track  # noqa: E402
from audacitorch.render import Renderer  # noqa: E402
from audacitorch.trial.starters import torch_python, worker_starter  # noqa: E402
from tests.render.host_models import MODELS  # noqa: E402
from tests.render.rendered import EFFECT, render_file, samples_of  # noqa: E402

pytestmark = [
    pytest.mark.torch,
    pytest.mark.slow,
    pytest.mark.skipif(torch_python() is None, reason="Torch 1.9.0 is not here"),
]
ROOT = Path(__file__).resolve().parents[2]
#: ``model|host|clip``: rows as Audacity exports them (None: no track), or for each label its length and samples.
EXPECTED: Dict[str, Any] = json.loads((ROOT / "tests" / "data" / "host" / "expected.json").read_text(encoding="utf-8"))
BLOCK = 262144


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of two blocks and a rest, all from one seed, in the order in which they were measured."""
    folder = tmp_path_factory.mktemp("clips")
    noise = np.random.default_rng(3)

    def write(name: str, samples: int, rate: int, channels: int) -> None:
        seconds = np.arange(samples) / rate
        tones = [
            0.4 * np.sin(2 * np.pi * (220 * (channel + 1)) * seconds)
            + 0.3 * noise.standard_normal(samples) * np.exp(-seconds)
            for channel in range(channels)
        ]
        soundfile.write(folder / f"{name}.wav", np.stack(tones, 1).astype("f4"), rate, "FLOAT")

    for rate in (44100, 48000, 96000):
        for channels, letter in ((1, "m"), (2, "s")):
            for tail in (1, 2, 100):
                write(f"{rate // 1000}{letter}{tail}", 2 * BLOCK + tail, rate, channels)
    write("pcm16", 2 * BLOCK + 100, 44100, 1)
    write("short", 30000, 44100, 1)
    write("odd", BLOCK + 131000, 44100, 1)
    return folder


def model_of(name: str, folder: Path) -> Tuple[Path, Dict[str, Any]]:
    if name not in MODELS:
        repo = ROOT / "examples" / name
        return repo / "model.pt", json.loads((repo / "metadata.json").read_text(encoding="utf-8"))
    module, fields = MODELS[name]
    torch.jit.script(module.eval()).save(str(folder / "model.pt"))
    return folder / "model.pt", {**EFFECT, "labels": ["a"], **fields}


@pytest.mark.parametrize("key", EXPECTED)
def test_a_clip_comes_out_as_the_host_makes_it(key: str, clips: Path, tmp_path: Path) -> None:
    name, host, clip = key.split("|")
    model, metadata = model_of(name, tmp_path)
    with Renderer(worker_starter(), model, metadata, host_named(host)) as started:
        [rendering] = render_file(started, clips / f"{clip}.wav", tmp_path / "out")
    expected = EXPECTED[key]
    if "labels" in expected:
        rows = None if rendering.labels is None else format_label_track(rendering.labels).splitlines()
        assert rows == (None if expected["labels"] is None else ["\t".join(row) for row in expected["labels"]])
        return
    for label, samples in zip(metadata["labels"], samples_of(rendering.written)):
        measured = expected[label]
        assert len(samples) == measured["length"]
        found = {position: float(samples[int(position)]) for position in measured["at"]}
        assert found == pytest.approx(measured["at"], abs=1e-6)
