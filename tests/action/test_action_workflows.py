"""Whole workflows of sample model repos, run by `act` with the real engine and the real image.

What `act` can't do here, and what covers it: it takes no part in `actions/checkout` (the folder is copied; a missing
``lfs: true`` shows as the pointer that it leaves), and `actions/upload-artifact` is a stand-in that keeps the files
(test_action_files.py holds the pinned version, the stand-in checks the inputs). Whether GitHub shows an annotation
beside its line is GitHub's to do: the commands themselves are compared.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.action.runner import ARTIFACT, TOKEN, run_workflow
from tests.github import LocalGitHub
from tests.hub import LocalHub
from tests.hub.local import add_folder
from tests.image import ROOT, built_image
from tests.test_repos import copy_of

pytestmark = [pytest.mark.docker, pytest.mark.act, pytest.mark.slow]

WORKFLOW = """
on: [push, pull_request]
permissions: {{}}
jobs:
  check:
    runs-on: ubuntu-24.04
    timeout-minutes: 10
    permissions:
      contents: read
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
        with:
          lfs: true
          persist-credentials: false
      - id: audacity
        uses: audacitorch/action@v1
        with:
          image: {image}
          memory: 2048
{inputs}      - if: always()
        env:
          VERDICT: ${{{{ steps.audacity.outputs.verdict }}}}
          ERRORS: ${{{{ steps.audacity.outputs.errors }}}}
          WARNINGS: ${{{{ steps.audacity.outputs.warnings }}}}
          REPORT: ${{{{ steps.audacity.outputs.report }}}}
        run: echo "outputs $VERDICT $ERRORS $WARNINGS $(ls "$REPORT" | tr '\\n' ' ')"
"""
FILES = "report.html report.json report.md report.sarif"


def workflow(**inputs: object) -> str:
    lines = "".join(f"          {name.replace('_', '-')}: {value}\n" for name, value in inputs.items())
    return WORKFLOW.format(image=built_image(), inputs=lines)


def test_a_good_model_passes_and_its_report_is_attached(tmp_path: Path) -> None:
    run = run_workflow(copy_of("good-effect", tmp_path), workflow())
    assert run.status == 0, run.log
    assert f"outputs pass 0 0 {FILES}" in run.log
    assert sorted(path.name for path in (run.artifacts / ARTIFACT).iterdir()) == FILES.split()
    page = (run.artifacts / f"{ARTIFACT}.html").read_bytes()
    assert page == (run.artifacts / ARTIFACT / "report.html").read_bytes()
    assert (
        f"[Open the report: findings, sounds, spectrograms](https://github.example/artifacts/{ARTIFACT}.html)"
        in run.log
    )
    assert run.report()["trial"]["sandbox"]["kind"] == "container"
    assert "::notice title=audacitorch::PASS" in run.log
    assert "Summary - ## ✅ PASS" in run.log
    assert TOKEN not in run.log


def test_a_failing_model_fails_the_job_and_its_report_is_attached(tmp_path: Path) -> None:
    run = run_workflow(copy_of("always-raises", tmp_path), workflow())
    assert run.status == 1
    assert run.rules() == ["forward-error"]
    assert "outputs fail 1 " in run.log
    assert "::error file=model.pt,title=forward-error::" in run.log


def test_a_model_that_aborts_torch_is_told_with_the_hidden_reason(tmp_path: Path) -> None:
    run = run_workflow(copy_of("newer-export-aborts-at-raise", tmp_path), workflow())
    assert run.status == 1
    assert "aborts-host" in run.rules()
    assert run.report()["trial"]["signal"] == "SIGABRT"
    assert run.report()["trial"]["hidden_error"]


def test_a_model_that_touches_files_is_refused(tmp_path: Path) -> None:
    run = run_workflow(copy_of("writes-in-forward", tmp_path), workflow())
    assert run.status == 1
    assert run.rules() == ["file-access"]
    assert run.report()["trial"]["ended"] == "refused"


def test_a_git_lfs_pointer_is_told_with_what_to_paste(tmp_path: Path) -> None:
    run = run_workflow(copy_of("checkout-without-lfs", tmp_path), workflow())
    assert run.status == 1
    assert "lfs-pointer" in run.rules()
    assert "    lfs: true" in (run.artifacts / ARTIFACT / "workflow.md").read_text("utf-8")
    assert "The checkout left a Git LFS pointer" in run.log


def test_several_models_are_a_matrix_with_a_report_each(tmp_path: Path) -> None:
    repo = tmp_path / "many"
    for name in ("good-effect", "always-raises"):
        copy_of(name, repo / "models")
    matrix = "    strategy:\n      fail-fast: false\n      matrix:\n        model: [good-effect, always-raises]\n"
    text = workflow(path="models/${{ matrix.model }}").replace("    runs-on:", matrix + "    runs-on:")
    run = run_workflow(repo, text)
    assert run.status == 1
    assert run.report("audacitorch-report.check.models+good-effect")["verdict"] == "pass"
    assert run.report("audacitorch-report.check.models+always-raises")["verdict"] == "fail"
    assert "file=models/always-raises/model.pt,title=forward-error::" in run.log
    sarif = json.loads((run.artifacts / "audacitorch-report.check.models+always-raises" / "report.sarif").read_text())
    places = [r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in sarif["runs"][0]["results"]]
    assert "models/always-raises/model.pt" in places


def test_a_job_that_must_not_fail_does_not(tmp_path: Path) -> None:
    run = run_workflow(copy_of("always-raises", tmp_path), workflow(fail_on="never"))
    assert run.status == 0
    assert "outputs fail 1 " in run.log


def test_a_wrong_path_fails_with_a_report_that_says_what_to_paste(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    copy_of("good-effect", repo)
    run = run_workflow(repo, workflow(path="model"))
    assert run.status == 1
    assert "outputs unknown 0 0 report.md workflow.md" in run.log
    notes = (run.artifacts / f"{ARTIFACT}.model" / "workflow.md").read_text("utf-8")
    assert "path: good-effect" in notes


def test_a_repo_of_the_hub_is_fetched_and_checked_as_such(tmp_path: Path, local_hub: LocalHub) -> None:
    source = tmp_path / "hub" / "author" / "booster"
    shutil.copytree(ROOT / "examples" / "booster-net", source)
    add_folder(local_hub, tmp_path / "hub", tags=["audacity"])
    repo = tmp_path / "caller"
    repo.mkdir()
    run = run_workflow(repo, workflow(repo_id="author/booster"), env={"HF_ENDPOINT": local_hub.url})
    assert run.status == 0, run.log
    report = run.report(f"{ARTIFACT}.author+booster")
    assert report["target"]["source"] == "hub"
    assert report["target"]["id"] == "author/booster"
    assert len(report["target"]["revision"]) == 40


def test_a_repo_that_the_hub_has_not_is_told(tmp_path: Path, local_hub: LocalHub) -> None:
    repo = tmp_path / "caller"
    repo.mkdir()
    run = run_workflow(repo, workflow(repo_id="author/nothing"), env={"HF_ENDPOINT": local_hub.url})
    assert run.status == 1
    assert "author/nothing was not fetched" in run.log
    assert (run.artifacts / f"{ARTIFACT}.author+nothing" / "report.md").exists()


def test_a_pull_request_gets_one_comment_that_is_updated(tmp_path: Path) -> None:
    with LocalGitHub("author/model") as github:
        github.add_token(TOKEN, issues="write", pull_requests="write")
        number = github.state.add_issue("A model", None, "author").number
        payload: Any = {"pull_request": {"number": number}, "number": number}
        # act itself fills in GITHUB_API_URL and the repository's name, so the step that comments is told by its inputs
        for turn, name in enumerate(("always-raises", "good-effect")):
            folder = tmp_path / str(turn)
            text = workflow(comment="true", token=TOKEN)
            env = {"GITHUB_API_URL": github.url, "GITHUB_REPOSITORY": "author/model"}
            run = run_workflow(copy_of(name, folder), text, event="pull_request", payload=payload, env=env)
            assert run.status == 1 - turn, run.log
        comments = github.state.comments_of(number)
        assert github.unexpected == []
    assert len(comments) == 1, run.log
    assert "✅ PASS" in comments[0].body
    assert (
        f"[Open the report: findings, sounds, spectrograms](https://github.example/artifacts/{ARTIFACT}.html)"
        in comments[0].body
    )
    assert TOKEN not in run.log


def test_what_fix_changes_is_suggested_on_the_lines_of_the_diff(tmp_path: Path) -> None:
    """Once, though the check runs twice."""
    models = [copy_of("labels-as-text", tmp_path / turn) for turn in ("first", "second")]
    card = (models[0] / "metadata.json").read_bytes()
    with LocalGitHub("author/model") as github:
        github.add_token(TOKEN, pull_requests="write")
        state = github.state
        state.branches["model"] = state.commit({"metadata.json": card}, [state.branches["main"]], "a model")
        made = state.add_issue("A model", None, "author")
        made.pull = {"head": "model", "base": "main", "sha": state.branches["model"]}
        payload: Any = {"pull_request": {"number": made.number}, "number": made.number}
        env = {"GITHUB_API_URL": github.url, "GITHUB_REPOSITORY": "author/model"}
        for model in models:
            text = workflow(fix="true", token=TOKEN)
            run = run_workflow(model, text, event="pull_request", payload=payload, env=env)
            assert run.status == 1, run.log
        assert github.unexpected == []
    assert made.number in state.reviews, run.log
    (review,) = state.reviews[made.number]
    (comment,) = review.comments
    assert comment["path"] == "metadata.json"
    assert "suggestion\n" in comment["body"]
    assert TOKEN not in run.log


def test_a_comment_that_can_not_be_written_is_a_warning(tmp_path: Path) -> None:
    with LocalGitHub("author/model") as github:
        github.add_token(TOKEN, issues="read")
        github.state.add_issue("A model", None, "author")
        env = {"GITHUB_API_URL": github.url, "GITHUB_REPOSITORY": "author/model"}
        text = workflow(comment="true", token=TOKEN)
        payload = {"pull_request": {"number": 1}, "number": 1}
        run = run_workflow(copy_of("good-effect", tmp_path), text, event="pull_request", payload=payload, env=env)
    assert run.status == 0
    assert "::warning title=audacitorch::The report was not shown on the pull request" in run.log
    assert "pull-requests: write" in run.log


def test_a_checkout_without_a_release_builds_its_image_and_says_so(tmp_path: Path) -> None:
    built_image()  # its layers are there now
    text = workflow().replace(f"          image: {built_image()}\n", "")
    run = run_workflow(copy_of("good-effect", tmp_path), text, env={"AUDACITORCH_TORCH": "pypi"})
    assert run.status == 0, run.log
    assert "::notice title=audacitorch::This checkout of the action has no release" in run.log
    assert "Summary - The image was built from the Dockerfile" in run.log


def test_uses_that_differ_in_one_thing_only_keep_their_reports_apart(tmp_path: Path) -> None:
    repo = tmp_path / "many"
    for folder in ("models/a", "models-a"):
        shutil.copytree(copy_of("good-effect", tmp_path / folder), repo / folder)
    step = "      - uses: audacitorch/action@v1\n        with:\n          image: {image}\n          memory: 2048\n"
    steps = "".join(
        step.format(image=built_image()) + "".join(f"          {line}\n" for line in lines)
        for lines in (["path: models/a"], ["path: models-a"], ["path: models/a", "host: all"], ["path: models/a"])
    )
    head = workflow().partition("      - id: audacity")[0]
    run = run_workflow(repo, head + steps)
    assert run.status == 0, run.log
    names = {path.name for path in run.artifacts.iterdir() if path.is_dir()}
    assert names == {
        f"{ARTIFACT}.models+a", f"{ARTIFACT}.models-a", f"{ARTIFACT}.models+a.all", f"{ARTIFACT}.models+a-2"
    }  # fmt: skip


def test_an_upload_that_fails_is_a_warning_and_no_failed_model(tmp_path: Path) -> None:
    run = run_workflow(copy_of("good-effect", tmp_path), workflow(), env={"UPLOAD_FAILS": "1"})
    assert run.status == 0, run.log
    assert "outputs pass 0 0" in run.log
    assert "::warning title=audacitorch::The report could not be attached" in run.log
