"""From one archive to another: read, plan, write beside the output, judge what was written, put it in its place."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Dict, Iterator, List, Mapping, Optional, Tuple

from audacitorch.archive import read_archive
from audacitorch.archive.layout import NotAZip, read_layout
from audacitorch.archive.members import Member, MemberError
from audacitorch.backport.changes import Plan, Unreadable, make_plan, summary
from audacitorch.backport.exporter import Exporter, of_version
from audacitorch.backport.writer import ZipWriter
from audacitorch.errors import AudacitorchError
from audacitorch.facts import Archive, Facts, Repo, Unavailable
from audacitorch.files import replacing
from audacitorch.findings import ERROR, Finding
from audacitorch.hosts import DEFAULT_HOST

#: Rules about what a model is for Audacity, not about what Torch 1.9.0 takes.
_ABOUT_MODELS = ("forward-signature", "device-in-code", "training-mode")
#: Problems with code that leave something unseen: such an archive is not rewritten.
_DTYPE_HINT = "Convert the tensors before you export the model, for instance with x.to(torch.int32)."
_UNSEEN = ("damaged", "too-large", "unusual")


class BackportError(AudacitorchError):
    """The model can't be read, is not safe to read, or the output can't be written. Nothing was written."""

    exit_status = 2


@dataclass(frozen=True)
class Difference:
    """Where a call's results may not be those of the newer PyTorch: the code member, the line and how."""

    file: str
    line: Optional[int]
    message: str


@dataclass(frozen=True)
class Backported:
    """What was done, each with its count, and what Torch 1.9.0 will not take all the same.

    ``raising``: calls without an equivalent, in branches, that now raise an error where they are reached. ``doubtful``:
    operators that do more, or something else, in PyTorch 1.10 to 1.12, in an archive that does not show whether one of
    these or 1.9 wrote it; it was taken for one of 1.9.
    """

    changed: bool
    producer: Optional[str]
    done: Mapping[str, int]
    raising: Mapping[str, int]
    remaining: Tuple[Finding, ...]
    differences: Tuple[Difference, ...] = ()
    doubtful: Tuple[str, ...] = ()


def backport(model: Path, output: Path, force: bool = False, exported_by: Optional[str] = None) -> Backported:
    """Write ``model`` to ``output`` as an archive for Torch 1.9.0; a byte for byte copy where there is nothing to do.

    ``exported_by`` is the version of the PyTorch that wrote the model, such as ``1.12.1``; archives of 1.9 to 1.12 do
    not always show it.

    Raises:
        BackportError: the model is not a TorchScript archive, is unsafe or too large, or can't be read; the output is
            the model itself, is there already without ``force``, or can't be written.
        UnknownVersion: ``exported_by`` is not a version.
    """
    exporter = of_version(exported_by) if exported_by is not None else None
    _require_writable(model, output, force)
    try:
        if model.is_dir():
            raise BackportError(f"{model} is a folder: name the model.pt in it")
        if not stat.S_ISREG(model.stat().st_mode):  # opening a pipe would wait for its other end
            raise BackportError(f"{model} is no file")
        with model.open("rb") as file:
            return _convert(file, os.fstat(file.fileno()).st_size, model, output, exporter)
    except OSError as error:
        raise BackportError(f"{error.filename or model}: {error.strerror or error}") from error


def _require_writable(model: Path, output: Path, force: bool) -> None:
    try:
        if output.is_dir():
            raise BackportError(f"{output} is a folder: name the file to write")
        if output.parent.exists() and not output.parent.is_dir():
            raise BackportError(f"{output.parent} is not a folder")
        if output.exists() and model.exists() and output.samefile(model):
            raise BackportError("the output is the model itself: name another file")
        if not force and os.path.lexists(output):
            raise BackportError(f"{output} is there already: --force writes over it")
    except (OSError, ValueError) as error:
        raise BackportError(f"{output}: {error}") from error


def _convert(file: BinaryIO, size: int, model: Path, output: Path, exporter: Optional[Exporter]) -> Backported:
    archive = read_archive(file, size)
    _require_safe(archive, model)
    try:
        members = read_layout(file, size).members
        plan = make_plan(file, archive, members, exporter)
        made = [folder for folder in (output.parent, *output.parent.parents) if not folder.exists()]
        output.parent.mkdir(parents=True, exist_ok=True)
        try:
            with replacing(output) as written:
                _write(file, members, plan, written)
                written.flush()
                judged = _judge(Path(written.name), plan)
                remaining = (*judged, *_refused(plan, any(found.rule == "weights-dtype" for found in judged)))
        except BaseException:
            for folder in made:
                folder.rmdir()
            raise
    except (MemberError, NotAZip, Unreadable) as error:
        raise BackportError(f"{model} can't be read: {error}") from error
    done = summary(plan, archive.format_version) if plan.changes else {}
    doubtful = tuple(sorted(plan.rewritten.doubtful))
    return Backported(
        plan.changes, archive.producer, done, plan.rewritten.raising, remaining, _differences(plan), doubtful
    )


def _place(plan: Plan, name: str, line: int) -> str:
    return f"{name[len(plan.top) :]}:{line}"


def _refused(plan: Plan, weights_told: bool) -> Iterator[Finding]:
    """Dtypes that no rule about archives looks at: those that the code asks for, and those of constants."""
    for name, remark in plan.rewritten.remarks:
        if remark.refused:
            message = f"{_place(plan, name, remark.line)}: {remark.operator} is called {remark.clause}."
            yield Finding("unknown-dtype", ERROR, (DEFAULT_HOST,), message, _DTYPE_HINT, "model.pt")
    for name, dtypes in plan.unknown_dtypes.items() if not weights_told else ():
        message = f"{name} holds tensors of {', '.join(dtypes)}, which Torch 1.9.0 has no storage for."
        yield Finding("unknown-dtype", ERROR, (DEFAULT_HOST,), message, _DTYPE_HINT, "model.pt")


def _differences(plan: Plan) -> Tuple[Difference, ...]:
    found: Dict[str, Difference] = {}
    for name, remark in plan.rewritten.remarks:
        if not remark.refused:
            message = f"{_place(plan, name, remark.line)}: {remark.operator} differs {remark.clause}."
            found[message] = Difference(name[len(plan.top) :], remark.line, message)
    for name, dtypes in plan.narrow_dtypes.items():
        message = f"{name} holds tensors of {', '.join(dtypes)}, for which Torch 1.9.0 lacks most operators on a CPU."
        found[message] = Difference(name, None, message)
    return tuple(found.values())


def _require_safe(archive: Archive, model: Path) -> None:
    """Refuse what a check would not even run."""
    if archive.kind == "lfs-pointer":
        raise BackportError(f"{model} is a Git LFS pointer, not the model: run 'git lfs pull'")
    if archive.kind != "torchscript":
        raise BackportError(f"{model} is not a TorchScript archive: {archive.detail}")
    unseen = [problem.message for problem in archive.code_problems if problem.kind in _UNSEEN]
    for sentence in (*archive.unsafe, *unseen):
        raise BackportError(f"{model} can't be rewritten: {sentence}")
    if archive.size >= DEFAULT_HOST.size_limit:
        raise BackportError(
            f"{model} has {archive.size:,} bytes; Audacity takes at most {DEFAULT_HOST.size_limit - 1:,}"
        )


def _write(file: BinaryIO, members: List[Member], plan: Plan, written: BinaryIO) -> None:
    if not plan.changes:
        file.seek(0)
        shutil.copyfileobj(file, written, 1 << 20)
        return
    writer = ZipWriter(written)
    top = members[0].name.partition("/")[0].lower() + "/"
    # The folder of the first member is the archive's: what lies elsewhere must not come to be the first.
    for member in sorted(members, key=lambda one: not one.name.lower().startswith(top)):
        if member.name in plan.left_out:
            continue
        if member.name in plan.contents:
            writer.add(member.name, plan.contents[member.name])
        else:
            writer.copy(file, member)
    for name, content in plan.added.items():
        writer.add(name, content)
    writer.finish()


def _judge(path: Path, plan: Plan) -> Tuple[Finding, ...]:
    """What the rules about archives have against the result."""
    from audacitorch.rules import all_rules
    from audacitorch.rules.runner import Outcome, run_rules

    with path.open("rb") as file:
        archive = read_archive(file, path.stat().st_size)
    missing = Unavailable("only the archive is looked at")
    facts = Facts(Repo(source="folder"), missing, missing, archive, missing)
    outcome = Outcome()
    run_rules(
        [rule for rule in all_rules().values() if set(rule.needs) == {"archive"} and rule.name not in _ABOUT_MODELS],
        facts,
        outcome,
    )
    errors = [found for found in outcome.findings if found.severity == ERROR and DEFAULT_HOST in found.hosts]
    if outcome.could_not_run:
        raise RuntimeError(f"a rule could not run: {outcome.could_not_run[0]}")
    big = [_big_endian()] if plan.big_endian else []
    return (*sorted(errors, key=lambda found: found.sort_key), *big)


def _big_endian() -> Finding:
    message = "Its tensors are stored with the highest byte first, which Torch 1.9.0 takes for something else."
    return Finding(
        "byte-order", ERROR, (DEFAULT_HOST,), message, "Export the model again on a usual machine.", "model.pt"
    )
