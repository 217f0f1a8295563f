"""What Audacity does to a block of audio before and after a model: downmix and resampling.

Pure functions on tensors, with torch alone: the worker that runs strangers' models uses them, and so does a run of a
model on real audio. The facts are in docs/host.md. How clips become blocks and results become tracks is in
:mod:`audacitorch.hosts.tracks`, what the host makes of an analyzer's output in :mod:`audacitorch.hosts.label_track`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audacitorch.hosts import DEFAULT_HOST, EFFECT, Host
from audacitorch.hosts.resampling import resample

__all__ = ["downmix", "prepare_block", "resample", "restore_block"]


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
