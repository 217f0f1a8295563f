"""A clip on its way through a model and back: the blocks it is cut into, and the tracks that come out.

Works without torch, and never holds more of a track in memory than later blocks can still change, so a long file is
cut, sent and pasted piece by piece. Source: docs/host.md, "Blocks" and "Output tracks".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Iterator, List, Optional, Protocol, Sequence, Tuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The largest block of a clip on disk: 262,144 samples of 32-bit float, 524,288 of 16-bit audio.
BLOCK_BYTES = 2**20
#: Bytes of a sample in a project of each format. Imported files are promoted to the default, 32-bit float.
SAMPLE_FORMATS = {"float32": 4, "int16": 2}
#: Clips that lie less than this many samples apart are merged.
_MERGE_DISTANCE = 2
_SILENCE_PIECE = 1 << 16


def cut_blocks(
    total_samples: int, sample_format_bytes: int = 4, start: int = 0, end: Optional[int] = None
) -> List[int]:
    """The lengths, in samples, of the blocks in which the host reads a clip of ``total_samples`` from disk.

    ``sample_format_bytes`` is that of the project's format, whatever the file's: 4 for 32-bit float, 2 for projects
    that are set to 16 bit. All blocks but the last are as large as they can be, and the last has the rest, from 1
    sample on; an empty clip has none. ``start`` and ``end`` select a part of the clip: its first block reaches to the
    next border between blocks, and what is left of a block there is read together with a short last one.

    Raises:
        ValueError: a negative length, another sample format, or a selection that is not within the clip.
    """
    if total_samples < 0:
        raise ValueError(f"a clip can't have {total_samples} samples")
    if sample_format_bytes not in SAMPLE_FORMATS.values():
        raise ValueError(f"samples have 2 or 4 bytes, not {sample_format_bytes}")
    end = total_samples if end is None else end
    if not 0 <= start <= end <= total_samples:
        raise ValueError(f"samples {start} to {end} are not within a clip of {total_samples}")
    largest = BLOCK_BYTES // sample_format_bytes
    lengths: List[int] = []
    position = start
    while position < end:
        border = min((position // largest + 1) * largest, total_samples)
        following = min(largest, total_samples - border)
        if border - position < largest // 2 and border - position + following <= largest:
            border += following
        lengths.append(min(border, end) - position)
        position += lengths[-1]
    return lengths


class Audio(Protocol):
    """Audio that can be read in blocks."""

    @property
    def rate(self) -> int:
        """In Hz."""

    @property
    def channels(self) -> int: ...

    @property
    def frames(self) -> int: ...

    def blocks(self, lengths: Sequence[int], start: int = 0) -> Iterator[NDArray[Any]]:
        """From frame ``start`` in blocks of these lengths: float32, (samples, channels)."""


@dataclass(frozen=True)
class Track:
    """A selection of a track as Audacity imports it: mono, or stereo.

    ``channel`` is the file's channel that it is, None for all of a mono or stereo file. The selection reaches from
    ``start`` to ``end``, in samples.
    """

    audio: Audio
    name: str
    channel: Optional[int]
    start: int
    end: int

    @property
    def seconds(self) -> float:
        """The selection's length."""
        return (self.end - self.start) / self.audio.rate

    def blocks(self, sample_format: str) -> Iterator[Tuple[int, NDArray[Any]]]:
        """The selection's blocks in a project of that format: the start in samples of the track, and the samples."""
        position = self.start
        lengths = cut_blocks(self.audio.frames, SAMPLE_FORMATS[sample_format], self.start, self.end)
        for block in self.audio.blocks(lengths, self.start):
            yield position, block if self.channel is None else block[:, self.channel : self.channel + 1]
            position += len(block)


def tracks_of(audio: Audio, name: str, start: float = 0.0, duration: Optional[float] = None) -> List[Track]:
    """The tracks that Audacity makes of a file: one, mono or stereo, or a mono track for each of more channels.

    ``start`` and ``duration`` select a part, in seconds.

    Raises:
        ValueError: the selection starts after the end of the file.
    """
    first = round(start * audio.rate)
    if first >= max(audio.frames, 1):
        raise ValueError(f"it is {audio.frames / audio.rate:.2f} s long, so nothing is left of it from {start:g} s on")
    end = audio.frames if duration is None else min(audio.frames, first + max(round(duration * audio.rate), 1))
    if audio.channels <= 2:
        return [Track(audio, name, None, first, end)]
    return [Track(audio, f"{name} {index + 1}", index, first, end) for index in range(audio.channels)]


class PastedTrack:
    """One output track: the result of each block, pasted at the block's start, and written once it is settled.

    A result replaces everything from its block's start to the end of the selection, so the surplus of a long result
    is deleted by the next block, except for what reaches past the end of the selection: that stays behind whatever is
    pasted. A short result leaves a gap of silence; a gap of a single sample is closed, because clips less than two
    samples apart are merged, and what follows is one sample early. An empty result changes nothing.
    """

    def __init__(self, write: Callable[[NDArray[Any]], None], end: int) -> None:
        """``write`` takes what comes next in the track: float32, (samples,). ``end`` is the selection's, in samples."""
        self._write = write
        self._end = end
        self._last_start = 0
        #: Samples that were written: no later block can change them.
        self.length = 0
        self._open: List[NDArray[Any]] = []  # what follows them, and the next block may replace

    def paste(self, samples: NDArray[Any], start: int) -> None:
        """Paste one result, float32 (samples,), at its block's ``start``, in samples from the selection's start.

        Raises:
            ValueError: blocks are not in the order of their starts, or start after the end of the selection.
        """
        if not self._last_start <= start <= self._end:
            raise ValueError("blocks must be in the order of their starts, and within the selection")
        self._last_start = start
        if len(samples) == 0:
            return
        past_end = self._settle(start)
        self._open = [samples, *past_end]

    def _settle(self, start: int) -> List[NDArray[Any]]:
        """Write the track up to ``start``; returns what lies past the end of the selection."""
        past_end: List[NDArray[Any]] = []
        position = self.length
        for piece in self._open:
            kept = piece[: max(start - position, 0)]
            if len(kept):
                self._put(kept)
            past_end.append(piece[max(self._end - position, 0) :])
            position += len(piece)
        gap = start - self.length
        if gap >= _MERGE_DISTANCE or self.length == 0:
            self._put_silence(gap)
        return [piece for piece in past_end if len(piece)]

    def _put(self, samples: NDArray[Any]) -> None:
        self._write(samples)
        self.length += len(samples)

    def _put_silence(self, samples: int) -> None:
        import numpy as np

        while samples > 0:
            self._put(np.zeros(min(samples, _SILENCE_PIECE), dtype=np.float32))
            samples -= _SILENCE_PIECE

    def finish(self) -> None:
        """Write what is left: no block follows."""
        for piece in self._open:
            self._put(piece)
        self._open = []
