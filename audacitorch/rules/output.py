"""Rules about what forward returns: its type, shape, dtype and length, for both effect types."""

from __future__ import annotations

from typing import Callable, Iterator, List, Optional, Tuple

from audacitorch.facts import Metadata
from audacitorch.findings import ERROR, WARNING, Problem
from audacitorch.hosts import ANALYZER, EFFECT
from audacitorch.rules import NotApplicable, rule
from audacitorch.trial.observations import Output, Pass, Trial, where

MODEL = "model.pt"
_HARMLESS_SHARE = 0.01
_HARMLESS_SAMPLES = 1024


@rule(
    title="An effect returns one tensor, an analyzer a tuple of two",
    reason="Audacity reads the result without asking what it is; anything else is an error box at every block. A model "
    "whose effect_type is not what it really is shows up in the wrong menu, or in none.",
    hint="Return the waveform alone from an effect, and (labels, timestamps) from an analyzer; check effect_type.",
    severity=ERROR,
)
def output_type(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    effect_type = effect_type_of(metadata)
    wanted = "one Tensor" if effect_type == EFFECT else "a tuple of two Tensors"

    def judge(done: Pass, output: Output) -> Optional[str]:
        if fits_type(output, effect_type):
            return None
        got = f"a tuple of {len(output.tensors)} Tensors" if output.kind == "tuple" else f"a {output.kind}"
        return f"a {effect_type} model must return {wanted}, and this one returned {got}{_hint(output)}"

    yield from judge_outputs(trial, judge)


def _hint(output: Output) -> str:
    if output.kind == "tensor":
        return ": is it a waveform-to-waveform model?"
    return ": is it a waveform-to-labels model?" if output.kind == "tuple" and len(output.tensors) == 2 else ""


@rule(
    title="Outputs have the host's dimensions",
    reason="Audacity writes (channels, samples) as tracks and reads (steps, classes) or (steps,) with (steps, 2) as "
    "labels. Another number of dimensions breaks the write, or asserts and ends the process.",
    hint="squeeze or unsqueeze the result in do_forward_pass; there is no batch dimension.",
    severity=ERROR,
    after=("output-type",),
)
def output_shape(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    judge_shape = _waveform_shape if effect_type_of(metadata) == EFFECT else _labels_shape
    yield from judge_outputs(trial, judge_shape)


def _waveform_shape(done: Pass, output: Output) -> Optional[str]:
    shape = output.tensors[0].shape
    if len(shape) == 2 and shape[0] > 0:
        return None
    return f"the output's shape is {shape}, and must be (channels, samples)"


def _labels_shape(done: Pass, output: Output) -> Optional[str]:
    labels, timestamps = (tensor.shape for tensor in output.tensors)
    if len(labels) not in (1, 2):
        return f"the labels' shape is {labels}, and must be (steps, classes) or (steps,)"
    if len(timestamps) != 2 or timestamps[1] != 2:
        return f"the timestamps' shape is {timestamps}, and must be (steps, 2)"
    if labels[0] != timestamps[0]:
        return f"there are {labels[0]} labels of shape {labels} and {timestamps[0]} timestamps of shape {timestamps}"
    return None


@rule(
    title="Waveforms are float32, timestamps floating point",
    reason="Audacity reads the waveform's memory as float32, which throws for any other dtype, and adds the block's "
    "start to the timestamps in place, which fails for integers.",
    hint="Return waveform.float(), and timestamps.float().",
    severity=ERROR,
    after=("output-type",),
)
def output_dtype(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    effect = effect_type_of(metadata) == EFFECT

    def judge(done: Pass, output: Output) -> Optional[str]:
        dtype = output.tensors[0 if effect else 1].dtype
        if effect:
            return None if dtype == "float32" else f"the output's dtype is {dtype}, and must be float32"
        labels = output.tensors[0]
        if labels.dtype.startswith("complex") or (labels.dtype == "bool" and len(labels.shape) == 2):
            return f"the labels' dtype is {labels.dtype}, which has no argmax"
        floats = ("float16", "bfloat16", "float32", "float64")
        return None if dtype in floats else f"the timestamps' dtype is {dtype}, and must be floating point"

    yield from judge_outputs(trial, judge)


@rule(
    title="As many samples out as in",
    reason="The result is pasted where the block began, so that a shorter or longer one leaves a gap or shifts "
    "everything behind it.",
    hint="Pad the input so that no stride loses its end, and cut the output: output[:, :x.shape[1]].",
    severity=ERROR,
    after=("output-type", "output-shape"),
)
def output_length(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, EFFECT)
    wrong: List[Tuple[Pass, int]] = []
    for done, output in outputs(trial):
        if output.tensors[0].shape[1] != done.samples:
            wrong.append((done, output.tensors[0].shape[1]))
    if not wrong:
        return
    done, samples = max(wrong, key=lambda item: (not _harmless(*item), item[0].samples))
    yield Problem(
        f"{done.samples:,} samples in gave {samples:,} samples out"
        + (f", and {len(wrong) - 1} other blocks changed their length too" if len(wrong) > 1 else ""),
        MODEL,
        severity=WARNING if all(_harmless(*item) for item in wrong) else ERROR,
        details={"lengths": [{"in": done.samples, "out": samples} for done, samples in wrong]},
    )


def _harmless(done: Pass, samples: int) -> bool:
    difference = abs(done.samples - samples)
    return difference <= _HARMLESS_SAMPLES and difference <= _HARMLESS_SHARE * done.samples


@rule(
    title="Outputs hold numbers",
    reason="NaN and infinity become clicks, silence or a broken project file in Audacity, depending on the export.",
    hint="Guard divisions and logarithms with a small epsilon; silence is what brings them out most often.",
    severity=ERROR,
    after=("output-type",),
)
def output_not_finite(trial: Trial) -> Iterator[Problem]:
    def judge(done: Pass, output: Output) -> Optional[str]:
        nan, inf = sum(t.nan for t in output.tensors), sum(t.inf for t in output.tensors)
        return f"the output holds {nan:,} NaN and {inf:,} infinite values" if nan or inf else None

    yield from judge_outputs(trial, judge)


def effect_type_of(metadata: Metadata) -> str:
    """The effect type that the metadata give.

    Raises:
        NotApplicable: they give none that a host knows, which a finding of its own says.
    """
    effect_type = metadata.fields.get("effect_type")
    if effect_type not in (EFFECT, ANALYZER):
        raise NotApplicable("metadata.json gives no effect_type that Audacity knows")
    return str(effect_type)


def require(metadata: Metadata, effect_type: str) -> None:
    """Leave a rule that is about another effect type."""
    if effect_type_of(metadata) != effect_type:
        raise NotApplicable(f"this is not a {effect_type} model")


def labels_of(metadata: Metadata) -> List[str]:
    """The label names that the metadata give."""
    labels = metadata.fields.get("labels")
    if not isinstance(labels, (list, tuple)):
        raise NotApplicable("metadata.json gives no list of labels")
    return [str(label) for label in labels]


def fits_type(output: Output, effect_type: str) -> bool:
    """Whether an output is what its effect type returns."""
    if effect_type == EFFECT:
        return output.kind == "tensor"
    return output.kind == "tuple" and len(output.tensors) == 2


def outputs(trial: Trial) -> List[Tuple[Pass, Output]]:
    """Every pass that returned something.

    Raises:
        NotApplicable: none did.
    """
    returned = [(done, done.output) for done in trial.passes if done.output is not None]
    if not returned:
        raise NotApplicable("no pass returned anything")
    return returned


def judge_outputs(trial: Trial, judge: Callable[[Pass, Output], Optional[str]]) -> Iterator[Problem]:
    """One problem for all passes of which ``judge`` has something to say; the longest block speaks for them."""
    said = [(done, message) for done, output in outputs(trial) for message in [judge(done, output)] if message]
    if said:
        done, message = max(said, key=lambda item: item[0].samples)
        others = f", and {len(said) - 1} more" if len(said) > 1 else ""
        places = list(dict.fromkeys(where(done) for done, _ in said))
        yield Problem(f"{message} (from {where(done)}{others}).", MODEL, details={"passes": places})
