"""`audacitorch run`: real audio through a model, to the tracks or labels that Audacity would show."""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Iterator, List, Sequence, Tuple

from audacitorch.commands.options import ALL_HOSTS, add_host_argument, add_limit_arguments, add_target_argument
from audacitorch.hosts import HOSTS, Host, host_named
from audacitorch.hosts.tracks import SAMPLE_FORMATS
from audacitorch.safetext import visible

if TYPE_CHECKING:
    from audacitorch.render import Renderer
    from audacitorch.render.batch import Job, Selection
    from audacitorch.render.staging import Outputs
    from audacitorch.repo.model_repo import FolderRepo
    from audacitorch.report.model import Report
    from audacitorch.trial.starters import WorkerStarter

_TERMINATED = 143
_INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `audacitorch run`."""
    add_target_argument(parser)
    parser.add_argument("audio", nargs="+", type=_path, metavar="AUDIO", help="audio files, or folders of them")
    parser.add_argument(
        "-o", "--output", type=_path, default=Path(), metavar="DIR", help="where to write (default: the current folder)"
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
    parser.add_argument(
        "--report",
        type=_path,
        metavar="FILE",
        help="also check the model, and write the page of `check --report` with the beginning of each file in it, "
        "before and after",
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
    from audacitorch.repo.target import opened_repo
    from audacitorch.trial.starters import worker_starter

    start = worker_starter(arguments.sandbox)
    with ExitStack() as stack:
        repo = stack.enter_context(
            opened_repo(arguments.target, arguments.endpoint, seconds=arguments.download_seconds)
        )
        start = _started(start, repo, stack)  # whatever is imported and read from here on, the worker imports Torch
        from audacitorch.render.batch import jobs_for, run_jobs
        from audacitorch.render.staging import Outputs

        jobs = jobs_for(arguments.audio, arguments.output)
        if not jobs:
            _say(f"There are no audio files in {', '.join(map(str, arguments.audio))}.")
            return 2
        asked = HOSTS if arguments.host == ALL_HOSTS else (host_named(arguments.host),)
        report, hosts = _checked(repo, asked, start)
        outputs = stack.enter_context(Outputs(arguments.force))
        if arguments.report is not None:
            outputs.claim([arguments.report], [job.audio for job in jobs])
        if not hosts:
            _write_page(repo, asked, (), outputs, arguments)
            return 1
        renderers = _renderers(repo, report, hosts, start, arguments, stack)
        try:
            show = (lambda job: None) if arguments.json else _show
            run_jobs(jobs, renderers, outputs, _selection(arguments), _progress, show)
            _write_page(repo, asked, jobs, outputs, arguments)
        finally:
            if arguments.json:
                print(json.dumps({"files": [job.to_json() for job in jobs]}, indent=1))
    failed = len(hosts) < len(asked) or any(rendering.failed for job in jobs for rendering in job.renderings)
    return 2 if any(job.error for job in jobs) else int(failed)


def _started(start: WorkerStarter, repo: FolderRepo, stack: ExitStack) -> WorkerStarter:
    """A starter whose first worker imports Torch already; it loads nothing before the model's files are checked."""
    from audacitorch.facts import MODEL
    from audacitorch.render.conversation import started_early

    return started_early(start, repo.path(MODEL), stack)


def _checked(repo: FolderRepo, asked: Sequence[Host], start: WorkerStarter) -> Tuple[Report, List[Host]]:
    """The report on the model's files, and those of the hosts asked for that run it; the errors of others are said."""
    from audacitorch.check import Options, check
    from audacitorch.findings import ERROR

    report = check(repo, Options(hosts=tuple(asked), static=True), start)
    errors = [finding for finding in report.findings if finding.severity == ERROR]
    for error in errors:
        if any(host in error.hosts for host in asked):
            _say(f"{error.message} ({error.rule})")
    return report, [host for host in asked if not any(host in error.hosts for error in errors)]


def _renderers(
    repo: FolderRepo,
    report: Report,
    hosts: Sequence[Host],
    start: WorkerStarter,
    arguments: argparse.Namespace,
    stack: ExitStack,
) -> List[Renderer]:
    """A renderer for each host that shows something of its own, each loading the model already."""
    from audacitorch.facts import METADATA, MODEL
    from audacitorch.hosts import ANALYZER
    from audacitorch.render import Renderer
    from audacitorch.repo.metadata_file import MAX_BYTES, read_metadata

    fields = read_metadata(repo.read(METADATA, MAX_BYTES)).fields
    limits = arguments.timeout, arguments.memory << 20, arguments.sample_format
    shown = () if report.archive is None else tuple(report.archive.operators)
    if fields["effect_type"] != ANALYZER:
        hosts = hosts[:1]  # they differ in how they read labels, and in nothing that an effect shows
    return [
        stack.enter_context(Renderer(start, repo.path(MODEL), fields, host, *limits, operators=shown)) for host in hosts
    ]


def _write_page(
    repo: FolderRepo, hosts: Sequence[Host], jobs: Sequence[Job], outputs: Outputs, arguments: argparse.Namespace
) -> None:
    """The page of a check of the model, with what was rendered to hear, where one was asked for."""
    if arguments.report is None:
        return
    from audacitorch.check import Options, check
    from audacitorch.hear.clips import clips_of
    from audacitorch.report.formats import render
    from audacitorch.trial.starters import worker_starter

    clips = clips_of(jobs, _selection(arguments), arguments.sample_format)
    limits = {"timeout_seconds": arguments.timeout, "memory_bytes": arguments.memory << 20}
    options = Options(hosts=tuple(hosts), sounds=True, clips=tuple(clips), **limits)
    outputs.write(arguments.report, render(check(repo, options, worker_starter(arguments.sandbox)), "html"))
    if not arguments.json:
        print(visible(arguments.report))


def _selection(arguments: argparse.Namespace) -> Selection:
    from audacitorch.render.batch import Selection

    return Selection(arguments.start, arguments.duration, arguments.output_format, tuple(arguments.label_format))


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


def _show(job: Job) -> None:
    """The files that were written, what went wrong, and a line that sums up each track."""
    if job.error:
        _say(job.error)
        return
    for note in job.notes:
        _say(f"{job.audio}: {note}")
    hosts = {rendering.host.name for rendering in job.renderings}
    tracks = {rendering.track.name for rendering in job.renderings}
    for rendering in job.renderings:
        for path in rendering.written:
            print(visible(path))
        for told in [*rendering.notes, *rendering.failures]:
            _say(f"{job.audio}: {told}")
        if rendering.failed > len(rendering.failures):
            _say(f"{job.audio}: {rendering.failed - len(rendering.failures):,} more blocks failed.")
        name = rendering.track.name if len(tracks) > 1 or len(hosts) > 1 else str(job.audio)
        name += f" ({rendering.host.title})" if len(hosts) > 1 else ""
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


def _path(text: str) -> Path:
    """A path; an empty one, which would be the working folder, is somebody's variable that was not set."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty")
    return Path(text)
