"""Rules about labels: names for channels, classes and indices, and the times that go with them."""

from __future__ import annotations

from typing import Iterator, List, Optional, Set, Tuple

from audacitorch.facts import MODEL, Metadata
from audacitorch.findings import ERROR, FINE, NOTE, WARNING, Problem
from audacitorch.hosts import ANALYZER, EFFECT, HOSTS, INDICES, PROBABILITIES, by_host
from audacitorch.rules import NotApplicable, rule
from audacitorch.rules.output import effect_type_of, judge_outputs, labels_of, outputs, require
from audacitorch.trial.observations import Output, Pass, TensorFacts, TimestampFacts, Trial, where

_WELL_FORMED = ("output-type", "output-shape")
#: Timestamps this many times as late as the block is long are no seconds; how near a ratio is to a unit's.
_FAR, _NEARLY = 8.0, 0.8
#: The times of shorter blocks may be those of a padded one.
_LONG_ENOUGH = 65536
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
    wrong: List[Tuple[Pass, int]] = []
    fits: Set[int] = set()
    for done, output in outputs(trial):
        shape = output.tensors[0].shape
        if effect or len(shape) == 2:
            count = shape[0] if effect else shape[1]
            if count == len(names):
                fits.add(done.channels)
            else:
                wrong.append((done, count))
    if wrong:
        yield _mismatch(wrong, fits, effect, len(names))


def _mismatch(wrong: List[Tuple[Pass, int]], fits: Set[int], effect: bool, labels: int) -> Problem:
    """Channels or classes that differ from the labels: a warning where blocks of one kind alone do."""
    kinds = {done.channels for done, _ in wrong}
    half = effect and len(kinds) == 1 and bool(fits) and not kinds & fits
    done, count = max(wrong, key=lambda item: item[0].samples)
    what = "output channels" if effect else "classes"
    named = f"{count:,} {what if count != 1 else what[:-1] if effect else 'class'}"
    only = f" for {'mono' if done.channels == 1 else 'stereo'} blocks" if half else ""
    message = f"The model has {named}{only}, and metadata.json {labels:,} {'label' if labels == 1 else 'labels'}"
    others = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    hint = None
    if half:
        message += ": tracks stay empty" if count < labels else ": channels without a label are lost"
        hint = (
            f"Return {labels:,} {'channel' if labels == 1 else 'channels'} always, for mono and stereo alike: repeat a "
            "mono result (`y.repeat(2, 1)`), or sum a stereo one, so that there is one channel for each label."
        )
    elif effect and not fits and len(kinds) > 1 and labels == 1:
        hint = "Return one channel always, or give labels an entry for each channel."
    places = list(dict.fromkeys(where(done) for done, _ in wrong))
    return Problem(
        f"{message} (from {where(done)}{others}).",
        MODEL,
        hint=hint,
        severity=WARNING if half else ERROR,
        details={"passes": places},
    )


@rule(
    title="Class indices lie within labels",
    reason="Audacity reads labels[index] without a bounds check: an index out of range reads memory outside the "
    "list, and usually crashes.",
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
        return f"The model returned class indices {reached}, and metadata.json has {len(names)} labels"

    yield from judge_outputs(trial, judge)


@rule(
    title="The labels tensor has the form that the host reads",
    reason="The specification expects class probabilities (steps, classes) and shows the most probable class; given "
    "class indices, it always shows the first label. Audacity 3.2 alpha expects class indices (steps,) and "
    "crashes on probabilities.",
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
    reason="A confidence threshold has no meaning for logits: all of them fall below or above it.",
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
        return f"The class probabilities range from {values.minimum:.3g} to {values.maximum:.3g}"

    yield from judge_outputs(trial, judge)


def _within(values: TensorFacts) -> bool:
    low, high = values.minimum or 0.0, values.maximum or 0.0
    return low >= -_ROUNDING and high <= 1 + _ROUNDING


@rule(
    title="Labels start before they end, and not before the block",
    reason="Audacity 3.2 alpha drops a label that starts after its end, the specification keeps it; a negative "
    "start lies before the selection.",
    hint="Return start and stop in seconds from the start of the block, in this order. If the model computes a "
    "duration, the stop is start + duration.",
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
        wrong = [f"{stamps.unordered:,} do not start before they end"] * bool(stamps.unordered)
        wrong += [f"{stamps.negative:,} start before the block"] * bool(stamps.negative)
        return f"Of {rows:,} labels {' and '.join(wrong)}"

    yield from judge_outputs(trial, judge, _order_hint)


def _order_hint(done: Pass, output: Output) -> Optional[str]:
    """What the two tensors look like, where they are not what they should be."""
    labels, stamps = output.tensors
    if len(labels.shape) == 2 and labels.shape[1] == 2 and (labels.maximum or 0.0) > 1 and _within(stamps):
        return "The tuple is the wrong way round: return (labels, timestamps)."
    return None


@rule(
    title="Timestamps are in seconds",
    reason="Audacity reads timestamps as seconds from the block's start: frames, samples or milliseconds put labels "
    "minutes or hours after the audio.",
    hint="Convert to seconds: divide milliseconds by 1000, samples by the sample rate, frames by sample rate / hop "
    "length.",
    severity=ERROR,
    after=_WELL_FORMED,
)
def timestamps_unit(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, ANALYZER)
    far = [
        (done, stamps)
        for done, output in outputs(trial)
        for stamps in [output.timestamps]
        if stamps is not None and stamps.latest is not None and done.samples >= _LONG_ENOUGH
    ]
    if far and all((stamps.latest or 0.0) > _FAR * stamps.block_seconds for _, stamps in far):
        done, stamps = max(far, key=lambda item: item[0].samples)
        latest, seconds = stamps.latest or 0.0, stamps.block_seconds
        unit = _unit(latest / seconds, done.samples / seconds)
        message = f"The last label ends at {latest:,.0f} in a block of {seconds:.3f} s: {unit}"
        yield Problem(message, MODEL, details={"latest": latest, "block_seconds": seconds})


def _unit(ratio: float, rate: float) -> str:
    """What so many units to a second probably are."""
    for unit, to_a_second in (("milliseconds", 1e3), ("microseconds", 1e6), ("samples", rate)):
        if _NEARLY < ratio / to_a_second < 1 / _NEARLY:
            return f"these look like {unit}."
    return f"these look like frames, about {ratio:,.4g} to a second."


@rule(
    title="Labels end within the block",
    reason="The specification cuts a label at the end of its block; Audacity 3.2 alpha lets it run into the next "
    "block.",
    hint="Compute the times from the block's length, x.shape[1] / sample_rate seconds, and drop labels that start "
    "after it.",
    severity=WARNING,
    after=(*_WELL_FORMED, "timestamps-unit", "timestamps-order"),
)
def timestamps_range(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, ANALYZER)
    late: List[Tuple[Pass, TimestampFacts]] = []
    for done, output in outputs(trial):
        if output.timestamps is not None and output.timestamps.beyond_end:
            late.append((done, output.timestamps))
    if late:
        done, stamps = max(late, key=lambda item: item[0].samples)
        count = "1 label ends" if stamps.beyond_end == 1 else f"{stamps.beyond_end:,} labels end"
        message = (
            f"{count} after the block does: the last one at {stamps.latest or 0.0:.3f} s in "
            f"{'a block of 1 sample' if done.samples == 1 else f'a block of {stamps.block_seconds:.3f} s'}."
        )
        yield Problem(message, MODEL, details={"latest": stamps.latest, "block_seconds": stamps.block_seconds})


@rule(
    title="No label crosses a block border",
    reason="Every block is labelled separately: a label that crosses a border becomes two.",
    hint="Nothing to fix: tell users that long labels may come in pieces.",
    severity=NOTE,
    after=(*_WELL_FORMED, "timestamps-unit"),
)
def label_seams(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, ANALYZER)
    if trial.seam_labels is None:
        raise NotApplicable("no two blocks were compared with the whole")
    if trial.seam_labels:
        lies, are = ("lies", "is") if trial.seam_labels == 1 else ("lie", "are")
        message = (
            f"{trial.seam_labels:,} of the labels for noise {lies} across a block border, and {are} cut in two there."
        )
        yield Problem(message, MODEL, details={"labels": trial.seam_labels})
