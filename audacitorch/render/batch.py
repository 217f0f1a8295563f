"""The audio files of one call: which there are, where their results go, and each through the model for each host."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, List, Optional, Sequence, Tuple

from audacitorch.hosts.tracks import Track, tracks_of
from audacitorch.render import Renderer, Rendering
from audacitorch.render.audio_file import AudioError, open_audio
from audacitorch.render.results import write_labels
from audacitorch.render.staging import OutputError, Outputs

#: Suffixes of files that are taken for audio where a whole folder is given; all others are tried when they are named.
_SUFFIXES = (
    *(".aac", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".au", ".caf", ".flac", ".m4a", ".mka", ".mp2", ".mp3", ".mp4"),
    *(".oga", ".ogg", ".opus", ".rf64", ".snd", ".voc", ".w64", ".wav", ".webm", ".wma", ".wv"),
)

#: Shows how far a file of that name and of so many seconds is, while what it yields is told the seconds that are done.
Progress = Callable[[str, float], ContextManager[Callable[[float], None]]]


@dataclass(frozen=True)
class Selection:
    """What is taken of each file, in seconds, and in which formats its results are written."""

    start: float = 0.0
    duration: Optional[float] = None
    track_format: str = "wav"
    label_formats: Tuple[str, ...] = ()


@dataclass
class Job:
    """One audio file: the folder and the name for its results, and what came of it."""

    audio: Path
    folder: Path
    name: str
    renderings: List[Rendering] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)
    error: str = ""

    def to_json(self) -> Dict[str, Any]:
        """What came of the file, for programs."""
        tracks = [rendering.to_json() for rendering in self.renderings]
        return {"audio": str(self.audio), "error": self.error or None, "notes": self.notes, "tracks": tracks}


def jobs_for(audio: Sequence[Path], output: Path) -> List[Job]:
    """A job for each file, and for each audio file in a folder, whose own folders are kept below ``output``.

    Names are those of the files, numbered where an earlier one goes to the same folder.
    """
    found: List[Tuple[Path, Path]] = []
    for path in audio:
        if path.is_dir():
            found += [(file, output / file.relative_to(path).parent) for file in _audio_in(path, output)]
        else:
            found.append((path, output))
    taken = {(folder, file.stem.lower()) for file, folder in found}
    numbers: Dict[Tuple[Path, str], int] = {}
    jobs: List[Job] = []
    for file, folder in found:
        key = folder, file.stem.lower()
        number = numbers.get(key, 0) + 1
        while number > 1 and (folder, f"{file.stem}-{number}".lower()) in taken:
            number += 1
        numbers[key] = number
        jobs.append(Job(file, folder, file.stem if number == 1 else f"{file.stem}-{number}"))
    return jobs


def _audio_in(folder: Path, output: Path) -> List[Path]:
    """The audio files in ``folder`` and the folders in it, sorted; none of those in an ``output`` within it."""
    own = output.resolve() if folder.resolve() in output.resolve().parents else None
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
        and (own is None or own not in path.resolve().parents)
    )


def run_jobs(
    jobs: Sequence[Job],
    renderers: Sequence[Renderer],
    outputs: Outputs,
    selection: Selection,
    progress: Progress,
    done: Callable[[Job], None],
) -> None:
    """All jobs, one after the other; a file that can't be read does not stop the others. ``done`` is told each.

    Raises:
        OutputError: results can't be written.
        TrialUnavailable, HiddenCode: the model can't be run any further.
    """
    inputs = [job.audio for job in jobs]
    for number, job in enumerate(jobs):
        try:
            with tempfile.TemporaryDirectory(prefix="audacitorch-") as scratch:
                _run_job(job, renderers, outputs, selection, progress, inputs, Path(scratch))
            outputs.publish(later=inputs[number + 1 :])
        except OutputError:
            raise
        except AudioError as error:
            outputs.discard_unfinished()
            job.renderings, job.error = [], str(error)
        done(job)


def _run_job(
    job: Job,
    renderers: Sequence[Renderer],
    outputs: Outputs,
    selection: Selection,
    progress: Progress,
    inputs: Sequence[Path],
    scratch: Path,
) -> None:
    """One file through the model, for each host: effects are written, labels where hosts differ each under its name."""
    audio = open_audio(job.audio, scratch)
    job.notes += audio.notes
    try:
        tracks = tracks_of(audio, job.name, selection.start, selection.duration)
    except ValueError as error:
        raise AudioError(f"{job.audio} can't be rendered: {error}.") from error
    formats = selection.track_format, selection.label_formats
    for track in tracks:
        for name in _stems(track.name, renderers):
            outputs.claim(renderers[0].paths(name, job.folder, *formats), inputs)
    total = sum(track.seconds for track in tracks) * len(renderers)
    with progress(job.audio.name, total) as advance:
        for track in tracks:
            made = [each.render(track, job.folder, outputs, selection.track_format, advance) for each in renderers]
            job.renderings += made
            _write_labels(job, track, made, renderers, outputs, selection)


def _write_labels(
    job: Job,
    track: Track,
    made: Sequence[Rendering],
    renderers: Sequence[Renderer],
    outputs: Outputs,
    selection: Selection,
) -> None:
    """An analyzer's labels: once where all hosts draw the same, or a file for each host."""
    alone, *of_hosts = _stems(track.name, renderers)
    same = len(made) < 2 or (made[0].complete and made[0].labels == made[1].labels)
    for rendering, stem in zip(made[:1] if same else made, [alone] if same else of_hosts):
        if rendering.labels is not None:
            seconds = track.end / track.audio.rate
            rendering.written = write_labels(
                rendering.labels, outputs, job.folder / stem, selection.label_formats, seconds
            )


def _stems(track: str, renderers: Sequence[Renderer]) -> List[str]:
    """Names for results: the track's, and where several hosts may differ one for each host."""
    return [track, *(f"{track} ({each.host})" for each in renderers if len(renderers) > 1)]
