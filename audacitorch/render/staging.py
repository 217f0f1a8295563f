"""Files of results: none replaces a file of the user's unasked, and none is there before it is whole.

Each is written under a temporary name in its own folder, and renamed when the whole audio file is done. Whatever
happens before, the temporary files go.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Collection, Dict, List, Optional, Set

from audacitorch.render.audio_file import AudioError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Formats of tracks: libsndfile's names of the container and of the encoding.
TRACK_FORMATS = {"wav": ("WAV", "FLOAT"), "flac": ("FLAC", "PCM_24"), "ogg": ("OGG", "VORBIS")}
#: A WAV file counts its bytes in 32 bits; longer tracks become RF64, which Audacity reads as well.
_LONGEST_WAV = (1 << 30) - 1024
#: Samples that are encoded at once: libvorbis takes its working memory for a write from the stack.
_PIECE = 1 << 14


class OutputError(AudioError):
    """Results can't be written; nothing that is written later would fare better."""


class OutputRefused(AudioError):
    """Results of one file were not written, because that would lose a file of the user's."""


class Outputs:
    """The files that one call of the program writes. A context manager: on an error, what is not published goes."""

    def __init__(self, force: bool = False) -> None:
        """``force`` allows to replace files that are there already."""
        self._force = force
        self._staged: Dict[Path, Path] = {}
        self._claimed: Set[str] = set()
        self._waiting: Set[Path] = set()
        self._made_folders: List[Path] = []

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        try:
            if kind is None:
                self.publish()
        finally:
            self.discard()
            for folder in reversed(self._made_folders):
                with suppress(OSError):  # it has results in it
                    folder.rmdir()

    def claim(self, paths: Collection[Path], inputs: Collection[Path] = ()) -> None:
        """Reserve ``paths`` for results, unless that would lose a file, and make sure that files can be made there.

        Raises:
            OutputError: a folder can't be made, or takes no files.
            OutputRefused: one of them exists, or is one of the ``inputs``, and ``force`` was not given; or it is a
                folder, or claimed by an earlier result of this call.
        """
        own = {os.path.realpath(path) for path in inputs}
        for path in paths:
            real = os.path.realpath(path)
            if path.is_dir():
                raise OutputRefused(f"{path} can't be written: it is a folder.")
            if real in self._claimed:
                raise OutputRefused(
                    f"{path} is the result of another file of this call: choose another name or folder."
                )
            if not self._force and os.path.lexists(path):
                what = "is an input of this call" if real in own else "exists"
                raise OutputRefused(
                    f"{path} {what}, and would be overwritten: choose another folder with -o, or use --force."
                )
        for path in {path.parent: path for path in paths}.values():
            self.discard([self._staged[self.stage(path)]])
        self._claimed.update(map(os.path.realpath, paths))

    def stage(self, path: Path) -> Path:
        """A new, empty file beside ``path`` to write to; :meth:`publish` gives it its name.

        Raises:
            OutputError: there can't be a file.
        """
        temporary = path.with_name(f".audacitorch-{secrets.token_hex(8)}{path.suffix}")
        try:
            self._make_folder(path.parent)
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except OSError as error:
            raise OutputError(f"{path} can't be written: {error.strerror}.") from error
        self._staged[temporary] = path
        return temporary

    def write(self, path: Path, text: str) -> None:
        """Stage a file with ``text``.

        Raises:
            OutputError: it can't be written.
        """
        try:
            self.stage(path).write_bytes(text.encode("utf-8"))
        except OSError as error:
            raise OutputError(f"{path} can't be written: {error.strerror}.") from error

    def _make_folder(self, folder: Path) -> None:
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        for parent in reversed(missing):
            parent.mkdir(exist_ok=True)
            self._made_folders.append(parent)

    def publish(self, later: Collection[Path] = ()) -> List[Path]:
        """Give all staged files their names; those that are in ``later`` wait, because their place is still read.

        Raises:
            OutputError: a file can't get its name, or somebody else has made one of that name meanwhile.
        """
        waiting = {os.path.realpath(path) for path in later}
        published = []
        for temporary, path in list(self._staged.items()):
            if os.path.realpath(path) in waiting:
                self._waiting.add(temporary)
                continue
            try:
                self._rename(temporary, path)
            except OSError as error:
                raise OutputError(f"{path} can't be written: {error.strerror}.") from error
            del self._staged[temporary]
            published.append(path)
        return published

    def _rename(self, temporary: Path, path: Path) -> None:
        if self._force:
            os.replace(temporary, path)
            return
        try:
            os.link(temporary, path)  # a rename would replace a file that came meanwhile
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if os.path.lexists(path):
                raise
            os.replace(temporary, path)
        else:
            os.unlink(temporary)

    def discard(self, paths: Optional[Collection[Path]] = None) -> None:
        """Remove staged files: those for ``paths``, or all."""
        for temporary, path in list(self._staged.items()):
            if paths is None or path in paths:
                with suppress(OSError):
                    temporary.unlink()
                del self._staged[temporary]

    def discard_unfinished(self) -> None:
        """Remove what was staged since :meth:`publish` was called last; files that wait are kept."""
        self.discard([path for temporary, path in self._staged.items() if temporary not in self._waiting])


class TrackWriter:
    """A mono track as an audio file that grows block by block."""

    def __init__(self, temporary: Path, path: Path, rate: int, track_format: str, expected_samples: int) -> None:
        """``temporary`` is what :meth:`Outputs.stage` gave for ``path``; ``rate`` is in Hz.

        Raises:
            OutputError: the format has no such rate, or the file can't be opened.
        """
        import soundfile

        container, encoding = TRACK_FORMATS[track_format]
        if container == "WAV" and expected_samples > _LONGEST_WAV:
            container = "RF64"
        self._path, self._temporary = path, temporary
        self._clips = track_format == "flac"
        self.samples = 0
        #: Samples beyond full scale, which FLAC can't hold.
        self.clipped = 0
        try:
            self._file = soundfile.SoundFile(os.fsencode(temporary), "w", rate, 1, encoding, format=container)
        except soundfile.SoundFileError as error:
            raise OutputError(f"{path} can't be written: {track_format.upper()} at {rate:,} Hz: {error}") from error

    def write(self, samples: NDArray[Any]) -> None:
        """Append float32 (samples,).

        Raises:
            OutputError: the disk is full, for one.
        """
        import numpy as np

        if self._clips:
            beyond = int(np.count_nonzero(np.abs(samples) > 1))
            if beyond:
                self.clipped += beyond
                samples = np.clip(samples, -1, 1)
        try:
            for start in range(0, len(samples), _PIECE):
                self._file.write(samples[start : start + _PIECE])
        except (RuntimeError, AssertionError) as error:  # soundfile asserts that everything was written
            raise self._failure() from error
        self.samples += len(samples)

    def close(self) -> None:
        """Finish the file, and make sure that it is whole.

        Raises:
            OutputError: it is not.
        """
        import soundfile

        self._file.close()
        try:
            with soundfile.SoundFile(os.fsencode(self._temporary)) as written:
                whole = written.frames == self.samples
        except soundfile.SoundFileError:
            whole = self.samples == 0  # an encoder that has written nothing leaves an empty file
        if not whole:
            raise self._failure()

    def abandon(self) -> None:
        """Close the file as it is."""
        with suppress(RuntimeError):
            self._file.close()

    def _failure(self) -> OutputError:
        """The error of the system, which soundfile does not pass on."""
        try:
            with open(self._temporary, "ab") as file:
                file.write(bytes(_PIECE))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            return OutputError(f"{self._path} can't be written: {error.strerror}.")
        return OutputError(f"{self._path} can't be written: the encoder did not take all samples.")
