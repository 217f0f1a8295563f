"""Audio files as people have them: read to their real end, or refused with a reason."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any, Dict

import pytest

soundfile = pytest.importorskip("soundfile")

import numpy as np  # noqa: E402

from audacitorch.render.audio_file import AudioError, AudioFile, open_audio  # noqa: E402
from audacitorch.render.containers import FileView  # noqa: E402
from audacitorch.render.mpeg_frames import mp3_frame  # noqa: E402
from tests.render.audio_kinds import FRAMES, KINDS, MP3, WAV, noise  # noqa: E402


@pytest.fixture
def no_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setenv("PATH", "")


def read(audio: AudioFile) -> np.ndarray:
    return np.concatenate(list(audio.blocks([audio.frames])))


@pytest.mark.usefixtures("no_decoders")
@pytest.mark.parametrize("name", KINDS)
def test_a_kind_of_file(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    path = tmp_path / f"audio.{kind.suffix}"
    kind.make(path)
    if isinstance(kind.outcome, str):
        with pytest.raises(AudioError, match=kind.outcome):
            open_audio(path, tmp_path)
        return
    audio = open_audio(path, tmp_path)
    assert audio.frames == kind.outcome
    assert len(read(audio)) == kind.outcome


def test_what_is_odd_is_said(tmp_path: Path) -> None:
    notes: Dict[str, Any] = {}
    for name in (
        "WAV cut off",
        "WAV streamed, sizes 0",
        "Ogg Vorbis, chained",
        "MP3 cut off",
        "MP3, joined, with tags",
    ):
        path = tmp_path / f"{len(notes)}.{KINDS[name].suffix}"
        KINDS[name].make(path)
        [notes[name]] = open_audio(path, tmp_path).notes
    assert notes["WAV cut off"].startswith("It is cut off: its header promises 200,000 bytes of audio")
    assert "2 Ogg streams" in notes["Ogg Vorbis, chained"]
    assert "fewer" in notes["MP3 cut off"]
    assert "more" in notes["MP3, joined, with tags"]


def test_blocks_of_any_length_from_anywhere_are_the_file(tmp_path: Path) -> None:
    for name in ("WAV, 16 bit", "FLAC", "Ogg Vorbis, chained", "MP3, joined, with tags"):
        path = tmp_path / f"audio.{KINDS[name].suffix}"
        KINDS[name].make(path)
        audio = open_audio(path, tmp_path)
        whole = read(audio)
        lengths = [1, 2, 70_000 if audio.frames > 90_000 else 7, 1000]
        blocks = list(audio.blocks(lengths, start=12_345))
        assert [len(block) for block in blocks] == lengths
        assert np.array_equal(np.concatenate(blocks), whole[12_345 : 12_345 + sum(lengths)])


def test_16_bit_samples_are_parts_of_full_scale(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([-32768, 16384, 1], dtype=np.int16), 44100)
    assert read(open_audio(tmp_path / "a.wav", tmp_path))[:, 0].tolist() == [-1.0, 0.5, 1 / 32768]


def test_a_stream_of_an_mp3_is_closed_early_without_a_thread_that_waits(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    KINDS["MP3 without a header"].make(path)
    audio = open_audio(path, tmp_path)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(20):
        next(audio.blocks([100]))
    if before:
        assert len(os.listdir("/proc/self/fd")) < before + 20


def test_what_libsndfile_lacks_is_read_by_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name on the path is called once, and told to write what libsndfile reads."""
    soundfile.write(tmp_path / "ready.w64", noise(), 44100, "FLOAT")
    (tmp_path / "song.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(2000))
    program = tmp_path / "ffmpeg"
    program.write_text(f'#!/bin/sh\nfor last; do :; done\ncp "{tmp_path}/ready.w64" "$last"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin")
    assert open_audio(tmp_path / "song.m4a", tmp_path).frames == FRAMES
    program.write_text("#!/bin/sh\necho 'moov atom not found.' >&2\nexit 1\n", encoding="utf-8")
    with pytest.raises(AudioError, match=r"by libsndfile or by ffmpeg: moov atom not found\."):
        open_audio(tmp_path / "song.m4a", tmp_path)


def test_what_libsndfile_lacks_is_read_by_pyav(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "song.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(noise().T.copy(), format="fltp", layout="stereo")
        frame.rate = 44100
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    audio = open_audio(tmp_path / "song.m4a", tmp_path)
    assert (audio.rate, audio.channels) == (44100, 2)
    assert abs(audio.frames - FRAMES) < 3000


def test_a_view_reads_its_pieces_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(100)))
    view = FileView(tmp_path / "file", [b"ab", (10, 5), b"c", (90, 10)])
    whole = b"ab" + bytes(range(10, 15)) + b"c" + bytes(range(90, 100))
    assert view.read() == whole
    for position in range(len(whole) + 1):
        view.seek(position)
        assert view.read(4) == whole[position : position + 4]
    assert view.seek(-3, io.SEEK_END) == len(whole) - 3
    assert view.reopened().read(3) == whole[:3]


def test_headers_of_mpeg_audio(tmp_path: Path) -> None:
    MP3(tmp_path / "a.mp3")
    data = (tmp_path / "a.mp3").read_bytes()
    frame = mp3_frame(data[:4])
    assert frame is not None
    assert (frame.rate, frame.channels, frame.samples) == (44100, 2, 1152)
    assert mp3_frame(data[frame.length : frame.length + 4]) is not None
    for header in (b"", b"\xff\xfb", b"RIFF", b"\xff\xf1\x50\x80", b"\xff\xfb\xf0\x00", b"\xff\xfb\x9c\x00"):
        assert mp3_frame(header) is None


def test_a_device_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="can't be read as audio"):
        open_audio(Path("/dev/null"), tmp_path)


def test_a_name_that_is_not_utf_8_is_read(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.wav"))
    WAV(tmp_path / "a.wav")
    (tmp_path / "a.wav").rename(path)
    assert open_audio(path, tmp_path).frames == FRAMES
