"""Rules about how the trial went: loading, running, ending, speed."""

from __future__ import annotations

import re
from typing import Iterator, List

from audacitorch.findings import ERROR, WARNING, Problem
from audacitorch.rules import rule
from audacitorch.trial.observations import (
    EXCEPTION,
    MEMORY,
    SIGNAL,
    TIMEOUT,
    Pass,
    Trial,
    failed_by_itself,
    fails_only_on_stereo,
    where,
)

MODEL = "model.pt"
#: A model that is slower than this many seconds for each second of audio keeps its user waiting longer than it plays.
_REAL_TIME = 1.0
#: A last block as short as this is common; needing more makes clips fail that people would call long.
_SHORT_BLOCK = 2048
#: What these find in the file is why it does not load: one cause, one error. The trial's facts keep the exception.
_REASONS_NOT_TO_LOAD = (
    "file-format-too-new",
    "unknown-operator",
    "operator-arguments",
    "custom-operator",
    "unknown-type",
)
_LONGEST_TRACE = 6000


@rule(
    title="Loading and running must not end the process",
    reason="Audacity runs models in its own process: one that ends it closes Audacity, with the user's work. Most "
    "models that a newer PyTorch exported do so, because Torch 1.9.0 can't read their debug information and "
    "gives up while it builds the error's text.",
    hint="Export the model again under Torch 1.9.0 (pip install torch==1.9.0), or try `audacitorch backport`.",
    severity=ERROR,
)
def aborts_host(trial: Trial) -> Iterator[Problem]:
    if trial.ended != SIGNAL:
        return
    doing = "loading the model" if trial.stage == "load" else "a forward pass"
    place = "" if trial.unfinished is None else f" ({where(trial.unfinished)})"
    message = f"{doing}{place} ended the process with {trial.signal}: Audacity would close."
    if trial.hidden_error:
        message += f" The error behind it: {_first_lines(trial.hidden_error)}"
    details = {"signal": trial.signal, "stage": trial.stage, "native_message": trial.native_message}
    yield Problem(message, MODEL, details={**details, "error": trial.hidden_error})


@rule(
    title="The model must load",
    reason="Audacity loads model.pt with libtorch 1.9.0 alone: no Python, no torchaudio, no operators of your own.",
    hint="Load the saved file in a fresh Python with Torch 1.9.0 that has imported nothing but torch.",
    severity=ERROR,
    after=_REASONS_NOT_TO_LOAD,
)
def load_error(trial: Trial) -> Iterator[Problem]:
    if trial.ended == EXCEPTION and trial.load_failure is not None:
        message = f"torch.jit.load raised {trial.load_failure.type}: {_first_lines(trial.load_failure.message)}"
        yield Problem(message, MODEL, details={"error": trial.load_failure.message})


@rule(
    title="Every block must go through forward",
    reason="Where forward raises, Audacity shows an error box and puts silence in place of the block.",
    hint="The stack below names the line of the model's TorchScript code. Try the same input with the saved file.",
    severity=ERROR,
    after=("load-error", "aborts-host"),
)
def forward_error(trial: Trial) -> Iterator[Problem]:
    failed = [done for done in trial.passes if failed_by_itself(trial, done)]
    for message, passes in _by_message(failed):
        failure = passes[0].failure
        assert failure is not None
        problem = f"forward raised {failure.type} on {_list_of_places(passes)}: {_first_lines(message)}"
        details = {"error": failure.message, "passes": [where(done) for done in passes]}
        yield Problem(problem, MODEL, details=details)


@rule(
    title="The trial must end in time",
    reason="Audacity waits without limit: a model that does not return hangs the effect until its user ends Audacity.",
    hint="Look for a loop that does not end; for a model that is only slow, raise --timeout.",
    severity=ERROR,
)
def timeout(trial: Trial) -> Iterator[Problem]:
    if trial.ended == TIMEOUT:
        doing = "loading" if trial.unfinished is None else where(trial.unfinished)
        yield Problem(f"{doing} was {trial.reason}.", MODEL, details={"stage": trial.stage})


@rule(
    title="Memory must suffice",
    reason="A model that asks for more memory than there is ends Audacity, or makes the whole machine crawl.",
    hint="Work on the block in chunks inside forward; for a model that really needs more, raise --memory.",
    severity=ERROR,
)
def out_of_memory(trial: Trial) -> Iterator[Problem]:
    if trial.ended == MEMORY:
        doing = "loading" if trial.unfinished is None else where(trial.unfinished)
        yield Problem(f"{doing} ran out of memory: {trial.reason or 'the limit was reached'}.", MODEL)
        return
    lacking = [done for done in trial.passes if done.failure is not None and done.failure.memory]
    if lacking:
        failure = lacking[0].failure
        details = {"error": failure.message if failure else "", "passes": [where(done) for done in lacking]}
        yield Problem(f"{_list_of_places(lacking)} ran out of memory.", MODEL, details=details)


@rule(
    title="A multichannel model must take stereo",
    reason="With `multichannel: true` Audacity hands over stereo tracks as (2, samples), mono tracks as (1, samples).",
    hint='Handle both one and two channels in forward, or set "multichannel": false to get one channel always.',
    severity=ERROR,
    after=("load-error", "aborts-host"),
)
def fails_on_stereo(trial: Trial) -> Iterator[Problem]:
    failed = [done for done in trial.passes if fails_only_on_stereo(trial, done)]
    if failed and failed[0].failure is not None:
        failure = failed[0].failure
        message = f"a stereo block of shape (2, {failed[0].samples}) failed: {_first_lines(failure.message)}"
        yield Problem(message, MODEL, details={"error": failure.message})


@rule(
    title="Short blocks must work",
    reason="The last block of a clip can have any length, from 1 sample on; where it fails, the end of the clip is "
    "an error box and silence.",
    hint="Pad the input to the length that the model needs, and cut the output back to the input's length.",
    severity=WARNING,
    after=("load-error", "aborts-host"),
)
def short_input(trial: Trial) -> Iterator[Problem]:
    shortest = trial.minimum_samples
    if shortest is None or shortest <= 1:
        return
    failing = [done.failure for done in trial.passes if done.failure is not None and done.samples < shortest]
    error = failing[-1].message if failing else ""
    yield Problem(
        f"the shortest input that works has {shortest:,} samples; shorter ones raise: {_first_lines(error)}",
        MODEL,
        severity=WARNING if shortest <= _SHORT_BLOCK else ERROR,
        details={"minimum_samples": shortest, "error": error},
    )


@rule(
    title="Models should be faster than real time",
    reason="Audacity shows a dialog that hangs on long selections while a slow model works.",
    hint="A smaller model, fewer overlapping windows, or quantized weights help most.",
    severity=WARNING,
)
def slow(trial: Trial) -> Iterator[Problem]:
    factor = trial.realtime_factor
    if factor is not None and factor > _REAL_TIME:
        yield Problem(
            f"one second of audio takes {factor:.1f} s on this machine.", MODEL, details={"realtime_factor": factor}
        )


def _by_message(passes: List[Pass]) -> list[tuple[str, List[Pass]]]:
    """Passes that failed in the same way, together: numbers in a message do not make it another one."""
    groups: dict[str, List[Pass]] = {}
    for done in passes:
        message = done.failure.message if done.failure else ""
        groups.setdefault(re.sub(r"\d+", "#", message), []).append(done)
    return [(group[0].failure.message if group[0].failure else "", group) for group in groups.values()]


def _list_of_places(passes: List[Pass]) -> str:
    places = list(dict.fromkeys(where(done) for done in passes))
    return places[0] if len(places) == 1 else f"{places[0]} and {len(places) - 1} other kinds of block"


def _first_lines(message: str) -> str:
    """The part of a TorchScript error that says what was wrong: its last paragraph, or its first line."""
    lines = [line.strip() for line in message[-_LONGEST_TRACE:].splitlines() if line.strip()]
    telling = [line for line in lines if re.match(r"(\w+(Error|Exception)|RuntimeError):", line)]
    text = telling[-1] if telling else lines[0] if lines else "no message"
    return text if len(text) <= 400 else text[:400] + "…"
