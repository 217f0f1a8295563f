"""The workflows with every install step as it is, from the package index: nothing of this environment helps them.

The others of these tests have `.venv` in their checkout already, and the install step leaves it alone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from audacitorch.cli import main
from tests.action.runner import TOKEN, run_workflow
from tests.github import LocalGitHub
from tests.hub import LocalHub
from tests.image import ROOT, built_image
from tests.needs import program
from tests.registry.world import model_files
from tests.request.stage import make_stage, rights_of
from tests.standins import standin_options
from tests.test_repos import copy_of

pytestmark = [pytest.mark.docker, pytest.mark.act, pytest.mark.slow]
STARTER = (ROOT / ".github" / "starter" / "model.yml").read_text("utf-8")
REFRESH = (ROOT / ".github" / "workflows" / "registry-refresh.yml").read_text("utf-8")
PAGES = (ROOT / ".github" / "workflows" / "pages.yml").read_text("utf-8")
INSTALL = (ROOT / ".github" / "actions" / "install" / "action.yml").read_text("utf-8")


@pytest.fixture
def github() -> Iterator[LocalGitHub]:
    """A GitHub with one request."""
    with LocalGitHub("audacitorch/action", {"registry/builtin.yml": "[]\n", "registry/models.json": "[]\n"}) as server:
        server.state.add_issue(
            "Built-in Model Request: x", "### Repo ID\n\nann/booster-net\n", "ann", ("model-contrib",)
        )
        yield server
        assert server.unexpected == []


def copy_checkout(to: Path) -> None:
    """What a job's checkout has, as far as its steps need it."""
    for name in (".github", "scripts", "requirements", "audacitorch", "registry", "docs", "examples"):
        shutil.rmtree(to / name, ignore_errors=True)
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (
        "pyproject.toml",
        "README.md",
        "action.yml",
        "Dockerfile",
        ".dockerignore",
        ".gitignore",
        "mkdocs.yml",
    ):
        shutil.copy(ROOT / name, to / name)
    for workflow in (to / ".github" / "workflows").iterdir():  # `queue` is newer than act, which refuses it
        text = re.sub(r"(?m)^ *queue: max.*\n", "", workflow.read_text("utf-8"))
        text = text.replace("${{ strategy.job-index }}", "0")  # which act does not know; one model makes one part
        workflow.write_text(text, encoding="utf-8")


def test_the_starter_checks_a_model_and_mirrors_it_to_the_hub_where_the_registry_finds_it(
    tmp_path: Path, local_hub: LocalHub
) -> None:
    local_hub.add_token("hf_ann", "ann", write=True)
    built_image()
    repo = copy_of("good-effect", tmp_path)
    run = run_workflow(
        repo,
        STARTER.replace("HUB_REPO: author/name", "HUB_REPO: ann/effect"),
        env={"AUDACITORCH_TORCH": "pypi", "HF_ENDPOINT": local_hub.url, "INSTALLS": "1", "NO_PROXY": "*"},
        secrets={"HF_TOKEN": "hf_ann"},
    )
    assert run.status == 0, run.log
    found = local_hub.find("ann/effect")
    assert found is not None
    assert {name: blob.lfs for name, blob in found.head.files.items()} == {
        ".gitattributes": False,
        "README.md": False,
        "metadata.json": False,
        "model.pt": True,
    }
    assert found.head.files["model.pt"].sha256 == sha256(repo / "model.pt")
    registry = tmp_path / "registry"
    registry.mkdir()
    assert main(["registry", "refresh", "--registry", str(registry), "--endpoint", local_hub.url]) == 0
    record = json.loads((registry / "models" / "ann" / "effect.json").read_text("utf-8"))
    assert (record["id"], record["revision"]) == ("ann/effect", found.head.oid)
    assert "hf_ann" not in run.log
    assert TOKEN not in run.log


def sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_request_is_checked_by_jobs_that_install_themselves(
    tmp_path: Path, github: LocalGitHub, local_hub: LocalHub
) -> None:
    stage = make_stage(github, local_hub, tmp_path)
    (stage.folder / "checkout" / ".venv").unlink()
    copy_checkout(stage.folder / "checkout")
    done = stage.act(
        "issues",
        github.event("opened", 1),
        rights_of("collect", "answer"),
        sandbox="container",
        AUDACITORCH_IMAGE=built_image(),
        INSTALLS="1",
    )
    assert done.returncode == 0, done.stdout
    assert stage.labels == ["model-contrib", "ready-for-review"]


def test_a_refresh_indexes_tests_commits_and_publishes_by_jobs_that_install_themselves(
    tmp_path: Path, github: LocalGitHub, local_hub: LocalHub
) -> None:
    local_hub.add_repo("ann/effect", model_files(), lfs=("model.pt",), tags=("audacity",))
    local_hub.add_repo("bob/idea", {"README.md": b""}, tags=("audacity",))
    local_hub.add_repo("audacitorch/list", {"models.json": b"[]"})
    local_hub.add_token("hf_write", "audacitorch", write=True)
    github.add_token(TOKEN, issues="write")
    checkout, origin = tmp_path / "checkout", tmp_path / "origin.git"
    checkout.mkdir()
    copy_checkout(checkout)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(checkout)]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "start"]):
        subprocess.run([*git, *words], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(checkout), str(origin)], check=True)
    subprocess.run([*git, "remote", "add", "origin", str(origin)], check=True)
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "home").mkdir()
    environment = {
        "ARTIFACTS": str(tmp_path / "artifacts"),
        "AUDACITORCH_IMAGE": built_image(),
        "GITHUB_API_URL": github.url,
        "GITHUB_REPOSITORY": "audacitorch/action",
        "HF_ENDPOINT": local_hub.url,
        "INSTALLS": "1",
        "NO_PROXY": "*",
    }
    words = [program("act") or "act", "workflow_dispatch", "--workflows", ".github/workflows/registry-refresh.yml"]
    words += ["--action-offline-mode", *standin_options(REFRESH, PAGES, INSTALL)]
    words += ["--secret", f"GITHUB_TOKEN={TOKEN}", "--secret", "HF_WRITE_TOKEN=hf_write"]
    words += ["--var", "AUDACITORCH_LIST_REPO=audacitorch/list"]
    for name, value in environment.items():
        words += ["--env", f"{name}={value}"]
    around = {**os.environ, "HOME": str(tmp_path / "home")}
    done = subprocess.run(words, cwd=checkout, env=around, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-8000:]
    log = subprocess.run(
        ["git", "-C", str(origin), "show", "main:registry/models/ann/effect.json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(log.stdout)["status"] == "compatible"
    published = local_hub.find("audacitorch/list")
    assert published is not None
    assert len(published.commits) == 2
    site = tmp_path / "artifacts" / "github-pages"
    assert "ann/effect" in (site / "index.html").read_text("utf-8")
    assert (site / "demonstration" / "index.html").is_file()
