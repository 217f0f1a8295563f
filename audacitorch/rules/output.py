"""Rules about what forward returns: its type, shape, dtype and length, for both effect types."""

from __future__ import annotations

from typing import Callable, Iterator, List, Optional, Tuple

from audacitorch.facts import Metadata
from audacitorch.findings import ERROR, WARNING, Problem
from audacitorch.hosts import ANALYZER, EFFECT
from audacitorch.repo.model_repo import MODEL
from audacitorch.rules import NotApplicable, rule
from audacitorch.trial.observations import Output, Pass, Trial, too_short, where

_HARMLESS_SHARE = 0.01
_HARMLESS_SAMPLES = 1024
#: Blocks of fewer samples tell nothing about a ratio of lengths.
_LONG_ENOUGH = 16384


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
        return f"A {effect_type} model must return {wanted}, and this one returned {got}{_guess(output)}"

    yield from judge_outputs(trial, judge)


def _guess(output: Output) -> str:
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
    return f"The output's shape is {shape}, expected (channels, samples)"


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
    others = len(wrong) - 1
    message = f"{done.samples:,} samples in gave {samples:,} samples out{_share(wrong)}"
    if others:
        message += f", and {others:,} other {'blocks' if others > 1 else 'block'} changed their length too"
    yield Problem(
        f"{message}.",
        MODEL,
        hint=_length_hint(wrong),
        severity=WARNING if all(_harmless(*item) for item in wrong) else ERROR,
        details={"lengths": [{"in": done.samples, "out": samples} for done, samples in wrong]},
    )


def _share(wrong: List[Tuple[Pass, int]]) -> str:
    """What the lengths have in common, where that names the mistake."""
    long = [(done.samples, samples) for done, samples in wrong if done.samples >= _LONG_ENOUGH]
    for factor, named in (
        (2, "half as many"),
        (3, "a third as many"),
        (4, "a quarter as many"),
        (0.5, "twice as many"),
    ):
        if long and all(abs(given / factor - out) <= _HARMLESS_SAMPLES for given, out in long):
            return f" ({named})"
    if len({given for given, _ in long}) > 1 and len({out for _, out in long}) == 1:
        return " (always the same number)"
    return ""


def _length_hint(wrong: List[Tuple[Pass, int]]) -> Optional[str]:
    share = _share(wrong)
    if "as many" in share:
        return (
            "The model changes the sample rate: a stride is not undone, two channels are laid one behind the other, or "
            "sample_rate is not the rate that comes out. Bring the output back to x.shape[1] samples."
        )
    if "same" in share:
        return (
            "A length is written into the code, as a trace does with that of its example: use torch.jit.script, or "
            "take the length from x.shape."
        )
    return None


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
        if too_short(trial, done):
            return None  # what short-input is about
        nan, inf = sum(t.nan for t in output.tensors), sum(t.inf for t in output.tensors)
        return f"The output holds {nan:,} NaN and {inf:,} infinite values" if nan or inf else None

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
