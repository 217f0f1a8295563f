"""Rules for what the model's code calls: does Torch 1.9.0 know it, does the call fit, does it stay in its process."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Dict, Iterator, List, Optional

from audacitorch.archive import forbidden, schemas
from audacitorch.archive.names import CUSTOM_CLASSES
from audacitorch.facts import MODEL, Archive, Call, Setting, TypeName
from audacitorch.findings import BECAUSE_OF, ERROR, WARNING, Problem
from audacitorch.rules import rule

#: Searching for a near name takes milliseconds; a hostile archive may name thousands.
MAX_NEAREST = 30
_SOX_HINT = (
    "SoX effects can't run in Audacity: write the effect in plain PyTorch, or take it out of the model and tell users "
    "which of Audacity's own effects comes first."
)
NEWER_PRODUCERS = ("PyTorch 1.10 or newer", "PyTorch 2.0 or newer", "PyTorch 2.1 or newer")

_HINT = "Export the model with Torch 1.9.0 (docs/exporting.md), or write that part of it with operators that 1.9.0 has."


def _place(call: Call) -> str:
    return f"{call.file}:{call.line}"


def behind(archive: Archive) -> Dict[str, object]:
    """Which finding explains a call that 1.9.0 does not take: reports show the call below it."""
    return {BECAUSE_OF: "newer-export"} if is_newer(archive) else {}


def is_newer(archive: Archive) -> bool:
    """Whether a PyTorch after 1.9 made the archive, as far as the archive shows it."""
    return archive.producer in NEWER_PRODUCERS


def _details(call: Call, nearest: str = "") -> Dict[str, object]:
    details: Dict[str, object] = {
        "operator": call.operator,
        "member": call.file,
        "member_line": call.line,
        "source": call.source,
    }
    if nearest:
        details["nearest_schema"] = nearest
    return details


def _instead(operator: str, fixes_all: bool) -> Optional[str]:
    """What to do about a call of this operator, where that is known; None leaves it to the rule's own hint."""
    from audacitorch.archive.equivalents import rewritten_operators

    advice = schemas.advice().get(operator)
    if operator not in rewritten_operators():
        return None if advice is None else f"Instead, {advice}."
    likely = "probably all of this model's" if fixes_all else "maybe not all of this model's"
    backport = f"run 'audacitorch backport', which rewrites such calls, {likely}, and names what is left"
    return f"R{backport[1:]}." if advice is None else f"Instead, {advice}; or {backport}."


def _backport_fixes_all(archive: Archive) -> bool:
    """Whether a backport probably fixes every finding of this kind."""
    from audacitorch.archive.equivalents import would_fix

    return would_fix(archive)


def _nearest_operator(operator: str) -> Optional[str]:
    """The operator of 1.9.0 that was probably its forerunner: one with the name as a word in its own, or one alike."""
    space, _, name = operator.partition("::")
    same = [known for known in schemas.operators() if known.startswith(f"{space}::")]
    related = [known for known in same if name in known.partition("::")[2].split("_")]
    related.sort(key=lambda known: (known.startswith(operator), len(known)))  # pad: constant_pad_nd, not pad_sequence
    return next(iter(related or get_close_matches(operator, same, 1, 0.6)), None)


def _is_known(call: Call, archive: Archive) -> bool:
    return schemas.effective(call.operator, archive.format_version) in schemas.operators()


@rule(
    title="Torch 1.9.0 knows every operator that the model calls",
    reason="Audacity ships libtorch 1.9.0. A model with an operator that was added later does not load; most newer "
    "exports crash the whole program, because 1.9.0 can't even build its error message from their debug "
    "files.",
    hint=_HINT,
    severity=ERROR,
)
def unknown_operator(archive: Archive) -> Iterator[Problem]:
    nearest: Dict[str, Optional[str]] = {}
    fixes_all: Optional[bool] = None
    for call in archive.calls:
        if call.operator.partition("::")[0] not in schemas.namespaces() or _is_known(call, archive):
            continue
        if call.operator not in nearest:
            nearest[call.operator] = _nearest_operator(call.operator) if len(nearest) < MAX_NEAREST else None
        near = nearest[call.operator]
        schema = schemas.operators()[near][0] if near else ""
        fixes_all = _backport_fixes_all(archive) if fixes_all is None else fixes_all
        also = f"; the nearest it has is {schema}" if schema else ""
        message = f"{_place(call)}: Torch 1.9.0 has no operator {call.operator}{also}."
        details = {**_details(call, schema), **behind(archive)}
        yield Problem(message, MODEL, hint=_instead(call.operator, fixes_all), details=details)


@rule(
    title="Every call matches a schema of Torch 1.9.0",
    reason="Operators gained arguments after 1.9.0. A model with a call that uses them, or passes other types, does "
    "not load.",
    hint=_HINT,
    severity=ERROR,
)
def operator_arguments(archive: Archive) -> Iterator[Problem]:
    fixes_all: Optional[bool] = None
    for call in archive.calls:
        if call.arguments is None or not call.called or not _is_known(call, archive):
            continue
        match = schemas.match(schemas.effective(call.operator, archive.format_version), call.arguments)
        if match.verdict == 0:
            given = ", ".join(
                f"{argument.keyword}: {argument.type}" if argument.keyword else argument.type
                for argument in call.arguments
            )
            message = (
                f"{_place(call)}: {call.operator}({given}) fits no schema of Torch 1.9.0; "
                f"the nearest is {match.nearest}, but {match.reason}."
            )
            fixes_all = _backport_fixes_all(archive) if fixes_all is None else fixes_all
            details = {**_details(call, match.nearest), **behind(archive)}
            yield Problem(message, MODEL, hint=_instead(call.operator, fixes_all), details=details)


@rule(
    title="The model uses no custom operators",
    reason="Audacity ships libtorch 1.9.0 and nothing else: no torchaudio, no torchvision, no operators of your own. "
    "In Python they seem to work, because importing torchaudio registers them.",
    hint="Write that part in plain PyTorch; torchaudio's lfilter can be a convolution.",
    severity=ERROR,
)
def custom_operator(archive: Archive) -> Iterator[Problem]:
    for call in archive.calls:
        space = call.operator.partition("::")[0]
        if space not in schemas.namespaces():
            message = f"{_place(call)}: {call.operator} is a custom operator; libtorch 1.9.0 has no namespace {space}."
            hint = _SOX_HINT if call.operator.startswith("torchaudio::sox") else None
            yield Problem(message, MODEL, hint=hint, details=_details(call))
    for used in archive.types:
        if used.name.startswith(CUSTOM_CLASSES) and used.name not in schemas.custom_classes():
            message = f"{used.file}:{used.line}: libtorch 1.9.0 has no custom class {used.name[len(CUSTOM_CLASSES) :]}."
            yield Problem(message, MODEL, details=_type_details(used))


@rule(
    title="Torch 1.9.0 knows every type that the model names",
    reason="Annotations may name types that were added after 1.9.0; the model then does not load.",
    hint="Run 'audacitorch backport', which copies a function for each type that it is called with, or annotate with "
    "types that Torch 1.9.0 has.",
    severity=ERROR,
)
def unknown_type(archive: Archive) -> Iterator[Problem]:
    for used in archive.types:
        if "." not in used.name and used.name not in schemas.type_names():
            message = f"{used.file}:{used.line}: Torch 1.9.0 has no type {used.name}."
            yield Problem(message, MODEL, details={**_type_details(used), **behind(archive)})


def _type_details(used: TypeName) -> Dict[str, object]:
    return {"type": used.name, "member": used.file, "member_line": used.line}


@rule(
    title="The model reads and writes no files",
    reason="A model runs with the rights of whoever runs Audacity. Code that opens files or communicates with other "
    "processes can read private data or overwrite it, as soon as the model is loaded.",
    hint="Keep what the model needs in its parameters and buffers.",
    severity=ERROR,
)
def file_access(archive: Archive) -> Iterator[Problem]:
    for call in archive.calls:
        what = forbidden.REACHES_OUT.get(call.operator)
        if what is not None:
            how = "calls" if call.called else "names"
            message = f"{_place(call)}: The code {how} {call.operator}, which {what}."
            yield Problem(message, MODEL, details=_details(call))
    outside = tuple(f"{CUSTOM_CLASSES}{space}." for space in forbidden.REACHES_OUT_CLASSES)
    for used in archive.types:
        if used.name.startswith(outside):
            name = used.name[len(CUSTOM_CLASSES) :]
            message = f"{used.file}:{used.line}: The code uses {name}, which opens files or connections."
            yield Problem(message, MODEL, details=_type_details(used))
    for operator in sorted(set(archive.compiled) - {call.operator for call in archive.calls}):
        what = forbidden.REACHES_OUT.get(operator)
        if what is not None:
            message = f"Torch compiled {operator}, which {what}, from code that does not show it."
            yield Problem(message, MODEL, details={"operator": operator})


def _at(setting: Setting) -> Dict[str, object]:
    return {"member": setting.file, "member_line": setting.line, "source": setting.source}


@rule(
    title="The code names no device but the CPU",
    reason="Audacity runs models on the CPU, and its libtorch has no CUDA: a tensor can't be moved to another device.",
    hint="Make tensors where the input is (device=x.device), and trace the model on the CPU.",
    severity=ERROR,
)
def device_in_code(archive: Archive) -> Iterator[Problem]:
    for setting in archive.settings:
        if setting.kind == "device" and setting.value.partition(":")[0] != "cpu":
            message = f"{setting.file}:{setting.line}: The code uses the device {ascii(setting.value)[:60]}."
            yield Problem(message, MODEL, details=_at(setting))


@rule(
    title="No layer is left in training mode",
    reason="Dropout in training mode changes every result at random, and batch norm takes its statistics from the "
    "block instead of the training set. Audacity calls eval(), which does not reach flags that are in the code.",
    hint="Call model.eval() before you trace, and pass training=self.training to functions such as F.dropout.",
    severity=WARNING,
)
def training_mode(archive: Archive) -> Iterator[Problem]:
    for setting in archive.settings:
        if setting.kind == "training":
            message = (
                f"{setting.file}:{setting.line}: The model calls {setting.value} in training mode, even after eval()."
            )
            yield Problem(message, MODEL, details=_at(setting))


@rule(
    title="Torch 1.9.0 can run what the exporting PyTorch wrote",
    reason="A newer PyTorch writes calls that 1.9.0 does not have. One command rewrites most of them; each call is "
    "listed below this finding.",
    hint="Run: audacitorch backport FOLDER --in-place. It lists what it can't rewrite.",
    severity=ERROR,
)
def newer_export(archive: Archive) -> Iterator[Problem]:
    found = _not_in_1_9_0(archive)
    if found:
        calls = "1 place" if len(found) == 1 else f"{len(found):,} places"
        message = f"The model was exported by {archive.producer}; Torch 1.9.0 can't run what it wrote in {calls}."
        yield Problem(message, MODEL, details={"producer": archive.producer, "places": len(found)})


def explains_the_load(archive: Archive) -> bool:
    """Whether the archive is a newer export with calls that 1.9.0 does not take, of which its load fails."""
    return bool(_not_in_1_9_0(archive))


def _not_in_1_9_0(archive: Archive) -> List[Problem]:
    if not is_newer(archive):
        return []
    return [*unknown_operator(archive), *operator_arguments(archive), *unknown_type(archive)]
