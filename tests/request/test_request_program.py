"""The real program, from an event to a comment and a pull request, with a real model in the sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest
from jsonschema import Draft202012Validator

from audacitorch.request.decision import schema
from tests.github import LocalGitHub
from tests.hub import LocalHub
from tests.program import run
from tests.request.conftest import REPOSITORY, TOKEN
from tests.request.harmless import check_comment

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
BOOSTER = "ann/booster-net"
Place = Tuple[LocalGitHub, Dict[str, str], Path]


@pytest.fixture
def place(github: LocalGitHub, local_hub: LocalHub, tmp_path: Path) -> Place:
    """GitHub, the program's environment, and a folder."""
    names = ("model.pt", "metadata.json", "README.md")
    files = {name: (EXAMPLES / "booster-net" / name).read_bytes() for name in names}
    local_hub.add_repo(BOOSTER, files, lfs=["model.pt"])
    (tmp_path / "registry").mkdir()
    github.state.issues[1].body = f"### Repo ID\n\n{BOOSTER}\n"
    environment = {
        "HF_ENDPOINT": local_hub.url,
        "GITHUB_API_URL": github.url,
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_TOKEN": TOKEN,
    }
    return github, environment, tmp_path


def deliver(place: Place, action: str, comment: Any = None) -> str:
    """Write an event to a file."""
    github, _, folder = place
    path = folder / "event.json"
    path.write_text(json.dumps(github.event(action, 1, comment=comment)))
    return str(path)


@pytest.mark.torch
def test_from_the_event_to_the_merged_line(place: Place) -> None:
    github, environment, folder = place
    event, decision, registry = deliver(place, "opened"), str(folder / "decision.json"), str(folder / "registry")
    without = {name: value for name, value in environment.items() if name == "HF_ENDPOINT"}
    triaged = run("request", "triage", "--event", event, "--decision", decision, "--dry-run", "--registry", registry,
                  "--report", str(folder / "report"), GITHUB_TOKEN="", **without)  # fmt: skip
    assert (triaged.returncode, triaged.stderr) == (0, "")
    assert github.take_log() == []
    data = json.loads(Path(decision).read_text())
    Draft202012Validator(schema("decision")).validate(data)
    assert (data["state"], data["issue"], data["repo_id"]) == ("ready-for-review", 1, BOOSTER)
    assert {path.name for path in (folder / "report").iterdir()} == {
        f"report.{e}" for e in ("json", "md", "html", "sarif")
    }
    for _ in range(3):
        applied = run("request", "apply", "--event", event, "--decision", decision, **environment)
        assert applied.returncode == 0, applied.stderr
    (comment,) = github.state.comments.values()
    check_comment(comment.body)
    assert comment.body == data["comment"]
    listed = run("request", "list", **environment)
    assert BOOSTER in listed.stdout
    said = github.state.add_comment(1, "boss", "/accept")
    event = deliver(place, "created", said.id)
    handled = run("request", "handle-comment", "--event", event, "--registry", registry, **environment)
    assert "in pull request 2" in handled.stdout, handled.stderr
    again = run("request", "accept", "--issue", "1", "--registry", registry, **environment)
    assert (again.returncode, "as it was" in again.stdout) == (0, True)


@pytest.mark.torch
def test_a_decision_file_says_what_is_accepted(place: Place) -> None:
    _, environment, folder = place
    decision, registry = str(folder / "decision.json"), str(folder / "registry")
    assert run("request", "triage", "--issue", "1", "--decision", decision, "--dry-run", **environment).returncode == 0
    words = ("request", "accept", "--issue", "1", "--decision", decision, "--registry", registry)
    dry = run(*words, "--dry-run", **environment)
    assert (dry.returncode, "no pull request" in dry.stdout, list((folder / "registry").iterdir())) == (0, True, [])
    assert "pull request 2" in run(*words, **environment).stdout
    assert json.loads((folder / "registry" / "models.json").read_text()) == [BOOSTER]
    (row,) = json.loads(run("request", "list", "--format", "json", **environment).stdout)
    assert (row["issue"], row["state"], row["waits_for"]) == (1, "accepted", "a maintainer, to merge the pull request")


@pytest.mark.torch
def test_triage_alone_shows_its_decision_unless_it_is_a_dry_run(place: Place) -> None:
    github, environment, _ = place
    dry = run("request", "triage", "--issue", "1", "--dry-run", **environment)
    assert dry.returncode == 0
    assert dry.stdout.startswith("<!-- audacitorch:built-in-request ")
    assert github.state.comments == {}
    assert run("request", "triage", "--issue", "1", **environment).returncode == 0
    assert github.state.issues[1].labels == ["model-contrib", "ready-for-review"]


def test_our_failure_ends_with_3_and_leaves_a_decision(place: Place) -> None:
    _, environment, folder = place
    environment["HF_HUB_OFFLINE"] = "0"
    environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
    decision = folder / "decision.json"
    event = deliver(place, "opened")
    done = run("request", "triage", "--event", event, "--decision", str(decision), "--dry-run", **environment)
    assert (done.returncode, done.stderr) == (3, "")
    assert json.loads(decision.read_text())["state"] == "could-not-check"


def test_a_hub_that_is_switched_off_is_our_failure(place: Place) -> None:
    _, environment, folder = place
    words = (
        "request",
        "triage",
        "--event",
        deliver(place, "opened"),
        "--decision",
        str(folder / "d.json"),
        "--dry-run",
    )
    assert run(*words, HF_HUB_OFFLINE="1", **environment).returncode == 3
    assert json.loads((folder / "d.json").read_text())["reason"]["kind"] == "hub"


def test_a_lost_decision_is_answered_as_our_failure(place: Place) -> None:
    github, environment, folder = place
    lost = run("request", "apply", "--event", deliver(place, "opened"), "--decision", str(folder / "no"), **environment)
    assert (lost.returncode, "can't be read" in lost.stderr) == (0, True)
    assert github.state.issues[1].labels == ["model-contrib", "could-not-check"]
    (comment,) = github.state.comments.values()
    assert "our mistake" in comment.body


def test_a_decision_about_another_issue_is_not_shown(place: Place) -> None:
    from audacitorch.github.tracker import Issue
    from audacitorch.request.decision import failed_decision, write_decision

    github, environment, folder = place
    write_decision(failed_decision(Issue(9), "2024-05-01T10:00:00Z", "x"), folder / "decision.json")
    words = ("request", "apply", "--issue", "1", "--decision", str(folder / "decision.json"))
    assert "about issue 9" in run(*words, **environment).stderr
    assert github.state.issues[1].labels == ["model-contrib", "could-not-check"]


def test_collected_requests_are_events(place: Place) -> None:
    github, environment, folder = place
    github.state.issues[1].labels.append("could-not-check")
    github.state.add_issue("fine", "x", "bob", ("model-contrib", "ready-for-review"))
    collected = run("request", "collect", "--output", str(folder / "out"), **environment)
    assert json.loads(collected.stdout) == [1]
    event = json.loads((folder / "out" / "1.json").read_text())
    assert BOOSTER in event["issue"]["body"]
    one = run("request", "collect", "--issue", "2", "--output", str(folder / "out"), **environment)
    assert json.loads(one.stdout) == [2]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("triage",), 2),
        (("triage", "--event", "no-such-file"), 2),
        (("triage", "--issue", "0"), 2),
        (("triage", "--issue", "99"), 2),
        (("apply", "--issue", "1"), 2),
        (("accept", "--issue", "1"), 1),
        (("decline", "--issue", "1", " "), 2),
        (("accept", "--issue", "1", "--registry", "/no/such/folder"), 2),
    ],
)
def test_exit_statuses_and_no_traceback(words: Tuple[str, ...], status: int, place: Place) -> None:
    _, environment, folder = place
    given = words if "--registry" in words or words[0] in ("apply", "decline") else (*words, "--registry", str(folder))
    done = run("request", *given, GITHUB_EVENT_PATH="", **environment)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr


def test_people_without_the_right_can_not_accept_by_event(place: Place) -> None:
    github, environment, folder = place
    said = github.state.add_comment(1, "eve", "/accept")
    event = deliver(place, "created", said.id)
    done = run("request", "accept", "--event", event, "--registry", str(folder / "registry"), **environment)
    assert (done.returncode, "has no right" in done.stderr) == (1, True)
