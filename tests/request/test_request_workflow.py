"""The workflow, run by `act` on real events against a Hub and a GitHub on loopback, with its jobs' own rights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import pytest
import yaml

from tests.github import LocalGitHub
from tests.hub import LocalHub
from tests.request.stage import MODEL, ROOT, WORKFLOW, Stage, make_stage, rights_of

FORM = ROOT / ".github" / "ISSUE_TEMPLATE" / "built-in-model-request.yml"
HOSTILE = "x'; touch pwned; `touch pwned` $(touch pwned) ${{ github.token }} \"; touch pwned; # @octocat"


@pytest.fixture
def stage(github: LocalGitHub, local_hub: LocalHub, tmp_path: Path) -> Stage:
    made = make_stage(github, local_hub, tmp_path)
    github.state.issues[1].body = f"### Repo ID\n\n{MODEL}\n\n### What does your model do?\n\n{HOSTILE}\n"
    github.state.issues[1].title = f"Built-in Model Request: {HOSTILE}"
    return made


@pytest.mark.act
@pytest.mark.torch
def test_an_opened_request_is_checked_and_answered(stage: Stage) -> None:
    for _ in range(3):
        done = stage.act("issues", stage.github.event("opened", 1), rights_of("collect", "answer"))
        assert done.returncode == 0, done.stdout
    assert stage.labels == ["model-contrib", "ready-for-review"]
    assert "PASS for" in stage.comment()
    assert not list(stage.folder.rglob("pwned"))
    kept = {str(p.relative_to(stage.folder / "artifacts")) for p in (stage.folder / "artifacts").rglob("*.*")}
    assert kept == {
        "requests/1.json",
        "decision-1/decision.json",
        *(f"report-1/report.{e}" for e in ("html", "json", "md", "sarif")),
    }


@pytest.mark.act
@pytest.mark.torch
def test_a_recheck_sees_what_was_fixed_and_an_accept_opens_the_pull_request(stage: Stage) -> None:
    state = stage.github.state
    state.issues[1].body = "**Enter your repo ID here**: ann/plain"
    assert stage.act("issues", stage.github.event("edited", 1), rights_of("collect", "answer")).returncode == 0
    assert stage.labels == ["model-contrib", "needs-changes"]
    assert "not-in-lfs" in stage.comment()
    model = (ROOT / "examples" / "booster-net" / "model.pt").read_bytes()
    stage.hub.commit("ann/plain", {"model.pt": model}, lfs=["model.pt"])
    said = state.add_comment(1, "ann", f"Fixed! {HOSTILE}\n\n/recheck")
    assert (
        stage.act(
            "issue_comment", stage.github.event("created", 1, comment=said.id), rights_of("collect", "answer")
        ).returncode
        == 0
    )
    assert stage.labels == ["model-contrib", "ready-for-review"]
    said = state.add_comment(1, "boss", "/accept")
    done = stage.act("issue_comment", stage.github.event("created", 1, comment=said.id), rights_of("collect", "handle"))
    assert done.returncode == 0, done.stdout
    assert stage.labels == ["model-contrib", "accepted"]
    (branch,) = (name for name in state.branches if name.startswith("built-in/request-1-"))
    assert b"ann/plain" in (state.file("registry/models.json", branch) or b"")
    assert "Check the model" not in done.stdout  # what may write runs no model


@pytest.mark.act
@pytest.mark.docker
@pytest.mark.slow
def test_models_run_in_a_container_as_the_workflow_has_it(stage: Stage) -> None:
    from tests.image import built_image

    opened = stage.github.event("opened", 1)
    done = stage.act(
        "issues", opened, rights_of("collect", "answer"), sandbox="container", AUDACITORCH_IMAGE=built_image()
    )
    assert done.returncode == 0, done.stdout
    assert stage.labels == ["model-contrib", "ready-for-review"]
    report = json.loads((stage.folder / "artifacts" / "report-1" / "report.json").read_text())
    assert report["trial"]["sandbox"]["kind"] == "container"


@pytest.mark.act
@pytest.mark.torch
def test_by_hand_one_request_or_all_that_could_not_be_checked(stage: Stage) -> None:
    rights = rights_of("collect", "answer")
    assert stage.act("workflow_dispatch", {"inputs": {"issue": "1"}}, rights).returncode == 0
    assert stage.labels == ["model-contrib", "ready-for-review"]
    stage.github.state.issues[1].labels = ["model-contrib", "could-not-check"]
    stage.github.state.add_issue("other", f"### Repo ID\n\n{MODEL}", "bob", ("model-contrib", "could-not-check"))
    assert stage.act("workflow_dispatch", {"inputs": {}}, rights).returncode == 0
    assert [stage.github.state.issues[n].labels[-1] for n in (1, 2)] == ["ready-for-review"] * 2
    stage.github.take_log()
    assert stage.act("schedule", {}, rights).returncode == 0
    assert {entry.method for entry in stage.github.take_log()} == {"GET"}


@pytest.mark.act
def test_our_failure_makes_the_job_fail_and_is_told_as_ours(stage: Stage) -> None:
    stage.hub.fault("not-json", times=None)
    done = stage.act("issues", stage.github.event("opened", 1), rights_of("collect", "answer"))
    assert done.returncode != 0
    assert stage.labels == ["model-contrib", "could-not-check"]
    assert "says nothing about the model" in stage.comment()


@pytest.mark.act
def test_what_is_not_a_request_and_what_strangers_ask_starts_nothing(stage: Stage) -> None:
    state = stage.github.state
    state.add_issue("A bug", f"{MODEL} crashes", "bob", ("bug",))
    said = state.add_comment(1, "ann", "thanks!")
    asked = state.add_comment(1, "eve", "/recheck")
    edited = {**stage.github.event("edited", 1), "sender": state.user_json("eve")}
    for event, payload in (
        ("issues", stage.github.event("opened", 2)),
        ("issues", edited),
        ("issue_comment", stage.github.event("created", 1, comment=said.id)),
        ("issue_comment", stage.github.event("created", 1, comment=asked.id)),
    ):
        assert stage.act(event, payload, rights_of("collect", "answer")).returncode == 0
    assert stage.github.take_log() == []


def test_the_job_that_runs_models_has_no_permission_and_no_secret() -> None:
    text = WORKFLOW.read_text()
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    examine = workflow["jobs"]["examine"]
    assert examine["permissions"] == {}
    assert "token" not in json.dumps(examine)
    assert "secrets." not in text
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 30
        steps = " ".join(str(step.get("run")) for step in job["steps"])
        assert "${{" not in steps  # no text of anybody's reaches a shell but through the environment
        assert ("triage" in steps) == (name == "examine")
    assert workflow["jobs"]["answer"]["permissions"] == {"contents": "read", "issues": "write"}


def test_jobs_take_turns_for_each_issue_and_a_newer_check_replaces_an_older_one() -> None:
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    groups = {name: job["concurrency"]["group"] for name, job in jobs.items()}
    number = {"answer": "matrix.issue", "handle": "github.event.issue.number"}
    assert {name: groups[name].replace(number[name], "N") for name in number} == dict.fromkeys(
        number, "built-in-request-${{ N }}"
    )
    assert all(jobs[name]["concurrency"]["cancel-in-progress"] is False for name in number)
    assert all(jobs[name]["concurrency"]["cancel-in-progress"] is True for name in ("collect", "examine"))
    assert groups["examine"] == "built-in-request-check-${{ matrix.issue }}"
    assert [name for name, job in jobs.items() if "collect" in job.get("needs", ())] == ["examine", "answer", "handle"]
    for who in ("github.event.sender.login", "github.event.comment.user.login", "comment.author_association"):
        assert who in jobs["collect"]["if"]


def test_the_form_is_understood_as_github_writes_its_answers() -> None:
    from audacitorch.request.issue_event import find_repo
    from audacitorch.request.mentions import Mention, Question

    form: Dict[str, Any] = yaml.safe_load(FORM.read_text())
    assert form["labels"] == ["model-contrib"]
    assert form["title"].startswith("Built-in Model Request: ")
    fields = [item["attributes"]["label"] for item in form["body"] if item["type"] != "markdown"]
    for first, found in ((MODEL, Mention(MODEL)), ("_No response_", Question("empty"))):
        answers = [first, *["_No response_"] * (len(fields) - 1)]
        body = "\n\n".join(f"### {label}\n\n{answer}" for label, answer in zip(fields, answers))
        assert find_repo(body, form["title"]) == found
