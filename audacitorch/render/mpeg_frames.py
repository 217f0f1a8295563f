"""Frames of MPEG audio, layer III, in a file: which there are, and how many its header promises.

Sources: ISO/IEC 11172-3 and 13818-3, and the Xing header as LAME writes it.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import List, Optional, Tuple

_BITRATES = {  # kbit/s by the header's index, for MPEG 1 and for MPEG 2 and 2.5
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


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
