"""Measuring what a model returned, inside the worker: plain numbers out of tensors. Imports torch and nothing else."""

from __future__ import annotations

import math
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

#: Differences are reported within these bounds, in dB, so that silence against silence stays a number.
QUIETEST_DB, LOUDEST_DB = -300.0, 300.0
#: Times that differ by less are the same: a millisecond of rounding is nobody's mistake.
ROUNDING_SECONDS = 1e-3
#: Of a longer tuple nobody wants to read every tensor's statistics.
_MOST_TENSORS = 8


def describe_output(output: Any, samples: int, sample_rate: int) -> Dict[str, Any]:
    """An output's form and statistics as JSON values.

    Args:
        output: whatever ``forward`` returned.
        samples: length of the input block, in samples at ``sample_rate``.
        sample_rate: the model's rate in Hz; timestamps are compared with the block's length in seconds.
    """
    if isinstance(output, Tensor):
        return {"kind": "tensor", "tensors": [describe_tensor(output)]}
    if not isinstance(output, tuple):
        return {"kind": type(output).__name__, "tensors": []}
    if len(output) > _MOST_TENSORS:
        return {"kind": f"tuple of {len(output)} values", "tensors": []}
    tensors = [item for item in output if isinstance(item, Tensor)]
    described: Dict[str, Any] = {"kind": "tuple", "tensors": [describe_tensor(tensor) for tensor in tensors]}
    if len(tensors) != len(output):
        described["kind"] = f"tuple of {', '.join(type(item).__name__ for item in output)}"
    elif len(tensors) == 2 and _is_list_of_times(tensors[1]):
        described["timestamps"] = describe_timestamps(tensors[1], samples / sample_rate)
    return described


def describe_tensor(tensor: Tensor) -> Dict[str, Any]:
    """Dtype, shape and statistics; minimum to rms only where there are finite numbers."""
    described: Dict[str, Any] = {"dtype": _dtype(tensor), "shape": list(tensor.shape)}
    if tensor.numel() == 0 or not _is_plain(tensor):
        return described
    values = tensor.detach().reshape(-1)
    if not values.is_floating_point():
        values = values.double()
    low, high = values.min().item(), values.max().item()
    if not (math.isfinite(low) and math.isfinite(high)):  # min and max carry NaN and infinity, so they tell cheaply
        described["nan"] = int(torch.isnan(values).sum())
        described["inf"] = int(torch.isinf(values).sum())
        values = values[torch.isfinite(values)]
        if values.numel() == 0:
            return described
        low, high = values.min().item(), values.max().item()
    precise = values if values.dtype == torch.float32 else values.double()
    mean, rms = precise.mean().item(), precise.norm().item() / math.sqrt(values.numel())
    return {**described, "minimum": low, "maximum": high, "mean": _finite(mean), "rms": _finite(rms)}


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


def describe_timestamps(timestamps: Tensor, block_seconds: float) -> Dict[str, Any]:
    """Order and range of ``(steps, 2)`` start and stop times in seconds from the block's start."""
    starts, stops = timestamps.double().unbind(1)
    return {
        "unordered": int((starts >= stops).sum()),
        "negative": int((starts < 0).sum()),
        "beyond_end": int((stops > block_seconds + ROUNDING_SECONDS).sum()),
        "latest": _finite(stops.max().item()) if len(stops) else None,
        "block_seconds": block_seconds,
    }


def tensors_of(output: Any) -> Tuple[Tensor, ...]:
    """The tensors of an output of either effect type; none for anything else."""
    if isinstance(output, Tensor):
        return (output,)
    if isinstance(output, tuple) and all(isinstance(item, Tensor) for item in output):
        return output
    return ()


def difference_db(first: Any, second: Any) -> Optional[float]:
    """How far two outputs are apart, relative to the first, in dB; None where they are equal or can't be compared.

    Different shapes or dtypes are as far apart as can be said: 0 dB.
    """
    worst: Optional[float] = None
    for one, other in zip(tensors_of(first), tensors_of(second)):
        if one.shape != other.shape or one.dtype != other.dtype:
            return 0.0
        if not (_is_plain(one) and _is_plain(other)) or torch.equal(one, other):
            continue
        apart = _apart_db(one.double(), other.double())
        worst = apart if worst is None else max(worst, apart)
    return worst


def _apart_db(one: Tensor, other: Tensor) -> float:
    """Differences between finite values; one that is finite in one tensor alone is as far apart as can be said."""
    finite = torch.isfinite(one)
    if not torch.equal(finite, torch.isfinite(other)):
        return 0.0
    return _ratio_db(one[finite] - other[finite], one[finite])


def _ratio_db(difference: Tensor, reference: Tensor) -> float:
    level, noise = reference.norm().item(), difference.norm().item()
    if not (math.isfinite(level) and math.isfinite(noise)):
        return 0.0
    if noise == 0:
        return QUIETEST_DB
    if level == 0:
        return LOUDEST_DB
    return max(QUIETEST_DB, min(LOUDEST_DB, 20 * math.log10(noise / level)))


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
    joined = torch.cat(parts, dim=1)
    return difference_db(whole, joined) if joined.shape == whole.shape else None


def labels_across(whole: Any, seconds: float) -> int:
    """How many of an analyzer's labels lie across a moment, in seconds: a block border there would cut each in two."""
    tensors = tensors_of(whole)
    if len(tensors) != 2 or not _is_list_of_times(tensors[1]):
        return 0
    starts, stops = tensors[1].double().unbind(1)
    return int(((starts < seconds - ROUNDING_SECONDS) & (stops > seconds + ROUNDING_SECONDS)).sum())
