"""Everything between a clip and its tracks against an implementation that is slow and obvious.

It works on whole clips and lists, resamples with torchaudio, and shares no code with the program: blocks, downmix,
resampling there and back, zeros for what fails, and pasting as docs/host.md describes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, List, Optional

import pytest

torch = pytest.importorskip("torch")
soundfile = pytest.importorskip("soundfile")
torchaudio = pytest.importorskip("torchaudio")

import numpy as np  # noqa: E402
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from audacitorch.trial.starters import torch_python  # noqa: E402
from tests.render.host_models import (  # noqa: E402
    Batch,
    DoublePrecision,
    Fails,
    Gain,
    Minus,
    OneDimension,
    Planned,
    Plus,
    Three,
)
from tests.render.rendered import EFFECT, noise, render_file, renderer, samples_of  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.skipif(torch_python() is None, reason="Torch 1.9.0 is not here")]
BLOCK = 262144


def host_tracks(
    clip: Any, rate: int, model_rate: int, multichannel: bool, labels: int, forward: Callable[[Any], Any]
) -> Optional[List[Any]]:
    """The tracks of a clip, (samples, channels); None where the host gives up."""
    end = len(clip)
    tracks: List[List[float]] = [[] for _ in range(labels)]
    for start in range(0, end, BLOCK):
        block = torch.from_numpy(clip[start : start + BLOCK].T.copy())
        if not multichannel:
            block = block.sum(0, keepdim=True)
        block = resampled(block, rate, model_rate)
        try:
            result = forward(block)
        except RuntimeError:
            result = torch.zeros_like(block)
        if result.dtype != torch.float32:
            return None
        try:
            result = resampled(result, model_rate, rate)
        except RuntimeError:  # there is nothing to resample
            return None
        for index in range(min(labels, result.shape[0])):
            channel = result[index].unsqueeze(0)
            samples = channel.contiguous().flatten()[: channel.shape[-1]].tolist()
            tracks[index] = replaced(tracks[index], samples, start, end)
    return [np.array(track, dtype=np.float32) for track in tracks]


def resampled(waveform: Any, from_rate: int, to_rate: int) -> Any:
    if from_rate == to_rate:
        return waveform
    return torchaudio.functional.resample(waveform, float(from_rate), float(to_rate))


def replaced(track: List[float], samples: List[float], start: int, end: int) -> List[float]:
    """The track with everything from ``start`` to ``end`` replaced."""
    if not samples:
        return track
    gap = start - len(track)
    silence = [0.0] * gap if gap > 1 else []  # a gap of one sample closes
    return track[:start] + silence + samples + track[end:]


@pytest.mark.slow
@pytest.mark.parametrize("tail", [1, 2, 100])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [44100, 48000, 96000])
def test_resampled_clips(rate: int, channels: int, tail: int, tmp_path: Path) -> None:
    """Mono models and such that follow their input, at a rate of their own, with results too long and too short."""
    clip = noise(2 * BLOCK + tail, channels)
    soundfile.write(tmp_path / "clip.wav", clip, rate, "FLOAT")
    for module, model_rate, multichannel in [
        (Gain(), 16000, False),
        (Minus(1), 44100, False),
        (Minus(100), 44100, True),
        (Plus(1), 48000, True),
        (Plus(100), 44100, False),
        (Fails(), 48000, True),
    ]:
        metadata = {**EFFECT, "sample_rate": model_rate, "multichannel": multichannel, "labels": ["a", "b"]}
        with renderer(tmp_path, module, metadata) as started:
            [rendering] = render_file(started, tmp_path / "clip.wav", tmp_path / "out")
        expected = host_tracks(clip, rate, model_rate, multichannel, 2, module)
        assert rendering.complete == (expected is not None)
        for found, track in zip(samples_of(rendering.written), expected or []):
            assert np.array_equal(found, track), (type(module).__name__, len(found), len(track))


@pytest.mark.parametrize(
    "module", [Batch(), OneDimension(), Three(), DoublePrecision()], ids=lambda m: m.__class__.__name__
)
def test_results_of_another_form(module: Any, tmp_path: Path) -> None:
    clip = noise(BLOCK + 10)
    soundfile.write(tmp_path / "clip.wav", clip, 44100, "FLOAT")
    with renderer(tmp_path, module, {**EFFECT, "labels": ["a", "b"]}) as started:
        [rendering] = render_file(started, tmp_path / "clip.wav", tmp_path / "out")
    expected = host_tracks(clip, 44100, 44100, False, 2, module)
    if expected is None:
        assert not rendering.complete
        return
    for found, track in zip(samples_of(rendering.written), expected):
        assert np.array_equal(found, track)


PLANS = st.lists(
    st.tuples(st.sampled_from([0, 0, -1, 1, -2, 2, -100, 100, -BLOCK, BLOCK, 2 * BLOCK]), st.booleans()),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=PLANS, tail=st.sampled_from([1, 2, 100, 131000, BLOCK]), channels=st.sampled_from([1, 2]))
def test_results_of_any_length_or_none(plan: List[Any], tail: int, channels: int, tmp_path: Path) -> None:
    surplus, raises = (
        [samples for samples, _ in plan],
        [fails and index % 2 == 1 for index, (_, fails) in enumerate(plan)],
    )
    clip = noise((len(plan) - 1) * BLOCK + tail, channels)
    soundfile.write(tmp_path / "clip.wav", clip, 44100, "FLOAT")
    metadata = {**EFFECT, "multichannel": True, "labels": ["a", "b"]}
    with renderer(tmp_path, Planned(surplus, raises), metadata) as started:
        [rendering] = render_file(started, tmp_path / "clip.wav", tmp_path / "out")
    expected = host_tracks(clip, 44100, 44100, True, 2, Planned(surplus, raises))
    assert expected is not None
    assert rendering.failed == sum(raises)
    for found, track in zip(samples_of(rendering.written), expected):
        assert np.array_equal(found, track)
