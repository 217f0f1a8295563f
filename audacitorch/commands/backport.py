"""`audacitorch backport MODEL -o OUT`: a TorchScript archive from a newer PyTorch, rewritten for Torch 1.9.0."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, Mapping

if TYPE_CHECKING:
    from audacitorch.backport import Backported

#: Findings shown in full; a large model may have hundreds that are alike.
_MOST_SHOWN = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `audacitorch backport`."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="a TorchScript archive; it is read and not run")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="the archive to write")
    parser.add_argument("--force", action="store_true", help="write over OUT if it is there")


def run(arguments: argparse.Namespace) -> int:
    """Rewrite the model, say what was done, and list what Torch 1.9.0 still can't take: 1 if there is any of it."""
    from audacitorch.backport import backport

    result = backport(arguments.model, arguments.output, arguments.force)
    for line in _lines(result, arguments.output):
        print(line)
    return int(bool(result.remaining))


def _lines(result: Backported, output: Path) -> Iterator[str]:
    from audacitorch.report.escape import visible, without_commands

    shown = visible(output)
    origin = f" It is from {result.producer}." if result.producer else ""
    if not result.changed:
        yield without_commands(f"There is nothing to do for Torch 1.9.0: {shown} is a copy.{origin}")
    else:
        yield without_commands(f"Rewritten for Torch 1.9.0: {shown}.{origin}")
        yield from _counted(result.done)
    if result.raising:
        yield "Torch 1.9.0 has nothing like these, which stand in branches that many models never enter:"
        yield from _counted(result.raising)
    if not result.remaining:
        yield "Torch 1.9.0 knows all that is left. Now run it: audacitorch check FOLDER"
        return
    yield f"Torch 1.9.0 can't take this ({len(result.remaining)}):"
    for found in result.remaining[:_MOST_SHOWN]:
        yield without_commands(f"  {found.rule}: {visible(found.message)}")
        if "audacitorch backport" not in found.hint:  # which was just done
            yield without_commands(f"    {visible(found.hint)}")
    if len(result.remaining) > _MOST_SHOWN:
        yield f"  and {len(result.remaining) - _MOST_SHOWN} more"


def _counted(changes: Mapping[str, int]) -> Iterator[str]:
    from audacitorch.report.escape import visible

    for what, count in sorted(changes.items()):
        yield f"  {count:>4} × {visible(what)}"
