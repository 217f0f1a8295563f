"""Clips, and sounds as a page holds them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from audacitorch.hear import pictures
from audacitorch.hear.clips import clip_of, standard_clips


@pytest.mark.parametrize("rate", [1, 7, 400, 8000, 16000, 44100, 48000, 384000])
@pytest.mark.parametrize("stereo", [False, True])
@pytest.mark.slow
def test_standard_clips_fit_any_rate_and_are_the_same_each_time(rate: int, stereo: bool) -> None:
    clips, again = standard_clips(rate, stereo), standard_clips(rate, stereo)
    for clip, same in zip(clips, again):
        assert clip.samples.dtype == np.float32
        assert np.isfinite(clip.samples).all()
        assert np.abs(clip.samples).max() <= 1.0
        assert np.array_equal(clip.samples, same.samples)
        blocks = list(clip.blocks())
        assert sum(len(block) for _, block in blocks) == len(clip.samples)
        assert all(np.array_equal(clip.samples[start : start + len(block)], block) for start, block in blocks)
    assert clips[0].samples.shape[1] == (2 if stereo else 1)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 192000])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_played_has_the_length_of_what_was_heard(rate: int, channels: int) -> None:
    samples = np.sin(np.arange(rate) / 9).astype(np.float32).repeat(channels).reshape(-1, channels)
    decoded, decoded_rate = soundfile.read(io.BytesIO(pictures.ogg(samples, rate)), always_2d=True)
    assert decoded_rate == rate
    assert decoded.shape == samples.shape
    assert abs(np.sqrt(np.square(decoded).mean()) - np.sqrt(np.square(samples).mean())) < 0.05


@pytest.mark.parametrize("rate", [1, 7999, 384000])
def test_a_rate_that_vorbis_lacks_has_pictures_and_no_player(rate: int) -> None:
    sound = pictures.sound_of(np.ones((4000, 1), np.float32), rate)
    assert sound.audio == b""
    assert sound.outline
    assert sound.spectrogram


@pytest.mark.parametrize("samples", [0, 1, 2, 100, 5000])
def test_any_length_has_its_pictures(samples: int) -> None:
    sound = pictures.sound_of(np.zeros((samples, 1), np.float32), 16000)
    assert sound.peak_db is None
    assert Image.open(io.BytesIO(sound.spectrogram)).size == (pictures.COLUMNS, pictures.ROWS)


def test_what_is_not_finite_or_beyond_full_scale_can_be_shown() -> None:
    sound = pictures.sound_of(np.array([[np.nan], [np.inf], [-np.inf], [3.0]] * 2000, np.float32), 16000)
    assert sound.beyond_full_scale
    assert sound.peak_db == pytest.approx(9.54, abs=0.01)
    decoded, _ = soundfile.read(io.BytesIO(sound.audio))
    assert len(decoded) == 8000


def test_a_tone_is_brightest_at_its_frequency() -> None:
    rate, hertz = 16000, 1000
    tone = np.sin(2 * np.pi * hertz * np.arange(rate) / rate).astype(np.float32)
    image = np.asarray(Image.open(io.BytesIO(pictures.spectrogram(tone, rate)))).astype(int).sum(axis=2)
    row = int(image.sum(axis=1).argmax())
    marked = next(place for place, text in pictures.frequency_ticks(rate) if text == "1 kHz")
    assert abs((100 - marked) - 100 * (row + 0.5) / pictures.ROWS) < 3


def test_of_a_long_file_the_beginning_is_taken(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.zeros((8000 * 20, 3)), 8000)
    clip = clip_of(tmp_path / "long.wav")
    assert clip.seconds == 12.0
    assert clip.samples.shape[1] == 2
