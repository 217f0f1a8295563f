"""What Audacity does to a block of audio before and after a model: downmix and resampling.

Pure functions on tensors, with torch alone: the worker that runs strangers' models uses them, and so does a run of a
model on real audio. The facts are in docs/host.md. How clips become blocks and results become tracks is in
:mod:`audacitorch.hosts.tracks`, what the host makes of an analyzer's output in :mod:`audacitorch.hosts.label_track`.

The resampler is a windowed sinc, bit for bit as torchaudio 0.9.0 computes it, without torchaudio. The worker that runs
strangers' models must not import torchaudio, which registers operators that the host lacks; so the algorithm lives here
once more. With ``orig`` and ``new`` the two rates divided by their greatest common divisor, output sample ``j`` lies at
input position ``j * orig / new``. Every ``new`` outputs the positions repeat, shifted by ``orig`` samples, so there are
``new`` different filters ("phases"), and all of them are one strided convolution.

That convolution's kernel has ``new * (orig + 2 * width)`` values, nearly all of them close to zero: 3.9 GB for 22051 Hz
to 44100 Hz. Above :data:`DENSE_LIMIT` only the band around each phase's centre is computed, and summed in the order,
and with the single rounding per step, of the convolution's fused multiply-add. What is left out is below 1e-22 of the
signal and changes no bit. (Torch takes another order for one channel of fewer than 20,480 samples: there the last bit
may differ, above the limit only.) Source: docs/host.md, "Resampling".
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Tuple

import torch
from torch import Tensor

from audacitorch.hosts import DEFAULT_HOST, EFFECT, Host

#: Zero crossings of the sinc on each side of its centre.
LOWPASS_WIDTH = 6
#: The cut-off frequency as a part of the lower of the two Nyquist frequencies.
ROLLOFF = 0.99
#: Values in the largest kernel that is computed whole: 64 MiB of float32.
DENSE_LIMIT = 2**24

__all__ = ["downmix", "prepare_block", "resample", "restore_block"]


def resample(waveform: Tensor, from_rate: float, to_rate: float) -> Tensor:
    """``waveform`` (channels, samples), float32 or float64, brought from ``from_rate`` to ``to_rate`` (Hz).

    Returns (channels, ceil(samples * to_rate / from_rate)); ``waveform`` itself where the rates agree. Rates with a
    fraction are cut to whole numbers, as torchaudio 0.9.0 does. An empty waveform, on which torchaudio 0.9.0 raises,
    stays empty. Raises ValueError for a rate below 1 Hz or not finite, and for a waveform of another shape;
    TypeError for another dtype.
    """
    if not (math.isfinite(from_rate) and math.isfinite(to_rate)) or from_rate < 1 or to_rate < 1:
        raise ValueError(f"sample rates must be at least 1 Hz, not {from_rate} and {to_rate}")
    if waveform.dim() != 2:
        raise ValueError(f"a waveform has the shape (channels, samples), not {tuple(waveform.shape)}")
    if from_rate == to_rate:
        return waveform
    if waveform.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"a waveform is float32 or float64, not {waveform.dtype}")
    divisor = math.gcd(int(from_rate), int(to_rate))
    orig, new = int(from_rate) // divisor, int(to_rate) // divisor
    channels, samples = waveform.shape
    # The quotient of floats, and not of whole numbers, is what torchaudio rounds up.
    target = math.ceil(new * samples / orig)
    if waveform.numel() == 0:
        return torch.zeros(channels, target, dtype=waveform.dtype)
    width = _half_width(orig, new)
    padded = torch.nn.functional.pad(waveform, (width, width + orig))
    if new * (orig + 2 * width) <= DENSE_LIMIT:
        return _strided(padded, orig, new, target)
    return _banded(padded, orig, new, target)


def _strided(padded: Tensor, orig: int, new: int, target: int) -> Tensor:
    """The convolution as torchaudio makes it: (channels, target)."""
    frames: Tensor = torch.nn.functional.conv1d(padded[:, None], _dense_kernel(orig, new, padded.dtype), stride=orig)
    resampled: Tensor = frames.transpose(1, 2).reshape(padded.shape[0], -1)[:, :target]
    return resampled


def _half_width(orig: int, new: int) -> int:
    """Input samples on each side of an output sample that its filter reaches."""
    return math.ceil(LOWPASS_WIDTH * orig / (min(orig, new) * ROLLOFF))


def _filters(phase_times: Tensor, index: Tensor, orig: int, new: int) -> Tensor:
    """The windowed sinc at input samples ``index``, for outputs at ``phase_times`` (parts of a period, negated).

    Every step is written, and rounded, as in torchaudio 0.9.0: another order of the same operations differs in the
    last bit. (Functions where operators would read better: mypy takes a tensor times a number for a number.)
    """
    base = min(orig, new) * ROLLOFF
    position = torch.add(phase_times, torch.div(index, orig))
    times = torch.clamp(torch.mul(position, base), -LOWPASS_WIDTH, LOWPASS_WIDTH)
    angle = torch.div(torch.div(torch.mul(times, math.pi), LOWPASS_WIDTH), 2)
    window = torch.cos(angle) ** 2
    times = torch.mul(times, math.pi)
    sinc = torch.where(torch.eq(times, 0), torch.ones((), dtype=times.dtype), torch.sin(times) / times)
    filters: Tensor = sinc.mul_(window).mul_(base / orig)
    return filters


@lru_cache(maxsize=4)
def _dense_kernel(orig: int, new: int, dtype: torch.dtype) -> Tensor:
    """All phases over a whole period: (new, 1, orig + 2 * width)."""
    width = _half_width(orig, new)
    index = torch.arange(-width, width + orig, dtype=dtype)
    kernel = torch.empty(new, 1, index.numel(), dtype=dtype)
    for phase in range(new):
        kernel[phase, 0] = _filters(torch.tensor(-phase / new, dtype=dtype), index, orig, new)
    return kernel


@lru_cache(maxsize=4)
def _band_kernel(orig: int, new: int, dtype: torch.dtype) -> Tuple[Tensor, Tensor]:
    """The part of each phase that is not zero: (taps, new), and where it begins in the padded input: (new,)."""
    width = _half_width(orig, new)
    phases = torch.arange(new)
    first = torch.div(phases * orig, new, rounding_mode="floor")
    index = first + torch.arange(-width, width + 2)[:, None]
    phase_times = (-phases.to(torch.float64) / new).to(dtype)
    return _filters(phase_times, index.to(dtype), orig, new), first


def _banded(padded: Tensor, orig: int, new: int, target: int) -> Tensor:
    """The convolution over each phase's band alone: (channels, target).

    A product of two float32 is exact in float64, so adding it there and rounding once is a fused multiply-add.
    """
    kernel, first = _band_kernel(orig, new, padded.dtype)
    output = torch.arange(target)
    phase = output % new
    start = torch.div(output, new, rounding_mode="floor") * orig + first[phase]
    total: Tensor = padded.new_zeros(padded.shape[0], target)
    for tap, weights in enumerate(kernel):
        product = weights[phase].double() * padded[:, start + tap].double()
        total = (total.double() + product).to(padded.dtype)
    return total


def downmix(block: Tensor) -> Tensor:
    """``block`` (channels, samples) as (1, samples): the sum over the channels, not their mean.

    Two full-scale channels give samples up to ±2.0. Source: docs/host.md, "Downmix".
    """
    _require_waveform(block, "a block")
    return torch.sum(block, dim=0, keepdim=True)


def prepare_block(
    block: Tensor,
    track_rate: float,
    model_rate: float,
    multichannel: bool,
    host: Host = DEFAULT_HOST,
    effect_type: str = EFFECT,
) -> Tensor:
    """The tensor that ``forward`` gets for ``block`` (channels 1 or 2, samples at ``track_rate`` Hz).

    Returns (1, samples), or with ``multichannel`` (channels, samples), at ``model_rate`` Hz. The host downmixes first
    and resamples then; only the analyzer of the ``spec`` host resamples first, which rounds differently. Source:
    docs/host.md, "Downmix" and "Resampling".
    """
    _require_waveform(block, "a block")
    if multichannel:
        return resample(block, track_rate, model_rate)
    if effect_type in host.resamples_first:
        return downmix(resample(block, track_rate, model_rate))
    return resample(downmix(block), track_rate, model_rate)


def restore_block(output: Tensor, model_rate: float, track_rate: float) -> Tensor:
    """What the host writes of an effect's ``output``, at ``model_rate`` Hz: (channels, samples) at ``track_rate`` Hz.

    There and back adds samples: 262,144 of them at 44.1 kHz come back from 16 kHz as 262,145, and a single one as 3.
    The first dimension counts channels, whatever follows: of one dimension, each value is a channel of one sample; of
    three and more, a channel is the first row of what lies under it. Source: docs/host.md, "Output tracks".

    Raises:
        ValueError: there is no dimension, or nothing to resample, on which the host's resampler raises.
        TypeError: another dtype than float32, whose memory the host can't read.
    """
    if output.dim() == 0:
        raise ValueError("an effect's output has the shape (channels, samples), not ()")
    if output.dtype != torch.float32:
        raise TypeError(f"an effect's output is float32, not {str(output.dtype).replace('torch.', '')}")
    if output.numel() == 0 and model_rate != track_rate:
        raise ValueError(f"the host can't resample an empty output of the shape {tuple(output.shape)}")
    channels, samples = output.shape[0], output.shape[-1]
    rows = output.contiguous().reshape(-1, samples) if output.numel() else torch.zeros(1, samples)
    restored = resample(rows, model_rate, track_rate)
    if output.dim() == 1:
        single: Tensor = restored[0, :, None]
        return single
    if not output.numel():
        return torch.zeros(channels, 0)
    first_rows: Tensor = restored.reshape(channels, -1, restored.shape[-1])[:, 0]
    return first_rows


def _require_waveform(tensor: Tensor, what: str) -> None:
    if tensor.dim() != 2:
        raise ValueError(f"{what} has the shape (channels, samples), not {tuple(tensor.shape)}")
