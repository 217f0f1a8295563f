"""The tutorial in a container that has Python and pip alone, from `pip install torch` to a request that is ready.

What the reader does runs in the container, in order and as printed. The local Hub, the registry's refresh and the
request's triage run here, as they would at HuggingFace and GitHub.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Dict, List
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from audacitorch.cli import main
from tests.docs.commands import ROOT, commands
from tests.docs.differences import left_out, replaced
from tests.docs.world import origin
from tests.github import LocalGitHub
from tests.hub import LocalHub
from tests.image import DOCKER

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.torch]

TAG = "audacitorch-tests:tutorial"
BASE = "python:3.9-slim-bookworm"
ARCHIVE = "/tmp/v1.tar.gz"
#: Downloads are kept by the engine from one build to the next.
CACHE = "--mount=type=cache,target=/home/reader/.cache/pip"


def reader_commands() -> List[str]:
    """The tutorial's commands that need no engine, which this container lacks."""
    has = {"docker": False, "uvx": False, "pipx": False}
    shown = [command.text for command in commands(ROOT / "docs" / "tutorial.md")]
    # The only differences that apply here: where the archive of this version lies, and a token that nobody types.
    values = {"archive": ARCHIVE}
    own_environment = [command for command in shown if left_out(command, has) is None]
    return [
        command if command.endswith("-m venv venv") else replaced(command, values)[0] for command in own_environment
    ]


def is_installation(command: str) -> bool:
    """Whether a command belongs to the tutorial's first step, which the image holds."""
    return " -m venv " in command or "/pip install" in command


def built_image(folder: Path) -> str:
    """An image in which the tutorial's first step has been done, each command in a layer of its own."""
    shutil.copy(origin() / "v1.tar.gz", folder)
    lines = [f"FROM {BASE}", "ENV HOME=/home/reader", "WORKDIR /home/reader"]
    for command in filter(is_installation, reader_commands()):
        if ARCHIVE in command:
            lines.append(f"COPY v1.tar.gz {ARCHIVE}")
        lines.append(f"RUN {CACHE if '/pip install' in command else ''} {command}".replace("RUN  ", "RUN "))
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n", encoding="utf-8")
    words = [DOCKER, "build", "--quiet", "--tag", TAG, str(folder)]
    built = subprocess.run(
        words, env={**os.environ, "DOCKER_BUILDKIT": "1"}, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr[-4000:]
    return TAG


def issue_from(link: str) -> Dict[str, str]:
    """Title and text of the issue that GitHub makes of the form, filled in as the link says."""
    given = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    form: Any = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / given["template"]).read_text("utf-8"))
    answers = [
        f"### {field['attributes']['label']}\n\n{given.get(field['id'], '_No response_')}"
        for field in form["body"]
        if "id" in field
    ]
    return {"title": given["title"], "body": "\n\n".join(answers) + "\n"}


def test_the_tutorial_ends_with_a_request_that_is_ready_for_review(
    tmp_path: Path, local_hub: LocalHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    local_hub.add_token("hf_author", "author", write=True)
    script = "\n".join(command for command in reader_commands() if not is_installation(command))
    words = [DOCKER, "run", "--rm", "--network", "host", "--env", f"HF_ENDPOINT={local_hub.url}"]
    words += ["--env", "HF_TOKEN=hf_author", built_image(tmp_path), "bash", "-exc", script]
    done = subprocess.run(words, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    registry = tmp_path / "registry"
    registry.mkdir()
    (registry / "builtin.yml").write_text("[]\n", encoding="utf-8")
    assert main(["registry", "refresh", "--registry", str(registry), "--endpoint", local_hub.url]) == 0
    record = json.loads((registry / "models" / "author" / "my-model.json").read_text("utf-8"))
    assert record["status"] == "untested"

    (link,) = re.findall(r"https://github\.com/\S+/issues/new\?\S+", done.stdout)
    issue = issue_from(link)
    with LocalGitHub() as github:
        github.state.add_issue(issue["title"], issue["body"], "author", ("model-contrib",))
        github.add_token("workflow", issues="write")
        for name, value in {"API_URL": github.url, "REPOSITORY": "audacitorch/action", "TOKEN": "workflow"}.items():
            monkeypatch.setenv(f"GITHUB_{name}", value)
        words = ["request", "triage", "--issue", "1", "--registry", str(registry), "--endpoint", local_hub.url]
        assert main(words) == 0
        assert github.state.issues[1].labels == ["model-contrib", "ready-for-review"]
        (comment,) = github.state.comments_of(1)
    assert "ready for review" in comment.body.lower()
    (state,) = re.findall(r"(?m)^.*ready for review.*$", comment.body, re.IGNORECASE)[:1]
    with capsys.disabled():
        print(f"\n{len(reader_commands())} commands in {BASE}, and the answer to the request: {state}")
