"""The local GitHub does what tests rely on: rights at every call, pages, limits, faults, and a log."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest
import requests

from tests.github import LocalGitHub

ROOT = Path(__file__).parents[2]
BASE = "/repos/audacitorch/action"


@pytest.fixture
def github() -> Iterator[LocalGitHub]:
    with LocalGitHub(files={"a.txt": "a"}) as server:
        server.add_token("reader", issues="read", contents="read", pull_requests="read")
        server.add_token("writer", issues="write", contents="write", pull_requests="write")
        server.state.add_issue("one", "body", "ann", ("model-contrib",))
        yield server


def ask(github: LocalGitHub, method: str, path: str, token: str = "writer", body: Any = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = github.url + (path if path.startswith("/") else f"{BASE}/{path}")
    return requests.request(method, url, headers=headers, json=body, timeout=5)


WRITES = [
    ("POST", "issues", {"title": "x"}),
    ("PATCH", "issues/1", {"state": "closed"}),
    ("POST", "issues/1/comments", {"body": "x"}),
    ("POST", "issues/1/labels", {"labels": ["x"]}),
    ("DELETE", "issues/1/labels/model-contrib", None),
    ("POST", "labels", {"name": "x"}),
    ("PUT", "contents/b.txt", {"message": "m", "content": "YQ=="}),
    ("POST", "git/refs", {"ref": "refs/heads/b", "sha": "MAIN"}),
    ("POST", "git/trees", {"tree": []}),
    ("POST", "pulls", {"title": "x", "head": "b", "base": "main"}),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_every_write_takes_the_right_for_it(method: str, path: str, body: Any, github: LocalGitHub) -> None:
    sent = json.loads(json.dumps(body).replace("MAIN", github.state.branches["main"]))
    assert ask(github, method, path, "", sent).status_code == 401
    assert ask(github, method, path, "nobody's", sent).status_code == 401
    refused = ask(github, method, path, "reader", sent)
    assert (refused.status_code, "write" in refused.headers["X-Accepted-GitHub-Permissions"]) == (403, True)
    assert ask(github, method, path, "writer", sent).status_code in (200, 201, 422 if path == "pulls" else 200)


def test_lists_come_in_pages_with_links(github: LocalGitHub) -> None:
    for number in range(45):
        github.state.add_comment(1, "ann", str(number))
    first = ask(github, "GET", "issues/1/comments")
    assert len(first.json()) == 30
    second = requests.get(first.links["next"]["url"], timeout=5)
    assert ([item["body"] for item in second.json()], "next" in second.links) == (
        [str(n) for n in range(30, 45)],
        False,
    )


def test_a_body_that_is_too_long_is_refused(github: LocalGitHub) -> None:
    assert ask(github, "POST", "issues/1/comments", body={"body": "x" * 65_536}).status_code == 201
    assert ask(github, "POST", "issues/1/comments", body={"body": "x" * 65_537}).status_code == 422


def test_files_branches_and_pull_requests_hang_together(github: LocalGitHub) -> None:
    main = github.state.branches["main"]
    tree = ask(github, "GET", f"git/commits/{main}").json()["tree"]["sha"]
    entry = {"path": "b.txt", "mode": "100644", "type": "blob", "content": "b"}
    new = ask(github, "POST", "git/trees", body={"base_tree": tree, "tree": [entry]}).json()["sha"]
    commit = ask(github, "POST", "git/commits", body={"message": "m", "tree": new, "parents": [main]}).json()["sha"]
    for expected in (201, 422):
        made = ask(github, "POST", "git/refs", body={"ref": "refs/heads/b", "sha": commit})
        assert made.status_code == expected
    for expected in (201, 422):
        pull = ask(github, "POST", "pulls", body={"title": "t", "head": "b", "base": "main"})
        assert pull.status_code == expected
    assert len(ask(github, "GET", "pulls?head=audacitorch:b").json()) == 1
    assert ask(github, "GET", "contents/b.txt?ref=b").json()["encoding"] == "base64"
    assert ask(github, "GET", "contents/b.txt").status_code == 404
    assert ask(github, "PATCH", "git/refs/heads/b", body={"sha": "0" * 40}).status_code == 422
    stale = {"message": "m", "content": "YQ==", "sha": "0" * 40}
    assert ask(github, "PUT", "contents/a.txt", body=stale).status_code == 409
    assert ask(github, "DELETE", "git/refs/heads/b").status_code == 204


def test_faults_come_when_and_where_they_are_asked_for(github: LocalGitHub) -> None:
    github.fault("secondary-rate-limit", method="POST", path="comments", after=1, retry_after=9)
    statuses = [ask(github, "POST", "issues/1/comments", body={"body": "x"}) for _ in range(3)]
    assert [answer.status_code for answer in statuses] == [201, 403, 201]
    assert statuses[1].headers["Retry-After"] == "9"
    github.fault("lost", method="POST")
    assert ask(github, "POST", "issues/1/comments", body={"body": "kept"}).status_code == 502
    assert [c.body for c in github.state.comments_of(1)] == ["x", "x", "kept"]
    with pytest.raises(ValueError, match="no fault is called"):
        github.fault("typo")


def test_an_unknown_path_is_kept_for_the_fixture_to_see(github: LocalGitHub) -> None:
    assert ask(github, "GET", "nonsense").status_code == 404
    assert github.unexpected == [f"GET {BASE}/nonsense"]


def test_a_workflows_token_belongs_to_nobody(github: LocalGitHub) -> None:
    github.add_token("personal", "ann")
    assert ask(github, "GET", "/user", "personal").json()["login"] == "ann"
    assert ask(github, "GET", "/user", "writer").status_code == 403


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    state, dump = tmp_path / "state.json", tmp_path / "dump.json"
    state.write_text(json.dumps({"files": {"a": "b"}, "permissions": {"boss": "admin"}, "issues": [{"title": "x"}]}))
    words = ["--state", str(state), "--dump", str(dump), "--token", "T:github-actions[bot]:issues=write"]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.github", *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        url = json.loads(program.stdout.readline())["url"]
        answer = requests.post(
            f"{url}{BASE}/issues/1/comments", json={"body": "hi"}, headers={"Authorization": "Bearer T"}, timeout=5
        )
        assert answer.status_code == 201
        program.communicate()
    assert [comment["body"] for comment in json.loads(dump.read_text())["comments"]] == ["hi"]
