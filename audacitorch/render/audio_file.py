"""Audio files as people have them, read block by block to where their audio really ends.

libsndfile reads WAV, AIFF, FLAC, Ogg, MP3 and many more; what it takes for a file's length is put right in
:mod:`audacitorch.render.containers`. What it can't read (M4A, for one) is decoded once into a temporary file, by PyAV
or ffmpeg where one of them is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, List, Sequence, Tuple, Union

from audacitorch.errors import AudacitorchError
from audacitorch.render.containers import FileView, audio_parts

if TYPE_CHECKING:
    import soundfile
    from numpy.typing import NDArray

#: Frames that are read at once where nobody asks for a block.
_PIECE = 1 << 16
#: Encodings of a fixed number of bytes a frame, whose length the size of the file tells.
_FIXED_SIZE = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")


#: What libsndfile says where a header tells no length.
_UNKNOWN_LENGTH = (1 << 63) - 1
_NOT_THERE = "File does not exist"
#: How samples without a header, of an assumed format, become a file that can be read.
_RAW_TO_WAV = "ffmpeg -f s16le -ar 44100 -ac 2 -i take.raw take.wav"


class AudioError(AudacitorchError):
    """An audio file that can't be read, or whose results can't be written."""

    exit_status = 2


@dataclass(frozen=True)
class AudioFile:
    """An audio file that was opened once and can be read: ``frames`` is how many there really are.

    ``notes`` are sentences about what is odd in the file and was dealt with.
    """

    path: Path
    rate: int
    channels: int
    frames: int
    notes: Tuple[str, ...]
    parts: Tuple[Union[Path, FileView], ...]

    def blocks(self, lengths: Sequence[int], start: int = 0) -> Iterator[NDArray[Any]]:
        """The file from frame ``start`` in blocks of these lengths: float32, (samples, channels).

        Raises:
            AudioError: the file can't be read to there, or has changed.
        """
        with _Frames(self) as source:
            source.skip(start)
            for length in lengths:
                block = source.take(length)
                if len(block) < length:
                    raise AudioError(f"{self.path} became shorter while it was read.")
                yield block


def open_audio(path: Path, scratch: Path) -> AudioFile:
    """Find out what ``path`` holds; ``scratch`` is a folder for a decoded copy where one is needed.

    Raises:
        AudioError: it can't be read as audio; the message says why, and what to convert it with.
    """
    import soundfile

    try:
        if path.suffix.lower() == ".raw":
            raise ValueError(f"it has no header that tells its format. Give it one, for example with {_RAW_TO_WAV}")
        if stat.S_IFMT(path.stat().st_mode) not in (stat.S_IFREG, stat.S_IFDIR):  # opening a pipe would wait
            raise ValueError("it is not a file.")
        with path.open("rb") as file:  # its errors say more than libsndfile's "System error."
            if os.fstat(file.fileno()).st_size == 0:
                raise AudioError(f"{path} can't be read as audio: the file is empty.")
            parts, notes = audio_parts(path, file)
        return _measured(path, parts, notes)
    except OSError as error:
        raise AudioError(f"{path} can't be read as audio: {error.strerror or error}.") from error
    except ValueError as error:
        raise AudioError(f"{path} can't be read as audio: {error}") from error
    except soundfile.SoundFileError as error:
        decoded = _decoded(path, scratch, _reason(error))
        return _measured(path, (decoded,), ())


def _measured(path: Path, parts: Sequence[Union[Path, FileView]], notes: Sequence[str]) -> AudioFile:
    """The file with the number of frames that can be read."""
    import soundfile

    frames, forms = 0, []
    for part in parts:
        with _opened(part) as source:
            forms.append((source.samplerate, source.channels))
            try:
                frames += _frames_of(source)
            except soundfile.SoundFileError as error:
                raise AudioError(
                    f"{path} is damaged, and can't be read to its end: {_reason(error)} Convert it with a program that "
                    "repairs such files, for example: ffmpeg -i damaged.flac whole.wav"
                ) from error
    if len(set(forms)) > 1:
        described = ", then ".join(f"{rate:,} Hz with {channels} channel(s)" for rate, channels in forms)
        raise AudioError(f"{path} changes its format in the middle ({described}). Split it where the format changes.")
    return AudioFile(path, *forms[0], frames, tuple(notes), tuple(parts))


def _frames_of(source: soundfile.SoundFile) -> int:
    """How many frames can be read; counted where a header is all that says so."""
    if source.format != "FLAC" and source.subtype.startswith(_FIXED_SIZE) and source.frames:
        source.seek(source.frames - 1)
        if len(source.read(1)) == 1:
            return int(source.frames)
        source.seek(0)
    frames = 0
    end = source.frames if source.format == "FLAC" else _UNKNOWN_LENGTH  # behind it may be tags, and no FLAC
    while True:
        wanted = min(_PIECE, end - frames)
        read = len(source.read(wanted, dtype="float32", always_2d=True))
        frames += read
        if read < wanted or frames == end:
            return frames


def _opened(part: Union[Path, FileView]) -> soundfile.SoundFile:
    import soundfile

    class Stream(soundfile.SoundFile):  # type: ignore[misc]
        """A sound file that is read on and on: seeking fails where the header tells no length, or a wrong one."""

        def seekable(self) -> bool:
            return False

    if isinstance(part, FileView):
        view = part.reopened()
        return Stream(_piped(view), closefd=True) if view.streamed else Stream(view)
    return Stream(os.fsencode(part))  # a name need not be UTF-8


def _piped(view: FileView) -> int:
    """The reading end of a pipe into which a thread copies ``view``, until either end closes."""
    reading, writing = os.pipe()

    def copy() -> None:
        with suppress(BrokenPipeError), view, open(writing, "wb") as pipe:
            shutil.copyfileobj(view, pipe, _PIECE)

    threading.Thread(target=copy, daemon=True).start()
    return reading


def _reason(error: Exception) -> str:
    text = str(getattr(error, "error_string", "") or getattr(error, "strerror", "") or error).strip().rstrip(".")
    text = re.sub(r"^\w+ ?: ", "", text)
    if text.startswith(_NOT_THERE):  # what libsndfile says of an MP3 without frames; the file was opened by now
        text = "Format not recognised"
    return f"{text or 'the decoder gives up'}."


class _Frames:
    """The frames of all parts of a file, one after the other."""

    def __init__(self, file: AudioFile) -> None:
        self._file = file
        self._left = list(file.parts)
        self._source: Any = None

    def __enter__(self) -> _Frames:
        return self

    def __exit__(self, *_: object) -> None:
        if self._source is not None:
            self._source.close()

    def skip(self, frames: int) -> None:
        while frames > 0:
            frames -= max(len(self.take(min(frames, _PIECE))), 1)

    def take(self, frames: int) -> NDArray[Any]:
        """The next frames, (frames, channels); fewer at the end."""
        import numpy as np
        import soundfile

        taken: List[NDArray[Any]] = []
        try:
            while frames and (self._source is not None or self._left):
                if self._source is None:
                    self._source = _opened(self._left.pop(0))
                piece = self._source.read(frames, dtype="float32", always_2d=True)
                if len(piece) < frames:
                    self._source.close()
                    self._source = None
                frames -= len(piece)
                taken.append(piece)
        except (soundfile.SoundFileError, OSError) as error:
            raise AudioError(f"{self._file.path} can't be read any further: {_reason(error)}") from error
        if len(taken) == 1:
            return taken[0]
        return np.concatenate([np.empty((0, self._file.channels), np.float32), *taken])


def _decoded(path: Path, scratch: Path, reason: str) -> Path:
    """``path`` decoded into a file that libsndfile reads, by what is installed here.

    Raises:
        AudioError: nothing that is installed here can read it.
    """
    target = scratch / "decoded.w64"
    ffmpeg = shutil.which("ffmpeg")
    try:
        return _decoded_by_av(path, target)
    except ImportError:
        if ffmpeg is not None:
            return _decoded_by_ffmpeg(ffmpeg, path, target)
    raise AudioError(
        f"{path} can't be read as audio: {reason} Convert it, for example with ffmpeg -i song.m4a song.wav, or install "
        "PyAV, which reads M4A and most other formats: pip install av"
    )


def _decoded_by_av(path: Path, target: Path) -> Path:
    import soundfile
    from av import AudioResampler, FFmpegError
    from av import open as opened

    try:
        with opened(os.fspath(path)) as container:
            if not container.streams.audio:
                raise ValueError("there is no audio in it")
            stream = container.streams.audio[0]
            form = stream.rate, stream.channels
            resampler = AudioResampler("flt", stream.layout, stream.rate)
            with soundfile.SoundFile(os.fsencode(target), "w", *form, "FLOAT", format="W64") as decoded:
                for frame in container.decode(stream):
                    for converted in resampler.resample(frame):
                        decoded.write(converted.to_ndarray().reshape(-1, stream.channels))
    except (FFmpegError, ValueError) as error:
        raise AudioError(f"{path} can't be read as audio, by libsndfile or by PyAV: {_reason(error)}") from error
    return target


def _decoded_by_ffmpeg(ffmpeg: str, path: Path, target: Path) -> Path:
    arguments = ["-nostdin", "-v", "error", "-y", "-i", os.path.abspath(path), "-map", "0:a:0"]
    command = [ffmpeg, *arguments, "-c:a", "pcm_f32le", "-f", "w64", os.fspath(target)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it gives up"]
        raise AudioError(f"{path} can't be read as audio, by libsndfile or by ffmpeg: {lines[-1].strip().rstrip('.')}.")
    return target
