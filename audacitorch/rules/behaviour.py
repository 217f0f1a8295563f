"""Rules about what forward does with blocks: which of them it takes, and whether its results follow them."""

from __future__ import annotations

import re
from typing import Dict, Iterator, List, Optional, Set, Tuple

from audacitorch.facts import MODEL, Archive, Metadata
from audacitorch.findings import ERROR, WARNING, Problem
from audacitorch.hosts import ANALYZER
from audacitorch.rules import rule
from audacitorch.rules.causes import blame, cause_of, common_cause, raised, told
from audacitorch.rules.operators import is_newer
from audacitorch.trial.observations import (
    Failure,
    Pass,
    Trial,
    failed_by_itself,
    fails_only_on_mono,
    fails_only_on_stereo,
    list_of_places,
    where,
)

#: What these find is why every block fails: one cause, one error. The trial's facts keep the exceptions.
_REASONS_TO_FAIL = ("load-error", "aborts-host", "forward-signature", "device-in-code", "weights-dtype")


@rule(
    title="forward runs on every block",
    reason="When forward raises, Audacity shows an error box. An effect continues with silence in place of the "
    "block; an analyzer draws no labels at all, not even those of the good blocks.",
    hint="The stack below names the line of the model's code. Try the same input with the saved file.",
    severity=ERROR,
    after=_REASONS_TO_FAIL,
)
def forward_error(trial: Trial, archive: Archive) -> Iterator[Problem]:
    for passes in _by_text([done for done in trial.passes if failed_by_itself(trial, done)]):
        failure = _failure(passes[0])
        kind, said = raised(failure.type, failure.message)
        message = f"`forward` raised {kind} on {list_of_places(passes)}: {said}"
        cause = common_cause([_failure(done).message for done in passes])
        hint = cause.hint if cause else None
        if cause is not None and cause.name == "no-batch" and is_newer(archive):
            hint = f"{_UNBATCHED_HINT} {cause.hint}"
        if trial.multiple_samples is not None:
            message += f" Longer blocks work only as a multiple of {trial.multiple_samples:,} samples."
            hint = _multiple_hint(trial.multiple_samples)
        line = blame(failure.message)
        details = {"error": failure.message, "passes": [where(done) for done in passes], **line.details}
        details["cause"] = cause.name if cause else None
        yield Problem(message, MODEL, hint=hint, details=details, origin=line.origin)


#: Newer layers take what 1.9.0 refuses, and the same archive ran where it was made.
_UNBATCHED_HINT = (
    "Layers take inputs without a batch dimension since PyTorch 1.11 only. Run `audacitorch backport FOLDER "
    "--in-place`, which adds it, or do it by hand."
)


def _multiple_hint(samples: int) -> str:
    return (
        f"The last block of a clip can have any length. Pad the block to the next multiple of {samples:,} and cut the "
        f"output back: `n = x.shape[1]; x = torch.nn.functional.pad(x, (0, -n % {samples}))`, then `output[:, :n]`."
    )


@rule(
    title="A multichannel model accepts stereo",
    reason="With `multichannel: true` Audacity passes stereo tracks as (2, samples), mono tracks as (1, samples).",
    hint='Handle both one and two channels in forward, or set "multichannel": false to get one channel always.',
    severity=ERROR,
    after=("load-error", "aborts-host"),
)
def fails_on_stereo(trial: Trial) -> Iterator[Problem]:
    yield from _fails_on("stereo", [done for done in trial.passes if fails_only_on_stereo(trial, done)])


@rule(
    title="A multichannel model accepts mono",
    reason="With `multichannel: true` Audacity passes mono tracks as (1, samples), stereo tracks as (2, samples).",
    hint="Repeat the channel of a mono block: `if x.shape[0] == 1: x = x.repeat(2, 1)` at the start of forward.",
    severity=ERROR,
    after=("load-error", "aborts-host"),
)
def fails_on_mono(trial: Trial) -> Iterator[Problem]:
    yield from _fails_on("mono", [done for done in trial.passes if fails_only_on_mono(trial, done)])


def _fails_on(kind: str, failed: List[Pass]) -> Iterator[Problem]:
    if failed:
        failure, shape = _failure(failed[0]), (failed[0].channels, failed[0].samples)
        message = f"A {kind} block of shape {shape} failed: {raised(failure.type, failure.message)[1]}"
        line = blame(failure.message)
        yield Problem(message, MODEL, details={"error": failure.message, **line.details}, origin=line.origin)


_SILENT_HINT = "Check that the weights were saved, and in which range the model expects its input."


@rule(
    title="The output depends on the input",
    reason="A trace records the branches that its example took and the values that Python computed. Such a model "
    "returns the same result for every input.",
    hint="Use torch.jit.script for code whose control flow depends on values, and check that the saved file gives "
    "different results for different inputs.",
    severity=ERROR,
    after=("output-type", "timestamps-unit"),
)
def ignores_input(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    if trial.ignores_input:
        analyzer = metadata.fields.get("effect_type") == ANALYZER
        silent = not analyzer and all(_is_silent(done) for done in trial.passes if done.output)
        what = "silence" if silent else "the same labels" if analyzer else "the same output"
        message = f"Noise, silence, a tone and an impulse all gave {what}."
        hint = _SILENT_HINT if silent else None
        yield Problem(message, MODEL, hint=hint, severity=ERROR if analyzer else WARNING)


def _is_silent(done: Pass) -> bool:
    return (
        all((tensor.minimum, tensor.maximum) == (0.0, 0.0) for tensor in done.output.tensors) if done.output else True
    )


@rule(
    title="Memory does not grow from block to block",
    reason="Audacity keeps the model loaded between blocks and files. What each pass adds to its attributes is never "
    "freed, so that a long recording runs out of memory.",
    hint="Do not append to lists or tensors of self in forward; start each pass with local variables.",
    severity=WARNING,
)
def memory_grows(trial: Trial) -> Iterator[Problem]:
    if trial.kept_bytes:
        message = f"After each pass over a short block the model keeps {trial.kept_bytes:,} bytes more."
        yield Problem(message, MODEL, details={"bytes": trial.kept_bytes})


def _failure(done: Pass) -> Failure:
    assert done.failure is not None
    return done.failure


def _by_text(passes: List[Pass]) -> List[List[Pass]]:
    """Passes that failed in the same way, together: numbers in a message do not make it another one."""
    groups: Dict[Tuple[str, str], List[Pass]] = {}
    for done in passes:
        failure = _failure(done)
        groups.setdefault((failure.type, re.sub(r"\d+", "#", told(failure.message))), []).append(done)
    causes: Set[Optional[str]] = set()
    kept = []
    for group in groups.values():  # one fault can have two texts: an optimized graph fails elsewhere
        cause = cause_of(_failure(group[0]).message)
        if cause is None or cause.name not in causes:
            kept.append(group)
            causes.add(cause.name if cause else None)
    return kept
