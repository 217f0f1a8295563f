"""Where the audio of a file really ends, whatever its header says.

libsndfile believes headers: of an MP3 without a Xing header it reads what an estimate says, of chained Ogg the first
link, of a WAV that was streamed nothing. Here such files become views that it reads to their end. Sources: ISO/IEC
11172-3 (MPEG audio frames), RFC 3533 (Ogg pages), the Xing header as LAME writes it.
"""

from __future__ import annotations

import mmap
import os
import struct
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, List, Optional, Sequence, Tuple, Union

from audacitorch.files import RangedFile
from audacitorch.render.mpeg_frames import mp3_frames

#: Bytes of the view's own, or an offset and a length in the file.
Piece = Union[bytes, Tuple[int, int]]

#: A WAV's size from here on says that a program could not go back to its header.
_STREAMED = 0x7FFF0000
#: How a FLAC stream begins.
_FLAC_START = b"fLaC\0\0\0\x22"
#: Encoders don't agree whether the frame with the Xing header counts.
_FRAMES_OF_DOUBT = 1


class FileView(RangedFile):
    """A file as it should have been: pieces of it, and bytes of our own. Read-only.

    A decoder gets a ``streamed`` view through a pipe: where it can't seek, it does not estimate an end.
    """

    def __init__(self, path: Path, pieces: Sequence[Piece], streamed: bool = False) -> None:
        self._path, self._pieces, self.streamed = path, tuple(pieces), streamed
        self._file: Optional[BinaryIO] = None
        lengths = (len(piece) if isinstance(piece, bytes) else piece[1] for piece in self._pieces)
        self._starts = [0, *accumulate(lengths)]
        super().__init__(self._starts[-1])

    def reopened(self) -> FileView:
        """The same view from its start, with a file of its own."""
        return FileView(self._path, self._pieces, self.streamed)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to the place in the file that is nearest: libsndfile believes headers that lead out of it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        return super().seek(min(max(base + offset, 0), self.size))

    def _bytes(self, start: int, stop: int) -> bytes:
        parts: List[bytes] = []
        for first, end, piece in zip(self._starts, self._starts[1:], self._pieces):
            if first >= stop or end <= start:
                continue
            inside, length = max(start, first) - first, min(stop, end) - max(start, first)
            parts.append(
                piece[inside : inside + length] if isinstance(piece, bytes) else self._of_file(piece, inside, length)
            )
            if len(parts[-1]) < length:
                break
        return b"".join(parts)

    def _of_file(self, piece: Tuple[int, int], inside: int, length: int) -> bytes:
        if self._file is None:
            self._file = self._path.open("rb")
        self._file.seek(piece[0] + inside)
        return self._file.read(length)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


def audio_parts(path: Path, file: BinaryIO) -> Tuple[Tuple[Union[Path, FileView], ...], Tuple[str, ...]]:
    """The parts to read one after the other, and sentences about what is odd; the path alone where nothing is.

    Raises:
        ValueError: an MP3 that changes its format on the way.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] == b"OggS":
            return _ogg_parts(path, data)
        if data[:4] == b"fLaC":
            return _joined(path, flac_links(data), "FLAC streams joined together")
        if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
            pieces, notes = _riff_pieces(data)
            return (FileView(path, pieces) if pieces else path,), notes
        return _mp3_parts(path, data)


def _joined(
    path: Path, links: Sequence[Tuple[int, int]], what: str, *notes: str
) -> Tuple[Tuple[Union[Path, FileView], ...], Tuple[str, ...]]:
    """A view of each link; the path alone where there is one."""
    if len(links) < 2:
        return (path,), notes
    return tuple(FileView(path, [link]) for link in links), (f"It is {len(links)} {what}, and all are read.", *notes)


def _ogg_parts(path: Path, data: mmap.mmap) -> Tuple[Tuple[Union[Path, FileView], ...], Tuple[str, ...]]:
    links, whole = ogg_links(data)
    notes = () if whole else ("It is cut off in the middle of a page, and what comes before is read.",)
    return _joined(path, links, "Ogg streams chained together", *notes)


def ogg_links(data: mmap.mmap) -> Tuple[List[Tuple[int, int]], bool]:
    """Offset and length of each link of a chain, and whether the last page is whole.

    A link begins with pages that begin streams, after others.
    """
    starts, position, in_headers = [0], 0, True
    while data[position : position + 4] == b"OggS" and position + 27 <= len(data):
        begins = bool(data[position + 5] & 2)
        if begins and not in_headers:
            starts.append(position)
        in_headers = begins
        segments = data[position + 26]
        position += 27 + segments + sum(data[position + 27 : position + 27 + segments])
    links = [(start, end - start) for start, end in zip(starts, [*starts[1:], len(data)])]
    return links, position <= len(data) and not data[position:].startswith(b"OggS")


def flac_links(data: mmap.mmap) -> List[Tuple[int, int]]:
    """Offset and length of each FLAC stream in a file: all begin with a STREAMINFO block of 34 bytes."""
    starts, position = [0], 0
    while (position := data.find(_FLAC_START, position + 1)) > 0:
        starts.append(position)
    return [(start, end - start) for start, end in zip(starts, [*starts[1:], len(data)])]


def _riff_pieces(data: mmap.mmap) -> Tuple[List[Piece], Tuple[str, ...]]:
    """A WAV that was streamed, whose header says that there are no samples, with the sizes that it has.

    No pieces where the header can be left as it is; and sentences about what is odd.
    """
    position = 12
    while position + 8 <= min(len(data), 1 << 20):
        name, size = data[position : position + 4], struct.unpack("<I", data[position + 4 : position + 8])[0]
        rest = len(data) - position - 8
        if name == b"data":
            if rest < size < _STREAMED:
                return [], (f"It is cut off: its header promises {size:,} bytes of audio, and {rest:,} are there.",)
            if size != 0 or rest > 0xFFFFFFFF - position - 8 or _are_chunks(data, position + 8):
                break
            riff = b"RIFF" + struct.pack("<I", len(data) - 8)
            pieces: List[Piece] = [riff, (8, position - 4), struct.pack("<I", rest), (position + 8, rest)]
            return pieces, ("Its header tells no length, and it is read to the end of the file.",)
        position += 8 + size + size % 2
    return [], ()


def _are_chunks(data: mmap.mmap, position: int) -> bool:
    """Whether the file ends with whole chunks, maybe none, from ``position`` on: there is no audio among them."""
    while position + 8 <= len(data) and data[position : position + 4].isalnum():
        size = struct.unpack("<I", data[position + 4 : position + 8])[0]
        position += 8 + size + size % 2
    return position == len(data)


def _mp3_parts(path: Path, data: mmap.mmap) -> Tuple[Tuple[Union[Path, FileView], ...], Tuple[str, ...]]:
    """The MP3's frames of audio as a stream, where no header tells how many there are; the path otherwise."""
    found = mp3_frames(data)
    if found is None:
        return (path,), ()
    declared, runs, count = found
    between = runs[-1][0] - runs[0][0] - sum(length for _, length in runs[:-1])
    as_declared = declared is not None and abs(declared - count) <= _FRAMES_OF_DOUBT
    if as_declared and not between:
        return (path,), ()
    view = FileView(path, runs, streamed=True)
    if as_declared:
        return (view,), (f"Between its frames are {between:,} bytes that are not MP3, and they are left out.",)
    if declared is None:
        return (view,), ()
    odd = "fewer" if count < declared else "more"
    return (view,), (f"Its header promises {declared:,} frames of MP3, and {odd} are there: {count:,} are read.",)
