"""What Audacity does to audio around a model: blocks, downmix, resampling, output tracks.

Pure functions on tensors, with torch alone: the worker that runs strangers' models uses them, and so does a run of a
model on real audio. The facts are in docs/host.md; what the host makes of an analyzer's output is in
:mod:`audacitorch.labels`.
"""

from __future__ import annotations

from typing import List, Sequence, Tuple

import torch
from torch import Tensor

from audacitorch.findings import SPEC
from audacitorch.resampling import resample

__all__ = ["BLOCK_BYTES", "block_starts", "cut_blocks", "downmix", "effect_tracks", "prepare_block", "resample"]
__all__ += ["restore_block"]

#: The largest block of a clip on disk: 262,144 samples of 32-bit float, 524,288 of 16-bit audio.
BLOCK_BYTES = 2**20
EFFECT = "waveform-to-waveform"
ANALYZER = "waveform-to-labels"


def cut_blocks(total_samples: int, sample_format_bytes: int = 4) -> List[int]:
    """The lengths, in samples, of the blocks in which a clip of ``total_samples`` lies on disk.

    ``sample_format_bytes`` is 4 for 32-bit float (and 24-bit) and 2 for 16-bit audio. All blocks but the last are as
    large as they can be, and the last has whatever is left, from 1 sample on; an empty clip has none. Source:
    docs/host.md, "Blocks". Raises ValueError for a negative length or another sample format.
    """
    if total_samples < 0:
        raise ValueError(f"a clip can't have {total_samples} samples")
    if sample_format_bytes not in (2, 4):
        raise ValueError(f"samples have 2 or 4 bytes, not {sample_format_bytes}")
    largest = BLOCK_BYTES // sample_format_bytes
    whole, rest = divmod(total_samples, largest)
    return [largest] * whole + ([rest] if rest else [])


def block_starts(lengths: Sequence[int]) -> List[int]:
    """Where each of the blocks of ``lengths`` begins, in samples from the start of the clip."""
    starts, start = [], 0
    for length in lengths:
        starts.append(start)
        start += length
    return starts


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
    host: str = SPEC,
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
    if host == SPEC and effect_type == ANALYZER:
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


def effect_tracks(
    outputs: Sequence[Tensor], starts: Sequence[int], labels: Sequence[str], track: str
) -> List[Tuple[str, Tensor]]:
    """The mono tracks that an effect leaves: a name, ``{track}-{label}``, and (samples,) at the track's rate each.

    ``outputs`` are the restored blocks, (channels, samples), and ``starts`` their ascending starts in samples. Channel
    ``i`` becomes a track for ``i < min(len(labels), channels)``: the host drops channels without a label, and tracks
    for labels without a channel stay empty and are left out here. A block in which a channel is missing is silent in
    it. For a block that raised, pass zeros of the block's length, as the host does. Source: docs/host.md, "Output
    tracks".
    """
    if len(outputs) != len(starts):
        raise ValueError(f"{len(outputs)} blocks have {len(starts)} starts")
    if any(later < earlier for earlier, later in zip(starts, starts[1:])):
        raise ValueError("blocks must be in the order of their starts")
    for output in outputs:
        _require_waveform(output, "an effect's output")
    channels = min(len(labels), max((output.shape[0] for output in outputs), default=0))
    return [(f"{track}-{labels[index]}", _paste(outputs, starts, index)) for index in range(channels)]


def _paste(outputs: Sequence[Tensor], starts: Sequence[int], channel: int) -> Tensor:
    """One channel of all blocks, each pasted at its own start: (samples,).

    Pasting inserts. What a result has too much is pushed behind the blocks that are pasted later, or into a gap that a
    short one of them leaves; silence fills the gaps that are left.
    """
    pieces: List[Tensor] = []
    behind: List[Tensor] = []  # what was pushed behind the point of insertion, the next in time at the end
    length = 0
    for index, (output, start) in enumerate(zip(outputs, starts)):
        gap = start - length
        while gap and behind:
            pushed = behind.pop()
            pieces.append(pushed[:gap])
            if pushed.shape[0] > gap:
                behind.append(pushed[gap:])
            gap -= pieces[-1].shape[0]
        samples = output[channel] if channel < output.shape[0] else torch.zeros(output.shape[1])
        room = samples.shape[0] if index + 1 == len(starts) else starts[index + 1] - start
        pieces += [torch.zeros(gap), samples[:room]]
        behind.append(samples[room:])
        length = start + pieces[-1].shape[0]
    return torch.cat(pieces + behind[::-1])


def _require_waveform(tensor: Tensor, what: str) -> None:
    if tensor.dim() != 2:
        raise ValueError(f"{what} has the shape (channels, samples), not {tuple(tensor.shape)}")
