"""Every rule about metadata.json: what it lets pass, what it finds, for which host, in which line."""

import json
from typing import Any, Set

import pytest

from audacitorch.findings import ERROR, FINE, NOTE, WARNING, severity_by_host
from audacitorch.hosts import ALPHA, HOSTS, SPEC
from audacitorch.repo.metadata_file import example, known_fields, read_metadata
from audacitorch.repo.violations import nearest
from audacitorch.rules import all_rules
from audacitorch.rules.metadata import MAX_PER_FIELD

VALID = {
    "sample_rate": 48000,
    "domains": ["music"],
    "domain_tags": ["music"],
    "short_description": "short",
    "long_description": "long",
    "tags": ["volume boost"],
    "labels": ["boosted"],
    "effect_type": "waveform-to-waveform",
    "multichannel": False,
}


def found(metadata: Any) -> Any:
    """(rule, problem, severity by host) of every problem that these rules find, as a check runs them."""
    facts = read_metadata(metadata if isinstance(metadata, bytes) else json.dumps(metadata, indent=1).encode())
    problems = []
    failed: Set[str] = set()
    for rule in all_rules().values():
        if rule.needs == ("metadata",) and not failed.intersection(rule.after):
            for problem in rule.check(facts):
                failed.add(rule.name)
                severity = rule.severity if problem.severity is None else severity_by_host(problem.severity)
                problems.append((rule.name, problem, dict(severity)))
    return problems


def only(metadata: Any) -> Any:
    ((rule, problem, severity),) = found(metadata)
    return rule, problem, severity


def changed(**fields: Any) -> Any:
    return {key: value for key, value in {**VALID, **fields}.items() if value is not ...}


BOTH = {SPEC: ERROR, ALPHA: ERROR}
SPEC_ONLY = {SPEC: ERROR, ALPHA: FINE}
ALPHA_ONLY = {SPEC: FINE, ALPHA: ERROR}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"sample_rate": 1},
        {"sample_rate": 384000},
        {"short_description": "é" * 60, "long_description": "🎸" * 280},
        {"tags": ["x" * 15, "b", "c", "d", "e"]},
        {"tags": [], "labels": []},
        {"labels": [f"drum {number}" for number in range(1000)]},
        {"domains": ["music"] * 9},
        {"domain_tags": ["music", "music", "speech", "other"]},
        {"confidence_threshold": 0.5, "displayname": "Booster"},
        {"confidence_threshold": 1},
        {"name": "booster", "author": "me", "model_size": 12},
        {"$schema": "metadata.schema.json"},
    ],
)
def test_valid_metadata_gives_no_problem(fields: Any) -> None:
    assert found(changed(**fields)) == []


@pytest.mark.parametrize(
    ("fields", "rule", "severity", "message"),
    [
        ({"labels": ...}, "metadata-field-missing", BOTH, "`labels` is missing"),
        ({"tags": ...}, "metadata-field-missing", BOTH, "`tags` is missing"),
        ({"domain_tags": ..., "domains": ...}, "metadata-field-missing", BOTH, "Neither `domains` nor `domain_tags`"),
        ({"domain_tags": ...}, "metadata-field-missing", ALPHA_ONLY, "Audacity 3.2 alpha does not read `domains`"),
        ({"sample_rate": "48000"}, "metadata-field-type", BOTH, '`sample_rate` must be an integer, not "48000"'),
        ({"sample_rate": 48000.0}, "metadata-field-type", BOTH, "must be an integer, not 48000.0"),
        ({"sample_rate": True}, "metadata-field-type", BOTH, "must be an integer, not true"),
        ({"sample_rate": None}, "metadata-field-type", BOTH, "must be an integer, not null"),
        ({"multichannel": "false"}, "metadata-field-type", BOTH, "`multichannel` must be true or false"),
        ({"multichannel": 0}, "metadata-field-type", BOTH, "must be true or false, not 0"),
        ({"tags": "boost"}, "metadata-field-type", BOTH, '`tags` must be a list, not "boost"'),
        ({"labels": ["a", 7]}, "metadata-field-type", BOTH, "`labels[1]` must be a string, not 7"),
        ({"labels": {"0": "a"}}, "metadata-field-type", BOTH, "not an object of 1"),
        ({"effect_type": ["waveform-to-labels"]}, "metadata-field-type", BOTH, "not a list of 1"),
        ({"domains": "music"}, "metadata-field-type", SPEC_ONLY, "`domains` must be a list"),
        ({"domain_tags": [1]}, "metadata-field-type", BOTH, "`domain_tags[0]` must be a string"),
        ({"confidence_threshold": "0.5"}, "metadata-field-type", SPEC_ONLY, "must be a number"),
        ({"author": 5}, "metadata-field-type", ALPHA_ONLY, "`author` must be a string"),
        (
            {"sample_rate": 0},
            "metadata-field-range",
            BOTH,
            "above 0 and below 396000 (spec), above 0 and at most 384000",
        ),
        ({"sample_rate": -1}, "metadata-field-range", BOTH, "above 0 and at most 384000 (audacity-3.2-alpha), not -1"),
        ({"sample_rate": 384001}, "metadata-field-range", ALPHA_ONLY, "must be above 0 and at most 384000, not 384001"),
        ({"sample_rate": 396000}, "metadata-field-range", BOTH, "above 0 and below 396000 (spec)"),
        ({"sample_rate": 10**200}, "metadata-field-range", BOTH, "not 1000000000"),
        ({"confidence_threshold": 1.5}, "metadata-field-range", SPEC_ONLY, "must be 0 to 1, not 1.5"),
        ({"short_description": "x" * 61}, "metadata-field-length", BOTH, "has 61 characters, at most 60 characters"),
        ({"long_description": "🎸" * 281}, "metadata-field-length", BOTH, "has 281 characters, at most 280"),
        ({"tags": ["x" * 16]}, "metadata-field-length", {SPEC: WARNING, ALPHA: FINE}, "should have at most 15"),
        ({"tags": list("abcdef")}, "metadata-field-count", BOTH, "`tags` has 6 entries, at most 5"),
        ({"domain_tags": ["music"] * 5}, "metadata-field-count", ALPHA_ONLY, "has 5 entries, at most 4"),
        ({"tags": ["a", "b", "a"]}, "metadata-field-value", ALPHA_ONLY, '`tags[2]` repeats "a"'),
        ({"effect_type": "Waveform-To-Labels"}, "metadata-field-value", BOTH, 'not "Waveform-To-Labels"'),
        ({"effect_type": "waveform-to-midi"}, "metadata-field-value", BOTH, "one of waveform-to-waveform, "),
        (
            {"domains": ["speach"], "domain_tags": ["speach"]},
            "metadata-domain-unknown",
            {SPEC: WARNING, ALPHA: ERROR},
            '`domain_tags` names "speach"',
        ),
        ({"domains": ["Music"]}, "metadata-domain-unknown", {SPEC: WARNING, ALPHA: FINE}, '`domains` names "Music"'),
        ({"sampel_rate": 1}, "metadata-unknown-field", dict.fromkeys(HOSTS, NOTE), "is `sample_rate` meant?"),
        ({"labels": ["a", "b", "a"]}, "duplicate-labels", dict.fromkeys(HOSTS, WARNING), 'the same text: "a"'),
        ({"short_description": " "}, "placeholder-text", dict.fromkeys(HOSTS, NOTE), "`short_description` is empty."),
        ({"long_description": "Lorem ipsum dolor"}, "placeholder-text", dict.fromkeys(HOSTS, NOTE), "is a placeholder"),
        ({"license": "MIT"}, "metadata-unknown-field", dict.fromkeys(HOSTS, NOTE), 'reads the field "license"'),
    ],
)
def test_one_defect_gives_one_problem_with_its_field_value_and_limit(
    fields: Any, rule: str, severity: Any, message: str
) -> None:
    name, problem, severities = only(changed(**fields))
    assert (name, severities) == (rule, severity)
    assert message in problem.message
    assert problem.file == "metadata.json"
    assert problem.line is not None


@pytest.mark.parametrize(
    ("data", "rule", "line"),
    [
        (b"{", "metadata-json", 1),
        (b"[]", "metadata-json", 1),
        (b'{"a": 1,\n"a": 2}', "metadata-json", 2),
        (b" " * 600_000, "metadata-json", None),
        (b"version https://git-lfs.github.com/spec/v1\n", "metadata-json", 1),
        (b"\xff\xfe{\x00}\x00", "metadata-encoding", 1),
        (b"\xef\xbb\xbf{}", "metadata-encoding", 1),
    ],
)
def test_a_file_that_cannot_be_read_gives_one_problem_and_no_missing_fields(data: Any, rule: str, line: Any) -> None:
    name, problem, severity = only(data)
    assert (name, problem.line, severity) == (rule, line, BOTH)


def test_each_problem_stands_on_the_line_of_its_value() -> None:
    text = json.dumps(changed(tags=["ok", "x" * 16], multichannel=1, colour="red"), indent=1)
    lines = text.split("\n")
    by_rule = {rule: lines[problem.line - 1] for rule, problem, _ in found(text.encode())}
    assert "x" * 16 in by_rule["metadata-field-length"]
    assert "multichannel" in by_rule["metadata-field-type"]
    assert "colour" in by_rule["metadata-unknown-field"]


def test_a_misspelt_field_is_named_where_the_right_one_is_missed() -> None:
    metadata = changed(sample_rate=..., sampleRate=48000)
    (missing,) = [problem for rule, problem, _ in found(metadata) if rule == "metadata-field-missing"]
    assert missing.hint == 'Rename "sampleRate" to `sample_rate`.'


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"sample_rate": "44100"}, 'Write "sample_rate": 44100.'),
        ({"sample_rate": 44100.0}, 'Write "sample_rate": 44100.'),
        ({"sample_rate": "nan"}, 'Write "sample_rate": 48000.'),
        ({"tags": "boost"}, 'Write "tags": ["boost"].'),
        ({"effect_type": "Waveform to labels"}, 'Write "effect_type": "waveform-to-labels".'),
        ({"domains": ["Music"]}, 'Write "music".'),
        ({"labels": ...}, 'Add "labels": ["drums", "bass"].'),
    ],
)
def test_hints_are_ready_to_paste(fields: Any, hint: str) -> None:
    assert only(changed(**fields))[1].hint == hint


def test_every_example_is_valid() -> None:
    lines = [example(field) for field in known_fields() if example(field)]
    assert set(VALID) < {line.split('"')[1] for line in lines}
    assert found(("{" + ",".join(lines) + "}").encode()) == []


def test_ten_thousand_wrong_values_are_not_ten_thousand_problems() -> None:
    problems = found(changed(labels=[1] * 10_000))
    assert len(problems) == MAX_PER_FIELD + 1
    assert problems[-1][1].message == f"`labels` has {10_000 - MAX_PER_FIELD:,} more of these."
    unknown = found({**VALID, **{f"zzz{number}": 1 for number in range(5000)}})
    assert len(unknown) == MAX_PER_FIELD + 1
    domains = [f"d{number}" for number in range(5000)]
    assert len(found(changed(domain_tags=domains[:4], domains=domains))) == MAX_PER_FIELD + 1
    repeated = ("{" + ",".join(['"a": 1'] * 5000) + "}").encode()
    assert len(found(repeated)) == MAX_PER_FIELD + 1


def test_nothing_that_a_stranger_wrote_reaches_a_message_unescaped() -> None:
    evil = "\x1b[31m\r\n::error::\u202e"
    metadata = {**changed(effect_type=evil, domains=[evil], tags=[evil, evil], labels=[0]), evil: evil}
    problems = found(metadata)
    assert len(problems) >= 5
    for _, problem, _ in problems:
        assert (problem.message + (problem.hint or "")).isprintable()


@pytest.mark.parametrize("written", ["sampleRate", "sample-rate", "SAMPLE_RATE", "samplerate", "sample_rates"])
def test_names_are_found_however_they_are_misspelt(written: str) -> None:
    assert nearest(written, ("labels", "sample_rate")) == "sample_rate"


def test_A28_A29_A84_a_displayname_is_accepted() -> None:
    assert found(changed(displayname="Vocal remover, 48 kHz")) == []


def test_A31_the_optional_confidence_threshold_is_known() -> None:
    assert found(changed(effect_type="waveform-to-labels", confidence_threshold=0.3)) == []


def hints(metadata: Any) -> Any:
    return {rule: problem.hint for rule, problem, _ in found(metadata)}


def test_a_rename_never_makes_a_key_that_comes_twice() -> None:
    there = {**changed(long_description=""), "model_long_description": "A text."}
    assert hints(there)["metadata-unknown-field"].startswith("`long_description` is there as well")
    gone = {**changed(long_description=...), "model_long_description": "A text."}
    assert hints(gone)["metadata-field-missing"] == 'Rename "model_long_description" to `long_description`.'


def test_one_description_is_to_become_two_fields() -> None:
    told = found({**changed(short_description=..., long_description=...), "description": "A text."})
    missing = [problem for rule, problem, _ in told if rule == "metadata-field-missing"]
    assert [problem.details["field"] for problem in missing] == ["short_description", "long_description"]
    for problem in missing:
        assert f"Copy the text of `description` to `{problem.details['field']}`" in problem.hint


@pytest.mark.parametrize(
    "text",
    ["TODO", "todo.", "Description", "Short description here", "...", "…", "Use me to …", "n/a",
     "A description of my model", "booster: say here what it does.", "<what it does>",
     "This description can be a max of 280 characters aaaa."],
)  # fmt: skip
def test_texts_that_say_nothing_are_placeholders(text: str) -> None:
    assert only(changed(short_description=text))[0] == "placeholder-text"


@pytest.mark.parametrize(
    "text",
    ["Use me to boost volume by 3dB :).", "Tests whether a clip holds speech.", "Removes noise.", "Adds descriptions",
     "Vocals", "A description of each event in the clip", "x2 time stretch", "Todoist sounds", "None of the noise"],
)  # fmt: skip
def test_short_texts_that_say_something_are_not(text: str) -> None:
    assert found(changed(short_description=text)) == []
