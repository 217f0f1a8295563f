"""The workflow that refreshes the registry: who may do what in it, and that it calls what there is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest
import yaml

from tests.registry.world import World

ROOT = Path(__file__).parents[2]
PATH = ROOT / ".github" / "workflows" / "registry-refresh.yml"
TEXT = PATH.read_text(encoding="utf-8")
WORKFLOW: Dict[str, Any] = yaml.safe_load(TEXT)
JOBS: Dict[str, Any] = WORKFLOW["jobs"]


def test_nothing_is_allowed_that_a_job_does_not_ask_for() -> None:
    assert WORKFLOW["permissions"] == {}
    rights = {name: job.get("permissions") for name, job in JOBS.items()}
    assert rights == {
        "plan": {"contents": "read"},
        "trials": {},
        "merge": {"contents": "write"},
        "publish": {"contents": "read"},
        "pages": {"contents": "read", "pages": "write", "id-token": "write"},
        "issues": {"contents": "read", "issues": "write"},
    }
    assert [name for name, job in JOBS.items() if "timeout-minutes" not in job] == ["pages"]  # it calls a workflow


def test_where_models_run_there_is_no_secret_and_no_token() -> None:
    trials = str(JOBS["trials"])
    assert "secrets." not in trials
    assert "github.token" not in trials
    assert [name for name, job in JOBS.items() if "HF_WRITE_TOKEN" in str(job)] == ["publish"]


def test_actions_are_pinned_and_expressions_reach_scripts_through_the_environment() -> None:
    for job in JOBS.values():
        for step in job.get("steps", []):
            if "uses" in step and not step["uses"].startswith("./"):
                assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", step["uses"])
            assert "${{" not in step.get("run", "")
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_every_command_of_the_workflow_is_one_of_the_program() -> None:
    from audacitorch.cli import main

    for call in re.findall(r"audacitorch registry (\w+)", TEXT):
        with pytest.raises(SystemExit) as stop:
            main(["registry", call, "--help"])
        assert stop.value.code == 0


def test_trials_stop_before_their_job_does_and_what_they_found_is_kept() -> None:
    *_, trials, upload = JOBS["trials"]["steps"]
    (deadline,) = re.findall(r"--deadline (\d+)", trials["run"])
    setting_up = 15 * 60
    assert int(deadline) + setting_up <= JOBS["trials"]["timeout-minutes"] * 60
    assert upload["if"] == "always()"


def test_the_registry_travels_with_its_hidden_files_which_the_commit_would_delete() -> None:
    steps = [step for job in JOBS.values() for step in job.get("steps", [])]
    uploads = [step["with"] for step in steps if "upload-artifact" in str(step.get("uses"))]
    assert {one["name"] for one in uploads if one["path"] == "registry"} == {"registry", "registry-indexed"}
    assert all(one["include-hidden-files"] is True for one in uploads if one["path"] == "registry")


def test_results_are_merged_by_the_plan_that_the_job_of_the_plan_gave_out() -> None:
    assert JOBS["plan"]["outputs"]["plan"] == "${{ steps.refresh.outputs.plan }}"
    (merge,) = (step for step in JOBS["merge"]["steps"] if step.get("id") == "merge")
    assert merge["env"]["PLAN"] == "${{ needs.plan.outputs.plan }}"
    assert '--merge results --planned "$PLAN"' in merge["run"]
    (kept,) = (step["with"] for step in JOBS["trials"]["steps"] if "upload-artifact" in str(step.get("uses")))
    assert kept["name"] == "results-${{ strategy.job-index }}"


def test_a_person_can_confirm_what_is_missing_and_what_is_removed() -> None:
    inputs = WORKFLOW[True]["workflow_dispatch"]["inputs"]  # "on" is a boolean to YAML 1.1
    assert {name: (one["type"], one["default"]) for name, one in inputs.items()} == {
        "confirm-removals": ("boolean", False),
        "confirm-missing": ("boolean", False),
    }
    (refresh,) = (step for step in JOBS["plan"]["steps"] if step.get("id") == "refresh")
    assert refresh["env"]["CONFIRM"] == "${{ inputs.confirm-missing && '--confirm-missing' || '' }}"


class TestScripts:
    """The workflow's own scripts, job after job, in a checkout of their own; only actions are left out."""

    @pytest.fixture
    def checkout(self, world: World, tmp_path: Path) -> Path:
        folder = tmp_path / "checkout"
        (folder / "registry").mkdir(parents=True)
        (folder / "registry" / "builtin.yml").write_text("[]\n")
        (folder / ".venv" / "bin").mkdir(parents=True)
        program = folder / ".venv" / "bin" / "audacitorch"
        program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m audacitorch "$@"\n')
        program.chmod(0o755)
        (folder / ".gitignore").write_text(".venv\nresults\nsite\n")
        origin = tmp_path / "origin.git"
        git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-C", str(folder)]
        for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "start"]):
            subprocess.run([*git, *words], check=True)
        subprocess.run(["git", "clone", "-q", "--bare", str(folder), str(origin)], check=True)
        subprocess.run([*git, "remote", "add", "origin", str(origin)], check=True)
        return folder

    def run(self, job: str, checkout: Path, hub: str, **values: str) -> Dict[str, str]:
        """Every script of a job, with ``values`` for what GitHub would put into its environment; the outputs."""
        output = checkout.parent / f"{job}-output"
        output.touch()
        for step in JOBS[job]["steps"]:
            if "run" not in step or step["run"].startswith("rm -rf registry") or "if" in step:
                continue
            named = {name: values.get(name, "") for name in step.get("env", {})}
            around = {
                "PATH": os.environ["PATH"],
                "HOME": str(checkout.parent),
                "HF_ENDPOINT": hub,
                "NO_PROXY": "*",
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(checkout.parent / "summary"),
                "GITHUB_SERVER_URL": "https://github.example",
            }
            command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
            done = subprocess.run(command, cwd=checkout, env={**around, **named}, capture_output=True, text=True)
            assert done.returncode == 0, f"{step['run']}\n{done.stdout}{done.stderr}"
        return dict(line.partition("=")[::2] for line in output.read_text().splitlines())

    def run_trials(self, planned: Dict[str, str], checkout: Path, hub: str) -> Dict[str, str]:
        """Every part, with its results in a folder as the artifacts bring them; what the merge is told."""
        results = checkout / "results"
        for place, shard in enumerate(json.loads(planned["plan"])["shard"]):
            self.run("trials", checkout, hub, SHARD=shard, SANDBOX="process")
            results.rename(checkout.parent / f"results-{place}")
        results.mkdir()
        for part in checkout.parent.glob("results-*"):
            shutil.move(str(part), str(results / part.name))
        return {"STARTED": planned["started"], "PLAN": planned["plan"], "GITHUB_TOKEN": "secret", "BRANCH": "main"}

    @pytest.mark.torch
    @pytest.mark.slow
    def test_a_day_ends_with_a_commit_and_the_next_without(self, world: World, checkout: Path) -> None:
        world.add("ann/effect")
        world.add("bob/idea", files={"README.md": b""})
        for commits in (2, 2):
            planned = self.run("plan", checkout, world.hub.url)
            values = self.run_trials(planned, checkout, world.hub.url)
            assert self.run("merge", checkout, world.hub.url, **values)["status"] == "0"
            shutil.rmtree(checkout / "results")
            log = subprocess.run(
                ["git", "-C", str(checkout.parent / "origin.git"), "log", "--format=%an", "main"],
                capture_output=True,
                text=True,
                check=True,
            )
            assert len(log.stdout.splitlines()) == commits
        record = json.loads((checkout / "registry" / "models" / "ann" / "effect.json").read_text())
        assert record["status"] == "compatible"
        assert "1 compatible" in (checkout.parent / "summary").read_text()

    @pytest.mark.torch
    @pytest.mark.slow
    def test_another_refresh_that_was_faster_is_merged_by_what_the_files_say(
        self, world: World, checkout: Path
    ) -> None:
        world.add("ann/effect")
        planned = self.run("plan", checkout, world.hub.url)
        values = self.run_trials(planned, checkout, world.hub.url)
        other, name = checkout.parent / "other", Path("registry", "models", "ann", "effect.json")
        git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-C", str(other)]
        subprocess.run(["git", "clone", "-q", str(checkout.parent / "origin.git"), str(other)], check=True)
        shutil.copy(ROOT / "registry" / ".gitattributes", other / "registry" / ".gitattributes")
        (other / name).parent.mkdir(parents=True)
        text = (checkout / name).read_text("utf-8")
        (other / name).write_text(re.sub(r'"20\d\d-', '"2019-', text), encoding="utf-8")
        for words in (["add", "-A"], ["commit", "-qm", "faster"], ["push", "-q", "origin", "HEAD:main"]):
            subprocess.run([*git, *words], check=True)
        assert self.run("merge", checkout, world.hub.url, **values)["status"] == "0"
        subprocess.run([*git, "pull", "-q", "--rebase", "origin", "main"], check=True)
        record = json.loads((other / name).read_text("utf-8"))
        assert (record["status"], record["first_seen"][:4]) == ("compatible", "2019")


def test_a_repository_without_issues_ends_no_job_red(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from audacitorch.cli import main
    from tests.github import LocalGitHub

    with LocalGitHub("somebody/fork") as github:
        github.add_token("of-the-job", issues="write")
        github.state.issues_enabled = False
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        monkeypatch.setenv("GITHUB_TOKEN", "of-the-job")
        words = ["registry", "status", "--registry", str(world.folder.path), "--issues", "somebody/fork"]
        assert main(words) == 0
        assert "Issues are switched off in somebody/fork" in capsys.readouterr().err
