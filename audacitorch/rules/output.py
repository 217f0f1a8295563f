"""Rules about what forward returns: its type, shape, dtype and length, for both effect types."""

from __future__ import annotations

from math import prod
from typing import Callable, Iterator, List, Optional, Tuple

from audacitorch.facts import MODEL, Metadata
from audacitorch.findings import ERROR, Problem
from audacitorch.hosts import ANALYZER, EFFECT
from audacitorch.rules import NotApplicable, rule
from audacitorch.trial.observations import Output, Pass, Trial, too_short, where

_TO_INTEGERS = (
    "Return numbers between -1 and 1, as they come from the network: take the conversion to integers out of forward."
)
#: What makes a waveform of another dtype right, where `.float()` would not.
_WAVEFORM_HINTS = {
    **dict.fromkeys(("int16", "int32", "int64", "uint8", "int8"), _TO_INTEGERS),
    **dict.fromkeys(
        ("complex64", "complex128"),
        "Return the waveform, not its spectrum: `torch.fft.irfft(spectrum, n=x.shape[1])` or torch.istft gives real "
        "numbers, and of a complex waveform `output.real` is what can be heard.",
    ),
}
#: Blocks of fewer samples tell nothing about a ratio of lengths.
LONG_ENOUGH = 16384


@rule(
    title="An effect returns one tensor, an analyzer a tuple of two",
    reason="Audacity does not check the type of the result: anything else is an error box at every block. A model "
    "with the wrong effect_type appears in the wrong menu, or in none.",
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
        return f"A {effect_type} model must return {wanted}, and this one returned {got}{_guess(done, output)}"

    yield from judge_outputs(trial, judge)


def _guess(done: Pass, output: Output) -> str:
    """What the model may be instead, where its output looks like that."""
    if output.kind == "tensor":
        return ": is it a waveform-to-waveform model?"
    if output.kind != "tuple" or len(output.tensors) != 2:
        return ""
    if output.tensors[0].shape[-1:] == (done.samples,) and done.samples >= LONG_ENOUGH:
        return ": return the first of them alone, which is the waveform"
    return ": is it a waveform-to-labels model?"


@rule(
    title="Outputs have the shape that Audacity expects",
    reason="Audacity writes (channels, samples) as tracks and reads (steps, classes) or (steps,) with (steps, 2) as "
    "labels. With another number of dimensions the write fails, or an assertion crashes Audacity.",
    hint="Squeeze, unsqueeze or transpose the result at the end of forward; there is no batch dimension.",
    severity=ERROR,
    after=("output-type",),
)
def output_shape(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    judge_shape = _waveform_shape if effect_type_of(metadata) == EFFECT else _labels_shape
    yield from judge_outputs(trial, judge_shape, _shape_hint)


def _waveform_shape(done: Pass, output: Output) -> Optional[str]:
    shape = output.tensors[0].shape
    if len(shape) == 2 and shape[0] > 0 and not _samples_first(done, shape):
        return None
    return f"The output's shape is {shape}, expected (channels, samples)"


def _samples_first(done: Pass, shape: Tuple[int, ...]) -> bool:
    """Whether a waveform lies there transposed; few samples could be as many as channels."""
    return len(shape) == 2 and shape[0] == done.samples >= LONG_ENOUGH and shape[1] != done.samples


def _shape_hint(done: Pass, output: Output) -> Optional[str]:
    """What makes this shape the right one, where one line does."""
    shape = output.tensors[0].shape
    if output.kind == "tuple":
        stamps = output.tensors[1].shape
        if len(shape) == len(stamps) == 2 and stamps[1] == 2 and shape[1] == stamps[0] != shape[0]:
            return "The classes come first here: transpose the labels, `labels.t()`."
        if len(stamps) == 2 and stamps[0] == 2 != stamps[1]:
            return "Starts and ends are rows here: transpose the timestamps, `timestamps.t()`."
        if len(stamps) == 1:
            return "Give each label a start and an end: `torch.stack([starts, ends], dim=1)`."
        if len(shape) == 3 and shape[0] == 1:
            return "Remove the batch dimension: `labels.squeeze(0)`, and the same for timestamps where they have one."
        return None
    if _samples_first(done, shape):
        return "The samples come first here: return `output.t()`."
    if shape == (done.samples,):
        return "The channel dimension is missing: `output.unsqueeze(0)`, or `squeeze(0)` in place of `squeeze()`."
    if len(shape) == 3 and shape[0] == 1:
        return "Remove the batch dimension: return `output.squeeze(0)`."
    if len(shape) == 3 and shape[:2] == (done.channels, 1) and shape[2] > 1:
        return "Each channel went through as a batch of its own: return `output.squeeze(1)`."
    if len(shape) >= 3 and shape[-1] > 1:
        tracks = prod(shape[:-1])
        return (
            f"Each row becomes a mono track: return `output.reshape(-1, output.shape[-1])` and give `labels` "
            f"{tracks:,} names, or sum the channels of each source first."
        )
    return None


def _labels_shape(done: Pass, output: Output) -> Optional[str]:
    labels, timestamps = (tensor.shape for tensor in output.tensors)
    if len(labels) not in (1, 2):
        return f"The labels' shape is {labels}, expected (steps, classes) or (steps,)"
    if len(timestamps) != 2 or timestamps[1] != 2:
        return f"The timestamps' shape is {timestamps}, expected (steps, 2)"
    if labels[0] != timestamps[0]:
        return f"There are {labels[0]} labels of shape {labels} and {timestamps[0]} timestamps of shape {timestamps}"
    return None


@rule(
    title="Waveforms are float32, timestamps floating point",
    reason="Audacity reads the waveform's memory as float32, which throws for any other dtype, and adds the block's "
    "start to the timestamps in place, which fails for integers.",
    hint="Return waveform.float(), and timestamps.float().",
    severity=ERROR,
    after=("output-type", "device-in-code"),
)
def output_dtype(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    effect = effect_type_of(metadata) == EFFECT

    def judge(done: Pass, output: Output) -> Optional[str]:
        dtype = output.tensors[0 if effect else 1].dtype
        if effect:
            return None if dtype == "float32" else f"The output's dtype is {dtype}, expected float32"
        labels = output.tensors[0]
        if labels.dtype.startswith("complex") or (labels.dtype == "bool" and len(labels.shape) == 2):
            return f"The labels' dtype is {labels.dtype}, which has no argmax"
        floats = ("float16", "bfloat16", "float32", "float64")
        return None if dtype in floats else f"The timestamps' dtype is {dtype}, expected floating point"

    def hint(done: Pass, output: Output) -> Optional[str]:
        return _WAVEFORM_HINTS.get(output.tensors[0].dtype) if effect else None

    yield from judge_outputs(trial, judge, hint)


@rule(
    title="Outputs are finite",
    reason="NaN and infinity become clicks, silence or a broken project file in Audacity, depending on the export.",
    hint="Guard divisions and logarithms with a small epsilon; silence is the input that causes them most often.",
    severity=ERROR,
    after=("output-type",),
)
def output_not_finite(trial: Trial) -> Iterator[Problem]:
    def judge(done: Pass, output: Output) -> Optional[str]:
        if too_short(trial, done):
            return None  # what short-input is about
        counts = {"NaN": sum(t.nan for t in output.tensors), "infinite": sum(t.inf for t in output.tensors)}
        held = " and ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)
        return f"The output holds {held} values" if held else None

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


def effect_type_of_outputs(trial: Trial) -> Optional[str]:
    """The effect type that every output has by its type and shape; None where they have neither, or there are none."""
    found = set()
    for done in trial.passes:
        if done.output is None:
            continue
        if fits_type(done.output, EFFECT) and _waveform_shape(done, done.output) is None:
            found.add(EFFECT if done.output.tensors[0].shape[1] == done.samples else None)
        else:
            labels = fits_type(done.output, ANALYZER) and _labels_shape(done, done.output) is None
            found.add(ANALYZER if labels else None)
    return found.pop() if len(found) == 1 else None


def outputs(trial: Trial) -> List[Tuple[Pass, Output]]:
    """Every pass that returned something.

    Raises:
        NotApplicable: none did.
    """
    returned = [(done, done.output) for done in trial.passes if done.output is not None]
    if not returned:
        raise NotApplicable("no pass returned anything")
    return returned


Judge = Callable[[Pass, Output], Optional[str]]


def judge_outputs(trial: Trial, judge: Judge, hint: Judge = lambda done, output: None) -> Iterator[Problem]:
    """One problem for all passes of which ``judge`` has something to say; the longest block speaks for them.

    ``hint`` gives the remedy for that block, or None for the rule's own.
    """
    said = [(done, output, text) for done, output in outputs(trial) for text in [judge(done, output)] if text]
    if said:
        done, output, message = max(said, key=lambda item: item[0].samples)
        others = f", and {len(said) - 1} more" if len(said) > 1 else ""
        places = list(dict.fromkeys(where(other) for other, *_ in said))
        remedy = hint(done, output)
        yield Problem(f"{message} (from {where(done)}{others}).", MODEL, hint=remedy, details={"passes": places})
