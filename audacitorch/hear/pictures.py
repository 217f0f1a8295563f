"""Sounds as a page can hold them: Ogg Vorbis, a waveform's outline, a spectrogram."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Tuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Columns of a picture, and rows of a spectrogram.
COLUMNS, ROWS = 480, 96
#: The spectrogram's lowest frequency in Hz, and its range in dB below the loudest that a full-scale tone gives.
LOWEST_HZ, RANGE_DB = 60.0, 90.0
_WINDOW = 2048
_VORBIS_COMPRESSION = 0.35  # libsndfile's 0 to 1, where 1 is the smallest file
_WEBP_QUALITY = 72
#: Rates that Vorbis holds, in Hz.
_VORBIS_RATES = (8000, 192000)
#: From silence to full scale, also in print and without colour: each is lighter than the one before.
_COLOURS = (
    *((0, 0, 8), (28, 16, 68), (79, 18, 123), (129, 37, 129), (181, 54, 122)),
    *((229, 80, 100), (251, 135, 97), (254, 194, 135), (252, 253, 191)),
)


@dataclass(frozen=True)
class Sound:
    """One line of a report: mono or stereo audio with its pictures.

    ``audio`` is an Ogg file, empty where it can't be encoded; ``outline`` and ``body`` are SVG paths of the peaks and
    of the RMS over 480 × 200 units, full scale from 0 to 200; ``spectrogram`` is a WebP image, empty where Pillow is
    missing. Levels are in dB of full scale, None for silence.
    """

    audio: bytes
    outline: str
    body: str
    spectrogram: bytes
    peak_db: Any
    rms_db: Any
    beyond_full_scale: bool


def sound_of(samples: NDArray[Any], rate: int) -> Sound:
    """``samples`` (samples, channels) at ``rate`` Hz, finite or not, as a page can hold them."""
    finite = np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0).astype(np.float32)
    mono = finite.mean(axis=1)
    peak, rms = float(np.abs(finite).max(initial=0.0)), math.sqrt(float(np.square(finite).mean())) if finite.size else 0
    outline, body = _outlines(mono)
    return Sound(ogg(finite, rate), outline, body, spectrogram(mono, rate), decibels(peak), decibels(rms), peak > 1.0)


def decibels(level: float) -> Any:
    """A level in dB of full scale, None for silence."""
    return 20 * math.log10(level) if level > 0 else None


def ogg(samples: NDArray[Any], rate: int, compression: float = _VORBIS_COMPRESSION) -> bytes:
    """Ogg Vorbis; empty where libsndfile can't encode that rate. What exceeds full scale is clipped, as by a player."""
    import soundfile

    if not _VORBIS_RATES[0] <= rate <= _VORBIS_RATES[1] or not len(samples):
        return b""
    file = io.BytesIO()
    try:
        with soundfile.SoundFile(
            file, "w", rate, samples.shape[1], format="OGG", subtype="VORBIS", compression_level=compression
        ) as writer:
            clipped = np.clip(samples, -1.0, 1.0)
            for start in range(0, len(clipped), 1 << 15):  # libsndfile overflows its stack with more at once
                writer.write(clipped[start : start + (1 << 15)])
    except (soundfile.SoundFileError, RuntimeError):
        return b""
    return file.getvalue()


def _outlines(mono: NDArray[Any]) -> Tuple[str, str]:
    """The highest and lowest sample of each column, and what lies within ± its RMS, each as a closed SVG path."""
    if not len(mono):
        return "", ""
    borders = np.linspace(0, len(mono), min(COLUMNS, len(mono)) + 1).astype(int)[:-1]
    highest, lowest = np.maximum.reduceat(mono, borders), np.minimum.reduceat(mono, borders)
    counts = np.diff([*borders, len(mono)])
    rms = np.sqrt(np.add.reduceat(np.square(mono), borders) / counts)
    return _closed(highest, lowest), _closed(rms, -rms)


def _closed(upper: NDArray[Any], lower: NDArray[Any]) -> str:
    step = COLUMNS / len(upper)

    def points(values: NDArray[Any]) -> list[Tuple[float, int]]:
        heights = np.clip(100 - 100 * values, 0, 200).round().astype(int)
        return [(round((number + 0.5) * step, 1), int(height)) for number, height in enumerate(heights)]

    corners = [*points(upper), *reversed(points(lower - 0.005))]
    return "M" + "L".join(f"{x:g} {y}" for x, y in corners) + "Z"


def spectrogram(mono: NDArray[Any], rate: int) -> bytes:
    """A WebP image of 480 × 96 pixels: time to the right, frequency upwards from 60 Hz in equal steps of pitch."""
    try:
        from PIL import Image
    except ImportError:
        return b""
    levels = _levels(mono, rate)
    image = Image.fromarray(_palette()[levels])
    file = io.BytesIO()
    image.save(file, "WEBP", quality=_WEBP_QUALITY, method=2)
    return file.getvalue()


def _levels(mono: NDArray[Any], rate: int) -> NDArray[Any]:
    """The spectrogram as numbers from 0 to 255, (96, 480)."""
    padded = np.pad(mono.astype(np.float32), _WINDOW // 2)
    starts = np.linspace(0, max(0, len(padded) - _WINDOW), COLUMNS).astype(int)
    frames = np.stack([padded[start : start + _WINDOW] for start in starts]) * np.hanning(_WINDOW).astype(np.float32)
    magnitudes = np.abs(np.fft.rfft(frames, axis=1)) / (_WINDOW / 4)
    highest = rate / 2
    borders = np.geomspace(min(LOWEST_HZ, highest / 4), highest, ROWS + 1) / highest * (_WINDOW // 2)
    bins = np.clip(borders.astype(int), 0, _WINDOW // 2 - 1)
    rows = np.maximum.reduceat(magnitudes[:, : _WINDOW // 2], bins[:-1], axis=1)
    shown = 20 * np.log10(np.maximum(rows, 1e-9)) / RANGE_DB + 1
    levels: NDArray[Any] = (np.clip(shown, 0, 1) * 255).astype(np.uint8).T[::-1]
    return levels


@cache
def _palette() -> NDArray[Any]:
    places = np.linspace(0, 255, len(_COLOURS))
    channels = [np.interp(np.arange(256), places, column) for column in zip(*_COLOURS)]
    return np.stack(channels, axis=1).astype(np.uint8)


def frequency_ticks(rate: int) -> list[Tuple[float, str]]:
    """Frequencies to mark at a spectrogram's side: how far up they are, in percent, and their names."""
    highest = rate / 2
    lowest = min(LOWEST_HZ, highest / 4)
    marked = [hertz for hertz in (100, 1000, 10000) if lowest * 1.2 < hertz < highest * 0.8]
    span = math.log(highest / lowest)
    return [
        (100 * math.log(hertz / lowest) / span, f"{hertz // 1000} kHz" if hertz >= 1000 else f"{hertz} Hz")
        for hertz in marked
    ]
