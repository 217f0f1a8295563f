"""What a model gives as plain values, and whether two such values agree."""

from __future__ import annotations

import math
from typing import Any, Dict, List


def flat(torch: Any, output: Any) -> List[Dict[str, Any]]:
    """Every tensor, number and text in an output: dtype, shape, values."""
    if isinstance(output, torch.Tensor):
        kind, shape = str(output.dtype), list(output.shape)
        if output.is_complex():
            output = torch.view_as_real(output.resolve_conj() if hasattr(output, "resolve_conj") else output)
        return [{"dtype": kind, "shape": shape, "values": output.to(torch.float64).flatten().tolist()}]
    if isinstance(output, dict):
        return [one for part in output.values() for one in flat(torch, part)]
    if isinstance(output, (tuple, list)):
        return [one for part in output for one in flat(torch, part)]
    if isinstance(output, (bool, int, float)):
        return [{"dtype": type(output).__name__, "shape": [], "values": [float(output)]}]
    return [] if output is None else [{"dtype": type(output).__name__, "shape": [], "values": []}]


def difference(found: List[Dict[str, Any]], wanted: List[Dict[str, Any]], tolerance: float = 2e-4) -> str:
    """How two outputs differ, as a clause; empty where they agree within ``tolerance`` of the peak."""
    if len(found) != len(wanted):
        return f"{len(found)} values, not {len(wanted)}"
    for index, (one, other) in enumerate(zip(found, wanted)):
        for about in ("dtype", "shape"):
            if one[about] != other[about]:
                return f"value {index} has the {about} {one[about]}, not {other[about]}"
        peak = max((abs(value) for value in other["values"] if math.isfinite(value)), default=0.0)
        for value, right in zip(one["values"], other["values"]):
            same = value == right or (math.isnan(value) and math.isnan(right))
            if not same and not abs(value - right) <= tolerance * peak:
                return f"value {index} has {value:.6g}, not {right:.6g} (peak {peak:.3g})"
    return ""


def greatest_error(found: List[Dict[str, Any]], truth: List[Dict[str, Any]]) -> float:
    """The greatest distance between outputs of the same shapes, relative to the peak of each; infinite beside NaN."""
    greatest = 0.0
    for one, other in zip(found, truth):
        peak = max((abs(value) for value in other["values"] if math.isfinite(value)), default=0.0) or 1.0
        for value, right in zip(one["values"], other["values"]):
            if value != right and not (math.isnan(value) and math.isnan(right)):
                error = abs(value - right) / peak
                greatest = max(greatest, math.inf if math.isnan(error) else error)
    return greatest


def is_nearer(found: List[Dict[str, Any]], original: List[Dict[str, Any]], truth: List[Dict[str, Any]]) -> bool:
    """Whether outputs of the original's dtypes and shapes are nearer to what float64 gives than the original's are."""
    about = [[(one["dtype"], one["shape"]) for one in output] for output in (found, original)]
    return about[0] == about[1] and greatest_error(found, truth) < greatest_error(original, truth)
