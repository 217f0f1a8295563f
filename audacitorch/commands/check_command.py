"""`audacitorch check`: a model repo, from a folder or from the Hub, to a report and an exit status."""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, List, Optional

from audacitorch.commands.options import (
    ALL_HOSTS,
    add_format_argument,
    add_host_argument,
    add_jobs_argument,
    add_limit_arguments,
    add_target_argument,
)
from audacitorch.errors import AudacitorchError
from audacitorch.hosts import HOSTS, TORCH_VERSION, host_named
from audacitorch.repo.target import opened_repo, repos_below
from audacitorch.safetext import visible

if TYPE_CHECKING:
    from audacitorch.check import Options
    from audacitorch.report.many import Checked
    from audacitorch.report.model import Report
    from audacitorch.trial.plan import Plan
    from audacitorch.trial.process import Worker
    from audacitorch.trial.progress import Seen, Watch
    from audacitorch.trial.protocol import Event

#: How often a log says which pass runs.
_LOG_SECONDS = 20.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `audacitorch check`."""
    from audacitorch.report.formats import FORMATS

    add_target_argument(parser, many=True)
    add_jobs_argument(parser, 1)
    parser.add_argument("--report", type=Path, metavar="DIR", help="write report.json, .md, .html and .sarif there")
    parser.add_argument(
        "--listen", type=Path, metavar="FILE", help="play this audio file in the report's page as well (--report, html)"
    )
    parser.add_argument("--facts", type=Path, metavar="FILE", help="the file that `fetch --facts` wrote for TARGET")
    parser.add_argument(
        "--page-data", type=Path, metavar="FILE", help="write what report.html shows beside report.json, as JSON"
    )
    parser.add_argument(
        "--outputs", type=Path, metavar="FILE", help="add verdict, errors, warnings, for GitHub's steps"
    )
    parser.add_argument("--static", action="store_true", help="do not run the model; takes half a second")
    add_host_argument(parser, "the host whose verdict counts", ALL_HOSTS)
    parser.add_argument("--strict", action="store_true", help="count warnings as errors")
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="RULE",
        help="leave out the findings of this rule; may be repeated",
    )
    add_format_argument(parser, FORMATS)
    add_limit_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the targets, show the report, or a table of many, and return one exit status."""
    from audacitorch.check import Options

    hosts = HOSTS if arguments.host == ALL_HOSTS else (host_named(arguments.host),)
    options = Options(
        hosts=hosts,
        static=arguments.static,
        strict=arguments.strict,
        ignore=tuple(arguments.ignore),
        timeout_seconds=arguments.timeout,
        memory_bytes=arguments.memory << 20,
        sounds=not arguments.static and (arguments.report is not None or arguments.format == "html"),
    )
    if arguments.listen is not None:
        options = _with_clip(options, arguments.listen)
    targets = [found for target in arguments.targets for found in repos_below(target)]
    if arguments.format != "text" and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # what programs read is UTF-8 everywhere
    if targets != arguments.targets or len(targets) > 1:
        return _run_many(targets, options, arguments)
    return _run_one(targets[0], options, arguments)


def _with_clip(options: Options, clip: Path) -> Options:
    """The options with the author's own clip."""
    if not options.sounds:
        raise ReportError("--listen is heard in a report's page: add --report DIR or --format html, without --static")
    from audacitorch.hear.clips import clip_of

    return replace(options, clips=(clip_of(clip),))


def _run_one(target: str, options: Options, arguments: argparse.Namespace) -> int:
    report = _check(target, options, arguments)
    failure = _write(report, target, arguments.report, arguments.outputs)
    failure = _write_page_data(report, arguments.page_data) or failure
    _show(_render(report, target, arguments.format))
    if failure is not None:
        raise failure
    return report.exit_status


def _check(target: str, options: Options, arguments: argparse.Namespace, many: bool = False) -> Report:
    from audacitorch.check import check

    def start(scratch: str, model: str) -> Worker:  # a static check needs none of what starts a worker
        from audacitorch.trial.starters import worker_starter

        return worker_starter(arguments.sandbox, many)(scratch, model)

    with (
        opened_repo(target, arguments.endpoint, arguments.facts, arguments.download_seconds) as repo,
        _progress(not many and not options.static) as watch,
    ):
        return check(repo, options, start, watch)


def _run_many(targets: List[str], options: Options, arguments: argparse.Namespace) -> int:
    """A line of JSON as each model is done, or a table of all; each model's report in a folder of its own."""
    from audacitorch.report import many

    _require_for_many(arguments)
    checked: List[many.Checked] = []
    failure: Optional[ReportError] = None
    for one in _checked(targets, options, arguments):
        checked.append(one)
        if one.report is not None and arguments.report is not None:
            folder = arguments.report / _folder_name(one.target, targets)
            failure = _write(one.report, one.target, folder, None) or failure
        if arguments.format == "json":
            _show(_json_line(one))
        elif arguments.format == "github" and one.report is not None:
            _show(_render(one.report, one.target, "github"))
        if one.error is not None:
            print(f"audacitorch: {visible(one.target)}: {visible(one.error)}", file=sys.stderr)
    if arguments.format == "markdown":
        _show(many.markdown_table(checked))
        for one in checked:
            if one.report is not None:
                _show("\n" + _render(one.report, one.target, "markdown"))
    elif arguments.format == "text":
        _show(many.text_table(checked, shutil.get_terminal_size((120, 24)).columns))
    if failure is not None:
        raise failure
    return many.exit_status(checked)


def _require_for_many(arguments: argparse.Namespace) -> None:
    one = (("--facts", arguments.facts), ("--outputs", arguments.outputs), ("--page-data", arguments.page_data))
    for option, value in one:
        if value is not None:
            raise ReportError(f"{option} is for one target")
    if arguments.format in ("html", "sarif"):
        raise ReportError(f"--format {arguments.format} shows one model: use --report DIR, which writes a page each")


def _checked(targets: List[str], options: Options, arguments: argparse.Namespace) -> Iterator[Checked]:
    """Every target with what came of it, in their order; ``--jobs`` at once."""
    from concurrent.futures import ThreadPoolExecutor

    from audacitorch.report.many import Checked

    def one(target: str) -> Checked:
        try:
            return Checked(target, _check(target, options, arguments, many=True))
        except AudacitorchError as error:
            return Checked(target, error=error)

    if arguments.jobs == 1:
        yield from map(one, targets)
        return
    pool = ThreadPoolExecutor(arguments.jobs)
    try:
        yield from pool.map(one, targets)
    finally:
        pool.shutdown(cancel_futures=True)


def _json_line(one: Checked) -> str:
    """A model's report in one line, with the target that it was asked for by."""
    from audacitorch.report.jsonfile import dumps

    told = {"error": str(one.error), "exit_status": one.exit_status} if one.report is None else one.report.to_json()
    return dumps({"asked": one.target, **told}, indent=None)


def _folder_name(target: str, targets: List[str]) -> str:
    """A name for a target's folder of reports: its last part, or all of it where another ends alike."""
    last = Path(target).name or "model"
    alike = [other for other in targets if (Path(other).name or "model") == last]
    return last if len(alike) == 1 else re.sub(r"[^\w.@-]+", "-", target).strip("-.") or "model"


class ReportError(AudacitorchError):
    """The report can't be written where it was asked for: the call is wrong, whatever the check found."""

    exit_status = 2


def _show(rendered: str) -> None:
    try:
        sys.stdout.write(rendered)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        raise
    except OSError as error:
        # What is left in the buffer would fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ReportError(f"the report can't be written to standard output: {error.strerror or error}") from error


def _write_page_data(report: Report, file: Optional[Path]) -> Optional[ReportError]:
    """Write what `python -m audacitorch.report --page-data` reads."""
    if file is None:
        return None
    from audacitorch.files import write_atomically
    from audacitorch.hear import page_data

    try:
        write_atomically(file, page_data.dumps(report.heard, dict(report.excerpts)))
    except (OSError, ValueError) as error:
        return ReportError(f"the page's data can't be written to {file}: {getattr(error, 'strerror', None) or error}")
    return None


def _write(report: Report, target: str, folder: Optional[Path], outputs: Optional[Path]) -> Optional[ReportError]:
    """Write the files that were asked for; what went wrong is told after the report was shown."""
    from audacitorch.report.formats import checkout_folder, write_outputs, write_reports

    place = folder
    try:
        if folder is not None:
            write_reports(report, folder, model_folder=checkout_folder(target))
        place = outputs
        if outputs is not None:
            write_outputs(report, outputs)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        return ReportError(f"the report can't be written to {place}: {getattr(error, 'strerror', None) or error}")
    return None


@contextmanager
def _progress(shown: bool) -> Iterator[Watch]:
    """Show which pass runs and what is left: at a terminal in one line, in a log now and then, once that takes long."""
    terminal = sys.stderr.isatty()

    def watch(plan: Plan) -> Seen:
        from audacitorch.trial.progress import PassProgress

        if shown and terminal:
            _write_line(f"Running the model in Torch {TORCH_VERSION}", terminal)
        import rich.console  # noqa: F401  # imported now, while there is time

        progress, last = PassProgress(plan), time.monotonic()

        def seen(event: Event) -> None:
            nonlocal last
            text = progress.text(event)
            if text is not None and shown and (terminal or time.monotonic() - last >= _LOG_SECONDS):
                last = time.monotonic()
                _write_line(text, terminal)

        return seen

    yield watch
    if shown and terminal:
        sys.stderr.write("\r\x1b[K")


def _write_line(text: str, terminal: bool) -> None:
    sys.stderr.write(f"\r\x1b[K{text} …" if terminal else f"{text}.\n")
    sys.stderr.flush()


def _render(report: Report, target: str, name: str) -> str:
    """The report in the format that was asked for."""
    if name == "text":
        from audacitorch.report.text import render_for

        return render_for(report, sys.stdout)
    from audacitorch.report.formats import checkout_folder, render

    return render(report, name, checkout_folder(target))
