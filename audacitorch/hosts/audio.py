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
    """What an effect returned, (channels, samples at ``model_rate`` Hz), brought back to ``track_rate`` Hz.

    There and back adds samples: 262,144 of them at 44.1 kHz come back from 16 kHz as 262,145, and a single one as 3.
    Raises ValueError for another number of dimensions and TypeError for another dtype than float32, where the host
    shows an error or ends. Source: docs/host.md, "Resampling" and "Output tracks".
    """
    _require_waveform(output, "an effect's output")
    if output.dtype != torch.float32:
        raise TypeError(f"an effect's output is float32, not {str(output.dtype).replace('torch.', '')}")
    return resample(output.contiguous(), model_rate, track_rate)


def _require_waveform(tensor: Tensor, what: str) -> None:
    if tensor.dim() != 2:
        raise ValueError(f"{what} has the shape (channels, samples), not {tuple(tensor.shape)}")
