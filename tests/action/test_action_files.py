"""The files of the action, read as their tools read them, and held against each other."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar, Dict, List

import pytest
import yaml

from audacitorch.hosts import TORCH_VERSION
from audacitorch.trial.container import DEFAULT_IMAGE
from audacitorch.version import IMAGE, __version__
from tests.image import ROOT
from tests.needs import program
from tests.standins import FOLDER, RUNNERS

ACTIONS = [ROOT / "action.yml", *sorted((ROOT / ".github" / "actions").glob("*/action.yml"))]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml")) + sorted((ROOT / ".github/starter").glob("*.yml"))
SCRIPTS = sorted((ROOT / "scripts" / "action").iterdir())
#: The workflows that use .github/actions, whose steps run on the images of these.
CALLERS = "\n".join(path.read_text("utf-8") for path in WORKFLOWS if "./.github/actions/" in path.read_text("utf-8"))
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


@pytest.mark.slow
def test_the_actions_and_the_workflows_have_the_form_that_github_reads() -> None:
    form = ROOT / ".github" / "ISSUE_TEMPLATE" / "built-in-model-request.yml"
    for schema, paths in (
        ("github-actions", [*ACTIONS, *FOLDER.glob("*/action.yml")]),
        ("github-workflows", WORKFLOWS),
        ("github-issue-forms", [form]),
        ("dependabot", [ROOT / ".github" / "dependabot.yml"]),
    ):
        run_tool("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, paths))


def test_actionlint_finds_nothing() -> None:
    run_tool("actionlint", *map(str, WORKFLOWS))


@pytest.mark.parametrize("persona", ["regular", "auditor"])
def test_zizmor_finds_nothing(persona: str) -> None:
    starters = [str(path) for path in WORKFLOWS if path.parent.name == "starter"]
    options = ("--offline", "--no-progress", "--persona", persona, "--config", ".github/zizmor.yml")
    run_tool("zizmor", *options, ".github", "action.yml", *starters)


def test_what_zizmor_is_told_to_ignore_has_its_reason() -> None:
    lines = (ROOT / ".github" / "zizmor.yml").read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.match(r"      - |    disable: ", line):
            assert lines[number - 1].strip().startswith("#"), line


@pytest.mark.parametrize("script", [*SCRIPTS, ROOT / "scripts/lock", ROOT / "scripts/release"], ids=lambda p: p.name)
def test_a_script_is_whole(script: Path) -> None:
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
    assert "${{" not in script.read_text("utf-8")


def test_inputs_reach_scripts_through_the_environment_alone() -> None:
    steps: List[Dict[str, Any]] = ACTION["runs"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    assert len(scripts) == 5
    assert not [script for script in scripts if "${{" in script]
    assert [step for step in steps if "github.token" in str(step)] == []
    with_token = [step for step in steps if "inputs.token" in str(step)]
    named = [f'"$GITHUB_ACTION_PATH/scripts/action/{name}"' for name in ("comment", "suggest")]
    assert [step["run"] for step in with_token] == named


def test_the_inputs_and_outputs_are_those_that_were_promised() -> None:
    promised = "path repo-id revision host strict fail-on ignore timeout memory report-name backport fix"
    promised += " comment token image"
    assert list(ACTION.get("inputs", {})) == promised.split()
    assert list(ACTION["outputs"]) == ["verdict", "errors", "warnings", "report", "repaired"]
    for name in [*ACTION.get("inputs", {}), *ACTION["outputs"]]:
        assert f"| `{name}` |" in DOCS


def test_all_versions_are_one() -> None:
    image = ACTION.get("inputs", {})["image"]["default"]
    assert DEFAULT_IMAGE == IMAGE
    if image == "build":  # a checkout without a release
        assert f"ghcr.io/audacitorch/action:v{__version__}" == IMAGE
    else:
        assert re.fullmatch(r"ghcr\.io/audacitorch/action@sha256:[0-9a-f]{64}", IMAGE)
        assert image == IMAGE
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    assert f"ARG VERSION={__version__}\n" in dockerfile
    assert f"torch=={TORCH_VERSION}+cpu" in (ROOT / "requirements" / "torch-cpu.txt").read_text("utf-8")


@pytest.mark.parametrize("stand_in", [path for path in FOLDER.iterdir() if (path / "action.yml").exists()], ids=str)
def test_a_stand_in_takes_what_is_given_to_the_real_step(stand_in: Path) -> None:
    taken = yaml.safe_load((stand_in / "action.yml").read_text("utf-8")).get("inputs", {})
    given = {name for step in steps() for name in step.get("with", {}) if f"/{stand_in.name}@" in step["uses"]}
    assert given <= set(taken)
    for step in steps():
        if f"/{stand_in.name}@" in step.get("uses", ""):
            assert {name for name, told in taken.items() if told.get("required")} <= set(step.get("with", {}))


def test_an_upload_that_fails_does_not_fail_the_model() -> None:
    uploads = [step for step in ACTION["runs"]["steps"] if "upload-artifact" in step.get("uses", "")]
    assert [step["with"].get("archive", True) for step in uploads] == [True, False, True]
    assert all(step["continue-on-error"] is True and "always()" in step["if"] for step in uploads)


def steps() -> List[Dict[str, Any]]:
    """Every step of every workflow and of every action of this repository."""
    workflows = [yaml.safe_load(path.read_text("utf-8")) for path in WORKFLOWS]
    found = [step for workflow in workflows for job in workflow["jobs"].values() for step in job.get("steps", [])]
    return found + [step for path in ACTIONS for step in yaml.safe_load(path.read_text("utf-8"))["runs"]["steps"]]


class TestRunners:
    """tests/data/runners.json: what images, Pythons and actions there are, and that we use no others."""

    TEXTS: ClassVar[Dict[str, str]] = {
        str(path.relative_to(ROOT)): path.read_text("utf-8")
        for path in [
            *WORKFLOWS,
            *ACTIONS,
            *(ROOT / "audacitorch" / "new" / "templates").rglob("*.yml.jinja"),
            *(ROOT / "docs").glob("*.md"),
            ROOT / "README.md",
            *SCRIPTS,
        ]
    }

    def test_the_table_is_not_older_than_ninety_days(self) -> None:
        age = date.today() - date.fromisoformat(RUNNERS["read"])
        assert age <= timedelta(days=90), f"read again what {RUNNERS['sources']} say, and date tests/data/runners.json"

    def test_every_image_is_named_by_its_version(self) -> None:
        for name, text in self.TEXTS.items():
            for image in re.findall(r"runs-on: (\S+)", text):
                assert image in RUNNERS["images"], f"{name}: {image}"

    def test_every_python_is_one_of_its_image(self) -> None:
        found = 0
        for name, text in self.TEXTS.items():
            for job in re.split(r"(?=runs-on: )", text):
                image = re.match(r"runs-on: (\S+)", job)
                where = [image.group(1)] if image else list(dict.fromkeys(re.findall(r"runs-on: (\S+)", CALLERS)))
                for asked in re.findall(r"python(?:-version)?: (?:\|\n)?((?:\[.*\]|[\s\d.\"]+))\n", job):
                    for version in re.findall(r"3\.\d+", asked):
                        found += 1
                        for one in where:
                            pythons = RUNNERS["images"][one]["pythons"]
                            assert any(f"{p}.".startswith(f"{version}.") for p in pythons), f"{name}: {version}, {one}"
        assert found >= 8

    def test_every_action_is_pinned_to_the_newest_commit(self) -> None:
        used = set()
        for name, text in self.TEXTS.items():
            for action, commit, version in re.findall(
                r"uses: ([\w.-]+/[\w./-]+)@([0-9a-f]{40})(?: # (v[\d.]+))?", text
            ):
                known = RUNNERS["actions"][action]
                assert (commit, version) == (known["commit"], known["version"]), f"{name}: {action}"
                assert known["runs"] != "node20"
                used.add(action)
        assert {"actions/checkout", "actions/setup-python", "actions/upload-artifact"} <= used

    def test_what_is_not_pinned_by_its_commit_is_our_own(self) -> None:
        for name, text in self.TEXTS.items():
            loose = set(re.findall(r"uses: ([\w.-]+/[\w./-]+@v[\w.]*)", text))
            assert loose <= {"audacitorch/action@v1"}, name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_a_workflow_grants_nothing_pins_all_and_ends(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        if "uses" in job:  # another workflow, whose own jobs are looked at
            assert job["uses"].startswith("./.github/workflows/")
            continue
        assert job["timeout-minutes"]
        assert "permissions" in job
        for step in job["steps"]:
            used = step.get("uses", "./")
            assert (
                used.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", used) or used == "audacitorch/action@v1"
            )
            assert "${{" not in step.get("run", "")


def requirements(name: str) -> Dict[str, List[str]]:
    """Each locked package as name==version, with its hashes."""
    text = (ROOT / "requirements" / name).read_text("utf-8").replace("\\\n", " ")
    lines = [line.split() for line in text.splitlines() if re.match(r"[a-z]", line)]
    return {line[0]: [word for word in line[1:] if word.startswith("--hash=sha256:")] for line in lines}


@pytest.mark.parametrize("name", ["torch", "torchaudio", "check", "build", "dev", "models", "jobs", "tools"])
def test_every_version_is_locked_with_its_hashes(name: str) -> None:
    locked = requirements(f"{name}.txt")
    assert locked
    assert all(hashes and "==" in package for package, hashes in locked.items())


def test_what_is_locked_is_what_the_package_needs() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    wanted = re.findall(
        r'^    "([A-Za-z0-9_.-]+)', text.partition("dependencies = [")[2].partition("]")[0], re.MULTILINE
    )
    for lock in ("check.txt", "dev.txt", "jobs.txt"):
        locked = {package.partition("==")[0] for package in requirements(lock)}
        assert {name.lower().replace("_", "-") for name in wanted} <= locked, f"{lock}: run scripts/lock"
    torch = set(requirements("torch.txt"))
    assert f"torch=={TORCH_VERSION}" in torch
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
        steps = [step for job in workflow["jobs"].values() for step in job.get("steps", [])]
        given = [step.get("with", {}) for step in steps if "audacitorch/action@" in step.get("uses", "")]
        assert len(given) == 1
        assert all(set(inputs) <= set(ACTION.get("inputs", {})) for inputs in given)
    run_tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, tmp_path.glob("*.yml")))
    run_tool("actionlint", *map(str, tmp_path.glob("*.yml")))
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
    pins = ("action.yml", "Dockerfile", "audacitorch/version.py", "requirements/torch-cpu.txt")
    for name in ("scripts/release", "CHANGELOG.md", *pins):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    (folder / "scripts/release").chmod(0o755)
    for words in (["init", "--quiet", "--initial-branch", "main"], ["add", "--all"], ["commit", "--quiet", "-m", "x"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder), *words], check=True)
    subprocess.run(["git", "-C", str(folder), "update-ref", "refs/remotes/origin/main", "HEAD"], check=True)
    return folder


def release(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(folder / "scripts/release"), *words], capture_output=True, text=True)


def shown(folder: Path, name: str) -> str:
    """A file as a tag or a commit has it."""
    return subprocess.run(["git", "-C", str(folder), "show", name], capture_output=True, text=True, check=True).stdout


def test_a_release_pins_the_image_for_its_tag_for_v1_and_for_its_commit(clone: Path) -> None:
    digest = "sha256:" + "ab" * 32
    done = release(clone, "pin", f"v{__version__}", digest)
    assert done.returncode == 0, done.stderr
    for name in (f"v{__version__}", "v1", "HEAD"):
        action = yaml.safe_load(shown(clone, f"{name}:action.yml"))
        assert action.get("inputs", {})["image"]["default"] == f"ghcr.io/audacitorch/action@{digest}"
        assert f'IMAGE = "ghcr.io/audacitorch/action@{digest}"\n' in shown(clone, f"{name}:audacitorch/version.py")
    assert "not a digest" in release(clone, "pin", f"v{__version__}", "sha256:short").stderr
    assert "pins an image already" in release(clone, "verify", f"v{__version__}").stderr


def test_a_release_needs_its_version_its_hash_and_main(clone: Path) -> None:
    assert "version.py says" in release(clone, "verify", "v9.9.9").stderr
    assert "not a version" in release(clone, "verify", "v1.0.0\nv1").stderr
    locked = clone / "requirements/torch-cpu.txt"
    bare = f"torch=={TORCH_VERSION}+cpu\n"
    locked.write_text(bare, encoding="utf-8")
    assert "has no hash" in release(clone, "verify", f"v{__version__}").stderr
    locked.write_text(f"{bare.strip()} --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    assert release(clone, "verify", f"v{__version__}").returncode == 0
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(clone)]
    subprocess.run([*git, "tag", f"v{__version__}"], check=True)
    assert "exists already" in release(clone, "verify", f"v{__version__}").stderr
    subprocess.run([*git, "tag", "--delete", f"v{__version__}"], check=True, capture_output=True)
    subprocess.run([*git, "commit", "-qam", "aside"], check=True)
    assert "is not on main" in release(clone, "verify", f"v{__version__}").stderr


def test_a_release_has_notes(clone: Path) -> None:
    notes = release(clone, "notes", f"v{__version__}")
    assert notes.returncode == 0, notes.stderr
    assert notes.stdout.strip()
    assert "## " not in notes.stdout
    (clone / "CHANGELOG.md").write_text(f"# Changes\n\n## {__version__}, not released yet\n\n- x\n")
    assert "CHANGELOG.md has no section" in release(clone, "notes", f"v{__version__}").stderr


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Error response from daemon: denied", "Change visibility"),
        ("Error response from daemon: unauthorized: authentication required", "Change visibility"),
        ("dial tcp: i/o timeout", "can't be pulled: dial tcp: i/o timeout"),
        ("", ""),
    ],
)
def test_a_release_stops_at_an_image_that_only_we_can_pull(clone: Path, tmp_path: Path, said: str, told: str) -> None:
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(
        f'#!/bin/sh\n[ -z "$(ls -A "$DOCKER_CONFIG")" ] || exit 9\necho "{said}" >&2\nexit {1 if said else 0}\n'
    )
    docker.chmod(0o755)
    environment = {"PATH": f"{docker.parent}:/usr/bin:/bin"}
    command = [str(clone / "scripts/release"), "public", "sha256:" + "ab" * 32]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == (1 if said else 0), done.stderr
    assert told in done.stderr


def test_a_release_runs_nothing_of_a_tag_and_makes_it_last() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text("utf-8"))
    jobs = workflow["jobs"]
    assert list(workflow[True]) == ["workflow_dispatch"]
    assert "refs/heads/main" in jobs["verify"]["if"]
    order = list(jobs)
    assert order == ["verify", "test", "image", "public", "package", "tag", "publish"]
    for name in order[1:]:
        needs = jobs[name]["needs"]
        assert order[order.index(name) - 1] in ([needs] if isinstance(needs, str) else needs)
    assert {name: job["environment"] for name, job in jobs.items() if "environment" in job} == {
        "verify": "release",
        "tag": "release",
        "publish": "pypi",
    }
    assert jobs["publish"]["if"] == "vars.AUDACITORCH_PYPI == 'true'", "the package index is optional"
    assert "docker/login-action" not in str(jobs["public"])
