"""Rules about labels: names for channels, classes and indices, and the times that go with them."""

from __future__ import annotations

from typing import Iterator, List, Optional, Tuple

from audacitorch.facts import Metadata
from audacitorch.findings import ERROR, FINE, NOTE, WARNING, Problem
from audacitorch.hosts import ANALYZER, EFFECT, HOSTS, INDICES, PROBABILITIES, by_host
from audacitorch.rules import NotApplicable, rule
from audacitorch.rules.output import MODEL, effect_type_of, judge_outputs, labels_of, outputs, require
from audacitorch.trial.observations import Output, Pass, TensorFacts, TimestampFacts, Trial

_WELL_FORMED = ("output-type", "output-shape")
#: Rounding may carry a softmax this far beyond 0 or 1.
_ROUNDING = 1e-4


@rule(
    title="One label for every channel or class",
    reason="Audacity makes a track for each label and channel: more channels than labels crash some builds, fewer "
    "leave empty tracks. An analyzer's classes are named by their place in labels.",
    hint="Give labels as many entries as the model has output channels or classes, in the same order.",
    severity=ERROR,
    after=_WELL_FORMED,
)
def output_labels_mismatch(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    names = labels_of(metadata)
    effect = effect_type_of(metadata) == EFFECT

    def judge(done: Pass, output: Output) -> Optional[str]:
        shape = output.tensors[0].shape
        if not effect and len(shape) == 1:
            return None
        count, what = (shape[0], "output channels") if effect else (shape[1], "classes")
        return None if count == len(names) else f"the model has {count} {what}, and metadata.json {len(names)} labels"

    yield from judge_outputs(trial, judge)


@rule(
    title="Class indices lie within labels",
    reason="Audacity reads labels[index] without looking: an index outside reads beyond the list, a crash at best.",
    hint="Give labels an entry for every class that the model can return.",
    severity=ERROR,
    after=_WELL_FORMED,
)
def label_index_out_of_range(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, ANALYZER)
    names = labels_of(metadata)

    def judge(done: Pass, output: Output) -> Optional[str]:
        indices = output.tensors[0]
        if len(indices.shape) != 1 or indices.minimum is None or indices.maximum is None:
            return None
        if indices.minimum >= 0 and indices.maximum < len(names):
            return None
        reached = f"{indices.minimum:g} to {indices.maximum:g}"
        return f"the model returned class indices {reached}, and metadata.json has {len(names)} labels"

    yield from judge_outputs(trial, judge)


@rule(
    title="The form of the labels tensor decides which hosts show it",
    reason="The specification takes class probabilities (steps, classes) and shows the most probable; of class indices "
    "it always shows the first label. Audacity 3.2 alpha takes class indices (steps,); it crashes when it gets "
    "probabilities.",
    hint="Return probabilities for the specification, class indices for Audacity 3.2 alpha.",
    severity=by_host(lambda host: ERROR if host.labels == INDICES else WARNING),
    after=_WELL_FORMED,
)
def label_format(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, ANALYZER)
    forms = {len(output.tensors[0].shape) for _, output in outputs(trial)}
    if 1 in forms:
        message = f"The labels are class indices (steps,): {_readers(PROBABILITIES)} shows the first label every time."
        severity = by_host(lambda host: FINE if host.labels == INDICES else WARNING)
        yield Problem(message, MODEL, severity=severity, details={"form": "indices"})
    if 2 in forms:
        message = f"The labels are class probabilities (steps, classes), which crash {_readers(INDICES)}."
        severity = by_host(lambda host: FINE if host.labels == PROBABILITIES else ERROR)
        yield Problem(message, MODEL, severity=severity, details={"form": "probabilities"})


def _readers(labels: str) -> str:
    """The hosts that read labels so, by their titles."""
    return " and ".join(host.title for host in HOSTS if host.labels == labels)


@rule(
    title="Probabilities lie between 0 and 1",
    reason="A confidence threshold means nothing for logits, and everything falls below or above it.",
    hint="End the model with a sigmoid or a softmax over the classes.",
    severity=WARNING,
    after=_WELL_FORMED,
)
def probabilities_range(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, ANALYZER)

    def judge(done: Pass, output: Output) -> Optional[str]:
        values = output.tensors[0]
        if len(values.shape) != 2 or values.minimum is None or values.maximum is None or _within(values):
            return None
        return f"the class probabilities reach from {values.minimum:.3g} to {values.maximum:.3g}"

    yield from judge_outputs(trial, judge)


def _within(values: TensorFacts) -> bool:
    low, high = values.minimum or 0.0, values.maximum or 0.0
    return low >= -_ROUNDING and high <= 1 + _ROUNDING


@rule(
    title="Labels start before they end, and not before the block",
    reason="Audacity 3.2 alpha drops a label that starts after its end, the specification keeps it; a negative "
    "start lies before the selection.",
    hint="Return start and stop in seconds from the start of the block, in this order.",
    severity=ERROR,
    after=_WELL_FORMED,
)
def timestamps_order(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, ANALYZER)

    def judge(done: Pass, output: Output) -> Optional[str]:
        stamps = output.timestamps
        if stamps is None or not (stamps.unordered or stamps.negative):
            return None
        rows = output.tensors[1].shape[0]
        return f"of {rows:,} labels {stamps.unordered:,} do not start before they end, {stamps.negative:,} are negative"

    yield from judge_outputs(trial, judge)


@rule(
    title="Labels end with the block",
    reason="The specification clips a label to the end of its block, Audacity 3.2 alpha lets it run into the next.",
    hint="Clamp the times to the block's length: x.shape[1] / sample_rate seconds.",
    severity=WARNING,
    after=_WELL_FORMED,
)
def timestamps_range(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, ANALYZER)
    late: List[Tuple[Pass, TimestampFacts]] = []
    for done, output in outputs(trial):
        if output.timestamps is not None and output.timestamps.beyond_end:
            late.append((done, output.timestamps))
    if late:
        done, stamps = max(late, key=lambda item: (item[1].latest or 0.0) - item[1].block_seconds)
        message = (
            f"{stamps.beyond_end:,} labels end after their block does: at {stamps.latest or 0.0:.3f} s "
            f"in a block of {stamps.block_seconds:.3f} s"
        )
        yield Problem(message, MODEL, details={"latest": stamps.latest, "block_seconds": stamps.block_seconds})


@rule(
    title="Labels are cut at block borders",
    reason="Every block is labelled by itself, and labels are joined within a block only: what lies across a border "
    "becomes two labels.",
    hint="Nothing to mend: tell users that long labels may come in pieces.",
    severity=NOTE,
    after=_WELL_FORMED,
)
def label_seams(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, ANALYZER)
    if trial.seam_labels is None:
        raise NotApplicable("no two blocks were compared with the whole")
    if trial.seam_labels:
        message = f"{trial.seam_labels} of the labels for noise lie across a block border, and are cut in two there."
        yield Problem(message, MODEL, details={"labels": trial.seam_labels})
