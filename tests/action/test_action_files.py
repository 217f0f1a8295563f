"""The files of the action, read as their tools read them, and held against each other."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest
import yaml

from audacitorch.trial.container import DEFAULT_IMAGE
from audacitorch.version import TORCH_VERSION, __version__
from tests.action.runner import STANDINS, UPLOAD
from tests.image import ROOT
from tests.needs import program

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml")) + sorted((ROOT / ".github/starter").glob("*.yml"))
SCRIPTS = sorted((ROOT / "scripts" / "action").iterdir())
ACTION: Dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
DOCS = (ROOT / "docs" / "action.md").read_text("utf-8")


def run_tool(name: str, *words: str) -> None:
    found = program(name)
    if found is None:
        pytest.skip(f"the program {name} is not installed")
    done = subprocess.run([found, *words], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_is_clean() -> None:
    run_tool("hadolint", "Dockerfile")


def test_the_action_and_the_workflows_have_the_form_that_github_reads() -> None:
    run_tool("check-jsonschema", "--builtin-schema", "vendor.github-actions", "action.yml")
    run_tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS))


def test_zizmor_finds_nothing() -> None:
    starters = [str(path) for path in WORKFLOWS if path.parent.name == "starter"]
    run_tool(
        "zizmor", "--offline", "--no-progress", "--config", ".github/zizmor.yml", ".github", "action.yml", *starters
    )


@pytest.mark.parametrize("script", [*SCRIPTS, ROOT / "scripts/lock", ROOT / "scripts/release"], ids=lambda p: p.name)
def test_a_script_is_whole(script: Path) -> None:
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
    assert "${{" not in script.read_text("utf-8")


def test_inputs_reach_scripts_through_the_environment_alone() -> None:
    steps: List[Dict[str, Any]] = ACTION["runs"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    assert len(scripts) == 3
    assert not [script for script in scripts if "${{" in script]
    assert [step for step in steps if "github.token" in str(step)] == []
    with_token = [step for step in steps if "inputs.token" in str(step)]
    assert [step["run"] for step in with_token] == ['"$GITHUB_ACTION_PATH/scripts/action/comment"']


def test_the_inputs_and_outputs_are_those_that_were_promised() -> None:
    promised = "path repo-id revision host strict fail-on ignore timeout memory report-name comment token image"
    assert list(ACTION["inputs"]) == promised.split()
    assert list(ACTION["outputs"]) == ["verdict", "errors", "warnings", "report"]
    for name in [*ACTION["inputs"], *ACTION["outputs"]]:
        assert f"| `{name}` |" in DOCS


def test_all_versions_are_one() -> None:
    assert ACTION["inputs"]["image"]["default"] == DEFAULT_IMAGE
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    assert f"ARG VERSION={__version__}\n" in dockerfile
    assert f"torch=={TORCH_VERSION}+cpu" in (ROOT / "requirements" / "torch-cpu.txt").read_text("utf-8")


def test_the_stand_in_takes_what_the_action_gives_to_the_real_step() -> None:
    step = next(step for step in ACTION["runs"]["steps"] if "uses" in step)
    assert step["uses"] == UPLOAD
    assert "always()" in step["if"]
    stand_in = yaml.safe_load((STANDINS / "upload-artifact" / "action.yml").read_text("utf-8"))
    assert set(step["with"]) == set(stand_in["inputs"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_a_workflow_grants_nothing_pins_all_and_ends(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"]
        assert "permissions" in job
        for step in job["steps"]:
            used = step.get("uses", "./")
            assert (
                used.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", used) or used == "audacitorch/action@v1"
            )
            assert "${{" not in step.get("run", "")


def test_pinned_actions_name_one_commit_for_one_version() -> None:
    texts = [path.read_text("utf-8") for path in [*WORKFLOWS, ROOT / "action.yml"]]
    pins = {found for text in texts for found in re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40}) # (v[\d.]+)", text)}
    assert len(pins) == len({(name, version) for name, _, version in pins})
    assert len(re.findall(r"uses: [\w./-]+@[0-9a-f]{40}", "\n".join(texts))) == len(
        re.findall(r"uses: [\w./-]+@[0-9a-f]{40} # v[\d.]+", "\n".join(texts))
    )


def requirements(name: str) -> Dict[str, List[str]]:
    """Each locked package as name==version, with its hashes."""
    text = (ROOT / "requirements" / name).read_text("utf-8").replace("\\\n", " ")
    lines = [line.split() for line in text.splitlines() if re.match(r"[a-z]", line)]
    return {line[0]: [word for word in line[1:] if word.startswith("--hash=sha256:")] for line in lines}


@pytest.mark.parametrize("name", ["torch.txt", "check.txt", "build.txt"])
def test_every_version_is_locked_with_its_hashes(name: str) -> None:
    locked = requirements(name)
    assert locked
    assert all(hashes and "==" in package for package, hashes in locked.items())


def test_what_is_locked_is_what_the_package_needs() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    wanted = re.findall(
        r'^    "([A-Za-z0-9_.-]+)', text.partition("dependencies = [")[2].partition("]")[0], re.MULTILINE
    )
    locked = {package.partition("==")[0] for package in requirements("check.txt")}
    assert {name.lower().replace("_", "-") for name in wanted} <= locked
    torch = set(requirements("torch.txt"))
    assert {f"torch=={TORCH_VERSION}", "torchaudio==0.9.0"} <= torch
    shared = [p for p in requirements("check.txt") if p.partition("==")[0] in {t.partition("==")[0] for t in torch}]
    assert set(shared) <= torch


def test_every_example_in_the_documentation_is_a_workflow(tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n(name:.*?)```", DOCS, re.DOTALL)
    assert len(examples) == 5
    for number, text in enumerate(examples):
        path = tmp_path / f"{number}.yml"
        path.write_text(text, encoding="utf-8")
        workflow = yaml.safe_load(text)
        assert workflow["permissions"] == {}
        steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
        given = [step.get("with", {}) for step in steps if "audacitorch/action@" in step.get("uses", "")]
        assert len(given) == 1
        assert all(set(inputs) <= set(ACTION["inputs"]) for inputs in given)
    run_tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, tmp_path.glob("*.yml")))
    run_tool(
        "zizmor", "--offline", "--no-progress", "--config", ".github/zizmor.yml", *map(str, tmp_path.glob("*.yml"))
    )


def test_the_hook_for_pre_commit_calls_what_there_is() -> None:
    hook = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))[0]
    assert hook["entry"].split() == ["audacitorch", "check", "--static"]
    assert re.search(hook["files"], "models/a/metadata.json")
    assert not re.search(hook["files"], "my-model.pt.txt")
    folder = ROOT / "tests" / "repos" / "good-effect"
    command = [sys.executable, "-m", *hook["entry"].split(), *hook["args"]]
    assert subprocess.run(command, cwd=folder, capture_output=True).returncode == 0


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    for name in ("scripts/release", "action.yml", "Dockerfile", "audacitorch/version.py", "requirements/torch-cpu.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    (folder / "scripts/release").chmod(0o755)
    for words in (["init", "--quiet", "--initial-branch", "main"], ["add", "--all"], ["commit", "--quiet", "-m", "x"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder), *words], check=True)
    subprocess.run(["git", "-C", str(folder), "update-ref", "refs/remotes/origin/main", "HEAD"], check=True)
    return folder


def release(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(folder / "scripts/release"), *words], capture_output=True, text=True)


def test_a_release_pins_the_action_to_its_image_and_moves_v1(clone: Path) -> None:
    digest = "sha256:" + "ab" * 32
    done = release(clone, "pin", f"v{__version__}", digest)
    assert done.returncode == 0, done.stderr
    shown = subprocess.run(["git", "-C", str(clone), "show", "v1:action.yml"], capture_output=True, text=True).stdout
    assert yaml.safe_load(shown)["inputs"]["image"]["default"] == f"ghcr.io/audacitorch/action@{digest}"
    assert release(clone, "pin", f"v{__version__}", "sha256:short").returncode == 1


def test_a_release_needs_its_version_its_hash_and_main(clone: Path) -> None:
    assert "version.py says" in release(clone, "verify", "v9.9.9").stderr
    locked = clone / "requirements/torch-cpu.txt"
    bare = f"torch=={TORCH_VERSION}+cpu\n"
    locked.write_text(bare, encoding="utf-8")
    assert "has no hash" in release(clone, "verify", f"v{__version__}").stderr
    locked.write_text(f"{bare.strip()} --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    assert release(clone, "verify", f"v{__version__}").returncode == 0
    commit = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(clone), "commit", "-qam", "aside"]
    subprocess.run(commit, check=True)
    assert "is not on main" in release(clone, "verify", f"v{__version__}").stderr
