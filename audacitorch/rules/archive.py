"""Rules for model.pt as a file: is it a TorchScript archive, is it safe to unpack, can the host read it at all."""

from __future__ import annotations

import re
from typing import Iterator

from audacitorch.archive.values import KNOWN_DTYPES
from audacitorch.facts import MODEL, Archive
from audacitorch.findings import ERROR, FINE, WARNING, Problem
from audacitorch.hosts import HOSTS, only_for
from audacitorch.rules import rule

#: Operators by which code gives tensors a dtype of its own: a model of 64-bit weights may convert its input.
CONVERTING = frozenset(("aten::to", "aten::type_as", "aten::double", "aten::float", "aten::_to_copy"))
_CASTS_HINT = (
    "Convert the model before you export it, model.float(), and take casts such as x.half() out of its forward, which "
    "would still convert the input."
)
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
#: What to do about a file that is something else, by the words that say what it is.
_OTHER_FORMATS = (
    (
        r"web page|JSON text|it is a text|nothing but zeros",
        "This is not the model: download it again by the link that gives the file itself, or export it again.",
    ),
    (r"gzip|tar file|unzip it", "Unpack the file, and use the model.pt that is in it."),
    (
        r"ONNX|safetensors|HDF5|Keras|TensorFlow|ExecuTorch|GGUF|NumPy|torch\.export|mobile",
        "This format can't be turned into TorchScript: load the weights into the PyTorch module that they belong to, "
        "and save that with torch.jit.save(torch.jit.script(model), 'model.pt').",
    ),
    (r"one folder too deep", "Use the file as torch.jit.save wrote it: it is not to be unpacked."),
    (
        r"it has no member",
        "A part of the file was lost when it was packed again: use the file as torch.jit.save wrote it.",
    ),
)


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
        other = next((hint for pattern, hint in _OTHER_FORMATS if re.search(pattern, archive.detail)), None)
        hint = _HINTS.get(archive.kind, other)
        yield Problem(sentence.format(detail=archive.detail), MODEL, hint=hint, details=details)
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
    reason="Paths that leave the archive, duplicate members, zip bombs and inconsistent headers are how archives "
    "attack programs that unpack them, or show one thing to a reader and another to Audacity.",
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
    reason="Torch accepts more than its exporter writes, and interprets some of it in unexpected ways. What such "
    "code does is not known until it runs, so it is refused.",
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
    hint="Use a smaller model, or remove weights that forward does not use.",
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
    reason="Torch 1.9.0 reads the formats 1 to 6 and refuses all others.",
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


@rule(
    title="The model has a forward that takes one tensor",
    reason="Audacity calls forward(x) with one tensor of shape (channels, samples) and nothing else.",
    hint="Wrap the model in a module whose forward(self, x: Tensor) calls it, as audacitorch's wrappers do. Other "
    "arguments that the model needs become attributes, or get defaults.",
    severity=ERROR,
)
def forward_signature(archive: Archive) -> Iterator[Problem]:
    if archive.methods is None:
        return
    details = {"methods": {name: [one.name for one in given] for name, given in archive.methods.items()}}
    parameters = archive.methods.get("forward")
    if parameters is None:
        others = ", ".join(sorted(archive.methods)[:10])
        there = f"its methods are: {others}" if others else "it has no methods at all"
        yield Problem(f"The model has no forward method; {there}.", MODEL, details=details)
        return
    written = ", ".join(f"{one.name}: {one.type}" for one in parameters)
    required = [one for one in parameters if not one.has_default]
    if not parameters:
        yield Problem("The model's forward takes no arguments, expected one tensor.", MODEL, details=details)
    elif len(required) > 1:
        message = (
            f"The model's forward has {len(required)} required arguments, expected one tensor: forward({written})."
        )
        yield Problem(message, MODEL, details=details)
    elif parameters[0].type not in ("Tensor", "Optional[Tensor]", "Any", "?"):
        yield Problem(f"The model's forward takes no tensor: forward({written}).", MODEL, details=details)


@rule(
    title="The weights have a dtype that Torch 1.9.0 can compute with",
    reason="Blocks are 32-bit float. Layers with 16-bit or 64-bit weights fail on them, most operators have no "
    "16-bit version for the CPU, and an archive with tensors of newer dtypes does not load.",
    hint="Convert the model before you export it: model.float().",
    severity=ERROR,
)
def weights_dtype(archive: Archive) -> Iterator[Problem]:
    unknown = sorted(dtype for dtype in archive.dtypes if dtype not in KNOWN_DTYPES)
    if unknown:
        named = ", ".join(dtype.replace("Storage", "") for dtype in unknown)
        hint = "Convert these tensors before you export the model, for instance with x.to(torch.int32)."
        yield Problem(f"The archive holds tensors of types that Torch 1.9.0 lacks: {named}.", MODEL, hint=hint)
    converts = any(call.operator in CONVERTING for call in archive.calls)
    for dtype, title in (("float16", "half"), ("bfloat16", "bfloat16"), ("float64", "double")):
        count = archive.parameter_dtypes.get(dtype, 0)
        if count and not (dtype == "float64" and converts):
            details = {"dtype": dtype, "parameters": count}
            named = dtype if dtype == title else f"{title} ({dtype})"
            remedy = _CASTS_HINT if converts else None
            yield Problem(f"{count:,} of the model's parameters are {named}.", MODEL, hint=remedy, details=details)


@rule(
    title="The model is not quantized",
    reason="Quantized operators need an engine, FBGEMM or QNNPACK, that some machines lack; the model fails there.",
    hint="Export the model before quantization, if its size allows that.",
    severity=WARNING,
)
def quantized(archive: Archive) -> Iterator[Problem]:
    used = sorted({call.operator for call in archive.calls if call.operator.startswith("quantized::")})
    if used:
        more = f" and {len(used) - 3} more" if len(used) > 3 else ""
        message = f"The model is quantized: it calls {', '.join(used[:3])}{more}."
        yield Problem(message, MODEL, details={"operators": used[:50]})
