"""Rules for model.pt as a file: is it a TorchScript archive, is it safe to unpack, can the host read it at all."""

from __future__ import annotations

from typing import Iterator

from audacitorch.facts import Archive
from audacitorch.findings import ERROR, FINE, Problem
from audacitorch.hosts import HOSTS, only_for
from audacitorch.repo.model_repo import MODEL
from audacitorch.rules import rule

_WHY_NOT = {
    "empty": "model.pt is empty.",
    "cut-off": "model.pt is cut off: it begins as a zip archive, but {detail}.",
    "unreadable": "model.pt is a damaged zip archive: {detail}.",
    "torchscript": "model.pt is an incomplete TorchScript archive: {detail}.",
    "zip-without-code": "model.pt is not a TorchScript archive: {detail}.",
}
_HINTS = {
    "empty": "Export the model again, and look at the file before you upload it.",
    "cut-off": "The upload or download stopped early: upload model.pt again and compare the sizes.",
    "unreadable": "Upload model.pt again; if that does not help, export it again.",
    "damaged": "The file changed after it was saved: upload model.pt again; if that does not help, export it again.",
}


@rule(
    title="model.pt is a TorchScript archive",
    reason="Audacity loads model.pt with torch::jit::load, which reads TorchScript archives and nothing else.",
    hint="Script or trace the model and save it: torch.jit.save(torch.jit.script(model), 'model.pt'). "
    "torch.save writes weights or pickled objects, which Audacity can't run.",
    severity=ERROR,
)
def not_torchscript(archive: Archive) -> Iterator[Problem]:
    if archive.kind in ("lfs-pointer", "ambiguous"):
        return
    if archive.kind != "torchscript" or archive.detail:
        sentence = _WHY_NOT.get(archive.kind, "model.pt is not a TorchScript archive: {detail}.")
        details = {"kind": archive.kind, "detail": archive.detail}
        yield Problem(sentence.format(detail=archive.detail), MODEL, hint=_HINTS.get(archive.kind), details=details)
    for problem in archive.code_problems:
        if problem.kind == "damaged":
            details = {"kind": problem.kind, "detail": problem.message}
            yield Problem(f"model.pt is damaged: {problem.message}.", MODEL, hint=_HINTS["damaged"], details=details)


@rule(
    title="model.pt is the model, not a Git LFS pointer",
    reason="A checkout without LFS leaves a small text file that names the model instead of holding it.",
    hint="Run 'git lfs pull', or set 'lfs: true' where the workflow checks the repo out.",
    severity=ERROR,
)
def lfs_pointer(archive: Archive) -> Iterator[Problem]:
    if archive.kind == "lfs-pointer":
        yield Problem("model.pt is a Git LFS pointer, not the model itself.", MODEL)


@rule(
    title="model.pt is safe to unpack",
    reason="Member names that climb out, duplicate members, sizes that explode and odd packing are how archives attack "
    "those who unpack them, and how they show one thing to a reader and another to Audacity.",
    hint="Save the model again with torch.jit.save, which writes none of this.",
    severity=ERROR,
)
def unsafe_archive(archive: Archive) -> Iterator[Problem]:
    for sentence in archive.unsafe:
        yield Problem(sentence, MODEL)
    for problem in archive.code_problems:
        if problem.kind == "too-large":
            yield Problem(f"Not all of the model's code can be read: {problem.message}.", MODEL)


@rule(
    title="The model's code is what PyTorch's exporter writes",
    reason="Torch reads more than its exporter writes, and reads some of it otherwise than anybody would expect. What "
    "such code does can't be told without running it, so it is refused.",
    hint="Save the model again with torch.jit.save, and do not edit the code in the archive.",
    severity=ERROR,
)
def unusual_code(archive: Archive) -> Iterator[Problem]:
    for problem in archive.code_problems:
        if problem.kind == "unusual":
            place = "" if problem.line is None else f" (line {problem.line})"
            details = {} if problem.line is None else {"member_line": problem.line}
            yield Problem(f"PyTorch's exporter does not write this: {problem.message}{place}.", MODEL, details=details)


@rule(
    title="model.pt is smaller than 2 GiB",
    reason="Audacity reads the size that the Hub reports as a 32-bit number: from 2,147,483,648 bytes on, the model "
    "can't be installed.",
    hint="Halve the weights: model.half() needs a forward that works in float32; a smaller model does too.",
    severity=ERROR,
)
def model_too_large(archive: Archive) -> Iterator[Problem]:
    refusing = [host for host in HOSTS if archive.size >= host.size_limit]
    if refusing:
        most = min(host.size_limit for host in refusing) - 1
        message = f"model.pt has {archive.size:,} bytes; Audacity takes at most {most:,}."
        severity = only_for(refusing, ERROR, others=FINE)
        yield Problem(message, MODEL, severity=severity, details={"bytes": archive.size})


@rule(
    title="The archive's format is one that Torch 1.9.0 reads",
    reason="Torch 1.9.0 refuses archives of a format above 6 or below 1, and those whose format is no number.",
    hint="Export the model with Torch 1.9.0, or try 'audacitorch backport', which rewrites what it can.",
    severity=ERROR,
)
def file_format_too_new(archive: Archive) -> Iterator[Problem]:
    version = archive.format_version
    if version is None:
        for problem in archive.code_problems:
            if problem.kind == "version":
                yield Problem(f"The archive's format is unknown: {problem.message}.", MODEL)
        return
    refusing = [host for host in HOSTS if not host.oldest_format <= version <= host.newest_format]
    if refusing:
        one = refusing[0]
        message = (
            f"The archive has format {version}; Torch {one.torch} reads formats {one.oldest_format} to "
            f"{one.newest_format}."
        )
        details = {"format_version": version, "producer": archive.producer}
        yield Problem(message, MODEL, severity=only_for(refusing, ERROR, others=FINE), details=details)
