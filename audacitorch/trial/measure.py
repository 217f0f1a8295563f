"""Measuring what a model returned, inside the worker: plain numbers out of tensors. Imports torch and nothing else."""

from __future__ import annotations

import math
from typing import Any, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from audacitorch.trial.observations import Output, TensorFacts, TimestampFacts

#: Differences are reported within these bounds, in dB, so that silence against silence stays a number.
QUIETEST_DB, LOUDEST_DB = -300.0, 300.0
#: Times that differ by less are the same: a millisecond of rounding is nobody's mistake.
ROUNDING_SECONDS = 1e-3
#: Elements that are measured at once.
_PIECE = 1 << 18
#: Samples over which latency is looked for, and the correlation of a copy.
_HEARD, _COPY = 32768, 0.95
#: Of a longer tuple nobody wants to read every tensor's statistics.
_MOST_TENSORS = 8


def describe_output(output: Any, samples: int, sample_rate: int) -> Output:
    """An output's form and statistics.

    Args:
        output: whatever ``forward`` returned.
        samples: length of the input block, in samples at ``sample_rate``.
        sample_rate: the model's rate in Hz; timestamps are compared with the block's length in seconds.
    """
    if isinstance(output, Tensor):
        return Output("tensor", (describe_tensor(output),))
    if not isinstance(output, tuple):
        return Output(type(output).__name__)
    if len(output) > _MOST_TENSORS:
        return Output(f"tuple of {len(output)} values")
    tensors = [item for item in output if isinstance(item, Tensor)]
    described = tuple(describe_tensor(tensor) for tensor in tensors)
    if len(tensors) != len(output):
        return Output(f"tuple of {', '.join(type(item).__name__ for item in output)}", described)
    times = len(tensors) == 2 and _is_list_of_times(tensors[1])
    return Output("tuple", described, describe_timestamps(tensors[1], samples / sample_rate) if times else None)


def describe_tensor(tensor: Tensor) -> TensorFacts:
    """Dtype, shape and statistics; minimum to rms only where there are finite numbers.

    Works on pieces, so that measuring a result never needs as much memory as the result itself.
    """
    dtype, shape = _dtype(tensor), tuple(tensor.shape)
    if tensor.numel() == 0 or not _is_plain(tensor):
        return TensorFacts(dtype, shape)
    low, high, total, squares, finite, nan = math.inf, -math.inf, 0.0, 0.0, 0, 0
    for piece in tensor.detach().reshape(-1).split(_PIECE):
        values = piece if piece.dtype == torch.float32 else piece.double()
        least, most = values.min().item(), values.max().item()
        if not (math.isfinite(least) and math.isfinite(most)):  # they carry NaN and infinity, so they tell cheaply
            nan += int(torch.isnan(values).sum())
            values = values[torch.isfinite(values)]
            if not values.numel():
                continue
            least, most = values.min().item(), values.max().item()
        low, high, finite = min(low, least), max(high, most), finite + values.numel()
        total, squares = total + values.sum().item(), squares + values.norm().item() ** 2
    inf = tensor.numel() - finite - nan
    if not finite:
        return TensorFacts(dtype, shape, nan, inf)
    rms = math.sqrt(squares / finite)
    return TensorFacts(dtype, shape, nan, inf, low, high, _finite(total / finite), _finite(rms), _silent_tail(tensor))


def _silent_tail(tensor: Tensor) -> int:
    """How many columns at the end of ``(channels, samples)`` hold nothing but zeros."""
    if tensor.dim() != 2:
        return 0
    silent = 0
    for piece in reversed(tensor.detach().split(_PIECE, dim=1)):
        heard = piece.ne(0).any(dim=0).nonzero()
        if len(heard):
            return int(silent + piece.shape[1] - 1 - int(heard[-1]))
        silent += piece.shape[1]
    return silent


def _dtype(tensor: Tensor) -> str:
    """The dtype's name, with what else keeps the host from reading the tensor's memory as numbers."""
    odd = [] if tensor.layout == torch.strided else [str(tensor.layout).replace("torch.", "").strip("_")]
    odd += [] if tensor.device.type == "cpu" else [f"on {tensor.device.type}"]
    return " ".join([str(tensor.dtype).replace("torch.", ""), *odd])


def _is_plain(tensor: Tensor) -> bool:
    """Whether a tensor holds real numbers in memory that can be computed with as it lies."""
    in_memory = tensor.layout == torch.strided and tensor.device.type == "cpu"
    return in_memory and not tensor.is_complex() and not tensor.is_quantized


def _is_list_of_times(tensor: Tensor) -> bool:
    return tensor.dim() == 2 and tensor.shape[1] == 2 and _is_plain(tensor)


def _finite(value: float) -> Optional[float]:
    return value if math.isfinite(value) else None


def describe_timestamps(timestamps: Tensor, block_seconds: float) -> TimestampFacts:
    """Order and range of ``(steps, 2)`` start and stop times in seconds from the block's start."""
    starts, stops = timestamps.double().unbind(1)
    return TimestampFacts(
        unordered=int((starts >= stops).sum()),
        negative=int((starts < 0).sum()),
        beyond_end=int((stops > block_seconds + ROUNDING_SECONDS).sum()),
        latest=_finite(stops.max().item()) if len(stops) else None,
        block_seconds=block_seconds,
    )


def tensors_of(output: Any) -> Tuple[Tensor, ...]:
    """The tensors of an output of either effect type; none for anything else."""
    if isinstance(output, Tensor):
        return (output,)
    if isinstance(output, tuple) and all(isinstance(item, Tensor) for item in output):
        return output
    return ()


def difference_db(first: Any, second: Any) -> Optional[float]:
    """How far two outputs are apart, relative to the first, in dB; None where they are equal or can't be compared.

    Different shapes or dtypes are as far apart as can be said: 0 dB. Works on pieces, as :func:`describe_tensor` does.
    """
    worst: Optional[float] = None
    for one, other in zip(tensors_of(first), tensors_of(second)):
        if one.shape != other.shape or one.dtype != other.dtype:
            return 0.0
        if not (_is_plain(one) and _is_plain(other)) or torch.equal(one, other):
            continue
        apart = _apart_db(one.detach().reshape(-1), other.detach().reshape(-1))
        worst = apart if worst is None else max(worst, apart)
    return worst


def _apart_db(one: Tensor, other: Tensor) -> float:
    """Differences between finite values; one that is finite in one tensor alone is as far apart as can be said."""
    level, noise = 0.0, 0.0
    for reference, compared in zip(one.split(_PIECE), other.split(_PIECE)):
        a, b = reference.double(), compared.double()
        finite = torch.isfinite(a)
        if not torch.equal(finite, torch.isfinite(b)):
            return 0.0
        a, difference = a[finite], (a - b)[finite]
        level, noise = level + a.dot(a).item(), noise + difference.dot(difference).item()
    if not (math.isfinite(level) and math.isfinite(noise)):
        return 0.0
    if noise == 0:
        return QUIETEST_DB
    if level == 0:
        return LOUDEST_DB
    return max(QUIETEST_DB, min(LOUDEST_DB, 10 * math.log10(noise / level)))


def same(first: Any, second: Any) -> bool:
    """Whether two outputs are equal, bit for bit."""
    pairs = list(zip(tensors_of(first), tensors_of(second)))
    return bool(pairs) and all(
        one.shape == other.shape and _is_plain(one) and _is_plain(other) and torch.equal(one, other)
        for one, other in pairs
    )


def says_something(output: Any) -> bool:
    """Whether an output holds any values."""
    tensors = tensors_of(output)
    return bool(tensors) and all(tensor.numel() and _is_plain(tensor) for tensor in tensors)


def is_certain(output: Any) -> bool:
    """Whether an equal output for another input can't be chance, as it can for class indices and one-hot rows."""
    values = tensors_of(output)[0]
    if isinstance(output, Tensor):
        return True
    several = values.dim() == 2 and values.shape[1] > 1 and values.is_floating_point()
    return several and bool(values.gt(0).logical_and(values.lt(1)).any())


def latency_samples(block: Tensor, output: Any) -> Optional[int]:
    """By how many samples an effect's output is a delayed copy of its input; None where it is not, or not delayed.

    From the correlation of the first channels over at most ``_HEARD`` samples; a copy correlates with at least 0.95.
    """
    if not isinstance(output, Tensor) or output.dim() != 2 or not _is_plain(output):
        return None
    if not output.shape[0] or output.shape[1] < _HEARD:
        return None
    given, returned = block[0, :_HEARD], output[0, :_HEARD].float()
    if not torch.isfinite(returned).all():
        return None
    spectra = [torch.fft.rfft(signal, n=2 * _HEARD) for signal in (given, returned)]
    correlation = torch.fft.irfft(spectra[0].conj() * spectra[1], n=2 * _HEARD)[: _HEARD // 2]
    lag = int(correlation.abs().argmax())
    level = given[: _HEARD - lag].norm() * returned[lag:].norm()
    return lag if lag and level > 0 and abs(correlation[lag]) >= _COPY * level else None


def seam_db(whole: Any, halves: Sequence[Any]) -> Optional[float]:
    """How far an effect's output from two blocks, put end to end, is from its output for the whole, in dB.

    None for analyzers, for outputs that are not ``(channels, samples)``, where the lengths do not add up, and where
    there is no difference at all.
    """
    parts: List[Tensor] = [half for half in halves if isinstance(half, Tensor) and half.dim() == 2 and _is_plain(half)]
    if not isinstance(whole, Tensor) or whole.dim() != 2 or len(parts) != len(halves):
        return None
    if any(part.shape[0] != whole.shape[0] or part.dtype != whole.dtype for part in parts):
        return None
    if sum(part.shape[1] for part in parts) != whole.shape[1]:
        return None
    return difference_db(whole, torch.cat(parts, dim=1))


def labels_across(whole: Any, seconds: float) -> int:
    """How many of an analyzer's labels lie across a moment, in seconds: a block border there would cut each in two."""
    tensors = tensors_of(whole)
    if len(tensors) != 2 or not _is_list_of_times(tensors[1]):
        return 0
    starts, stops = tensors[1].double().unbind(1)
    return int(((starts < seconds - ROUNDING_SECONDS) & (stops > seconds + ROUNDING_SECONDS)).sum())
