"""A checkout, a Hub and a GitHub on loopback, and `act` to run the workflow between them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List

import yaml

from tests.github import LocalGitHub
from tests.hub import LocalHub
from tests.needs import program
from tests.request.harmless import check_comment
from tests.standins import standin_options

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "built-in-request.yml"
INSTALL = ROOT / ".github" / "actions" / "install" / "action.yml"
MODEL = "ann/booster-net"


@dataclass
class Stage:
    """A checkout, a Hub and a GitHub, and act to play with them."""

    github: LocalGitHub
    hub: LocalHub
    folder: Path

    def act(
        self, event: str, payload: Any, rights: Dict[str, str], sandbox: str = "process", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the workflow on an event, with a token of these rights."""
        self.github.add_token("workflow", **rights)
        path = self.folder / "event.json"
        path.write_text(json.dumps(payload))
        environment = {"HF_ENDPOINT": self.hub.url, "GITHUB_API_URL": self.github.url, **environment}
        shutil.rmtree(self.folder / "artifacts", ignore_errors=True)  # a run has artifacts of its own
        (self.folder / "artifacts").mkdir()
        environment["ARTIFACTS"] = str(self.folder / "artifacts")
        words = [
            program("act") or "act", event, "--eventpath", str(path), "--workflows", str(WORKFLOW.relative_to(ROOT)),
            "--action-offline-mode", "--secret", "GITHUB_TOKEN=workflow",
            "--var", f"AUDACITORCH_SANDBOX={sandbox}", *standin_options(WORKFLOW.read_text(), INSTALL.read_text()),
        ]  # fmt: skip
        for name, value in environment.items():
            words += ["--env", f"{name}={value}"]
        return subprocess.run(
            words,
            cwd=self.folder / "checkout",
            env={**os.environ, "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=560,
            check=False,
        )

    @property
    def labels(self) -> List[str]:
        return self.github.state.issues[1].labels

    def comment(self) -> str:
        """Our only comment."""
        (body,) = (c.body for c in self.github.state.comments.values() if c.login == "github-actions[bot]")
        check_comment(re.sub(r"#(?=\d)", "", body))
        return body


def rights_of(*jobs: str) -> Dict[str, str]:
    """The permissions of jobs, as a token's rights."""
    given: Dict[str, str] = {}
    for job in jobs:
        for area, level in yaml.safe_load(WORKFLOW.read_text())["jobs"][job]["permissions"].items():
            given[area.replace("-", "_")] = level
    return given


def make_stage(github: LocalGitHub, hub: LocalHub, folder: Path) -> Stage:
    """A checkout of this repository, and a Hub with a model in LFS storage and one that is not."""
    checkout = folder / "checkout"
    for name in (".github", "scripts", "requirements", "registry"):
        shutil.copytree(ROOT / name, checkout / name)
    copied = checkout / WORKFLOW.relative_to(ROOT)
    # act's schema is older than `queue`, and it runs one event at a time.
    copied.write_text(re.sub(r"(?m)^ +queue: .*\n", "", copied.read_text()))
    (checkout / ".venv").symlink_to(sys.prefix)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    remote = ["remote", "add", "origin", "https://github.com/audacitorch/action"]
    for words in (["init", "-q"], ["add", ".github"], ["commit", "-qm", "x"], remote):
        subprocess.run([*git, *words], cwd=checkout, check=True)
    (folder / "artifacts").mkdir()
    names = ("model.pt", "metadata.json", "README.md")
    files = {name: (ROOT / "examples" / "booster-net" / name).read_bytes() for name in names}
    hub.add_repo(MODEL, files, lfs=["model.pt"])
    hub.add_repo("ann/plain", files)
    return Stage(github, hub, folder)
