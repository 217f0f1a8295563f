"""The host's resampler against torchaudio 0.9.0, bit for bit, and where torchaudio gives no answer."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from audacitorch.hosts import audio  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore:Non-integer frequencies")]

PAIRS = [
    (44100, 48000),
    (48000, 44100),
    (44100, 16000),
    (16000, 44100),
    (44100, 8000),
    (8000, 44100),
    (44100, 22050),
    (96000, 44100),
    (44100, 192000),
    (384000, 44100),
    (44100, 384000),
    (44100, 1),
    (1, 100),
    (997, 1009),
    (22051, 147),
    (44100.5, 16000.9),
]


def noise(channels: int, samples: int) -> Any:
    return torch.rand(channels, samples, generator=torch.Generator().manual_seed(samples)) * 4 - 2


def torchaudio_resample(waveform: Any, from_rate: float, to_rate: float) -> Any:
    functional = pytest.importorskip("torchaudio").functional
    return functional.resample(waveform, float(from_rate), float(to_rate))


@pytest.mark.parametrize("samples", [1, 2, 100, 4001])
@pytest.mark.parametrize(("from_rate", "to_rate"), PAIRS)
@pytest.mark.slow
def test_every_bit_is_torchaudios(from_rate: float, to_rate: float, samples: int) -> None:
    waveform = noise(2, samples)
    expected = torchaudio_resample(waveform, from_rate, to_rate)
    assert torch.equal(audio.resample(waveform, float(from_rate), float(to_rate)), expected)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 700), st.integers(1, 2))
@pytest.mark.slow
def test_every_bit_is_torchaudios_for_any_rates(from_rate: int, to_rate: int, samples: int, channels: int) -> None:
    waveform = noise(channels, samples)
    expected = torchaudio_resample(waveform, from_rate, to_rate)
    assert torch.equal(audio.resample(waveform, from_rate, to_rate), expected)


@pytest.mark.parametrize(("from_rate", "to_rate"), [(44100, 48000), (44100, 16000), (8000, 44100), (997, 1009)])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_band_alone_gives_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, from_rate: int, to_rate: int, channels: int
) -> None:
    waveform = noise(channels, 22_000)
    whole = audio.resample(waveform, from_rate, to_rate)
    monkeypatch.setattr(audio, "DENSE_LIMIT", 0)
    assert torch.equal(audio.resample(waveform, from_rate, to_rate), whole)


@pytest.mark.slow
@pytest.mark.parametrize("samples", [1, 100, 50_000])
def test_the_band_of_a_large_kernel_gives_torchaudios_bits(samples: int) -> None:
    assert audio.DENSE_LIMIT < 4421 * 4409
    waveform = noise(2, samples)
    assert torch.equal(audio.resample(waveform, 4409, 4421), torchaudio_resample(waveform, 4409, 4421))


def test_the_band_is_as_good_as_torchaudios_for_short_mono_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "DENSE_LIMIT", 0)
    for samples in (1, 2, 257):
        expected = torchaudio_resample(noise(1, samples), 44100, 16000)
        assert float((audio.resample(noise(1, samples), 44100, 16000) - expected).abs().max()) <= 1e-6


def test_float64_is_torchaudios_but_for_rounding() -> None:
    waveform = noise(1, 5000).double()
    result = audio.resample(waveform, 44100, 16000)
    assert result.dtype == torch.float64
    assert torch.allclose(result, torchaudio_resample(waveform, 44100, 16000), atol=1e-12)


@pytest.mark.parametrize(("from_rate", "to_rate"), [(22051, 44100), (44100, 44101), (384000, 383993), (44100, 397)])
@pytest.mark.slow
def test_coprime_rates_take_neither_gigabytes_nor_minutes(from_rate: int, to_rate: int) -> None:
    block = torch.sin(torch.arange(262_144) * (2 * math.pi * 100 / from_rate))[None]
    started = time.perf_counter()
    result = audio.resample(block, from_rate, to_rate)
    assert time.perf_counter() - started < 60  # against hanging; the work itself is counted below
    kernel, first = audio._band_kernel(*_reduced(from_rate, to_rate), torch.float32)
    assert kernel.numel() + first.numel() < 2**24
    expected = torch.sin(torch.arange(result.shape[1]) * (2 * math.pi * 100 / to_rate))
    inner = slice(result.shape[1] // 4, result.shape[1] // 2)
    assert float((result[0, inner] - expected[inner]).abs().max()) < 0.02


def _reduced(from_rate: int, to_rate: int) -> Any:
    divisor = math.gcd(from_rate, to_rate)
    return from_rate // divisor, to_rate // divisor


def test_equal_rates_give_the_waveform_itself() -> None:
    waveform = noise(2, 10)
    assert audio.resample(waveform, 44100.0, 44100) is waveform


@pytest.mark.parametrize("shape", [(1, 0), (2, 0), (0, 10), (0, 0)])
def test_an_empty_waveform_stays_empty(shape: Any) -> None:
    result = audio.resample(torch.zeros(shape), 8000, 16000)
    assert tuple(result.shape) == (shape[0], 2 * shape[1])


def test_a_transposed_waveform_is_resampled_as_its_copy_is() -> None:
    waveform = noise(2, 300).t().contiguous().t()
    assert torch.equal(audio.resample(waveform, 3, 2), audio.resample(waveform.contiguous(), 3, 2))


@pytest.mark.parametrize("rate", [0, -1, 0.5, math.nan, math.inf])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="at least 1 Hz"):
        audio.resample(noise(1, 10), 44100, rate)
    with pytest.raises(ValueError, match="at least 1 Hz"):
        audio.resample(noise(1, 10), rate, 44100)


@pytest.mark.parametrize("shape", [(5,), (1, 1, 5), ()])
def test_another_shape_is_refused_by_name(shape: Any) -> None:
    with pytest.raises(ValueError, match=r"\(channels, samples\), not"):
        audio.resample(torch.zeros(shape), 2, 3)


def test_another_dtype_is_refused() -> None:
    with pytest.raises(TypeError, match=r"torch\.int64"):
        audio.resample(torch.zeros(1, 5, dtype=torch.int64), 2, 3)
