"""Rules about how an effect's output sounds, and whether blocks can be told apart by it."""

from __future__ import annotations

import re
from typing import Iterator

from audacitorch.facts import MODEL, Metadata
from audacitorch.findings import NOTE, WARNING, Problem
from audacitorch.hosts import EFFECT
from audacitorch.rules import NotApplicable, rule
from audacitorch.rules.output import outputs, require
from audacitorch.trial.observations import TensorFacts, Trial

_WELL_FORMED = ("output-type", "output-shape", "output-dtype")
#: Below the least step of 16-bit audio, nobody hears anything.
_SILENT = 2.0**-16
_DC_LIMIT = 0.01
#: The mean of noise is not 0 either: an offset is more than this part of the output's level.
_DC_SHARE = 0.02
#: Differences between runs above this are more than rounding in another order, in dB relative to the output.
_SAME_WITHIN_DB = -80.0
_SEAM_HEARD_FROM_DB = -60.0
#: An output this many times as loud as its input is no effect any more: 40 dB.
_BROKEN_GAIN = 100.0
_GAIN_HINT = (
    "A result this loud comes from a gain that does not follow the input: a trace keeps the gain of its example. Use "
    "torch.jit.script, and check that the output is within ±1.0."
)
#: Full scale of 16-bit integers.
_INTEGER_SCALE = 2.0**15
_INTEGER_HINT = "The output has the range of 16-bit integers: divide it by 32768 at the end of forward."
#: Operators that draw random numbers.
_RANDOM = re.compile(
    r"aten::(rand|normal|uniform|bernoulli|(feature_|alpha_|feature_alpha_)?dropout|multinomial|exponential_|cauchy_|"
    r"log_normal_|geometric_|random_|poisson|rrelu)"
)
#: The mean of shorter blocks of noise does not show an offset.
_LONG_ENOUGH = 65536


@rule(
    title="The output is not silent",
    reason="An effect that gives silence for noise, tones and impulses looks broken to its user.",
    hint="Check that the weights were saved, and which range the model expects its input in.",
    severity=NOTE,
    after=_WELL_FORMED,
)
def silent_output(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, EFFECT)
    if trial.ignores_input:
        raise NotApplicable("the output does not follow the input, whatever it is")
    heard = [
        _peak(output.tensors[0])
        for done, output in outputs(trial)
        if done.input_peak > _SILENT and output.tensors[0].maximum is not None
    ]
    if heard and max(heard) < _SILENT:
        yield Problem("Every output is silent, whatever the input.", MODEL, details={"peak": max(heard)})


@rule(
    title="Outputs stay within ±1.0",
    reason="Audacity keeps floating-point samples beyond ±1.0, but clips them when it plays or exports.",
    hint="Nothing to fix if the effect is meant to be loud; otherwise scale the output.",
    severity=NOTE,
    after=_WELL_FORMED,
)
def clipping(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, EFFECT)
    peaks = [(_peak(output.tensors[0]), done.input_peak) for done, output in outputs(trial) if done.input_peak <= 1.0]
    output_peak, input_peak = max(peaks, default=(0.0, 0.0))
    if output_peak > 1.0:
        message = f"The output reaches ±{output_peak:.2f} for an input within ±{input_peak:.2f}."
        broken = output_peak > _BROKEN_GAIN * max(input_peak, _SILENT)
        integers = 0.5 < output_peak / (_INTEGER_SCALE * max(input_peak, _SILENT)) < 2
        hint = (_INTEGER_HINT if integers else _GAIN_HINT) if broken else None
        details = {"peak": output_peak, "input_peak": input_peak}
        yield Problem(message, MODEL, hint=hint, severity=WARNING if broken else NOTE, details=details)


@rule(
    title="Outputs have no constant offset",
    reason="A constant offset uses up headroom, and clicks where the effect begins and ends.",
    hint="Remove the mean, or a bias in the last layer.",
    severity=NOTE,
    after=_WELL_FORMED,
)
def dc_offset(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, EFFECT)
    facts = [
        output.tensors[0]
        for done, output in outputs(trial)
        if done.signal == "silence" or (done.signal == "noise" and done.samples >= _LONG_ENOUGH)
    ]
    means = [one.mean or 0.0 for one in facts if abs(one.mean or 0.0) > _DC_SHARE * (one.rms or 0.0)]
    worst = max(means, key=abs, default=0.0)
    if abs(worst) > _DC_LIMIT:
        yield Problem(f"The output has a constant offset of {worst:+.3f}.", MODEL, details={"offset": worst})


@rule(
    title="The same block gives the same result",
    reason="Every block is a separate pass, in no guaranteed order: a model that remembers the previous block gives "
    "different results each time. Random numbers are the same in both passes here, and do not count.",
    hint="Reset the state at the start of forward, and keep what a pass needs in local variables.",
    severity=WARNING,
    after=("output-type",),
)
def stateful(trial: Trial) -> Iterator[Problem]:
    apart = trial.repeat_difference_db
    if apart is not None and apart > _SAME_WITHIN_DB:
        message = f"The same block twice gave two results that are {apart:.1f} dB apart (relative to the first)."
        yield Problem(message, MODEL, details={"difference_db": apart})


@rule(
    title="Block borders are not audible",
    reason="Audacity cuts clips into blocks with no overlap and no state: what a model does at the edges of a block "
    "is audible at every border.",
    hint="Less padding at the edges helps, or a model that needs less context. Users can process shorter selections.",
    severity=NOTE,
    after=_WELL_FORMED,
)
def block_seams(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, EFFECT)
    if trial.seam_labels is None:
        raise NotApplicable("no two blocks were compared with the whole")
    if any(done.purpose == "seam" and output.tensors[0].shape[1] != done.samples for done, output in outputs(trial)):
        raise NotApplicable("the blocks change their length, which is heard anyway")
    if any(_RANDOM.match(operator) for operator in trial.operators or ()):
        raise NotApplicable("the model draws random numbers, which differ from block to block")
    if trial.seam_db is not None and trial.seam_db > _SEAM_HEARD_FROM_DB:
        message = f"Two blocks put end to end differ from the whole by {trial.seam_db:.1f} dB."
        yield Problem(message, MODEL, details={"seam_db": trial.seam_db})


@rule(
    title="The output is not delayed",
    reason="Audacity pastes a result where its block began and does not compensate for latency: everything is "
    "delayed, and the end of the clip is lost.",
    hint="Drop the first samples of the output and pad its end, inside forward.",
    severity=NOTE,
    after=_WELL_FORMED,
)
def latency(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, EFFECT)
    if trial.latency_samples:
        samples = f"{trial.latency_samples:,} {'samples' if trial.latency_samples > 1 else 'sample'}"
        message = f"The output is the input, {samples} later."
        yield Problem(message, MODEL, details={"samples": trial.latency_samples})


def _peak(facts: TensorFacts) -> float:
    return max(abs(facts.minimum or 0.0), abs(facts.maximum or 0.0))
