"""A clip on its way through a model and back: the blocks that it is cut into, and the tracks that come out.

Without torch, and never longer in memory than a block: a long file is cut, sent and pasted piece by piece.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, List, Optional

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The largest block of a clip on disk: 262,144 samples of 32-bit float, 524,288 of 16-bit audio.
BLOCK_BYTES = 2**20


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


class PastedTrack:
    """One output track: results of blocks, each pasted at its block's start, and written as soon as it is settled.

    Pasting inserts. What a result has too much is pushed behind the blocks that are pasted later, or into a gap that a
    short one of them leaves; silence fills the gaps that are left. Source: docs/host.md, "Output tracks".
    """

    def __init__(self, write: Callable[[NDArray[Any]], None]) -> None:
        """``write`` takes what comes next in the track: float32, (samples,)."""
        self._write = write
        self._length = 0
        self._behind: List[NDArray[Any]] = []  # pushed behind the point of insertion, the next in time at the end

    def paste(self, samples: NDArray[Any], start: int, next_start: Optional[int]) -> None:
        """Paste one result, float32 (samples,), at ``start``; ``next_start`` is the next block's, None for the last.

        Raises ValueError for blocks that are not in the order of their starts.
        """
        if start < self._length or (next_start is not None and next_start < start):
            raise ValueError("blocks must be in the order of their starts")
        self._fill(start - self._length)
        room = len(samples) if next_start is None else next_start - start
        self._write(samples[:room])
        self._length = start + min(room, len(samples))
        self._behind.append(samples[room:])

    def _fill(self, gap: int) -> None:
        import numpy as np

        while gap and self._behind:
            pushed = self._behind.pop()
            self._write(pushed[:gap])
            if len(pushed) > gap:
                self._behind.append(pushed[gap:])
            gap -= min(gap, len(pushed))
        if gap:
            self._write(np.zeros(gap, dtype=np.float32))

    def close(self) -> None:
        """Write what was pushed behind everything."""
        while self._behind:
            self._write(self._behind.pop())
