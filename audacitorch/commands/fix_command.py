"""`audacitorch fix`: every remedy that a machine can apply to a model repo, shown first, applied on request."""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, Sequence

from audacitorch.commands.options import add_limit_arguments

if TYPE_CHECKING:
    from audacitorch.findings import Finding
    from audacitorch.fix.draft import Draft
    from audacitorch.repo.model_repo import FolderRepo
    from audacitorch.report.model import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `audacitorch fix`."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a model repo")
    answer = parser.add_mutually_exclusive_group()
    answer.add_argument("--dry-run", action="store_true", help="show the changes and write nothing")
    answer.add_argument("--yes", action="store_true", help="write the changes without asking")
    parser.add_argument("--static", action="store_true", help="do not run the model")
    add_limit_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show the changes, apply them when asked to, and check the result: 1 while problems are left."""
    from audacitorch.fix.draft import Draft
    from audacitorch.fix.repair import repair

    with tempfile.TemporaryDirectory(prefix="audacitorch-") as scratch:
        draft = Draft(arguments.folder, Path(scratch))
        left = repair(draft, None if arguments.static else partial(_whole_check, arguments))
        if not draft.done:
            print("There is nothing that a machine can fix.")
            return _summarize(left)
        for line in _shown(draft):
            print(line)
        if arguments.dry_run:
            return _summarize(left)
        if not arguments.yes and not _agreed():
            print("Nothing was written. `--yes` writes the changes.", file=sys.stderr)
            return 1
        draft.apply()
        return _check(draft, arguments)


def _shown(draft: Draft) -> Iterator[str]:
    from audacitorch.safetext import visible, without_commands

    for line in draft.difference():
        yield without_commands(visible(line))
    for sentence in draft.done:
        yield without_commands(f"- {visible(sentence)}")


def _agreed() -> bool:
    """Whether somebody at a terminal says yes; nobody is asked elsewhere."""
    if not (sys.stdin is not None and sys.stdin.isatty()):
        return False
    try:
        return input("Write these changes? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _summarize(left: Sequence[Finding]) -> int:
    """What a static check still finds, a line each; 1 where an error is among it."""
    from audacitorch.findings import ERROR
    from audacitorch.safetext import visible, without_commands

    for finding in left:
        print(without_commands(f"{finding.severity}: {visible(finding.message)} ({finding.rule})"))
    return int(any(finding.severity == ERROR for finding in left))


def _check(draft: Draft, arguments: argparse.Namespace) -> int:
    """Check the folder as it is now; the old model.pt goes when the new one has passed."""
    from audacitorch.repo.model_repo import FolderRepo
    from audacitorch.safetext import visible

    report = _whole_check(arguments, FolderRepo(draft.folder))
    status = report.exit_status
    if status == 0 and not report.static:
        draft.forget_original_model()
    elif draft.model is not None:
        print("The model that was there is kept as model.pt.orig.")
    _summarize(report.findings_in_order)
    for failed in report.could_not_run:
        print(f"audacitorch: {visible(failed.error)}", file=sys.stderr)
    return status


def _whole_check(arguments: argparse.Namespace, repo: FolderRepo) -> Report:
    """A whole check where Torch 1.9.0 or an engine is at hand, a static one where not."""
    from audacitorch.check import Options, check
    from audacitorch.trial.starters import worker_starter

    options = {"timeout_seconds": arguments.timeout, "memory_bytes": arguments.memory << 20}
    return check(repo, Options(static=arguments.static, **options), worker_starter(arguments.sandbox))
