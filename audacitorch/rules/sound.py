"""Rules about how an effect's output sounds, and whether blocks can be told apart by it."""

from __future__ import annotations

from typing import Iterator

from audacitorch.facts import Metadata
from audacitorch.findings import NOTE, WARNING, Problem
from audacitorch.hosts import EFFECT
from audacitorch.rules import NotApplicable, rule
from audacitorch.rules.output import MODEL, outputs, require
from audacitorch.trial.observations import TensorFacts, Trial

_WELL_FORMED = ("output-type", "output-shape", "output-dtype")
#: Below the least step of 16-bit audio, nobody hears anything.
_SILENT = 2.0**-16
_DC_LIMIT = 0.01
#: Differences between runs above this are more than rounding in another order, in dB relative to the output.
_SAME_WITHIN_DB = -80.0
_SEAM_HEARD_FROM_DB = -60.0
#: The mean of shorter blocks of noise is no sign of an offset.
_LONG_ENOUGH = 65536


@rule(
    title="Sound in, sound out",
    reason="An effect that gives silence for noise, tones and impulses looks broken to its user.",
    hint="Check that the weights were saved, and the range that the model expects its input in.",
    severity=NOTE,
    after=_WELL_FORMED,
)
def silent_output(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, EFFECT)
    heard = [
        _peak(output.tensors[0])
        for done, output in outputs(trial)
        if done.input_peak > _SILENT and output.tensors[0].maximum is not None
    ]
    if heard and max(heard) < _SILENT:
        yield Problem("every output is silent, whatever the input.", MODEL, details={"peak": max(heard)})


@rule(
    title="Outputs stay within ±1.0",
    reason="Audacity keeps floating-point samples beyond ±1.0, but clips them when it plays or exports.",
    hint="Nothing to mend if the effect is meant to be loud; otherwise scale the output.",
    severity=NOTE,
    after=_WELL_FORMED,
)
def clipping(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, EFFECT)
    peaks = [(_peak(output.tensors[0]), done.input_peak) for done, output in outputs(trial) if done.input_peak <= 1.0]
    output_peak, input_peak = max(peaks, default=(0.0, 0.0))
    if output_peak > 1.0:
        message = f"the output reaches ±{output_peak:.2f} for an input within ±{input_peak:.2f}."
        yield Problem(message, MODEL, details={"peak": output_peak, "input_peak": input_peak})


@rule(
    title="Outputs are centred",
    reason="A constant offset eats headroom and clicks wherever the effect begins and ends.",
    hint="Remove the mean, or a bias in the last layer.",
    severity=NOTE,
    after=_WELL_FORMED,
)
def dc_offset(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, EFFECT)
    means = [
        output.tensors[0].mean or 0.0
        for done, output in outputs(trial)
        if done.signal == "silence" or (done.signal == "noise" and done.samples >= _LONG_ENOUGH)
    ]
    worst = max(means, key=abs, default=0.0)
    if abs(worst) > _DC_LIMIT:
        yield Problem(f"the output has a constant offset of {worst:+.3f}.", MODEL, details={"offset": worst})


@rule(
    title="The same block gives the same result",
    reason="Every block is a pass of its own, in no promised order: a model that remembers the last one, or draws "
    "random numbers, gives users another result each time.",
    hint="Set states back at the start of forward; seed or remove random numbers and dropout (call eval()).",
    severity=WARNING,
    after=("output-type",),
)
def stateful(trial: Trial) -> Iterator[Problem]:
    apart = trial.repeat_difference_db
    if apart is not None and apart > _SAME_WITHIN_DB:
        message = f"the same block twice gave two results that are {apart:.1f} dB apart (relative to the first)."
        yield Problem(message, MODEL, details={"difference_db": apart})


@rule(
    title="Blocks can be heard",
    reason="Audacity cuts clips into blocks with no overlap and no state: what a model does at its edges is heard at "
    "every border.",
    hint="Less padding at the edges helps, or a model that needs less context; users can render shorter selections.",
    severity=NOTE,
    after=_WELL_FORMED,
)
def block_seams(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, EFFECT)
    if trial.seam_labels is None:
        raise NotApplicable("no two blocks were compared with the whole")
    if any(done.purpose == "seam" and output.tensors[0].shape[1] != done.samples for done, output in outputs(trial)):
        raise NotApplicable("the blocks change their length, which is heard anyway")
    if trial.seam_db is not None and trial.seam_db > _SEAM_HEARD_FROM_DB:
        message = f"two blocks put end to end differ from the whole by {trial.seam_db:.1f} dB."
        yield Problem(message, MODEL, details={"seam_db": trial.seam_db})


def _peak(facts: TensorFacts) -> float:
    return max(abs(facts.minimum or 0.0), abs(facts.maximum or 0.0))
