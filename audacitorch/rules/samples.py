"""Rules about how many samples go in and come out: which lengths of block work, and whether results follow them."""

from __future__ import annotations

from typing import Iterator, List, Optional, Tuple

from audacitorch.facts import MODEL, Metadata
from audacitorch.findings import ERROR, WARNING, Problem
from audacitorch.hosts import ANALYZER, EFFECT
from audacitorch.rules import NotApplicable, rule
from audacitorch.rules.causes import blame, cause_of, common_cause, raised
from audacitorch.rules.output import LONG_ENOUGH, outputs, require
from audacitorch.trial.observations import LENGTH_SEARCH, Pass, Trial, failed_by_itself

#: A last block as short as this is common; needing more makes clips fail that people would call long.
_SHORT_BLOCK = 2048
#: This part of a block being silent at its end is no accident.
_STOPPED_SHARE = 0.05
_HARMLESS_SHARE = 0.01
_HARMLESS_SAMPLES = 1024
_FRACTIONS = {0.5: "half", 1 / 3: "a third", 0.25: "a quarter", 2.0: "twice", 3.0: "three times", 4.0: "four times"}
#: Sample rates that people export models for.
_RATES = frozenset((8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 176400, 192000))


@rule(
    title="Short blocks work",
    reason="The last block of a clip can have any length, from 1 sample on. When an effect fails there, the user "
    "gets an error box and silence at the end of the clip; when an analyzer fails, all labels of the track "
    "are lost.",
    hint="Pad the input to the length that the model needs, and cut the output back to the input's length.",
    severity=WARNING,
    after=("load-error", "aborts-host"),
)
def short_input(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    shortest = trial.minimum_samples
    if shortest is None or shortest <= 1:
        return
    if shortest == 2 and _nan_on_silence(trial):
        raise NotApplicable("silence gives NaN as well, which is what one sample is after its mean is taken off")
    failures = [done.failure for done in trial.passes if done.failure is not None and done.samples < shortest]
    analyzer = metadata.fields.get("effect_type") == ANALYZER
    severity = ERROR if shortest > _SHORT_BLOCK or (analyzer and failures) else WARNING
    line = blame(failures[-1].message if failures else "")
    details = {"minimum_samples": shortest, "error": failures[-1].message if failures else "", **line.details}
    if failures:
        cause = cause_of(failures[-1].message)
        error, said = raised(failures[-1].type, failures[-1].message)
        came = f"raise {error}: {said}"
        hint = cause.hint if cause and cause.name in ("frames-too-few", "one-value") else None
    else:
        came = "give NaN."
        hint = (
            "A statistic over one sample or one frame is not a number: std() and var() divide by n - 1. Use "
            "unbiased=False, or pad the block to two frames and cut the output back."
        )
    searched = not any(what.startswith(LENGTH_SEARCH) for what in trial.left_out)
    works = "works" if searched else "was tried and works"
    message = f"The shortest input that {works} has {shortest:,} samples; shorter ones {came}"
    yield Problem(message, MODEL, hint=hint, severity=severity, details=details, origin=line.origin)


def _nan_on_silence(trial: Trial) -> bool:
    silent = [done for done in trial.passes if done.signal == "silence" and done.output is not None]
    return any(tensor.nan for done in silent if done.output for tensor in done.output.tensors)


@rule(
    title="The output follows the input's length",
    reason="A trace keeps the lengths of its example. Samples after that length are not processed: they come out as "
    "silence or without labels.",
    hint="Use torch.jit.script, or take lengths from x.shape inside forward; compare blocks of several lengths.",
    severity=WARNING,
    after=("output-type", "output-shape", "timestamps-order", "timestamps-unit"),
)
def traced_length(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    if trial.ignores_input:
        raise NotApplicable("the results do not follow the input at all")
    long = [done for done in trial.passes if done.signal == "noise" and done.samples >= LONG_ENOUGH and done.output]
    analyzer = metadata.fields.get("effect_type") == ANALYZER
    stops = [stop for done in long for stop in [_labels_stop(done) if analyzer else _sound_stops(done)]]
    lengths = {done.samples for done in long}
    if len(lengths) < (3 if analyzer else 2) or None in stops or max(_values(stops)) - min(_values(stops)) > 0:
        return
    end = _values(stops)[0]
    said = f"at {end / 1000:.3f} s" if analyzer else f"after {end:,.0f} samples"
    message = f"The results stop {said} in all blocks of {min(lengths):,} to {max(lengths):,} samples."
    yield Problem(message, MODEL, details={"lengths": sorted(lengths), "end": end})


def _sound_stops(done: Pass) -> Optional[float]:
    """The sample behind which an output is nothing but silence; None where it goes to its end, or is all silence."""
    tensor = done.output.tensors[0] if done.output and done.output.tensors else None
    if tensor is None or tensor.silent_tail < _STOPPED_SHARE * done.samples or tensor.silent_tail >= tensor.shape[-1]:
        return None
    return tensor.shape[-1] - tensor.silent_tail


def _labels_stop(done: Pass) -> Optional[float]:
    """The millisecond at which the last of several labels ends; None where that may be by chance."""
    stamps = done.output.timestamps if done.output else None
    if stamps is None or stamps.latest is None or done.output is None or done.output.tensors[1].shape[0] < 2:
        return None
    return None if stamps.latest > stamps.block_seconds * (1 - _STOPPED_SHARE) else round(stamps.latest * 1000)


def _values(stops: List[Optional[float]]) -> List[float]:
    return [stop for stop in stops if stop is not None]


@rule(
    title="The output has as many samples as the input",
    reason="The result is pasted where the block began, so that a shorter or longer one leaves a gap or shifts "
    "everything after it.",
    hint="Pad the input so that no stride loses its end, and cut the output: output[:, :x.shape[1]].",
    severity=ERROR,
    after=("output-type", "output-shape"),
)
def output_length(trial: Trial, metadata: Metadata) -> Iterator[Problem]:
    require(metadata, EFFECT)
    failures = [done.failure.message for done in trial.passes if failed_by_itself(trial, done) and done.failure]
    cause = common_cause(failures) if failures else None
    if cause is not None and cause.name in ("traced-length", "layer-size"):
        raise NotApplicable("a length that is written into the code makes forward raise")
    wrong: List[Tuple[Pass, int]] = []
    for done, output in outputs(trial):
        if output.tensors[0].shape[1] != done.samples:
            wrong.append((done, output.tensors[0].shape[1]))
    if not wrong:
        return
    done, samples = max(wrong, key=lambda item: (not _harmless(*item), item[0].samples))
    others = len(wrong) - 1
    share, rate = _share(wrong), metadata.fields.get("sample_rate")
    given = "1 sample" if done.samples == 1 else f"{done.samples:,} samples"
    message = f"{given} in gave {samples:,} {'sample' if samples == 1 else 'samples'} out{share}"
    factor = _factor(wrong)
    if factor is not None and isinstance(rate, int) and round(rate * factor) in _RATES:
        message += f", which is {round(rate * factor):,} Hz where sample_rate says {rate:,}"
    if others:
        message += f", and {others:,} other {'blocks' if others > 1 else 'block'} changed their length too"
    yield Problem(
        f"{message}.",
        MODEL,
        hint=_length_hint(wrong),
        severity=WARNING if all(_harmless(*item) for item in wrong) else ERROR,
        details={"lengths": [{"in": done.samples, "out": samples} for done, samples in wrong]},
    )


def _factor(wrong: List[Tuple[Pass, int]]) -> Optional[float]:
    """How many times as many samples come out, where it is one number for all long blocks and not nearly 1."""
    long = [(done.samples, samples) for done, samples in wrong if done.samples >= LONG_ENOUGH]
    if not long:
        return None
    given, out = max(long)
    fractions = [one for one in (2.0, 3.0, 4.0, 0.5, 1 / 3, 0.25) if abs(one * given - out) <= _HARMLESS_SAMPLES]
    factor = next(iter(fractions), out / given)
    steady = all(abs(factor * given - out) <= max(_HARMLESS_SAMPLES, 0.01 * out) for given, out in long)
    changes = len({given for given, _ in long}) > 1 or bool(fractions)
    return factor if steady and changes and not 0.9 < factor < 1.1 and out > 0 else None


def _share(wrong: List[Tuple[Pass, int]]) -> str:
    """What the lengths have in common, where that names the mistake."""
    factor = _factor(wrong)
    if factor is not None:
        return f" ({_FRACTIONS.get(factor, f'{factor:.3g} times')} as many)"
    long = [(done.samples, samples) for done, samples in wrong if done.samples >= LONG_ENOUGH]
    if len({given for given, _ in long}) > 1 and len({out for _, out in long}) == 1:
        return " (always the same number)"
    return ""


def _length_hint(wrong: List[Tuple[Pass, int]]) -> Optional[str]:
    share = _share(wrong)
    if "as many" in share:
        return (
            "The model changes the sample rate: a stride is not undone, two channels are put one after the other, or "
            "sample_rate is not the rate that comes out. Bring the output back to x.shape[1] samples."
        )
    if "same" in share:
        return (
            "A length is fixed in the code, as a trace does with its example's: use torch.jit.script, or "
            "take the length from x.shape."
        )
    return None


def _harmless(done: Pass, samples: int) -> bool:
    difference = abs(done.samples - samples)
    return difference <= _HARMLESS_SAMPLES and difference <= _HARMLESS_SHARE * done.samples
