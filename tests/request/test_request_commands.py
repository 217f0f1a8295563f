"""Commands in comments, and events as GitHub, or somebody else, writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audacitorch.github.tracker import Issue
from audacitorch.request.issue_event import Command, EventError, command_in, find_repo, read_event
from audacitorch.request.memory import read_memory
from audacitorch.request.mentions import Mention, Question


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/recheck", Command("recheck")),
        ("  /Recheck  \r\n", Command("recheck")),
        ("Fixed, thanks!\n\n/recheck please", Command("recheck")),
        ("/accept", Command("accept")),
        ("/decline too large", Command("decline", "too large")),
        ("/decline\n\ntoo\nlarge", Command("decline", "too large")),
        ("/decline", Command("decline")),
        ("/decline " + "x" * 5000, Command("decline", "x" * 1000)),
        ("/accept\n/decline no", Command("accept")),
        ("> /accept", None),
        ("    /accept", None),
        ("please /accept", None),
        ("/accepted", None),
        ("/ accept", None),
        ("`/accept`", None),
        ("```\n/accept\n```", None),
        ("````\n```\n/accept\n```\n````", None),
        ("~~~\n/accept", None),
        ("```\ncode\n```\n/accept", Command("accept")),
        ("", None),
        ("/accept".join("x" * 9), None),
    ],
)
def test_a_command_is_a_line_of_its_own(text: str, command: Optional[Command]) -> None:
    assert command_in(text) == command


@pytest.mark.parametrize(
    "content",
    [
        b'{"issue": {"number": 1, "labels": 1}}',
        b'{"issue": {"number": 1, "labels": "abc"}}',
        b'{"issue": {"number": 1, "labels": {"a": 1}}}',
        b'{"issue": {"number": 1e400}}',
        b'{"issue": {"number": 99999999999999999999}}',
        b'{"issue": {"number": 1}, "comment": {"id": true}}',
        b'{"issue": {"number": 1}, "comment": 7}',
        b'{"issue": 7}',
        b'{"issue": {"number": 1}} trailing',
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"issue": null}',
        b'{"issue": {"number": "7"}}',
        b'{"issue": {"number": true}}',
        b'{"issue": {"number": -1}}',
        b'{"inputs": {"issue": "$(touch x)"}}',
        b'{"inputs": {"issue": "9999999999999"}}',
        b'{"inputs": {}}',
        b'{"issue": {"number": 1}, "comment": []}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_an_event_that_is_none_is_a_wrong_call(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_bytes(content)
    with pytest.raises(EventError) as raised:
        read_event(tmp_path / "event.json")
    assert raised.value.exit_status == 2


def test_an_event_may_lack_what_github_leaves_out(tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_text(json.dumps({"issue": {"number": 7, "body": None, "user": None, "labels": None}}))
    assert read_event(path).issue == Issue(7)
    path.write_text(json.dumps({"inputs": {"issue": "#12"}}))
    assert (read_event(path).number, read_event(path).issue) == (12, None)


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("hugggöf/vocal", "malformed"),
        ("hugg--gof/x", "malformed"),
        ("datasets/hugggof/x", "dataset"),
        ("a/b/c/d", "file"),
        ("https://[::1/x", "malformed"),
        ("tbd", "empty"),
        ("<--repo-id-goes-here-->", "empty"),
    ],
)
def test_what_is_nearly_an_id_is_asked_about(field: str, found: str) -> None:
    question = find_repo(f"### Repo ID\n\n{field}\n\n### Next\n\nx")
    assert isinstance(question, Question)
    assert question.kind == found


@pytest.mark.parametrize(
    ("text", "mention"),
    [
        ("Repository id: ann/x", Mention("ann/x")),
        ("### Your HuggingFace repo ID\nann/x@v1.0", Mention("ann/x", "v1.0")),
        ("**Repo URL:** https://hf.co/ann/x/tree/v2", Mention("ann/x", "v2")),
        ("repo-id - hf.co/ann/x", Mention("ann/x")),
        ("### Repo ID\n\nann/x and https://huggingface.co/ann/x/tree/dev", Mention("ann/x", "dev")),
        ('### Repo ID\n\n[model](https://huggingface.co/ann/x "title")', Mention("ann/x")),
        ("### Repo ID\n\nhttp://hub.local:8080/ann/x", Mention("ann/x")),
        ("### Repo ID\n\nann%2Fx", Mention("ann/x")),
        ("### Repo ID\n\n_ann/x_", Mention("ann/x")),
        ("### Repo ID\n\nhf://ann/x", Mention("ann/x")),
        ("### Repo ID\n\ngit@hf.co:ann/x.git", Mention("ann/x")),
        ("### Repo ID\n\n2and2/5 (for vocals and/or drums)", Mention("2and2/5")),
    ],
)
def test_an_id_is_found_however_it_is_written(text: str, mention: Mention) -> None:
    assert find_repo(text, endpoint="http://hub.local:8080") == mention


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300), st.text(max_size=80))
def test_any_text_gives_a_repo_or_a_question(body: str, title: str) -> None:
    for text in (body, f"### Repo ID\n\n{body}", f"**Enter your repo ID here**: {body}"):
        assert isinstance(find_repo(text, title), (Mention, Question))
    command_in(body)
    read_memory(f"<!-- audacitorch:built-in-request {body}")


@pytest.mark.parametrize(
    "data",
    ["[]", "{", '{"runs": 1}', '{"runs": [1, {}, {"state": "<b>"}]}', '{"runs": [{"state": "x", "revision": 1}]}'],
)
def test_a_record_that_was_tampered_with_holds_nothing(data: Any) -> None:
    record = read_memory(f"<!-- audacitorch:built-in-request {data} -->\n")
    assert record is not None
    assert record.runs == ()
