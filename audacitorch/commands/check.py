"""`audacitorch check`: a model repo, from a folder or from the Hub, to a report and an exit status."""

from __future__ import annotations

import argparse
import io
import os
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Iterator, Optional

from audacitorch.commands.options import (
    ALL_HOSTS,
    add_format_argument,
    add_host_argument,
    add_limit_arguments,
    add_target_argument,
)
from audacitorch.errors import AudacitorchError
from audacitorch.hosts import HOSTS, host_named
from audacitorch.repo.target import opened_repo

if TYPE_CHECKING:
    from audacitorch.report.model import Report

FORMATS = ("text", "json", "markdown", "html", "github", "sarif")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `audacitorch check`."""
    add_target_argument(parser)
    parser.add_argument("--report", type=Path, metavar="DIR", help="write report.json, .md, .html and .sarif there")
    parser.add_argument("--facts", type=Path, metavar="FILE", help="TARGET was fetched: what `fetch --facts` wrote")
    parser.add_argument(
        "--outputs", type=Path, metavar="FILE", help="add verdict, errors, warnings, for GitHub's steps"
    )
    parser.add_argument("--static", action="store_true", help="do not run the model: files alone, in half a second")
    add_host_argument(parser, "whose verdict counts", ALL_HOSTS)
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")
    parser.add_argument("--ignore", action="append", default=[], metavar="RULE", help="leave out what this rule finds")
    add_format_argument(parser, FORMATS)
    add_limit_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the target, show the report, and return its exit status."""
    from audacitorch.check import Options, check
    from audacitorch.trial.session import worker_starter

    hosts = HOSTS if arguments.host == ALL_HOSTS else (host_named(arguments.host),)
    options = Options(
        hosts=hosts,
        static=arguments.static,
        strict=arguments.strict,
        ignore=tuple(arguments.ignore),
        timeout_seconds=arguments.timeout,
        memory_bytes=arguments.memory << 20,
    )
    with (
        opened_repo(arguments.target, arguments.endpoint, arguments.facts) as repo,
        _progress(options.static) as meanwhile,
    ):
        report = check(repo, options, worker_starter(arguments.sandbox), meanwhile)
    failure = _write(report, arguments)
    if arguments.format != "text" and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # what programs read is UTF-8 everywhere
    _show(_render(report, arguments))
    if failure is not None:
        raise failure
    return report.exit_status


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


def _write(report: Report, arguments: argparse.Namespace) -> Optional[ReportError]:
    """Write the files that were asked for; what went wrong is told after the report was shown."""
    from audacitorch.report.outputs import write_outputs
    from audacitorch.report.write import write_reports

    place = arguments.report
    try:
        if place is not None:
            write_reports(report, place, checkout_folder=_checkout_folder(arguments.target))
        place = arguments.outputs
        if place is not None:
            write_outputs(report, place)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        return ReportError(f"the report can't be written to {place}: {getattr(error, 'strerror', None) or error}")
    return None


def _checkout_folder(target: str) -> str:
    """The model's folder below the checkout's root, where the command is run from that root."""
    return "" if target == "." else target


@contextmanager
def _progress(static: bool) -> Iterator[Callable[[], None]]:
    """Tell somebody at a terminal what is going on; what it yields is to be called while the worker is busy."""
    told = sys.stderr.isatty() and not static

    def meanwhile() -> None:
        if told:
            sys.stderr.write("Running the model in Torch 1.9.0 …")
            sys.stderr.flush()
        import rich.console  # noqa: F401  # imported now, while there is time

    yield meanwhile
    if told:
        sys.stderr.write("\r\x1b[K")


def _render(report: Report, arguments: argparse.Namespace) -> str:
    """The report in the format that was asked for."""
    if arguments.format == "text":
        from audacitorch.report.text import render_for

        return render_for(report, sys.stdout)
    if arguments.format == "github":
        from audacitorch.report.annotations import render

        return render(report, folder=_checkout_folder(arguments.target))
    module = {"json": "jsonfile", "markdown": "markdown", "html": "html", "sarif": "sarif"}[arguments.format]
    rendered: str = import_module(f"audacitorch.report.{module}").render(report)
    return rendered
