import json
import re
import string
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audacitorch.hosts import ALPHA, HOSTS, SPEC
from audacitorch.repo.jsontext import MAX_DEPTH, MAX_VALUES
from audacitorch.repo.metadata_file import (
    MAX_BYTES,
    known_domains,
    known_fields,
    properties,
    read_metadata,
    schema,
    show,
    with_both_domain_fields,
)
from audacitorch.repo.violations import violations

VALID = {
    "sample_rate": 48000,
    "domains": ["music", "speech"],
    "domain_tags": ["music", "speech"],
    "short_description": "Use me to boost volume by 3dB :).",
    "long_description": "This description can be a max of 280 characters.",
    "tags": ["volume boost"],
    "labels": ["boosted"],
    "effect_type": "waveform-to-waveform",
    "multichannel": False,
}


def only_problem(data: Any) -> Any:
    (problem,) = read_metadata(data).problems
    return problem


def test_reads_fields_and_the_line_of_each() -> None:
    metadata = read_metadata(json.dumps(VALID, indent=2).encode())
    assert metadata.fields == VALID
    assert metadata.problems == ()
    assert (metadata.lines["/sample_rate"], metadata.lines["/domains/1"]) == (2, 5)


@pytest.mark.parametrize(
    ("data", "kind", "message", "line"),
    [
        (b"", "syntax", "line 1, column 1: the file is empty", 1),
        (b'{"a": 1,\n "b": }', "syntax", "line 2, column 7", 2),
        (b'{"sample_rate": NaN}', "syntax", "NaN is not a number", 1),
        (b'["a"]', "not-an-object", "holds a list of 1", 1),
        (b"null", "not-an-object", "holds null", 1),
        ("{}".encode("utf-16"), "encoding", "UTF-16", 1),
        ("{}".encode("utf-16-le"), "encoding", "UTF-16", 1),
        ("{}".encode("utf-16-be"), "encoding", "UTF-16", 1),
        ("{}".encode("utf-32"), "encoding", "UTF-32", 1),
        (b"\xef\xbb\xbf{}", "encoding", "byte order mark", 1),
        ('{"labels":\n ["é"]}'.encode("latin-1"), "encoding", "byte 0xE9 on line 2 is not UTF-8", 2),
        (b'{"a": "\xed\xa0\x80"}', "encoding", "not UTF-8", 1),
        (b'{"a": "\\ud83d"}', "syntax", "half of a surrogate pair", 1),
        (b"[" * 100_000, "syntax", "nested deeper than 100", 1),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "lfs-pointer", "Git LFS pointer", 1),
        (b'{"a": 1,\n "a": 2}', "duplicate-key", 'the key "a" comes twice', 2),
    ],
)
def test_says_what_keeps_the_file_from_being_one_object(data: Any, kind: str, message: str, line: int) -> None:
    problem = only_problem(data)
    assert problem.kind == kind
    assert message in problem.message
    assert problem.line == line


def test_a_file_beyond_the_bound_is_not_parsed() -> None:
    assert only_problem(b" " * (MAX_BYTES + 1)).kind == "too-large"


def test_an_integer_of_four_thousand_digits_costs_nothing() -> None:
    assert only_problem(b'{"sample_rate": ' + b"9" * 4000 + b"}").kind == "syntax"


def test_messages_hold_nothing_that_a_terminal_obeys() -> None:
    problem = only_problem(b'{"\\u001b[31m\\n\\u202e": 1, "\\u001b[31m\\n\\u202e": 1}')
    assert problem.message.isprintable()
    assert show("\x1b]0;x\x07\u2028") == '"\\u001b]0;x\\u0007\\u2028"'
    assert len(show("x" * 10_000)) < 70
    assert show([1, 2]) == "a list of 2"
    assert len(show(10**300)) < 70


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_reading_never_raises(data: Any) -> None:
    read_metadata(data)


def test_the_schema_is_a_schema_and_its_root_is_the_specification() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    validator = jsonschema.Draft202012Validator(schema())
    assert validator.is_valid(VALID)
    assert not validator.is_valid({**VALID, "tags": list("abcdef")})
    assert validator.is_valid({key: value for key, value in VALID.items() if key != "domains"})


def test_known_fields_and_domains_come_from_the_schema() -> None:
    assert set(VALID) <= set(known_fields())
    assert {"confidence_threshold", "displayname"} <= set(properties(SPEC))
    assert known_domains() == ("music", "environmental", "speech", "other")


def near(limit: Any) -> Any:
    return st.integers(limit - 1, limit + 1)


text_at = {limit: near(limit).map("é".__mul__) for limit in (15, 60, 280)}
scalars: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-1, 2) | st.floats(0.25, 0.75) | st.just("x") | st.just([]) | st.just({})
)
words = st.sampled_from(["music", "speech", "environmental", "other", "animals", "Music", ""])
field_values = {
    "sample_rate": near(0) | near(384000) | near(396000) | st.just(10**30),
    "domains": st.lists(words, max_size=6),
    "domain_tags": st.lists(words, max_size=6),
    "short_description": text_at[60],
    "long_description": text_at[280],
    "tags": st.lists(text_at[15] | st.sampled_from(string.ascii_lowercase), max_size=7),
    "labels": st.lists(st.text(max_size=3), max_size=3),
    "effect_type": st.sampled_from(["waveform-to-waveform", "waveform-to-labels", "Waveform-to-labels", "midi"]),
    "multichannel": st.booleans(),
    "confidence_threshold": st.sampled_from([-0.1, 0, 0.5, 1, 1.5]),
    "displayname": st.text(max_size=3),
    "name": st.text(max_size=3),
    "model_size": near(0) | near(2**64),
    "unheard_of": scalars,
}
anything = {
    name: st.one_of([values] * 6 + [scalars, st.lists(scalars, max_size=2)]) for name, values in field_values.items()
}
generated = st.fixed_dictionaries({}, optional=anything) | st.fixed_dictionaries(anything)


@settings(max_examples=1000, deadline=None)
@given(generated, st.sampled_from(HOSTS))
@pytest.mark.slow
def test_judges_every_place_as_the_jsonschema_library_does(fields: Any, host: Any) -> None:
    validator = jsonschema.Draft202012Validator({"$ref": f"#/$defs/{host}", "$defs": schema()["$defs"]})
    keywords = {"minimum": "range", "maximum": "range", "exclusiveMinimum": "range", "exclusiveMaximum": "range"}
    keywords.update(maxLength="length", maxItems="count", enum="value", uniqueItems="value", type="type")
    theirs = set()
    for error in validator.iter_errors(fields):
        if error.validator in ("required", "anyOf"):
            theirs.add(("missing", ""))
        else:
            theirs.add((keywords[error.validator], error.absolute_path[0]))
    ours = {(v.kind, "" if v.kind == "missing" else v.field) for v in violations(fields, host)}
    wrong_type = {field for kind, field in theirs if kind == "type"}
    # A value of the wrong type breaks no other of our keywords; the library goes on to enum and uniqueItems.
    assert ours == theirs - {("value", field) for field in wrong_type if ("value", field) not in ours}


def test_48000_point_0_and_true_are_no_integers() -> None:
    for value in (48000.0, True, "48000"):
        (violation,) = violations({**VALID, "sample_rate": value}, SPEC)
        assert (violation.kind, violation.pointer) == ("type", "/sample_rate")


def test_lengths_count_code_points() -> None:
    assert not list(violations({**VALID, "short_description": "🎸" * 60}, SPEC))
    (violation,) = violations({**VALID, "short_description": "🎸" * 61}, ALPHA)
    assert violation.kind == "length"


def test_both_domain_fields_are_filled_from_either() -> None:
    rest = {key: value for key, value in VALID.items() if key not in ("domains", "domain_tags")}
    for field in ("domains", "domain_tags"):
        assert with_both_domain_fields({**rest, field: ["music", "speech"]}) == VALID
    filled = with_both_domain_fields({**rest, "domains": ["animals", "music", "music"]})
    assert filled["domains"] == ["animals", "music", "music"]
    assert filled["domain_tags"] == ["music"]


def test_no_validator_is_imported_to_judge_metadata() -> None:
    import subprocess

    program = "import sys, audacitorch.rules.metadata; print([m for m in ('jsonschema', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_documentation_names_every_field_and_every_limit() -> None:
    document = (Path(__file__).parents[2] / "docs" / "metadata.md").read_text("utf-8")
    rows = [line for line in document.split("\n") if line.startswith("| `")]
    for host in HOSTS:
        for field, rules in properties(host).items():
            (row,) = [line for line in rows if f"`{field}`" in line.split("|")[1]]
            if field == "model_size":
                continue
            for keyword, limit in [*rules.items(), *rules.get("items", {}).items()]:
                if keyword in ("exclusiveMinimum", "exclusiveMaximum", "minimum", "maximum", "maxLength", "maxItems"):
                    assert re.search(rf"\b{limit}\b", row), (field, keyword)
                if keyword == "enum":
                    assert all(value in row for value in limit)
    assert f"up to {MAX_BYTES // 1024} KiB, {MAX_VALUES:,} values and {MAX_DEPTH} levels" in document
    (example,) = re.findall(r"```json\n(.*?)```", document, re.DOTALL)
    assert [v for host in HOSTS for v in violations(read_metadata(example.encode()).fields, host)] == []
