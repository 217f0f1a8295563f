"""Remedies that depend on what exactly is wrong: the hint is that of the case, not of the rule."""

from __future__ import annotations

import json
from typing import Any, Tuple

import pytest

from audacitorch.archive.sniff import sniff, zip_without_code
from audacitorch.facts import Archive, Metadata
from audacitorch.findings import Problem
from audacitorch.repo.metadata_file import read_metadata
from audacitorch.rules import all_rules
from audacitorch.trial.observations import FINISHED, Output, Pass, TensorFacts, TimestampFacts, Trial

EFFECT = Metadata({"effect_type": "waveform-to-waveform"})
LABELER = Metadata({"effect_type": "waveform-to-labels"})


def only(rule: str, **facts: Any) -> Problem:
    (problem,) = all_rules()[rule].check(**facts)
    return problem


def waveform(peak: float, shape: Tuple[int, ...] = (1, 262144)) -> TensorFacts:
    return TensorFacts("float32", shape, minimum=-peak, maximum=peak, mean=0.0, rms=peak / 2)


def trial(*tensors: TensorFacts, timestamps: Any = None, **measured: Any) -> Trial:
    output = Output("tensor" if len(tensors) == 1 else "tuple", tensors, timestamps)
    done = Pass("length", "noise", 1, 262144, 262144, 1, output=output, input_peak=1.0)
    return Trial(FINISHED, passes=(done,), **measured)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"<!DOCTYPE html><html>", "download it again"),
        (b'{"error": "not found"}', "download it again"),
        (b"\x1f\x8b\x08" + b"\0" * 20, "Unpack the file"),
        (b"\x89HDF\r\n\x1a\n", "load the weights into the PyTorch module"),
        (b"\x1c\0\0\0TFL3", "load the weights into the PyTorch module"),
    ],
)
def test_a_file_of_another_format_has_its_own_remedy(head: bytes, words: str) -> None:
    assert words in (only("not-torchscript", archive=Archive(*sniff(head))).hint or "")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["metadata.json", "config.json", "model.weights.h5"], "a Keras model"),
        (["arr_0.npy", "arr_1.npy"], "a NumPy file"),
        (["a/b/data.pkl", "a/b/constants.pkl"], "one folder too deep"),
    ],
)
def test_a_zip_file_is_named_by_its_members(names: Any, words: str) -> None:
    assert words in zip_without_code(names)


@pytest.mark.parametrize(
    ("field", "value", "written"),
    [
        ("sample_rate", "44.1kHz", '"sample_rate": 44100'),
        ("sample_rate", "48000 Hz", '"sample_rate": 48000'),
        ("sample_rate", 16000.0, '"sample_rate": 16000'),
        ("sample_rate", "high", '"sample_rate": 48000'),  # the example: nobody knows
        ("tags", "speech, noise", '"tags": ["speech", "noise"]'),
        ("labels", "vocals", '"labels": ["vocals"]'),
    ],
)
def test_a_value_of_another_type_is_written_as_it_was_meant(field: str, value: Any, written: str) -> None:
    fields = {
        "sample_rate": 48000, "domains": ["music"], "domain_tags": ["music"], "short_description": "short",
        "long_description": "long", "tags": ["a"], "labels": ["b"], "effect_type": "waveform-to-waveform",
        "multichannel": False, field: value,
    }  # fmt: skip
    assert only("metadata-field-type", metadata=read_metadata(json.dumps(fields).encode())).hint == f"Write {written}."


@pytest.mark.parametrize(("peak", "words"), [(32767.0, "divide it by 32768"), (587.0, "does not follow the input")])
def test_a_loud_output_is_that_of_integers_or_of_a_frozen_gain(peak: float, words: str) -> None:
    assert words in (only("clipping", trial=trial(waveform(peak)), metadata=EFFECT).hint or "")


@pytest.mark.parametrize(("peak", "words"), [(0.0, "weights were saved"), (0.5, "")])
def test_silence_for_everything_is_no_trace(peak: float, words: str) -> None:
    problem = only("ignores-input", trial=trial(waveform(peak), ignores_input=True), metadata=EFFECT)
    assert (problem.hint is None) == (not words)
    assert words in (problem.hint or "")


@pytest.mark.parametrize(
    ("latest", "words"),
    [
        (5_944.0, "milliseconds"),
        (5_944_000.0, "microseconds"),
        (262_144.0, "samples"),
        (594.0, "frames, about 99.9"),
    ],
)
def test_the_unit_of_timestamps_is_named(latest: float, words: str) -> None:
    stamps = TensorFacts("float32", (10, 2))
    facts = TimestampFacts(unordered=0, negative=0, beyond_end=1, latest=latest, block_seconds=262144 / 44100)
    found = only("timestamps-unit", trial=trial(waveform(1.0, (10, 2)), stamps, timestamps=facts), metadata=LABELER)
    assert words in found.message


def test_a_waveform_with_its_state_is_not_taken_for_labels() -> None:
    state = TensorFacts("float32", (1, 1, 8))
    problem = only("output-type", trial=trial(waveform(1.0), state), metadata=EFFECT)
    assert "return the first of them alone, which is the waveform" in problem.message
