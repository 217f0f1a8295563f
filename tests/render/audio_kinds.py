"""Kinds of audio files as people have them, made on the spot. ``python -m tests.render.audio_kinds`` prints a table."""

from __future__ import annotations

import os
import struct
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Union

import numpy as np
import soundfile

DATA = Path(__file__).resolve().parents[1] / "data" / "audio"
FRAMES = 50_000


class Kind(NamedTuple):
    """A kind of file: how it is made, and either the frames that are read or words of the error."""

    suffix: str
    make: Callable[[Path], None]
    outcome: Union[int, str]


def noise(channels: int = 2, frames: int = FRAMES) -> Any:
    return np.random.default_rng(5).uniform(-0.3, 0.3, (frames, channels)).astype(np.float32)


def written(container: str, encoding: str, channels: int = 2, rate: int = 44100) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        audio = noise(channels)
        with soundfile.SoundFile(path, "w", rate, channels, encoding, format=container) as file:
            for start in range(0, len(audio), 4096):
                file.write(audio[start : start + 4096])

    return make


def changed(make: Callable[[Path], None], change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def make_changed(path: Path) -> None:
        make(path)
        path.write_bytes(change(path.read_bytes()))

    return make_changed


def joined(*makes: Callable[[Path], None]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        data = b""
        for each in makes:
            each(path)
            data += path.read_bytes()
        path.write_bytes(data)

    return make


def copied(name: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes((DATA / name).read_bytes())

    return make


def raw(data: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(data)

    return make


def halved(data: bytes) -> bytes:
    return data[: len(data) // 2]


def with_a_gap(data: bytes) -> bytes:
    """An MP3 with a kilobyte of something else between two of its frames."""
    border = data.index(b"\xff\xfb", len(data) // 2)
    return data[:border] + bytes(1000) + data[border:]


def with_sizes(size: int) -> Callable[[bytes], bytes]:
    """A WAV's header as a program writes it that can't go back to it."""
    sizes = struct.pack("<I", size)
    return lambda data: data[:4] + sizes + data[8:40] + sizes + data[44:]


def with_nan(path: Path) -> None:
    audio = noise()
    audio[1000] = np.nan
    soundfile.write(path, audio, 44100, "FLOAT")


WAV, MP3, OGG = written("WAV", "PCM_16"), written("MP3", "MPEG_LAYER_III"), written("OGG", "VORBIS")
OPUS, FLAC = written("OGG", "OPUS", rate=48000), written("FLAC", "PCM_16")
ID3 = b"ID3\x04\0\0\0\0\0\x14" + bytes(20)

KINDS: Dict[str, Kind] = {
    "WAV, 16 bit": Kind("wav", WAV, FRAMES),
    "WAV, 24 bit": Kind("wav", written("WAV", "PCM_24"), FRAMES),
    "WAV, float, with NaN": Kind("wav", with_nan, FRAMES),
    "WAV, six channels": Kind("wav", written("WAVEX", "PCM_16", 6), FRAMES),
    "WAV without samples": Kind("wav", changed(WAV, lambda data: data[:40] + bytes(4)), 0),
    "WAV without samples, with tags": Kind(
        "wav", changed(WAV, lambda data: data[:40] + bytes(4) + b"LIST\x04\0\0\0INFO"), 0
    ),
    "WAV cut off": Kind("wav", changed(WAV, halved), FRAMES // 2 - 6),
    "WAV streamed, sizes 0": Kind("wav", changed(WAV, with_sizes(0)), FRAMES),
    "WAV streamed, sizes at the limit": Kind("wav", changed(WAV, with_sizes(0xFFFFFFFF)), FRAMES),
    "RF64": Kind("wav", written("RF64", "FLOAT"), FRAMES),
    "AIFF": Kind("aiff", written("AIFF", "PCM_16"), FRAMES),
    "AU": Kind("au", written("AU", "PCM_16"), FRAMES),
    "CAF": Kind("caf", written("CAF", "PCM_24"), FRAMES),
    "FLAC": Kind("flac", FLAC, FRAMES),
    "FLAC without a length": Kind("flac", copied("unknown_length.flac"), 11025),
    "FLAC, joined": Kind("flac", joined(FLAC, FLAC), 2 * FRAMES),
    "FLAC with a tag behind it": Kind("flac", joined(FLAC, raw(b"TAG" + bytes(125))), FRAMES),
    "FLAC cut off": Kind("flac", changed(FLAC, halved), "damaged"),
    "Ogg Vorbis": Kind("ogg", OGG, FRAMES),
    "Ogg Vorbis cut off": Kind("ogg", changed(OGG, lambda data: data[:-100]), 48_832),
    "Ogg Vorbis, chained": Kind("ogg", joined(OGG, OGG), 2 * FRAMES),
    "Ogg, chained at two rates": Kind("ogg", joined(OGG, OPUS), "changes its format in the middle"),
    "Opus, chained": Kind("opus", joined(OPUS, OPUS), 2 * FRAMES),
    "MP3": Kind("mp3", MP3, FRAMES),
    "MP3 without a header": Kind("mp3", copied("vbr_without_xing.mp3"), 457 * 1152),
    "MP3, joined, with tags": Kind("mp3", joined(MP3, raw(ID3), MP3), 90 * 1152),
    "MP3 with other bytes between frames": Kind("mp3", changed(MP3, with_a_gap), 45 * 1152),
    "MP3 cut off": Kind("mp3", changed(MP3, halved), 21 * 1152),
    "MP3, joined at two rates": Kind("mp3", joined(MP3, written("MP3", "MPEG_LAYER_III", rate=22050)), "changes from"),
    "M4A, without PyAV and ffmpeg": Kind(
        "m4a", raw(b"\0\0\0\x20ftypM4A " + bytes(2000)), "ffmpeg -i song.m4a song.wav"
    ),
    "samples without a header": Kind("raw", raw(bytes(4000)), "it has no header that tells its format"),
    "a pipe": Kind("wav", os.mkfifo, "it is not a file"),
    "text": Kind("wav", raw(b"no audio at all"), "can't be read as audio"),
    "an empty file": Kind("mp3", raw(b""), "the file is empty"),
    "a folder": Kind("wav", lambda path: path.mkdir(), "Is a directory"),
    "nothing": Kind("wav", lambda path: None, "No such file"),
}


def main() -> None:
    """Print what comes of each kind."""
    from audacitorch.render.audio_file import AudioError, open_audio

    with tempfile.TemporaryDirectory() as folder:
        for name, kind in KINDS.items():
            path = Path(folder) / f"audio.{kind.suffix}"
            kind.make(path)
            try:
                audio = open_audio(path, Path(folder))
                read = sum(len(block) for block in audio.blocks([audio.frames]))
                came = f"{read:,} frames, {audio.channels} channels. {' '.join(audio.notes)}"
            except AudioError as error:
                came = f"refused: {str(error).replace(folder, '')}"
            print(f"{name:34}{came}")
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
