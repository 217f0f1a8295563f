"""`audacitorch backport TARGET`: a TorchScript archive from a newer PyTorch, rewritten for Torch 1.9.0."""

from __future__ import annotations

import argparse
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, Mapping, Optional

from audacitorch.facts import MODEL
from audacitorch.safetext import visible

if TYPE_CHECKING:
    from audacitorch.backport import Backported

#: Findings and differences shown in full; a large model may have hundreds that are alike.
_MOST_SHOWN = 40
#: What a model repo has beside its model, and what goes along with it.
_BESIDE = ("metadata.json", "README.md", ".gitattributes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `audacitorch backport`."""
    parser.add_argument(
        "target", type=Path, metavar="TARGET", help="a TorchScript archive, or the folder of a model repo"
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "-o", "--output", type=Path, metavar="OUT", help="the archive to write; of a model repo, the folder to write"
    )
    where.add_argument(
        "--in-place",
        action="store_true",
        help="replace the model; the original stays as model.pt.orig until the result has run under Torch 1.9.0",
    )
    parser.add_argument("--force", action="store_true", help="overwrite OUT if it exists")
    parser.add_argument(
        "--verify-with",
        metavar="PYTHON",
        help="a Python with the PyTorch that exported the model: compare the original under it with the result",
    )
    parser.add_argument(
        "--exported-by",
        metavar="VERSION",
        help="the PyTorch that exported the model, such as 1.12.1: archives of 1.9 to 1.12 often do not show it",
    )
    parser.add_argument("--no-check", action="store_true", help="do not run the result under Torch 1.9.0")


@dataclass(frozen=True)
class _Paths:
    """The model, where its backport is written, and where it goes from there if it takes the model's place."""

    model: Path
    output: Path
    original: Optional[Path] = None


def run(arguments: argparse.Namespace) -> int:
    """Rewrite the model, say what was done and what differs, and run it: 1 where Torch 1.9.0 can't take the result."""
    from audacitorch.backport import backport

    paths = _paths(arguments)
    result = backport(paths.model, paths.output, arguments.force or arguments.in_place, arguments.exported_by)
    try:
        if arguments.output is not None and arguments.target.is_dir():
            _copy_beside(arguments.target, arguments.output, arguments.force)
        shown = paths.model if arguments.in_place else paths.output
        for line in _lines(result, shown):
            print(line)
        # The original is kept by another name, so that both can be run, and so that nothing is lost on the way.
        source = _put_in_place(paths) if paths.original is not None and result.changed else paths.model
        written = paths.model if paths.original is not None else paths.output
        proved = _prove(source, written, arguments) if not result.remaining else None
    finally:
        if paths.original is not None:
            paths.output.unlink(missing_ok=True)
    if paths.original is not None and paths.original.exists():
        if proved:
            paths.original.unlink()
        else:
            print(f"The model as it was is {visible(paths.original)}: it stays until the result was run.")
    return int(bool(result.remaining) or proved is False)


def _paths(arguments: argparse.Namespace) -> _Paths:
    from audacitorch.backport import BackportError

    target: Path = arguments.target
    model = target / MODEL if target.is_dir() else target
    if not arguments.in_place:
        return _Paths(model, arguments.output / MODEL if target.is_dir() else arguments.output)
    original = model.with_name(f"{model.name}.orig")
    if os.path.lexists(original):
        raise BackportError(f"{original} is there already, from an earlier call: move one of the two away")
    return _Paths(model, model.with_name(f".{model.name}.backport"), original)


def _copy_beside(folder: Path, output: Path, force: bool) -> None:
    from audacitorch.backport import BackportError

    for name in _BESIDE:
        if not (folder / name).is_file() or ((output / name).exists() and (output / name).samefile(folder / name)):
            continue
        if (output / name).exists() and not force:
            raise BackportError(f"{output / name} is there already: --force writes over it")
        shutil.copyfile(folder / name, output / name)


def _put_in_place(paths: _Paths) -> Path:
    """Give the original its other name and the result its own; the original's new path."""
    assert paths.original is not None
    os.link(paths.model, paths.original) if hasattr(os, "link") else shutil.copyfile(paths.model, paths.original)
    os.replace(paths.output, paths.model)
    return paths.original


def _prove(original: Path, written: Path, arguments: argparse.Namespace) -> Optional[bool]:
    """Run the result, and the original where asked: True if all is well, False if not, None if nobody knows."""
    from audacitorch.backport import proof
    from audacitorch.trial.starters import torch_python

    python = None if arguments.no_check else torch_python()
    if python is None:
        why = "--no-check" if arguments.no_check else "Torch 1.9.0 is not installed here"
        print(f"The result was not run ({why}). Now run it: audacitorch check FOLDER")
        return None
    result = proof.run(written, python)
    if result.failure:
        print(f"Torch {result.torch or '1.9.0'} does not run the result: {visible(result.failure)}.")
        return False
    inputs = f"{result.usable} of {len(result.given)} inputs"
    print(f"Run under Torch {result.torch}: it loads, and gives a result for {inputs}.")
    if arguments.verify_with is None:
        if not result.usable:
            print(f"  It raises: {visible(result.given[0].error)}")
        print("The numbers were not compared: --verify-with PYTHON does, with the PyTorch that exported the model.")
        return bool(result.usable) or None
    before = proof.run(original, arguments.verify_with)
    if before.failure or not before.usable:
        reason = before.failure or f"it raises: {before.given[0].error}" if before.given else before.failure
        print(f"PyTorch {before.torch} gives no result to compare with: {visible(reason)}.")
        return None
    print(f"Compared with PyTorch {before.torch}, which gives a result for {before.usable} inputs:")
    return _compare(before, result)


def _compare(before: object, result: object) -> bool:
    from audacitorch.backport import proof

    agree = True
    for one in proof.compare(before, result):  # type: ignore[arg-type]
        kind = "mono" if one.channels == 1 else "stereo"
        numbers = f"RMS of the difference {one.rms:.2g}, greatest {one.greatest:.2g}, peak {one.peak:.2g}"
        verdict = "" if one.agrees else ": DIFFERS"
        print(f"  {kind}, {one.samples:,} sample{'s' * (one.samples != 1)}: {visible(one.clause) or numbers}{verdict}")
        agree = agree and one.agrees
    return agree


def _lines(result: Backported, output: Path) -> Iterator[str]:
    from audacitorch.safetext import without_commands

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
    if result.differences:
        yield f"Results may differ here ({len(result.differences)}):"
        for difference in result.differences[:_MOST_SHOWN]:
            yield without_commands(f"  {visible(difference.message)}")
        if len(result.differences) > _MOST_SHOWN:
            yield f"  and {len(result.differences) - _MOST_SHOWN} more"
    if result.doubtful:
        operators = ", ".join(result.doubtful[:_MOST_SHOWN])
        yield "The archive does not show whether PyTorch 1.9 or one of 1.10 to 1.12 wrote it; 1.9 is assumed."
        yield f"If it is a later one's, add --exported-by VERSION, as these do more there: {visible(operators)}."
    if not result.remaining:
        yield "Torch 1.9.0 knows every operator that is left."
        return
    yield f"Torch 1.9.0 can't take this ({len(result.remaining)}):"
    for found in result.remaining[:_MOST_SHOWN]:
        yield without_commands(f"  {found.rule}: {visible(found.message)}")
        if "audacitorch backport" not in found.hint:  # which was just done
            yield without_commands(f"    {visible(found.hint)}")
    if len(result.remaining) > _MOST_SHOWN:
        yield f"  and {len(result.remaining) - _MOST_SHOWN} more"


def _counted(changes: Mapping[str, int]) -> Iterator[str]:
    for what, count in sorted(changes.items()):
        yield f"  {count:>4} × {visible(what)}"
