"""Where the audio of a file really ends, whatever its header says.

libsndfile believes headers: of an MP3 without a Xing header it reads what an estimate says, of chained Ogg the first
link, of a WAV that was streamed nothing. Here such files become views that it reads to their end. Sources: ISO/IEC
11172-3 (MPEG audio frames), RFC 3533 (Ogg pages), the Xing header as LAME writes it.
"""

from __future__ import annotations

import mmap
import os
import struct
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, List, Optional, Sequence, Tuple, Union

from audacitorch.files import RangedFile

#: Bytes of the view's own, or an offset and a length in the file.
Piece = Union[bytes, Tuple[int, int]]

_BITRATES = {  # kbit/s by the header's index, for MPEG 1 and for MPEG 2 and 2.5
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
#: A WAV's size from here on says that a program could not go back to its header.
_STREAMED = 0x7FFF0000
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
    if not os.path.isfile(path):
        raise ValueError("it is not a file.")
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] == b"OggS":
            links = ogg_links(data)
            if len(links) > 1:
                parts = tuple(FileView(path, [link]) for link in links)
                return parts, (f"It is {len(links)} Ogg streams chained together, and all are read.",)
        elif data[:4] == b"RIFF" and data[8:12] == b"WAVE":
            pieces, notes = _riff_pieces(data)
            return (FileView(path, pieces) if pieces else path,), notes
        else:
            return _mp3_parts(path, data)
    return (path,), ()


def ogg_links(data: mmap.mmap) -> List[Tuple[int, int]]:
    """Offset and length of each link of a chain: a link begins with pages that begin streams, after others."""
    starts, position, in_headers = [0], 0, True
    while data[position : position + 4] == b"OggS" and position + 27 <= len(data):
        begins = bool(data[position + 5] & 2)
        if begins and not in_headers:
            starts.append(position)
        in_headers = begins
        segments = data[position + 26]
        position += 27 + segments + sum(data[position + 27 : position + 27 + segments])
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
            if size != 0 or rest == 0 or rest > 0xFFFFFFFF - position - 8:
                break
            riff = b"RIFF" + struct.pack("<I", len(data) - 8)
            pieces: List[Piece] = [riff, (8, position - 4), struct.pack("<I", rest), (position + 8, rest)]
            return pieces, ("Its header tells no length, and it is read to the end of the file.",)
        position += 8 + size + size % 2
    return [], ()


@dataclass(frozen=True)
class Mp3Frame:
    """What the header of a frame of MPEG audio, layer III, says."""

    version: int
    rate: int
    channels: int
    length: int

    @property
    def samples(self) -> int:
        return 1152 if self.version == 3 else 576

    @property
    def side_info(self) -> int:
        """Bytes between the header and a Xing header."""
        return {(True, 2): 32, (True, 1): 17, (False, 2): 17, (False, 1): 9}[self.version == 3, self.channels]


def mp3_frame(header: bytes) -> Optional[Mp3Frame]:
    """The frame that begins with these four bytes; None where they are not a header."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:  # sync, and layer III
        return None
    version, bitrate, rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or bitrate in (0, 15) or rate == 3:
        return None
    kilobits, hertz = _BITRATES[version == 3][bitrate], _RATES[version][rate]
    length = (144 if version == 3 else 72) * kilobits * 1000 // hertz + (header[2] >> 1 & 1)
    return Mp3Frame(version, hertz, 1 if header[3] >> 6 == 3 else 2, length)


def _mp3_parts(path: Path, data: mmap.mmap) -> Tuple[Tuple[Union[Path, FileView], ...], Tuple[str, ...]]:
    """The MP3's frames of audio as a stream, where no header tells how many there are; the path otherwise."""
    found = mp3_frames(data)
    if found is None:
        return (path,), ()
    declared, runs, count = found
    if declared is not None and abs(declared - count) <= _FRAMES_OF_DOUBT:
        return (path,), ()
    view = FileView(path, runs, streamed=True)
    if declared is None:
        return (view,), ()
    odd = "fewer" if count < declared else "more"
    return (view,), (f"Its header promises {declared:,} frames of MP3, and {odd} are there: {count:,} are read.",)


def mp3_frames(data: mmap.mmap) -> Optional[Tuple[Optional[int], List[Tuple[int, int]], int]]:
    """How many frames the first Xing header declares, the runs of audio frames, and how many there are.

    None where the file is not MP3. Tags and whatever else lies between frames is passed over, and so are further
    Xing headers, which begin the next file where several were joined.

    Raises:
        ValueError: the sample rate or the number of channels changes.
    """
    position = _after_id3(data, 0)
    first = mp3_frame(data[position : position + 4])
    if first is None or (
        mp3_frame(data[position + first.length :][:4]) is None and len(data) > position + first.length
    ):
        return None
    declared: Optional[int] = None
    runs: List[Tuple[int, int]] = []
    count = 0
    while position + 4 <= len(data):
        frame = mp3_frame(data[position : position + 4])
        if frame is None or position + frame.length > len(data):
            position = _next_frame(data, position)
            continue
        if (frame.rate, frame.channels) != (first.rate, first.channels):
            raise ValueError(
                f"the MP3 changes from {first.rate:,} Hz with {first.channels} channel(s) to {frame.rate:,} Hz with "
                f"{frame.channels} channel(s). Split it where the format changes."
            )
        xing = _xing(data, position, frame)
        if xing is not None:
            declared = xing if count == 0 else declared
        else:
            count += 1
            if runs and sum(runs[-1]) == position:
                runs[-1] = (runs[-1][0], runs[-1][1] + frame.length)
            else:
                runs.append((position, frame.length))
        position += frame.length
    return (declared, runs, count) if runs else None


def _after_id3(data: mmap.mmap, position: int) -> int:
    while data[position : position + 3] == b"ID3" and position + 10 <= len(data):
        size = 0
        for byte in data[position + 6 : position + 10]:
            size = size << 7 | byte & 0x7F
        position += 10 + size + (10 if data[position + 5] & 0x10 else 0)
    return position


def _next_frame(data: mmap.mmap, position: int) -> int:
    """Where the next frame begins that another frame, or the end of the file, follows."""
    if data[position : position + 3] == b"ID3":
        return _after_id3(data, position)
    while True:
        position = data.find(b"\xff", position + 1)
        if position < 0:
            return len(data)
        frame = mp3_frame(data[position : position + 4])
        if frame is not None:
            following = position + frame.length
            if following == len(data) or mp3_frame(data[following : following + 4]) is not None:
                return position


def _xing(data: mmap.mmap, position: int, frame: Mp3Frame) -> Optional[int]:
    """The number of frames that a frame with a Xing or Info header declares, 0 for none; None: it is audio."""
    at = position + 4 + frame.side_info
    if data[at : at + 4] in (b"Xing", b"Info"):
        flags, frames = struct.unpack(">II", data[at + 4 : at + 12])
        return int(frames) if flags & 1 else 0
    if data[position + 36 : position + 40] == b"VBRI":
        return int(struct.unpack(">I", data[position + 50 : position + 54])[0])
    return None
