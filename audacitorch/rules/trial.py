"""Rules about how the trial went as a whole: loading, what Torch compiled, ending, memory, time."""

from __future__ import annotations

from typing import Dict, Iterator, Optional

from audacitorch.archive import forbidden
from audacitorch.facts import MODEL, Archive
from audacitorch.findings import ERROR, WARNING, Problem
from audacitorch.rules import rule
from audacitorch.rules.causes import cause_of, told
from audacitorch.rules.operators import behind, explains_the_load
from audacitorch.trial.observations import EXCEPTION, MEMORY, SIGNAL, TIMEOUT, Trial, list_of_places, where
from audacitorch.wording import speed_range

#: A model that is slower than this many seconds for each second of audio keeps its user waiting longer than it plays.
_REAL_TIME = 1.0
#: What these find in the file is why it does not load: one cause, one error. The trial's facts keep the exception.
_REASONS_NOT_TO_LOAD = (
    "file-format-too-new",
    "unknown-operator",
    "operator-arguments",
    "custom-operator",
    "unknown-type",
)
_CRASH_HINT = (
    "The crash is in PyTorch's native code, on valid input for Audacity: run the saved file on this block under Torch "
    "1.9.0 with `python -X faulthandler`, and change the operator that its stack names."
)


@rule(
    title="Torch compiles only what the archive shows",
    reason="The check reads the archive's code before the model runs. If Torch compiles an operator that this code "
    "does not show, what was read can't be trusted, and the model is not run.",
    hint="Save the model with torch.jit.save of a released PyTorch, and do not edit the archive's code by hand.",
    severity=ERROR,
)
def hidden_code(trial: Trial) -> Iterator[Problem]:
    if trial.hidden_operators:
        shown = [f"{name}{_reach(name)}" for name in trial.hidden_operators]
        count = "1 operator" if len(shown) == 1 else f"{len(shown):,} operators"
        message = f"Torch compiled {count} that the archive's code does not show: {', '.join(shown[:20])}."
        yield Problem(message, MODEL, details={"operators": list(trial.hidden_operators)})


def _reach(operator: str) -> str:
    what = forbidden.REACHES_OUT.get(operator)
    return f" (which {what})" if what else ""


@rule(
    title="Loading and running do not crash the process",
    reason="Audacity runs models in its own process: a model that crashes it closes Audacity, and unsaved work is "
    "lost. Most models that a newer PyTorch exported do so, because Torch 1.9.0 can't read their debug "
    "information and aborts while it builds the error message.",
    hint="Export the model again under Torch 1.9.0 (pip install torch==1.9.0), or try `audacitorch backport`.",
    severity=ERROR,
    after=("out-of-memory",),
)
def aborts_host(trial: Trial, archive: Archive) -> Iterator[Problem]:
    if trial.ended != SIGNAL:
        return
    doing = "Loading the model" if trial.stage == "load" else "A forward pass"
    place = "" if trial.unfinished is None else f" ({where(trial.unfinished)})"
    message = f"{doing}{place} crashed the process with {trial.signal}: Audacity would close."
    if trial.hidden_error:
        message += f" The original error: {told(trial.hidden_error)}"
    details: Dict[str, object] = {"signal": trial.signal, "stage": trial.stage, "native_message": trial.native_message}
    if trial.stage == "load" and explains_the_load(archive):
        details.update(behind(archive))
    yield Problem(message, MODEL, hint=_abort_hint(trial, archive), details={**details, "error": trial.hidden_error})


def _abort_hint(trial: Trial, archive: Archive) -> Optional[str]:
    """What 1.9.0 exported need not be exported again: a crash in a pass has a cause of its own."""
    if trial.stage == "load" or "newer" in (archive.producer or ""):
        return None
    texts = [trial.hidden_error or "", trial.native_message, *(d.failure.message for d in trial.passes if d.failure)]
    cause = next((cause for text in texts for cause in [cause_of(text)] if cause is not None), None)
    return _CRASH_HINT if cause is None else cause.hint


@rule(
    title="The model loads",
    reason="Audacity loads model.pt with libtorch 1.9.0 alone: no Python, no torchaudio, no operators of your own.",
    hint="Load the saved file in a fresh Python with Torch 1.9.0 that has imported nothing but torch.",
    severity=ERROR,
    after=_REASONS_NOT_TO_LOAD,
)
def load_error(trial: Trial) -> Iterator[Problem]:
    if trial.ended == EXCEPTION and trial.load_failure is not None:
        failure = trial.load_failure
        cause = cause_of(failure.message)
        message = f"torch.jit.load raised {failure.type}: {told(failure.message)}"
        yield Problem(message, MODEL, hint=cause.hint if cause else None, details={"error": failure.message})


@rule(
    title="The trial finishes in time",
    reason="Audacity waits without limit: a model that does not return hangs the effect until the user closes "
    "Audacity.",
    hint="Look for an endless loop; if the model is only slow, raise --timeout.",
    severity=ERROR,
)
def timeout(trial: Trial) -> Iterator[Problem]:
    if trial.ended == TIMEOUT:
        yield Problem(f"{_doing(trial)} was {trial.reason}.", MODEL, details={"stage": trial.stage})


@rule(
    title="The model fits in memory",
    reason="A model that asks for more memory than there is crashes Audacity, or slows down the whole machine.",
    hint="Work on the block in chunks inside forward; for a model that really needs more, raise --memory.",
    severity=ERROR,
)
def out_of_memory(trial: Trial) -> Iterator[Problem]:
    if trial.ended == MEMORY:
        yield Problem(f"{_doing(trial)} ran out of memory: {trial.reason or 'the limit was reached'}.", MODEL)
        return
    lacking = [done for done in trial.passes if done.failure is not None and done.failure.memory]
    if lacking:
        failure = lacking[0].failure
        details = {"error": failure.message if failure else "", "passes": [where(done) for done in lacking]}
        places = list_of_places(lacking)
        yield Problem(f"{places[0].upper()}{places[1:]} ran out of memory.", MODEL, details=details)


def _doing(trial: Trial) -> str:
    """What the worker was doing when it ended, as the beginning of a sentence."""
    if trial.unfinished is not None:
        place = where(trial.unfinished)
        return f"{place[0].upper()}{place[1:]}"
    return "Loading the model" if trial.stage == "load" else "The time between two passes"


@rule(
    title="The model is faster than real time",
    reason="Audacity can't be used while a model runs; with a slow model and a long selection that takes long.",
    hint="A smaller model or fewer overlapping windows help most.",
    severity=WARNING,
)
def slow(trial: Trial) -> Iterator[Problem]:
    fastest, slowest = trial.realtime_factor, trial.realtime_factor_slowest or trial.realtime_factor
    if fastest is None or slowest is None or fastest <= _REAL_TIME:
        return
    details = {"realtime_factor": fastest, "realtime_factor_slowest": slowest}
    yield Problem(f"The model runs at {speed_range(slowest, fastest)} on this machine.", MODEL, details=details)
