"""`audacitorch run`: real audio through a model, to the tracks or labels that Audacity would show."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import List

from audacitorch.commands.options import add_host_argument, add_limit_arguments
from audacitorch.findings import ERROR
from audacitorch.hosts import host_named
from audacitorch.repo.target import add_target_arguments, opened_repo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `audacitorch run`."""
    add_target_arguments(parser)
    parser.add_argument("audio", nargs="+", type=Path, metavar="AUDIO", help="audio files, mono or stereo")
    parser.add_argument("-o", "--output", type=Path, default=Path(), metavar="DIR", help="default: this folder")
    add_host_argument(parser, "whose labels to show")
    add_limit_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Render every audio file; 1 where the model failed on a block, or is not fit to run at all."""
    from audacitorch.check import Options, check
    from audacitorch.render.renderer import Renderer
    from audacitorch.repo.metadata_file import MAX_BYTES, read_metadata
    from audacitorch.repo.model_repo import METADATA, MODEL
    from audacitorch.report.escape import visible
    from audacitorch.trial.session import worker_starter

    start = worker_starter(arguments.sandbox)
    host = host_named(arguments.host)
    failed = False
    with opened_repo(arguments.target, arguments.endpoint) as repo:
        report = check(repo, Options(hosts=(host,), static=True), start)
        errors = [f for f in report.findings if f.severity == ERROR and host in f.hosts]
        for finding in errors:
            print(f"audacitorch: {visible(finding.message)} ({finding.rule})", file=sys.stderr)
        if errors:
            return 1
        fields = read_metadata(repo.read(METADATA, MAX_BYTES)).fields
        renderer = Renderer(repo.path(MODEL), fields, host, arguments.timeout, arguments.memory << 20)
        for audio, name in zip(arguments.audio, track_names(arguments.audio)):
            with (
                tempfile.TemporaryDirectory(prefix="audacitorch-") as scratch,
                start(scratch, str(repo.path(MODEL))) as worker,
            ):
                rendering = renderer.render(worker, audio, arguments.output, name)
            for path in rendering.written:
                print(visible(path))
            for failure in rendering.failures:
                print(f"audacitorch: {visible(audio)}: {visible(failure)}", file=sys.stderr)
            failed = failed or bool(rendering.failures)
    return int(failed)


def track_names(files: List[Path]) -> List[str]:
    """A name for each file's tracks: that of the file, numbered where an earlier one has it already."""
    names: List[str] = []
    for file in files:
        number = sum(file.stem.lower() == earlier.stem.lower() for earlier in files[: len(names)])
        names.append(f"{file.stem}-{number + 1}" if number else file.stem)
    return names
