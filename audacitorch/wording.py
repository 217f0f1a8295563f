"""Numbers and sentences as every message, report and page writes them."""

from __future__ import annotations

from typing import Optional

_SIZE_UNITS = ("bytes", "kB", "MB", "GB")


def sentence(clause: str) -> str:
    """A clause as messages are written: a capital first letter, a full stop at the end."""
    ended = clause if clause.endswith((".", "?", "!")) else f"{clause}."
    return ended[:1].upper() + ended[1:]


def plural(number: int, noun: str) -> str:
    """ "1 pass", "2,000 passes" """
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{ending}"


def size_text(size: Optional[float]) -> str:
    """A number of bytes in units of 1,000: ``1.2 MB``; empty for None."""
    if size is None:
        return ""
    if size < 1000:
        return plural(int(size), "byte")
    power = min((len(f"{size:.0f}") - 1) // 3, 3)
    scaled = size / 1000**power
    return (f"{scaled:,.0f}" if scaled >= 1000 else f"{scaled:.3g}") + f" {_SIZE_UNITS[power]}"


def speed_text(factor: float) -> str:
    """A real-time factor, which is seconds of work for a second of audio, said as a speed: "20 times real time"."""
    return f"{_times(factor)} times real time" if factor > 0 else f"real-time factor {factor:g}"


def speed_range(slowest: float, fastest: float) -> str:
    """:func:`speed_text` of two factors: "0.2 to 0.5 times real time", or one number where both look the same."""
    low, high = _times(slowest), _times(fastest)
    return speed_text(fastest) if low == high else f"{low} to {high} times real time"


def _times(factor: float) -> str:
    times = 1 / factor
    return f"{times:,.3g}" if times < 1000 else f"{times:,.0f}"
