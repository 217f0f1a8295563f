"""Our client of GitHub against a local one: whom it asks again, how long it waits, and one comment however often."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Iterator, List

import pytest

from audacitorch.github import SECONDARY_PAUSES, GitHub, GitHubError, NotFound, NotPermitted
from audacitorch.github.comments import LONGEST_BODY, KeptComment, main, marker, put_comment, report_text
from audacitorch.github.tracker import IssueTracker
from audacitorch.http import connections
from audacitorch.report import jsonfile
from audacitorch.report.model import Report, Target
from tests.github import LocalGitHub


@pytest.fixture
def server() -> Iterator[LocalGitHub]:
    with LocalGitHub("author/model") as github:
        github.add_token("good", issues="write", pull_requests="write")
        github.state.add_issue("A model", None, "author")
        yield github
        assert github.unexpected == []


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> List[float]:
    seconds: List[float] = []
    monkeypatch.setattr(connections, "pause", seconds.append)
    return seconds


@pytest.fixture
def github(server: LocalGitHub, waited: List[float]) -> Iterator[GitHub]:
    with GitHub("author/model", "good", server.url, timeouts=(2.0, 1.0)) as client:
        yield client


def bodies(server: LocalGitHub) -> List[str]:
    return [comment.body for comment in server.state.comments_of(1)]


def test_a_comment_is_written_once_and_then_updated(server: LocalGitHub, github: GitHub) -> None:
    put_comment(github, 1, "model", "first")
    put_comment(github, 1, "model", "second")
    put_comment(github, 1, "other", "of another model")
    assert bodies(server) == [f"{marker('model')}\nsecond", f"{marker('other')}\nof another model"]
    server.take_log()
    put_comment(github, 1, "model", "second")
    assert [logged.method for logged in server.take_log()] == ["GET"]


def test_a_comment_is_found_behind_many_others(server: LocalGitHub, github: GitHub) -> None:
    for number in range(150):
        server.state.add_comment(1, "somebody", f"comment {number}")
    put_comment(github, 1, "model", "first")
    put_comment(github, 1, "model", "second")
    assert [body for body in bodies(server) if "audacitorch" in body] == [f"{marker('model')}\nsecond"]


def test_a_strangers_marker_does_not_count(server: LocalGitHub, github: GitHub) -> None:
    server.state.add_comment(1, "stranger", f"{marker('model')}\nmine")
    put_comment(github, 1, "model", "ours")
    assert bodies(server) == [f"{marker('model')}\nmine", f"{marker('model')}\nours"]


def test_comments_of_two_runs_at_once_become_one(server: LocalGitHub, github: GitHub) -> None:
    for text in ("one", "two"):
        server.state.add_comment(1, "github-actions[bot]", f"{marker('model')}\n{text}")
    put_comment(github, 1, "model", "three")
    assert bodies(server) == [f"{marker('model')}\nthree"]


def test_a_comment_whose_answer_is_lost_is_not_written_twice(server: LocalGitHub, github: GitHub) -> None:
    for kind in ("lost", "drop", "cut"):
        server.fault(kind, method="POST")
        put_comment(github, 1, kind, "text")
    assert [body.splitlines()[0] for body in bodies(server)] == [marker(kind) for kind in ("lost", "drop", "cut")]


def test_a_comment_that_was_not_written_is_written_again(server: LocalGitHub, github: GitHub) -> None:
    server.fault("server-error", method="POST")
    put_comment(github, 1, "model", "text")
    assert len(bodies(server)) == 1


def test_what_is_too_long_is_refused_before_it_is_sent(server: LocalGitHub, github: GitHub) -> None:
    with pytest.raises(ValueError, match="65,536"):
        put_comment(github, 1, "model", "x" * LONGEST_BODY)
    assert server.take_log() == []


def test_a_key_can_not_break_out_of_its_marker() -> None:
    assert marker("a --> <script>\n") == "<!-- audacitorch: a-script- -->"
    assert marker("a--b") == "<!-- audacitorch: a-b -->"


@pytest.mark.parametrize("kind", ["server-error", "unicorn", "drop", "cut", "not-json"])
def test_reading_is_tried_again(server: LocalGitHub, github: GitHub, waited: List[float], kind: str) -> None:
    server.fault(kind, method="GET", times=2)
    assert github.get("issues/1", "read the issue")["number"] == 1
    assert waited == [1.0, 2.0]


def test_trying_ends(server: LocalGitHub, github: GitHub, waited: List[float]) -> None:
    server.fault("server-error", times=None)
    with pytest.raises(GitHubError, match="could not read the issue") as raised:
        github.get("issues/1", "read the issue")
    assert (raised.value.status, waited) == (500, [1.0, 2.0, 4.0, 8.0])


def test_limits_are_waited_for_as_github_says(server: LocalGitHub, github: GitHub, waited: List[float]) -> None:
    server.fault("secondary-rate-limit", retry_after=7)
    server.fault("secondary-rate-limit", after=1)
    github.call("POST", "issues/1/comments", "write a comment", {"body": "text"})
    assert waited == [7.0, SECONDARY_PAUSES[0]]
    assert len(bodies(server)) == 1
    server.fault("primary-rate-limit", reset=int(time.time()) + 30)
    github.get("issues/1", "read the issue")
    assert 25 < waited[2] < 32


def test_an_hour_is_not_waited_for(server: LocalGitHub, github: GitHub, waited: List[float]) -> None:
    server.fault("primary-rate-limit", reset=int(time.time()) + 3000)
    with pytest.raises(GitHubError, match="rate limit"):
        github.get("issues/1", "read the issue")
    assert waited == []


def test_what_is_not_permitted_names_the_permission(server: LocalGitHub, waited: List[float]) -> None:
    server.add_token("weak", issues="read")
    with GitHub("author/model", "weak", server.url) as client, pytest.raises(NotPermitted, match="issues: write"):
        put_comment(client, 1, "model", "text")
    with GitHub("author/model", "wrong", server.url) as client, pytest.raises(NotPermitted, match="token"):
        client.get("issues/1", "read the issue")
    with GitHub("author/model", "weak", server.url) as client, pytest.raises(NotFound):
        client.get("issues/99", "read the issue")
    assert waited == []


def test_nobody_there_is_told(waited: List[float]) -> None:
    with GitHub("author/model", "good", "http://127.0.0.1:9", tries=2) as client:
        with pytest.raises(GitHubError, match="can't be reached"):
            client.get("issues/1", "read the issue")
    assert waited == [1.0]


@pytest.mark.parametrize("status", [200, 302])
def test_the_token_is_shown_to_no_other_host(server: LocalGitHub, waited: List[float], status: int) -> None:
    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Location", f"{server.url}/repos/author/model/issues")
            self.send_header("Link", f'<{server.url}/repos/author/model/issues>; rel="next"')
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"[]")

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as sender:
        Thread(target=sender.handle_request, daemon=True).start()
        with GitHub("author/model", "good", f"http://127.0.0.1:{sender.server_port}") as client:
            with pytest.raises(GitHubError, match="another host"):
                list(client.pages("issues", "read the issues"))
    assert server.take_log() == []


def test_the_report_becomes_the_comment(
    server: LocalGitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, waited: List[float]
) -> None:
    (tmp_path / "report.json").write_text(jsonfile.render(Report(Target("folder"))), encoding="utf-8")
    (tmp_path / "workflow.md").write_text("## Something to change\n", encoding="utf-8")
    for name, value in {"TOKEN": "good", "API_URL": server.url, "REPOSITORY": "author/model"}.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    assert main([str(tmp_path), "--pull-request", "1", "--key", "."]) == 0
    assert bodies(server)[0].startswith(f"{marker('.')}\n## Something to change\n\n## ✅ PASS")
    assert main([str(tmp_path), "--pull-request", "99", "--key", "."]) == 3


def test_a_comment_fits_whatever_there_is_to_say(tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text("é" * 50_000, encoding="utf-8")
    assert len(report_text(tmp_path, 1000).encode()) <= 1000


def test_the_caller_says_whose_comments_are_ours(server: LocalGitHub, github: GitHub) -> None:
    server.state.add_comment(1, "somebody", f"{marker('model')}\nmine")
    theirs = KeptComment(IssueTracker(github), 1, marker("model"), lambda comment: comment.author == "somebody")
    assert len(theirs.found()) == 1
    assert KeptComment(IssueTracker(github), 1, marker("model")).found() == []
