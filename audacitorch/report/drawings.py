"""What report.html draws: sounds and labels on a time axis, speed by block length, memory over passes.

Places on an axis are in percent, so that drawings need no style of their own and the page's policy can forbid inline
styles. Text is as it came; the template escapes it.
"""

from __future__ import annotations

import math
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, Tuple

from markupsafe import Markup

from audacitorch.report.model import Report
from audacitorch.wording import speed_range, speed_text

if TYPE_CHECKING:
    from audacitorch.hear.listening import Heard, HostLabels
    from audacitorch.hear.pictures import Sound

Tick = Tuple[float, str]

#: Of more classes in one clip, the rest are counted.
_MOST_CLASSES = 16
_MOST_LABELS = 400


def data_uri(content: bytes, kind: str) -> Markup:
    """Bytes as an address that holds them; base64 has nothing that a page could take for markup."""
    return Markup(f"data:{kind};base64,{b64encode(content).decode('ascii')}")  # noqa: S704


def path(drawn: str) -> Markup:
    """An SVG path of our own: numbers and letters."""
    return Markup(drawn)  # noqa: S704


def time_ticks(heard: Heard) -> List[Tick]:
    """Whole or half seconds of a clip."""
    length = heard.clip.seconds
    step = next((step for step in (0.01, 0.1, 0.5, 1.0, 2.0) if length / step <= 9), 5.0)
    return [(100 * number * step / length, f"{number * step:g} s") for number in range(int(length / step) + 1)]


def seams(heard: Heard) -> List[float]:
    """Where blocks meet, in percent of the clip."""
    return [100 * seam / len(heard.clip.samples) for seam in heard.clip.seams]


def marks(heard: Heard) -> List[Tick]:
    """The names of a clip's parts, where they begin."""
    return [(100 * start / heard.clip.seconds, name) for start, name in heard.clip.marks]


def frequencies(heard: Heard) -> List[Tick]:
    """What to mark at the spectrograms' side."""
    from audacitorch.hear.pictures import frequency_ticks

    return frequency_ticks(heard.clip.rate)


def levels(sound: Sound) -> str:
    """Peak and RMS in dB of full scale."""
    if sound.peak_db is None:
        return "silent"
    beyond = ", beyond full scale: clipped in the player" if sound.beyond_full_scale else ""
    return f"peak {_signed(sound.peak_db)} dBFS, RMS {_signed(sound.rms_db)} dBFS{beyond}"


def _signed(value: Optional[float]) -> str:
    return "−∞" if value is None else f"{value:.1f}".replace("-", "−")


def strips(heard: Heard) -> List[Tuple[str, HostLabels]]:
    """The label tracks of a clip with a title each: one for all hosts where they draw the same."""
    first, *others = heard.labels
    if all((other.labels, bool(other.problem)) == (first.labels, bool(first.problem)) for other in others):
        return [("Labels, the same for every host", first)]
    return [(f"Labels by {drawn.host.title}", drawn) for drawn in heard.labels]


def beside(shown: Sequence[Tuple[str, HostLabels]]) -> bool:
    """Whether label tracks are shown side by side: two and more that have labels."""
    return sum(bool(drawn.labels) for _, drawn in shown) > 1


def classes(report: Report, drawn: HostLabels, seconds: float) -> List[Tuple[str, List[Tuple[float, float, str]]]]:
    """Labels by class, in the metadata's order: left, width (both in percent) and a title each."""
    rows: Dict[str, List[Tuple[float, float, str]]] = {}
    for start, end, text in drawn.labels[:_MOST_LABELS]:
        left = min(100.0, max(0.0, 100 * start / seconds))
        width = max(0.4, min(100.0, 100 * end / seconds) - left)
        rows.setdefault(text, []).append((round(left, 2), round(width, 2), f"{text}: {start:.2f} to {end:.2f} s"))
    named = report.fields.get("labels")
    order = {str(name): number for number, name in enumerate(named if isinstance(named, (list, tuple)) else ())}
    return sorted(rows.items(), key=lambda row: order.get(row[0], len(order)))[:_MOST_CLASSES]


def hidden_classes(drawn: HostLabels) -> int:
    """How many classes :func:`classes` leaves out."""
    return max(0, len({label.text for label in drawn.labels}) - _MOST_CLASSES)


def label_lines(drawn: HostLabels) -> Sequence[Tuple[str, str, str]]:
    """The label track as rows: start, end, label."""
    return [(f"{start:.3f}", f"{end:.3f}", text) for start, end, text in drawn.labels[:_MOST_LABELS]]


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
