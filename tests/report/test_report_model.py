"""The report as a value: verdicts, JSON and back, and the schema that every report keeps to."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audacitorch.facts import Archive, Metadata, TextProblem
from audacitorch.findings import SEVERITIES, CouldNotRun, Finding, Skipped
from audacitorch.hosts import ALPHA, HOSTS, SPEC
from audacitorch.report import jsonfile
from audacitorch.report.jsonfile import metadata_to_json, plain, trial_to_json
from audacitorch.report.model import FAIL, PASS, UNKNOWN, Report, Target
from audacitorch.trial.observations import (
    REFUSED,
    SKIPPED,
    Failure,
    Output,
    Pass,
    TensorFacts,
    TimestampFacts,
    Trial,
)

from .samples import SAMPLES, hostile, trial

TEXT = st.text(max_size=30)
HOST_SETS = st.sampled_from([HOSTS, (SPEC,), (ALPHA,)])
FINDINGS = st.builds(
    Finding,
    rule=st.text(min_size=1, max_size=20),
    severity=st.sampled_from(SEVERITIES),
    hosts=HOST_SETS,
    message=TEXT,
    hint=TEXT,
    file=st.none() | TEXT,
    line=st.none() | st.integers(1, 10**6),
    details=st.dictionaries(TEXT, TEXT | st.integers(-(2**60), 2**60) | st.lists(st.booleans()), max_size=3),
)
FAILURES = st.builds(Failure, TEXT, TEXT, st.booleans())
SECONDS = st.none() | st.floats(0, 1e6)
TENSORS = st.builds(TensorFacts, TEXT, st.lists(st.integers(0, 10**6), max_size=3).map(tuple), rms=SECONDS)
OUTPUTS = st.builds(
    Output,
    kind=TEXT,
    tensors=st.lists(TENSORS, max_size=2).map(tuple),
    timestamps=st.none() | st.builds(TimestampFacts, *[st.integers(0, 9)] * 3, SECONDS, st.just(6.0)),
)
PASSES = st.builds(
    Pass,
    purpose=TEXT,
    signal=TEXT,
    channels=st.integers(1, 2),
    samples=st.integers(0, 10**6),
    track_samples=st.integers(0, 10**6),
    track_channels=st.integers(1, 2),
    seconds=SECONDS,
    first=st.booleans(),
    output=st.none() | OUTPUTS,
    failure=st.none() | FAILURES,
)
TRIALS = st.builds(Trial, st.sampled_from([REFUSED, SKIPPED]), reason=TEXT) | st.builds(
    Trial,
    ended=st.sampled_from(["finished", "exception", "signal", "timeout", "memory", "refused"]),
    stage=st.sampled_from(["load", "forward"]),
    sandbox=st.dictionaries(TEXT, TEXT | st.booleans(), max_size=2),
    torch=st.just("1.9.0"),
    load_failure=st.none() | FAILURES,
    operators=st.none() | st.dictionaries(TEXT, st.integers(1, 9), max_size=2),
    passes=st.lists(PASSES, max_size=2).map(tuple),
    unfinished=st.none() | PASSES,
    left_out=st.lists(TEXT, max_size=2).map(tuple),
    minimum_samples=st.none() | st.integers(1, 9),
    realtime_factor=SECONDS,
    ignores_input=st.none() | st.booleans(),
)
ARCHIVES = st.builds(
    Archive,
    kind=TEXT,
    size=st.integers(0, 10**9),
    unsafe=st.lists(TEXT, max_size=2).map(tuple),
    format_version=st.none() | st.integers(0, 20),
    producer=st.none() | TEXT,
    code_problems=st.lists(st.builds(TextProblem, TEXT, TEXT, st.none() | st.integers(1, 9)), max_size=2).map(tuple),
    dtypes=st.dictionaries(TEXT, st.integers(0, 9), max_size=2),
    counted=st.dictionaries(TEXT, st.integers(1, 9), max_size=3),
)
REPORTS = st.builds(
    Report,
    target=st.builds(Target, st.sampled_from(["folder", "hub"]), st.none() | TEXT, st.none() | TEXT),
    findings=st.lists(FINDINGS, max_size=6).map(tuple),
    skipped=st.lists(st.builds(Skipped, st.just("slow"), TEXT), max_size=2).map(tuple),
    could_not_run=st.lists(st.builds(CouldNotRun, st.just("slow"), TEXT), max_size=1).map(tuple),
    hosts_wanted=HOST_SETS,
    strict=st.booleans(),
    static=st.booleans(),
    metadata=st.none() | st.builds(Metadata, st.dictionaries(TEXT, TEXT, max_size=3)),
    trial=st.none() | TRIALS,
    archive=st.none() | ARCHIVES,
)


@cache
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(files("audacitorch").joinpath("data/report.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@given(REPORTS)
@settings(deadline=None)
@pytest.mark.slow
def test_json_round_trips_and_keeps_to_the_schema(report: Report) -> None:
    text = jsonfile.render(report)
    validator().validate(json.loads(text))
    assert Report.load(text) == report
    assert text.isascii()
    assert text.replace("\n", "").isprintable()


@given(REPORTS, st.randoms(use_true_random=False))
@settings(deadline=None)
@pytest.mark.slow
def test_the_verdict_does_not_depend_on_the_order_of_findings(report: Report, shuffle: random.Random) -> None:
    findings = list(report.findings)
    shuffle.shuffle(findings)
    shuffled = replace(report, findings=tuple(findings))
    assert (shuffled.verdict, shuffled.hosts, shuffled.exit_status) == (
        report.verdict,
        report.hosts,
        report.exit_status,
    )


@pytest.mark.parametrize("made", [*SAMPLES.values(), hostile], ids=lambda made: made.__name__)
def test_every_sample_keeps_to_the_schema(made: Any) -> None:
    validator().validate(made().to_json())


def test_the_schema_refuses_what_is_no_report() -> None:
    wrong = {**SAMPLES["effect"]().to_json(), "verdict": "maybe"}
    assert [list(error.path) for error in validator().iter_errors(wrong)] == [["verdict"]]
    wrong = {**SAMPLES["effect"]().to_json(), "trial": {"passes": []}}
    assert not validator().is_valid(wrong)


def test_our_failure_is_neither_a_pass_nor_the_authors_fault() -> None:
    report = SAMPLES["undecided"]()
    assert (report.verdict, report.exit_status) == (UNKNOWN, 3)
    with_error = replace(report, findings=(Finding("slow", "error", (SPEC,), "x"),))
    assert with_error.hosts == {SPEC: FAIL, ALPHA: UNKNOWN}


def test_a_strict_check_fails_on_warnings() -> None:
    warned = Report(target=Target("folder"), findings=(Finding("slow", "warning", HOSTS, "x"),))
    assert (warned.verdict, replace(warned, strict=True).verdict) == (PASS, FAIL)


def test_a_report_of_a_later_version_is_refused_and_later_fields_are_passed_over() -> None:
    data = SAMPLES["effect"]().to_json()
    data["target"]["later"] = 1
    data["findings"][0]["later"] = 1
    data["trial"]["later"] = data["trial"]["passes"][0]["later"] = data["archive"]["later"] = 1
    assert Report.from_json(data) == SAMPLES["effect"]()
    with pytest.raises(ValueError, match="schema version 2"):
        Report.from_json({**data, "schema_version": 2})
    with pytest.raises(ValueError, match="severity"):
        Report.from_json({**data, "findings": [{**data["findings"][0], "severity": "fatal"}]})


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 1}', "null"])
def test_what_is_no_report_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Report.load(text)


def test_nan_infinity_and_huge_values_become_plain_json() -> None:
    deep: list = []
    for _ in range(100):
        deep = [deep]
    shown = plain({"nan": math.nan, "inf": -math.inf, "huge": 10**5000, "long": "x" * 10**6, "deep": deep, "b": b"x"})
    assert shown["nan"] is None
    assert shown["inf"] is None
    assert shown["huge"] == "integer of 16610 bits"
    assert len(shown["long"]) == 2000
    assert len(json.dumps(shown, allow_nan=False)) < 3000


def test_metadata_of_a_million_labels_is_bounded() -> None:
    fields = metadata_to_json(Metadata(fields={"labels": ["x"] * 10**6, **{str(n): n for n in range(10**4)}}))
    assert len(fields) == 1000
    assert len(fields["labels"]) == 1000


def test_a_trial_that_saw_nan_has_null() -> None:
    assert trial_to_json(trial(seam_db=math.nan, realtime_factor=math.inf))["seam_db"] is None
    assert trial_to_json(trial())["passes"][0]["input"]["samples"] == 262_144


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (("trial", "passes", 0, "seconds"), "soon"),
        (("trial", "passes", 0, "input", "samples"), None),
        (("trial", "realtime_factor"), math.inf),
        (("trial", "sandbox"), []),
        (("archive", "operators", "aten::mul"), "many"),
        (("archive", "kind"), 1),
        (("metadata",), []),
        (("target", "source"), None),
        (("strict",), "no"),
        (("tool",), "audacitorch"),
        (("findings", 0, "line"), "3"),
    ],
)
def test_a_report_with_a_field_of_another_type_is_a_value_error(place: Any, wrong: Any) -> None:
    data = SAMPLES["effect"]().to_json()
    *path, last = place
    holder = data
    for part in path:
        holder = holder[part]
    holder[last] = wrong
    with pytest.raises(ValueError, match=r"."):
        Report.load(json.dumps(data))


def test_metadata_with_a_number_that_no_float_holds_is_shown() -> None:
    from audacitorch.report import text

    assert "booster-net" in text.render(
        replace(SAMPLES["effect"](), metadata=Metadata(fields={"sample_rate": 10**400}))
    )
