"""Running the action: whole workflows through `act`, and its scripts alone."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from tests.image import DOCKER, ROOT, built_image
from tests.needs import program
from tests.standins import standin_options

#: What the action consists of, as a checkout of its tag would hold it.
PARTS = ("action.yml", "Dockerfile", ".dockerignore", "pyproject.toml", "requirements", "scripts/action", "audacitorch")
#: The artifact's name where a job `check` checks the whole checkout.
ARTIFACT = "audacitorch-report.check"
TOKEN = "ghs_TheTokenOfTheJobThatNobodyMaySee"


@functools.cache
def action() -> Path:
    """A copy of the action, as small as a checkout: `act` copies the folders that it is given."""
    folder = Path(tempfile.mkdtemp(prefix="audacitorch-action-"))
    for name in PARTS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def tools() -> str:
    """A PATH on which the engine's own client comes first."""
    return os.pathsep.join([str(Path(DOCKER).parent), "/usr/local/bin", "/usr/bin", "/bin"])


@dataclass(frozen=True)
class Run:
    """A workflow that has run: its exit status, its log, and what it left."""

    status: int
    log: str
    artifacts: Path

    def report(self, artifact: str = ARTIFACT) -> Dict[str, Any]:
        """An attached report.json."""
        loaded: Dict[str, Any] = json.loads((self.artifacts / artifact / "report.json").read_text("utf-8"))
        return loaded

    def rules(self, artifact: str = ARTIFACT) -> List[str]:
        """The rules that found errors."""
        return [f["rule"] for f in self.report(artifact)["findings"] if f["severity"] == "error"]


def run_workflow(
    repo: Path,
    workflow: str,
    *,
    event: str = "push",
    payload: Optional[Mapping[str, Any]] = None,
    env: Optional[Mapping[str, str]] = None,
    secrets: Optional[Mapping[str, str]] = None,
) -> Run:
    """Run a workflow of a model repo with `act`, on this machine as the runner.

    Two steps are not the real ones here. `actions/checkout` is left out by act, which copies the folder instead; and
    `actions/upload-artifact` can't be downloaded, so that its stand-in takes its place.
    """
    file = repo / ".github" / "workflows" / "model.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(workflow, encoding="utf-8")
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-C", str(repo)]
    for words in (["init", "-q", "-b", "main"], ["add", "--all"], ["commit", "-qm", "model"]):
        subprocess.run([*git, *words], check=True)
    home = repo.parent / f"{repo.name}-home"
    artifacts = repo.parent / f"{repo.name}-artifacts"
    home.mkdir()
    artifacts.mkdir()
    command = ["act", event, "--directory", str(repo)]
    command += standin_options(workflow, (ROOT / "action.yml").read_text("utf-8"))
    command += ["--action-offline-mode", "--no-cache-server", "--secret", f"GITHUB_TOKEN={TOKEN}"]
    command += ["--local-repository", f"audacitorch/action@v1={action()}"]
    for name, value in {"ARTIFACTS": str(artifacts), **(env or {})}.items():
        command += ["--env", f"{name}={value}"]
    for name, value in (secrets or {}).items():
        command += ["--secret", f"{name}={value}"]
    if payload is not None:
        (home / "event.json").write_text(json.dumps(payload), encoding="utf-8")
        command += ["--eventpath", str(home / "event.json")]
    command[0] = program("act") or "act"
    around = {"PATH": tools(), "HOME": str(home), "LANG": "C.UTF-8"}
    done = subprocess.run(command, env=around, capture_output=True, text=True, timeout=560)
    return Run(done.returncode, done.stdout + done.stderr, artifacts)


def run_check(workspace: Path, **inputs: str) -> Checked:
    """Run scripts/action/check alone, as its step would."""
    temporary = Path(tempfile.mkdtemp(dir=workspace.parent))
    defaults = {
        "PATH": ".",
        "REPO_ID": "",
        "REVISION": "",
        "HOST": "spec",
        "STRICT": "false",
        "FAIL_ON": "error",
        "IGNORE": "",
        "TIMEOUT": "60",
        "MEMORY": "2048",
        "REPORT_NAME": "",
        "COMMENT": "false",
        "BACKPORT": "false",
        "FIX": "false",
        "IMAGE": inputs.get("IMAGE") or built_image(),
    }
    environment = {
        "PATH": inputs.pop("_PATH", tools()),
        "LANG": "C.UTF-8",
        "SECRET_OF_THE_JOB": "hunter2",
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_WORKSPACE": str(workspace),
        "RUNNER_TEMP": str(temporary),
        "GITHUB_JOB": "check",
        "GITHUB_OUTPUT": str(temporary / "outputs"),
        "GITHUB_STEP_SUMMARY": str(temporary / "summary"),
    }
    environment.update({name: inputs.pop(name) for name in ("MATRIX_INDEX", "MATRIX_TOTAL") if name in inputs})
    environment.update({f"INPUT_{name}": value for name, value in {**defaults, **inputs}.items()})
    script = str(action() / "scripts" / "action" / "check")
    done = subprocess.run(["/bin/bash", script], env=environment, cwd=workspace, capture_output=True, text=True)
    lines = (temporary / "outputs").read_text("utf-8").splitlines() if (temporary / "outputs").exists() else []
    outputs = dict(line.partition("=")[::2] for line in lines)
    summary = (temporary / "summary").read_text("utf-8") if (temporary / "summary").exists() else ""
    return Checked(done.returncode, done.stdout, done.stderr, outputs, summary)


@dataclass(frozen=True)
class Checked:
    """scripts/action/check after it has run."""

    returncode: int
    stdout: str
    stderr: str
    outputs: Dict[str, str]
    summary: str
