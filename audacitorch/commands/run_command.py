"""`audacitorch run`: real audio through a model, to the tracks or labels that Audacity would show."""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Sequence, Tuple

from audacitorch.commands.options import ALL_HOSTS, add_host_argument, add_limit_arguments, add_target_argument
from audacitorch.findings import ERROR
from audacitorch.hosts import HOSTS, host_named
from audacitorch.hosts.tracks import SAMPLE_FORMATS, tracks_of
from audacitorch.repo.target import opened_repo
from audacitorch.safetext import visible

if TYPE_CHECKING:
    from audacitorch.render import Renderer, Rendering
    from audacitorch.render.staging import Outputs

_TERMINATED = 143
_INTERRUPTED = 130
#: Suffixes of files that are taken for audio where a whole folder is given; all others are tried when they are named.
_SUFFIXES = (
    *(".aac", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".au", ".caf", ".flac", ".m4a", ".mka", ".mp2", ".mp3", ".mp4"),
    *(".oga", ".ogg", ".opus", ".rf64", ".snd", ".voc", ".w64", ".wav", ".webm", ".wma", ".wv"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `audacitorch run`."""
    add_target_argument(parser)
    parser.add_argument("audio", nargs="+", type=Path, metavar="AUDIO", help="audio files, or folders of them")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path(), metavar="DIR", help="where to write (default: the current folder)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite files that exist")
    parser.add_argument(
        "--start", type=_time, default=0.0, metavar="S", help="start of the part to process, in seconds"
    )
    parser.add_argument("--duration", type=_length, metavar="S", help="length of the part to process, in seconds")
    parser.add_argument(
        "--output-format", choices=("wav", "flac", "ogg"), default="wav", help="format of the tracks (default: wav)"
    )
    parser.add_argument(
        "--label-format",
        choices=("csv", "json", "TextGrid"),
        action="append",
        default=[],
        help="another format for labels, in addition to Audacity's text file; may be repeated",
    )
    parser.add_argument(
        "--sample-format",
        choices=tuple(SAMPLE_FORMATS),
        default="float32",
        help="sample format of the project: with int16, blocks are twice as long (default: float32)",
    )
    add_host_argument(parser, "the host to render for", ALL_HOSTS)
    parser.add_argument("--json", action="store_true", help="print the result for each file as JSON")
    add_limit_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Render every audio file; 1 where the model failed, 2 where a file can't be read or written."""
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        return _run(arguments)
    except _Terminated:
        print("audacitorch: Terminated: files that were not finished are not written.", file=sys.stderr)
        return _TERMINATED
    except KeyboardInterrupt:
        print("audacitorch: Interrupted: files that were not finished are not written.", file=sys.stderr)
        return _INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, previous)


class _Terminated(KeyboardInterrupt):
    """Raised by SIGTERM."""


def _terminate(number: int, frame: object) -> None:
    raise _Terminated


def _run(arguments: argparse.Namespace) -> int:
    from audacitorch.check import Options, check
    from audacitorch.facts import METADATA, MODEL
    from audacitorch.render import Renderer
    from audacitorch.render.conversation import started_early
    from audacitorch.render.staging import Outputs
    from audacitorch.repo.metadata_file import MAX_BYTES, read_metadata
    from audacitorch.trial.starters import worker_starter

    jobs = jobs_for(arguments.audio, arguments.output)
    if not jobs:
        _say(f"There are no audio files in {', '.join(map(str, arguments.audio))}.")
        return 2
    start = worker_starter(arguments.sandbox)
    with ExitStack() as stack:
        repo = stack.enter_context(
            opened_repo(arguments.target, arguments.endpoint, seconds=arguments.download_seconds)
        )
        start = started_early(start, repo.path(MODEL), stack)
        asked = HOSTS if arguments.host == ALL_HOSTS else (host_named(arguments.host),)
        report = check(repo, Options(hosts=asked, static=True), start)  # while the worker imports Torch
        errors = [finding for finding in report.findings if finding.severity == ERROR]
        hosts = [host for host in asked if not any(host in error.hosts for error in errors)]
        for error in errors:
            if any(host in error.hosts for host in asked):
                _say(f"{error.message} ({error.rule})")
        if not hosts:
            return 1
        fields = read_metadata(repo.read(METADATA, MAX_BYTES)).fields
        limits = arguments.timeout, arguments.memory << 20, arguments.sample_format
        shown = () if report.archive is None else tuple(report.archive.operators)
        renderers = [
            stack.enter_context(Renderer(start, repo.path(MODEL), fields, host, *limits, operators=shown))
            for host in hosts
        ]
        if not renderers[0].analyzes:
            renderers = renderers[:1]  # hosts differ in how they read labels, and in nothing that an effect shows
        outputs = stack.enter_context(Outputs(arguments.force))
        try:
            _run_jobs(jobs, renderers, outputs, arguments)
        finally:
            if arguments.json:
                print(json.dumps({"files": [_file_json(job) for job in jobs]}, indent=1))
    failed = len(hosts) < len(asked) or any(rendering.failed for job in jobs for rendering in job.renderings)
    return 2 if any(job.error for job in jobs) else int(failed)


@dataclass
class _Job:
    """One audio file: the folder and the name for its results, and what came of it."""

    audio: Path
    folder: Path
    name: str
    renderings: List[Rendering] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)
    error: str = ""


def jobs_for(audio: Sequence[Path], output: Path) -> List[_Job]:
    """A job for each file, and for each audio file in a folder, whose own folders are kept below ``output``.

    Names are those of the files, numbered where an earlier one goes to the same folder.
    """
    found: List[Tuple[Path, Path]] = []
    for path in audio:
        if path.is_dir():
            found += [(file, output / file.relative_to(path).parent) for file in _audio_in(path, output)]
        else:
            found.append((path, output))
    jobs: List[_Job] = []
    seen: Dict[Tuple[Path, str], int] = {}
    for file, folder in found:
        key = folder, file.stem.lower()
        seen[key] = seen.get(key, 0) + 1
        jobs.append(_Job(file, folder, file.stem if seen[key] == 1 else f"{file.stem}-{seen[key]}"))
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


def _file_json(job: _Job) -> Dict[str, Any]:
    tracks = [rendering.to_json() for rendering in job.renderings]
    return {"audio": str(job.audio), "error": job.error or None, "notes": job.notes, "tracks": tracks}


def _run_jobs(
    jobs: Sequence[_Job], renderers: Sequence[Renderer], outputs: Outputs, arguments: argparse.Namespace
) -> None:
    """All jobs, one after the other; a file that can't be read does not stop the others."""
    from audacitorch.render.audio_file import AudioError
    from audacitorch.render.staging import OutputError

    inputs = [job.audio for job in jobs]
    for number, job in enumerate(jobs):
        try:
            with tempfile.TemporaryDirectory(prefix="audacitorch-") as scratch:
                _run_job(job, renderers, outputs, arguments, inputs, Path(scratch))
            outputs.publish(later=inputs[number + 1 :])
        except OutputError:
            raise
        except AudioError as error:
            outputs.discard_unfinished()
            job.renderings, job.error = [], str(error)
        if not arguments.json:
            _show(job)


def _run_job(
    job: _Job,
    renderers: Sequence[Renderer],
    outputs: Outputs,
    arguments: argparse.Namespace,
    inputs: Sequence[Path],
    scratch: Path,
) -> None:
    """One file through the model, for each host: effects are written, labels where hosts differ each under its name."""
    from audacitorch.render.audio_file import AudioError, open_audio
    from audacitorch.render.results import write_labels

    audio = open_audio(job.audio, scratch)
    job.notes += audio.notes
    try:
        tracks = tracks_of(audio, job.name, arguments.start, arguments.duration)
    except ValueError as error:
        raise AudioError(f"{job.audio} can't be rendered: {error}.") from error
    formats = arguments.output_format, arguments.label_format
    stems = {track.name: _stems(track.name, renderers) for track in tracks}
    for names in stems.values():
        for name in names:
            outputs.claim(renderers[0].paths(name, job.folder, *formats), inputs)
    total = sum(track.seconds for track in tracks) * len(renderers)
    with _progress(job.audio.name, total) as advance:
        for track in tracks:
            made = [each.render(track, job.folder, outputs, arguments.output_format, advance) for each in renderers]
            job.renderings += made
            same = len(made) < 2 or (made[0].complete and made[0].labels == made[1].labels)
            for rendering, stem in zip(
                made[:1] if same else made, stems[track.name] if same else stems[track.name][1:]
            ):
                if rendering.labels is not None:
                    seconds = track.end / audio.rate
                    rendering.written = write_labels(
                        rendering.labels, outputs, job.folder / stem, arguments.label_format, seconds
                    )


def _stems(track: str, renderers: Sequence[Renderer]) -> List[str]:
    """Names for results: the track's, and where several hosts may differ one for each host."""
    return [track, *(f"{track} ({each.host})" for each in renderers if len(renderers) > 1)]


@contextmanager
def _progress(name: str, seconds: float) -> Iterator[Callable[[float], None]]:
    """A bar with the time left, for somebody at a terminal; what it yields takes seconds of audio that are done."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from audacitorch.safetext import visible

    columns = TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(visible(name, 40), total=max(seconds, 1e-9))
        yield lambda done: bar.advance(task, done)


def _show(job: _Job) -> None:
    """The files that were written, what went wrong, and a line that sums up each track."""
    if job.error:
        _say(job.error)
        return
    for note in job.notes:
        _say(f"{job.audio}: {note}")
    several = len(job.renderings) > 1
    for rendering in job.renderings:
        for path in rendering.written:
            print(visible(path))
        for told in [*rendering.notes, *rendering.failures]:
            _say(f"{job.audio}: {told}")
        if rendering.failed > len(rendering.failures):
            _say(f"{job.audio}: {rendering.failed - len(rendering.failures):,} more blocks failed.")
        name = f"{rendering.track.name} ({rendering.host.title})" if several else str(job.audio)
        print(visible(f"{name}: {rendering.summary()}"))


def _say(text: str) -> None:
    print(f"audacitorch: {visible(text)}", file=sys.stderr)


def _time(text: str) -> float:
    """A position in seconds, from 0."""
    with suppress(ValueError):
        if 0 <= float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text} is not a number of seconds from 0")


def _length(text: str) -> float:
    """A length in seconds, above 0."""
    if _time(text) > 0:
        return float(text)
    raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
