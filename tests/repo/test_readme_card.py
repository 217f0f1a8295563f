import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audacitorch.repo.readme import MAX_BYTES, MAX_FRONT_MATTER, read_card


def front_matter(text: Any) -> Any:
    return read_card(f"---\n{text}\n---\n# A model\n".encode())


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("tags: audacity", ("audacity",)),
        ("tags: [audacity]", ("audacity",)),
        ("tags:\n- audio\n- audacity", ("audio", "audacity")),
        ("tags:\n- 2021\n- audacity", ("2021", "audacity")),
        ("license: mit", None),
        ("tags:", None),
        ("tags: []", ()),
        ("", None),
        ("date: 2021-01-01\ntags: audacity", ("audacity",)),
    ],
)
def test_tags_are_read_as_the_hub_reads_them(text: str, tags: Any) -> None:
    card = front_matter(text)
    assert (card.present, card.tags, card.problems) == (True, tags, ())


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf---\ntags: audacity\n---\n",
        b"\n\n---\r\ntags: audacity\r\n---\r\ntext",
        b"---\ntags: audacity\n---",
        b"---\ntags: audacity\n---\nprose in latin-1: \xe9",
        b"---\ntags: audacity\n---\n" + "é".encode() * MAX_BYTES,
    ],
)
def test_line_ends_byte_order_marks_and_prose_do_not_hide_the_tag(data: Any) -> None:
    assert read_card(data).tags == ("audacity",)


def test_no_readme_and_no_front_matter_are_no_problems() -> None:
    assert read_card(None).present is False
    for data in (b"", b"# A model\n", b"---\ntags: audacity\nno end", b"text\n---\ntags: audacity\n---\n"):
        card = read_card(data)
        assert (card.present, card.tags, card.problems) == (True, None, ())


@pytest.mark.parametrize(
    ("text", "kind", "line"),
    [
        ("tags: [audacity", "syntax", 3),
        ("a: b\ntags: {", "syntax", 4),
        ("tags: a\ntags: b", "syntax", 3),
        ("a: !!python/object/apply:os.system [id]", "syntax", 2),
        ("a: 2021-13-45", "syntax", 2),
        ("a: !!timestamp x", "syntax", 2),
        ("a: !!bool x", "syntax", 2),
        ("a: !!int ''", "syntax", 2),
        ("- audacity", "not-an-object", 2),
        ("tags: {audacity: true}", "tags", None),
        ("a: &a [x]\nb: [*a, *a]", "unsafe", 3),
        ("a: &a {x: 1}\nb:\n  <<: *a", "unsafe", 4),
        ("a: " + "[" * 31 + "]" * 31, "unsafe", 2),
        ("a: " + "9" * 5000, "unsafe", 2),
        ("a: [" + "1," * 10_001 + "]", "unsafe", 2),
        ("tags: \x01", "syntax", 2),
    ],
)
def test_what_cannot_be_read_or_must_not_is_a_problem_and_gives_no_tags(text: Any, kind: str, line: Any) -> None:
    card = front_matter(text)
    (problem,) = card.problems
    assert (problem.kind, problem.line) == (kind, line)
    assert card.tags is None


def test_encodings_and_sizes() -> None:
    assert read_card("---\ntags: é\n---\n".encode("utf-16")).problems[0].kind == "encoding"
    assert read_card("---\na: 1\ntags: é\n---\n".encode("latin-1")).problems[0].line == 3
    assert read_card(b"---\n" + b"# x\n" * MAX_FRONT_MATTER).problems[0].kind == "too-large"


@pytest.mark.parametrize("bomb", ["[" * 60_000, "{" * 60_000, "- " * 30_000, "? " * 30_000, '"' + "\\n" * 30_000 + '"'])
def test_bombs_end_soon(bomb: Any) -> None:
    started = time.perf_counter()
    front_matter("a:\n " + bomb)
    assert time.perf_counter() - started < 2


@given(st.text(alphabet="atgs:-[]{}&*!|>'\"\n\t #%1.~<é\x00", max_size=80))
def test_reading_never_raises(text: Any) -> None:
    front_matter(text)


@given(st.binary(max_size=100))
def test_reading_bytes_never_raises(data: Any) -> None:
    read_card(data)
    read_card(b"---\n" + data + b"\n---\n")


CARDS = {
    "all that the Hub shows": """\
license: mit
license_name: mine
pipeline_tag: audio-to-audio
library_name: audacitorch
tags: [audacity, source-separation]
datasets: [musdb18]
language: [en]
model-index:
- name: separator
  results:
  - task:
      type: audio-to-audio
      name: Separation
    dataset:
      name: MUSDB18
      type: musdb18
    metrics:
    - type: si-sdr
      value: 7.5
      name: SI-SDR""",
    "a list of licences": "license: [mit, apache-2.0]\ntags: [audacity]",
    "nothing but tags": "tags:\n- audacity",
    "an unknown field": "tags: [audacity]\nmine: {a: [1, 2.5, null, true]}",
    "no fields": "",
}


@pytest.mark.parametrize("name", CARDS)
def test_the_hubs_own_client_reads_the_same(name: str) -> None:
    """Importing it takes longer than a whole static check, so this package reads the front matter itself."""
    from huggingface_hub import ModelCard

    theirs: Any = ModelCard(f"---\n{CARDS[name]}\n---\n# A model\n", ignore_metadata_errors=False).data
    ours = front_matter(CARDS[name])
    assert ours.problems == ()
    fields = dict(ours.front_matter)
    models = fields.pop("model-index", [])
    assert fields == {key: value for key, value in theirs.to_dict().items() if key != "model-index"}
    for field in ("license", "pipeline_tag", "library_name", "tags"):
        assert fields.get(field) == getattr(theirs, field)
    told = [(one.task_type, one.dataset_type, one.metric_type, one.metric_value) for one in theirs.eval_results or []]
    assert told == [
        (result["task"]["type"], result["dataset"]["type"], metric["type"], metric["value"])
        for model in models
        for result in model["results"]
        for metric in result["metrics"]
    ]


@pytest.mark.parametrize("text", ["tags: [audacity", "- tags"])
def test_what_the_hubs_own_client_refuses_is_a_problem_here(text: str) -> None:
    from huggingface_hub import ModelCard

    assert front_matter(text).problems != ()
    with pytest.raises(Exception, match=r"."):
        ModelCard(f"---\n{text}\n---\n")
