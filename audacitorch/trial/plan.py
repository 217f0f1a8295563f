"""What a trial does, as JSON: all that a worker is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, Optional, Tuple

from audacitorch.hosts import DEFAULT_HOST

PLAN_VERSION = 3

#: The rate of most projects in Audacity, in Hz.
TRACK_RATE = 44100
#: Clips come in blocks of up to 1 MiB: 262,144 samples of 32-bit float or 524,288 of 16-bit audio.
WHOLE_BLOCK = 262144
LONGEST_BLOCK = 524288
HALF_BLOCK = 131072
#: Where the search for the shortest input ends being a warning; also the block that signals are tried on.
SHORT_BLOCK = 2048
SHORTEST_BLOCKS = (257, 100, 2, 1)
#: The last block of a clip has any length: primes, and one sample less than a whole block. 5,003 costs next to nothing.
ODD_SHORT_BLOCK = 5003
ODD_BLOCKS = (100_003, WHOLE_BLOCK - 1)
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
    """What a worker is to do.

    ``task`` is ``trial``, ``load`` (to find the message behind an abort) or ``render`` (blocks of real audio come on
    standard input). ``seconds`` is the budget for everything, ``memory_bytes`` what the model may take beyond Torch.
    ``operators`` are those that the archive's reader saw: where Torch compiled others, no pass is run. None: unknown.
    With ``listens``, a trial goes on after ``done`` as ``render`` does: for a report that can be heard.
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
    operators: Optional[Tuple[str, ...]] = None
    listens: bool = False
    version: int = PLAN_VERSION

    def to_json(self) -> Dict[str, Any]:
        """The plan as the worker reads it."""
        return asdict(self)


def standard_passes(multichannel: bool) -> Tuple[PlannedPass, ...]:
    """The passes of a check, cheap ones first, so that a slow model's budget goes furthest.

    The first two are the same block: the first lets the JIT profile, and both together tell whether the model keeps
    state. ``seam`` passes are two blocks of odd length cut out of the whole one. Signals run on short blocks.
    """

    def lengths(*samples: int) -> Tuple[PlannedPass, ...]:
        return tuple(PlannedPass("length", "noise", count) for count in samples)

    def stereo(*samples: int) -> Tuple[PlannedPass, ...]:
        return tuple(PlannedPass("stereo", "noise", count, channels=2) for count in samples if multichannel)

    return (
        PlannedPass("first", "noise", SHORT_BLOCK),
        PlannedPass("repeat", "noise", SHORT_BLOCK),
        *lengths(*SHORTEST_BLOCKS, ODD_SHORT_BLOCK),
        *(PlannedPass("signal", signal, SHORT_BLOCK) for signal in ("silence", "tone", "impulse")),
        PlannedPass("signal", "full-scale", SHORT_BLOCK, channels=2),
        *stereo(SHORT_BLOCK, 1, ODD_SHORT_BLOCK),
        *lengths(ODD_BLOCKS[0], WHOLE_BLOCK),
        PlannedPass("seam", "noise", WHOLE_BLOCK),
        *stereo(HALF_BLOCK),
        *lengths(ODD_BLOCKS[1], LONGEST_BLOCK),
    )
