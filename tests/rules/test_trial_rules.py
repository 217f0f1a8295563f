"""Boundary values of the rules over trials: the last value that passes, and the first that does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, List, Optional, Tuple

import pytest

from audacitorch.facts import Archive, Metadata
from audacitorch.findings import ERROR, FINE, WARNING, Problem
from audacitorch.hosts import ALPHA, SPEC
from audacitorch.rules import NotApplicable, all_rules
from audacitorch.trial.observations import (
    EXCEPTION,
    FINISHED,
    MEMORY,
    SIGNAL,
    TIMEOUT,
    Failure,
    Output,
    Pass,
    TensorFacts,
    TimestampFacts,
    Trial,
)

EFFECT = Metadata({"effect_type": "waveform-to-waveform", "labels": ["out"], "multichannel": False})
LABELER = Metadata({"effect_type": "waveform-to-labels", "labels": ["cat", "dog"], "multichannel": False})
RAISED = Failure("RuntimeError", "no")
LACKED = Failure("RuntimeError", "can't allocate memory", memory=True)


def problems(name: str, trial: Trial, metadata: Metadata = EFFECT) -> List[Problem]:
    one = all_rules()[name]
    given = {"trial": trial, "metadata": metadata, "archive": Archive("torchscript")}
    return list(one.check(**{need: given[need] for need in one.needs}))


def wave(samples: int, channels: int = 1, dtype: str = "float32", **facts: Any) -> Output:
    values = {"minimum": -0.5, "maximum": 0.5, "mean": 0.0, "rms": 0.2, **facts}
    return Output("tensor", (TensorFacts(dtype, (channels, samples), **values),))


def block(samples: int = 2048, output: Optional[Output] = None, **changes: Any) -> Pass:
    fields = {"purpose": "length", "signal": "noise", "channels": 1, "track_channels": 1, "input_peak": 0.5, **changes}
    if output is None and "failure" not in changes:
        output = wave(samples)
    return Pass(samples=samples, track_samples=samples, output=output, **fields)


def trial(*passes: Pass, **changes: Any) -> Trial:
    return replace(Trial(FINISHED, "forward", passes=passes, minimum_samples=1), **changes)


def labels(shape: Tuple[int, ...], low: float = 0.0, high: float = 1.0, **stamps: Any) -> Output:
    times = {"unordered": 0, "negative": 0, "beyond_end": 0, "latest": 1.0, "block_seconds": 1.0, **stamps}
    rows = shape[0] if shape else 0
    values = TensorFacts("float32" if len(shape) == 2 else "int64", shape, minimum=low, maximum=high)
    return Output("tuple", (values, TensorFacts("float32", (rows, 2))), TimestampFacts(**times))


@pytest.mark.parametrize(
    ("shortest", "severity"),
    [(None, None), (1, None), (2, WARNING), (2048, WARNING), (2049, ERROR), (262144, ERROR)],
)
def test_short_input_is_a_warning_up_to_2048_samples(shortest: Optional[int], severity: Optional[str]) -> None:
    found = problems("short-input", trial(block(), block(1, failure=RAISED), minimum_samples=shortest))
    assert [problem.severity for problem in found] == ([] if severity is None else [severity])


@pytest.mark.parametrize(
    ("samples", "out", "severity"),
    [
        (100_000, 100_000, None),
        (100_000, 99_000, WARNING),  # exactly 1 %
        (100_000, 98_999, ERROR),
        (262_144, 262_144 + 1024, WARNING),
        (262_144, 262_144 + 1025, ERROR),  # within 1 %, but more than 1,024
        (1, 2, ERROR),
        (99, 98, ERROR),
        (100, 99, WARNING),
        (100, 0, ERROR),
    ],
)
def test_output_length_is_a_warning_within_1_percent_and_1024_samples(
    samples: int, out: int, severity: Optional[str]
) -> None:
    found = problems("output-length", trial(block(samples, wave(out))))
    assert [problem.severity for problem in found] == ([] if severity is None else [severity])


def test_one_block_that_is_far_too_short_makes_harmless_ones_an_error() -> None:
    (problem,) = problems("output-length", trial(block(100_000, wave(99_999)), block(2, wave(1))))
    assert problem.severity == ERROR
    assert "2 samples in gave 1 sample out" in problem.message


@pytest.mark.parametrize(("factor", "found"), [(None, 0), (0.01, 0), (1.0, 0), (1.01, 1)])
def test_slow_begins_above_real_time(factor: Optional[float], found: int) -> None:
    assert len(problems("slow", trial(block(), realtime_factor=factor))) == found


@pytest.mark.parametrize(
    ("shape", "good"),
    [((1, 2048), True), ((8, 2048), True), ((0, 2048), False), ((2048,), False), ((1, 1, 2048), False), ((), False)],
)
def test_waveforms_have_two_dimensions_and_a_channel(shape: Tuple[int, ...], good: bool) -> None:
    output = Output("tensor", (TensorFacts("float32", shape),))
    assert (problems("output-shape", trial(block(output=output))) == []) == good


@pytest.mark.parametrize(
    ("first", "second", "good"),
    [
        ((3,), (3, 2), True),
        ((3, 5), (3, 2), True),
        ((0,), (0, 2), True),
        ((0, 5), (0, 2), True),
        ((3, 5), (2, 2), False),
        ((3,), (3,), False),
        ((3,), (3, 3), False),
        ((1, 3, 5), (3, 2), False),
        ((), (1, 2), False),
    ],
)
def test_labels_have_steps_and_timestamps_a_start_and_an_end(
    first: Tuple[int, ...], second: Tuple[int, ...], good: bool
) -> None:
    output = Output("tuple", (TensorFacts("float32", first), TensorFacts("float32", second)))
    assert (problems("output-shape", trial(block(output=output)), LABELER) == []) == good


@pytest.mark.parametrize(
    ("kind", "count", "metadata", "good"),
    [
        ("tensor", 1, EFFECT, True),
        ("tuple", 2, LABELER, True),
        ("tensor", 1, LABELER, False),
        ("tuple", 2, EFFECT, False),
        ("tuple", 1, LABELER, False),
        ("tuple", 3, LABELER, False),
        ("tuple of Tensor, int", 1, LABELER, False),
        ("list", 0, LABELER, False),
        ("NoneType", 0, EFFECT, False),
    ],
)
def test_the_type_is_the_effect_types(kind: str, count: int, metadata: Metadata, good: bool) -> None:
    output = Output(kind, (TensorFacts("float32", (1, 1)),) * count)
    assert (problems("output-type", trial(block(output=output)), metadata) == []) == good


@pytest.mark.parametrize(
    ("dtype", "shape", "found"),
    [("complex64", (2, 2), 1), ("bool", (2, 2), 1), ("float16", (2, 2), 0), ("complex64", (2,), 1), ("bool", (2,), 0)],
)
def test_labels_that_have_no_argmax_are_an_error(dtype: str, shape: Tuple[int, ...], found: int) -> None:
    output = Output("tuple", (TensorFacts(dtype, shape), TensorFacts("float32", (2, 2))))
    assert len(problems("output-dtype", trial(block(output=output)), LABELER)) == found


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "int16", "complex64", "bool", "float32 on meta"])
def test_waveforms_are_float32(dtype: str) -> None:
    assert len(problems("output-dtype", trial(block(output=wave(2048, dtype=dtype))))) == 1


@pytest.mark.parametrize(("dtype", "good"), [("float32", True), ("float64", True), ("int64", False), ("bool", False)])
def test_timestamps_are_floating_point(dtype: str, good: bool) -> None:
    output = Output("tuple", (TensorFacts("int64", (1,)), TensorFacts(dtype, (1, 2))))
    assert (problems("output-dtype", trial(block(output=output)), LABELER) == []) == good


@pytest.mark.parametrize(("nan", "inf", "good"), [(0, 0, True), (1, 0, False), (0, 1, False)])
def test_one_value_that_is_no_number_is_enough(nan: int, inf: int, good: bool) -> None:
    assert (problems("output-not-finite", trial(block(output=wave(2048, nan=nan, inf=inf)))) == []) == good


@pytest.mark.parametrize(
    ("low", "high", "good"), [(0, 1, True), (0, 0, True), (0, 2, False), (-1, 0, False), (-1, 9, False)]
)
def test_indices_lie_within_labels(low: int, high: int, good: bool) -> None:
    output = labels((2,), low, high)
    assert (problems("label-index-out-of-range", trial(block(output=output)), LABELER) == []) == good


def test_no_index_at_all_is_within_labels() -> None:
    output = Output("tuple", (TensorFacts("int64", (0,)), TensorFacts("float32", (0, 2))))
    assert problems("label-index-out-of-range", trial(block(output=output)), LABELER) == []


@pytest.mark.parametrize(
    ("low", "high", "good"),
    [(0.0, 1.0, True), (-1e-4, 1.0001, True), (-2e-4, 1.0, False), (0.0, 1.0002, False), (-9.0, 9.0, False)],
)
def test_probabilities_lie_between_0_and_1_but_for_rounding(low: float, high: float, good: bool) -> None:
    output = labels((2, 2), low, high)
    assert (problems("probabilities-range", trial(block(output=output)), LABELER) == []) == good


@pytest.mark.parametrize(("classes", "good"), [(1, False), (2, True), (3, False)])
def test_classes_are_as_many_as_labels(classes: int, good: bool) -> None:
    found = problems("output-labels-mismatch", trial(block(output=labels((4, classes)))), LABELER)
    assert (found == []) == good


@pytest.mark.parametrize(("unordered", "negative", "good"), [(0, 0, True), (1, 0, False), (0, 1, False)])
def test_one_time_out_of_order_is_enough(unordered: int, negative: int, good: bool) -> None:
    output = labels((2, 2), unordered=unordered, negative=negative)
    assert (problems("timestamps-order", trial(block(output=output)), LABELER) == []) == good


@pytest.mark.parametrize(("beyond", "found"), [(0, 0), (1, 1)])
def test_labels_that_end_late_are_found(beyond: int, found: int) -> None:
    output = labels((2, 2), beyond_end=beyond, latest=1.5)
    assert len(problems("timestamps-range", trial(block(output=output)), LABELER)) == found


OF_INDICES = {SPEC: WARNING, ALPHA: FINE}
OF_PROBABILITIES = {SPEC: FINE, ALPHA: ERROR}


@pytest.mark.parametrize(
    ("shapes", "severities"),
    [([(2,)], [OF_INDICES]), ([(2, 2)], [OF_PROBABILITIES]), ([(2,), (2, 2)], [OF_INDICES, OF_PROBABILITIES])],
)
def test_each_form_of_labels_speaks_for_its_host(shapes: List[Tuple[int, ...]], severities: List[Any]) -> None:
    found = problems("label-format", trial(*(block(output=labels(shape)) for shape in shapes)), LABELER)
    assert [problem.severity for problem in found] == severities


@pytest.mark.parametrize(("db", "found"), [(None, 0), (-300.0, 0), (-80.0, 0), (-79.9, 1), (0.0, 1)])
def test_stateful_begins_above_rounding(db: Optional[float], found: int) -> None:
    assert len(problems("stateful", trial(block(), repeat_difference_db=db))) == found


@pytest.mark.parametrize(("db", "found"), [(None, 0), (-60.0, 0), (-59.9, 1)])
def test_seams_are_heard_from_60_db_below(db: Optional[float], found: int) -> None:
    assert len(problems("block-seams", trial(block(), seam_db=db, seam_labels=0))) == found


def test_seams_of_blocks_that_change_their_length_are_not_judged() -> None:
    shorter = block(2048, wave(2040), purpose="seam")
    with pytest.raises(NotApplicable, match="length"):
        problems("block-seams", trial(shorter, seam_db=0.0, seam_labels=0))


@pytest.mark.parametrize(("peak", "found"), [(0.0, 1), (2.0**-17, 1), (2.0**-16, 0)])
def test_silence_is_less_than_a_16_bit_step(peak: float, found: int) -> None:
    output = wave(2048, minimum=-peak, maximum=peak)
    assert len(problems("silent-output", trial(block(output=output)))) == found


def test_silence_for_silence_and_nothing_but_nan_are_not_called_silent() -> None:
    silence = block(output=wave(2048, minimum=0.0, maximum=0.0), signal="silence", input_peak=0.0)
    nothing = block(output=Output("tensor", (TensorFacts("float32", (1, 2048), nan=2048),)))
    assert problems("silent-output", trial(silence)) == []
    assert problems("silent-output", trial(nothing)) == []


@pytest.mark.parametrize(
    ("peak", "input_peak", "found"), [(1.0, 0.5, 0), (1.01, 0.5, 1), (1.01, 1.0, 1), (4.0, 2.0, 0)]
)
def test_clipping_is_judged_where_the_input_does_not_clip(peak: float, input_peak: float, found: int) -> None:
    loud = block(output=wave(2048, maximum=peak), input_peak=input_peak)
    assert len(problems("clipping", trial(loud))) == found


@pytest.mark.parametrize(("mean", "found"), [(0.01, 0), (0.011, 1), (-0.011, 1)])
def test_an_offset_is_a_mean_of_more_than_a_hundredth(mean: float, found: int) -> None:
    assert len(problems("dc-offset", trial(block(131072, wave(131072, mean=mean))))) == found
    assert problems("dc-offset", trial(block(100, wave(100, mean=0.3)))) == []


def test_a_failure_has_one_cause() -> None:
    """Each failed pass belongs to exactly one rule: length, channels, memory, or itself."""
    causes = {
        "short-input": trial(block(), block(10, failure=RAISED), minimum_samples=11),
        "fails-on-stereo": trial(block(), block(failure=RAISED, channels=2, track_channels=2)),
        "out-of-memory": trial(block(), block(failure=LACKED)),
        "forward-error": trial(block(), block(failure=RAISED, signal="silence")),
    }
    for cause, observed in causes.items():
        found = [name for name in causes if problems(name, observed)]
        assert found == [cause]


def test_stereo_that_fails_as_mono_does_is_no_matter_of_channels() -> None:
    observed = trial(block(failure=RAISED), block(failure=RAISED, channels=2), minimum_samples=None)
    assert problems("fails-on-stereo", observed) == []
    (problem,) = problems("forward-error", observed)
    assert "and 1 other kind of block" in problem.message


def test_errors_that_differ_in_numbers_alone_are_one_problem() -> None:
    def failing(samples: int, message: str) -> Pass:
        return block(samples, failure=Failure("RuntimeError", message))

    observed = trial(failing(10, "size 10 is bad"), failing(20, "size 20 is bad"), failing(30, "other"))
    assert len(problems("forward-error", replace(observed, minimum_samples=None))) == 2


@pytest.mark.parametrize(
    ("ended", "changes", "rule"),
    [
        (FINISHED, {}, None),
        (SIGNAL, {"signal": "SIGABRT"}, "aborts-host"),
        (EXCEPTION, {"load_failure": RAISED}, "load-error"),
        (TIMEOUT, {"reason": "not finished after 2 s"}, "timeout"),
        (MEMORY, {"load_failure": LACKED}, "out-of-memory"),
    ],
)
@pytest.mark.parametrize("stage", ["load", "forward"])
def test_every_ending_is_told_by_one_rule(ended: str, changes: Any, rule: Optional[str], stage: str) -> None:
    unfinished = block(failure=None, output=None) if stage == "forward" else None
    observed = Trial(ended, stage, unfinished=unfinished, **changes)
    endings = ("aborts-host", "load-error", "timeout", "out-of-memory", "forward-error")
    assert [name for name in endings if problems(name, observed)] == ([] if rule is None else [rule])


def test_a_hidden_error_is_told_in_full() -> None:
    observed = Trial(SIGNAL, "load", signal="SIGABRT", hidden_error="Unknown builtin op: aten::pad.\nmore")
    (problem,) = problems("aborts-host", observed)
    assert "Unknown builtin op: aten::pad" in problem.message
    assert problem.details["error"] == "Unknown builtin op: aten::pad.\nmore"


def test_rules_about_effects_leave_labelers_alone_and_the_other_way_round() -> None:
    for name in ("output-length", "silent-output", "clipping", "dc-offset", "block-seams"):
        with pytest.raises(NotApplicable):
            problems(name, trial(block(output=labels((2, 2)))), LABELER)
    for name in ("label-format", "label-index-out-of-range", "timestamps-order", "timestamps-range", "label-seams"):
        with pytest.raises(NotApplicable):
            problems(name, trial(block()), EFFECT)


def test_without_an_effect_type_that_a_host_knows_outputs_are_not_judged() -> None:
    odd: List[Any] = [None, "Waveform-To-Labels", ["waveform-to-labels"], {}]
    for effect_type in odd:
        for name in ("output-type", "output-shape", "output-labels-mismatch", "label-format"):
            with pytest.raises(NotApplicable):
                problems(name, trial(block()), Metadata({"effect_type": effect_type, "labels": []}))


@pytest.mark.parametrize(
    ("factor", "rate", "said"),
    [
        (3.0, 16_000, "(three times as many), which is 48,000 Hz where sample_rate says 16,000"),
        (22_050 / 16_000, 16_000, "(1.38 times as many), which is 22,050 Hz where sample_rate says 16,000"),
        (0.5, 44_100, "(half as many), which is 22,050 Hz where sample_rate says 44,100"),
    ],
)
def test_an_output_at_another_rate_is_told_by_its_rate(factor: float, rate: int, said: str) -> None:
    blocks = [block(samples, wave(round(samples * factor))) for samples in (20_001, 190_218)]
    metadata = Metadata({**EFFECT.fields, "sample_rate": rate})
    (problem,) = problems("output-length", trial(*blocks), metadata)
    assert said in problem.message
    assert "changes the sample rate" in str(problem.hint)


@pytest.mark.parametrize(
    ("dtype", "words"),
    [("int16", "take the conversion to integers out"), ("complex64", "irfft"), ("float64", None)],
)
def test_the_remedy_for_a_dtype_is_its_own(dtype: str, words: Optional[str]) -> None:
    (problem,) = problems("output-dtype", trial(block(2048, wave(2048, dtype=dtype))))
    assert (words is None) == (problem.hint is None)
    assert words is None or words in str(problem.hint)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((50_000, 2), "output.t()"),
        ((50_000,), "output.unsqueeze(0)"),
        ((1, 4, 50_000), "output.squeeze(0)"),
        ((1, 4, 2, 50_000), "give `labels` 8 names"),
    ],
)
def test_the_remedy_for_a_shape_is_its_own(shape: Tuple[int, ...], words: str) -> None:
    output = Output("tensor", (TensorFacts("float32", shape),))
    (problem,) = problems("output-shape", trial(block(50_000, output)))
    assert words in str(problem.hint)
