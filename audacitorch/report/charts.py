"""Two small plots of a trial: speed by block length, and memory over passes.

Places are in percent, so that a page draws them without a style of their own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from audacitorch.report.model import Report
from audacitorch.wording import speed_range, speed_text

Tick = Tuple[float, str]


@dataclass(frozen=True)
class Point:
    """What was measured at one place of an axis: the middle and the range, in percent from the left and the top."""

    x: float
    y: float
    lowest: float
    highest: float
    title: str


@dataclass(frozen=True)
class Chart:
    """A small plot. ``line`` is a height worth marking, in percent from the top, with its name."""

    points: Tuple[Point, ...]
    x_ticks: Tuple[Tick, ...]
    y_ticks: Tuple[Tick, ...]
    summary: str
    line: Optional[Tick] = None


def speed(report: Report) -> Optional[Chart]:
    """How many times faster than real time the model is, by the length of a block; None where too little is known."""
    rate = report.fields.get("sample_rate")
    if not isinstance(rate, int) or isinstance(rate, bool) or rate <= 0:
        return None
    times: Dict[int, List[float]] = {}
    for done in report.trial.passes if report.trial is not None else ():
        if done.output is not None and not done.first and done.samples > 1 and done.seconds:
            times.setdefault(done.samples, []).append(done.samples / rate / done.seconds)
    if len(times) < 2:
        return None
    every = [value for values in times.values() for value in values]
    slowest, fastest = min(every), max(every)
    x, y = _Scale(min(times), max(times)), _Scale(min(slowest, 1.0) / 1.5, fastest * 1.5)
    points = []
    for samples, values in sorted(times.items()):
        low, high = min(values), max(values)
        around = f" ({speed_range(1 / low, 1 / high)})" if len(values) > 1 else ""
        middle = sorted(values)[len(values) // 2]
        title = f"{samples:,} samples: {speed_text(1 / middle)}{around}"
        points.append(Point(x.at(samples), 100 - y.at(middle), 100 - y.at(low), 100 - y.at(high), title))
    return Chart(
        tuple(points),
        tuple((x.at(tick), f"{tick:,.0f}") for tick in x.decades()),
        tuple((100 - y.at(tick), f"{tick:,.0f}×" if tick >= 1 else f"{tick:g}×") for tick in y.decades()),
        f"{speed_range(1 / slowest, 1 / fastest)}, for blocks of {min(times):,} to {max(times):,} samples.",
        (100 - y.at(1.0), "real time"),
    )


def memory(report: Report) -> Optional[Chart]:
    """What the process held after each pass; None where that is not known."""
    passes = report.trial.passes if report.trial is not None else ()
    known = [(done.samples, done.memory_bytes) for done in passes if done.memory_bytes]
    if len(known) < 3:
        return None
    sizes = [size / 1e6 for _, size in known]
    top = max(sizes) * 1.15
    step = _round_step(top / 3)
    ticks = [number * step for number in range(int(top / step) + 1)]
    points = tuple(
        Point(
            100 * number / (len(known) - 1),
            100 - 100 * size / top,
            100 - 100 * size / top,
            100 - 100 * size / top,
            f"pass {number + 1}, {samples:,} samples: {size:,.0f} MB",
        )
        for number, ((samples, _), size) in enumerate(zip(known, sizes))
    )
    return Chart(
        points,
        ((0.0, "pass 1"), (100.0, f"pass {len(known)}")),
        tuple((100 - 100 * tick / top, f"{tick:,.0f} MB") for tick in ticks),
        f"{sizes[0]:,.0f} MB after the first pass, {sizes[-1]:,.0f} MB after the last, Torch included.",
    )


class _Scale:
    """A logarithmic axis from 0 to 100 percent."""

    def __init__(self, lowest: float, highest: float) -> None:
        self._lowest, self._span = lowest, math.log(highest / lowest) or 1.0
        self._highest = highest

    def at(self, value: float) -> float:
        return round(100 * math.log(value / self._lowest) / self._span, 2)

    def decades(self) -> List[float]:
        """Powers of ten on the axis, every second or third one where there are many."""
        first, last = math.ceil(math.log10(self._lowest) - 1e-9), math.floor(math.log10(self._highest) + 1e-9)
        step = max(1, (last - first) // 5 + 1) if last > first else 1
        return [10.0**power for power in range(first, last + 1, step)]


def _round_step(size: float) -> float:
    power = 10.0 ** math.floor(math.log10(size))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= size)
