"""GitHub's own description is really looked at: what is wrong is found, and what the tests use is in it."""

from __future__ import annotations

from email.message import Message
from typing import Any, Dict

import pytest

from tests.github.description import DATA, Description, document, operations
from tests.hub.messages import Answer, Request, as_json

REPO = "/repos/audacitorch/action"


def look(method: str, target: str, body: bytes = b"", answer: Any = None, status: int = 200) -> Description:
    description = Description()
    told = Answer(status) if answer is None else as_json(answer, status)
    description.look_at(Request(method, target, Message(), body, "github", "http://127.0.0.1"), told)
    return description


def test_the_description_says_where_it_is_from_and_is_small() -> None:
    assert document()["x-source"].startswith("@octokit/openapi ")
    assert DATA.stat().st_size < 600_000
    assert len({operation.name for operation in operations()}) == len(operations()) >= 26


def test_what_agrees_is_no_fault() -> None:
    issue: Dict[str, Any] = {"number": 1, "title": "x", "body": None, "labels": [{"name": "a"}], "state_reason": None}
    description = look("GET", f"{REPO}/issues/1", answer=issue)
    assert (description.faults, dict(description.seen)) == ([], {"issues/get": 1})


@pytest.mark.parametrize(
    ("method", "target", "body", "answer", "status"),
    [
        ("GET", f"{REPO}/no/such/thing", b"", {}, 200),
        ("GET", f"{REPO}/issues?labls=x", b"", [], 200),
        ("GET", f"{REPO}/issues?direction=up", b"", [], 200),
        ("GET", f"{REPO}/issues/1", b"", {"number": "1"}, 200),
        ("GET", f"{REPO}/issues/1", b"", {"numbr": 1}, 200),
        ("GET", f"{REPO}/issues/1", b"", {"number": 1}, 201),
        ("POST", f"{REPO}/issues/1/comments", b"{}", {"id": 1}, 201),
        ("POST", f"{REPO}/pulls", b'{"head": "x", "base": 1}', {"number": 1}, 201),
        ("PATCH", f"{REPO}/issues/1", b'{"state": "shut"}', {"number": 1}, 200),
        ("DELETE", f"{REPO}/issues/comments/1", b'{"x": 1}', None, 204),
    ],
)
def test_what_does_not_agree_is_a_fault(method: str, target: str, body: bytes, answer: Any, status: int) -> None:
    assert look(method, target, body, answer, status).faults
