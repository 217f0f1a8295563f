"""What a trial does, as JSON: the whole of what a worker is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, Tuple

from audacitorch.hosts import DEFAULT_HOST

PLAN_VERSION = 1

#: The rate of most projects in Audacity, in Hz.
TRACK_RATE = 44100
#: Clips come in blocks of up to 1 MiB: 262,144 samples of 32-bit float or 524,288 of 16-bit audio.
WHOLE_BLOCK = 262144
LONGEST_BLOCK = 524288
HALF_BLOCK = 131072
#: Where the search for the shortest input ends being a warning; also the block that signals are tried on.
SHORT_BLOCK = 2048
SHORTEST_BLOCKS = (257, 100, 2, 1)
DEFAULT_TIMEOUT_SECONDS = 300.0
DEFAULT_MEMORY_BYTES = 8 << 30


@dataclass(frozen=True)
class PlannedPass:
    """One forward pass: a signal, as a block of a track, before the host downmixes and resamples it."""

    purpose: str
    signal: str
    samples: int
    channels: int = 1


@dataclass(frozen=True)
class Plan:
    """A trial's orders.

    ``task`` is ``trial``, ``load`` (to find the message behind an abort) or ``render`` (blocks of real audio come on
    standard input). ``seconds`` is the budget for everything, ``memory_bytes`` what the model may take beyond Torch.
    """

    model: str
    effect_type: str
    sample_rate: int
    multichannel: bool
    task: str = "trial"
    host: str = DEFAULT_HOST.name
    track_rate: int = TRACK_RATE
    seed: int = 0
    seconds: float = DEFAULT_TIMEOUT_SECONDS
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    passes: Tuple[PlannedPass, ...] = ()
    version: int = PLAN_VERSION

    def to_json(self) -> Dict[str, Any]:
        """The plan as the worker reads it."""
        return asdict(self)


def standard_passes(multichannel: bool) -> Tuple[PlannedPass, ...]:
    """The passes of a check, cheap ones first, so that a slow model's budget goes furthest.

    The first two are the same block: the first lets the JIT profile, and both together tell whether the model keeps
    state. ``seam`` passes are the two halves of the ``whole`` one. Signals run on short blocks, whole blocks run once.
    """
    lengths = [PlannedPass("length", "noise", samples) for samples in (HALF_BLOCK, WHOLE_BLOCK, *SHORTEST_BLOCKS)]
    signals = [PlannedPass("signal", signal, SHORT_BLOCK) for signal in ("silence", "tone", "impulse")]
    summed = PlannedPass("signal", "full-scale", SHORT_BLOCK, channels=2)
    stereo = [PlannedPass("stereo", "noise", samples, channels=2) for samples in (SHORT_BLOCK, HALF_BLOCK, 1)]
    return (
        PlannedPass("first", "noise", SHORT_BLOCK),
        PlannedPass("repeat", "noise", SHORT_BLOCK),
        *lengths,
        *signals,
        summed,
        *(stereo if multichannel else ()),
        PlannedPass("seam", "noise", HALF_BLOCK),
        PlannedPass("length", "noise", LONGEST_BLOCK),
    )
