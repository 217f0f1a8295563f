"""scripts/action/check alone: what its container reaches, what callers are told, and that there is always a report."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from ipaddress import ip_network
from pathlib import Path
from typing import Dict, Set

import pytest

from tests.action.runner import TOKEN, Checked, action, run_check, tools
from tests.image import DOCKER, built_image, docker
from tests.test_repos import copy_of

pytestmark = [pytest.mark.docker, pytest.mark.slow]

PROBE = """
import glob, json, os, resource, socket
found = {}
def attempt(name, action):
    try:
        action()
        found[name] = "done"
    except Exception as error:
        found[name] = type(error).__name__
attempt("network", lambda: socket.create_connection(("%s", %d), 3))
attempt("names", lambda: socket.getaddrinfo("example.org", 80))
attempt("write model", lambda: open("/checkout/model.pt", "ab"))
attempt("write root", lambda: open("/mine", "w"))
attempt("write code", lambda: open("/usr/local/lib/python3.9/mine", "w"))
attempt("become root", lambda: os.setuid(0))
attempt("make device", lambda: os.mknod("/tmp/device", 0o60666, os.makedev(8, 0)))
attempt("change root", lambda: os.chroot("/tmp"))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
found["capabilities"] = status["CapBnd"].strip()
found["privileges"] = status["NoNewPrivs"].strip()
found["user"] = os.getuid()
found["environment"] = dict(os.environ)
found["files"] = sorted(glob.glob("/checkout/**", recursive=True) + glob.glob("/checkout/.*"))
found["sizes"] = {name: os.path.getsize(name) for name in os.listdir(".")}
found["memory"] = int(open("/sys/fs/cgroup/memory.max" if os.path.exists("/sys/fs/cgroup/memory.max")
                           else "/sys/fs/cgroup/memory/memory.limit_in_bytes").read())
print("PROBE " + json.dumps(found))
"""


def derived(tmp_path: Path, program: str) -> str:
    """Our image with another program in the place of audacitorch."""
    (tmp_path / "Dockerfile").write_text(
        f"FROM {built_image()}\nCOPY --chmod=755 audacitorch /usr/local/bin/audacitorch\n", encoding="utf-8"
    )
    (tmp_path / "audacitorch").write_text(program, encoding="utf-8")
    tag = f"audacitorch-tests:{abs(hash(str(tmp_path)))}"
    command = [DOCKER, "build", "--quiet", "--tag", tag, str(tmp_path)]
    subprocess.run(command, env={**os.environ, "DOCKER_BUILDKIT": "1"}, check=True, capture_output=True)
    return tag


def test_the_container_reaches_nothing(tmp_path: Path) -> None:
    repo = copy_of("good-effect", tmp_path)
    (repo / ".git").mkdir()
    (repo / ".git" / "config").write_text(TOKEN, encoding="utf-8")
    (repo / "secrets.json").write_text(TOKEN, encoding="utf-8")
    context = tmp_path / "context"
    context.mkdir()
    with socket.socket() as server:
        server.bind(("0.0.0.0", 0))
        server.listen()
        bridge = docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}")
        program = "#!/usr/local/bin/python\n" + PROBE % (ip_network(bridge)[1], server.getsockname()[1])
        image = derived(context, program)
        checked = run_check(repo, IMAGE=image, MEMORY="1024")
    docker("rmi", image)
    line = next(line for line in checked.stdout.splitlines() if line.startswith("PROBE "))
    found = json.loads(line[6:])
    assert found["network"] == "OSError"
    assert found["names"] == "gaierror"
    assert found["write model"] in ("OSError", "PermissionError")
    assert {found[name] for name in ("write root", "write code")} <= {"OSError", "PermissionError"}
    assert {found[name] for name in ("become root", "make device", "change root")} == {"PermissionError"}
    assert (found["capabilities"], found["privileges"], found["user"]) == ("0" * 16, "1", 10001)
    assert found["memory"] == (1024 + 2048) << 20
    assert "hunter2" not in line
    assert TOKEN not in line
    assert not [name for name in found["environment"] if name.startswith(("GITHUB_", "INPUT_", "ACTIONS_", "RUNNER_"))]
    assert not [name for name in found["files"] if ".git/" in name or name.endswith(".git")]
    assert found["sizes"]["secrets.json"] == 0


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    checked = run_check(copy_of("good-effect", tmp_path))
    work = Path(checked.outputs["report"]).parent
    assert sorted(path.name for path in work.iterdir()) == ["check.log", "page", "report"]
    assert {path.stat().st_uid for path in (work / "report").iterdir()} == {os.getuid()}


def test_what_people_see_is_rendered_from_the_json_outside_of_the_models_container(tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    lies = "for name in md html sarif; do echo '# PASS, trust me' >/written/report.$name; done"
    says_pass = "printf 'verdict=pass\\nerrors=0\\nwarnings=0\\n' >/written/outputs"
    true = "/usr/local/bin/python -m audacitorch check --static --report /written --format github ."
    image = derived(context, f"#!/bin/sh\n{true}\nstatus=$?\n{lies}\n{says_pass}\nexit $status\n")
    try:
        checked = run_check(copy_of("newer-operator", tmp_path), IMAGE=image, MEMORY="1024")
    finally:
        docker("rmi", image)
    report = Path(checked.outputs["report"])
    texts = [checked.summary, *(path.read_text("utf-8") for path in report.iterdir())]
    assert not [text for text in texts if "trust me" in text]
    assert "unknown-operator" in checked.summary
    assert (checked.outputs["status"], checked.outputs["verdict"]) == ("1", "fail")
    assert int(checked.outputs["errors"]) > 0


@pytest.mark.parametrize("json_text", ["{}", "not JSON", '{"schema_version": 1, "verdict": "pass"}'])
def test_a_container_that_leaves_no_report_has_made_no_check(tmp_path: Path, json_text: str) -> None:
    context = tmp_path / "context"
    context.mkdir()
    program = f"#!/bin/sh\necho '{json_text}' >/written/report.json\necho '# PASS' >/written/report.md\nexit 0\n"
    image = derived(context, program)
    try:
        checked = run_check(copy_of("good-effect", tmp_path), IMAGE=image, MEMORY="1024")
    finally:
        docker("rmi", image)
    says(checked, "The check was not made")
    assert "# PASS" not in checked.summary
    assert (checked.outputs["status"], checked.outputs["verdict"]) == ("3", "unknown")


def test_a_container_that_never_ends_meets_its_deadline(tmp_path: Path) -> None:
    script = (action() / "scripts" / "action" / "check").read_text(encoding="utf-8")
    assert '--signal=KILL "$limit"' in script
    done = subprocess.run(
        [DOCKER, "run", "--rm", "--entrypoint", "timeout", built_image(), "--signal=KILL", "1", "sleep", "600"],
        timeout=30,
    )
    assert done.returncode == 137


def test_a_cancelled_job_takes_its_container_along(tmp_path: Path) -> None:
    import signal
    import time

    context = tmp_path / "context"
    context.mkdir()
    image = derived(context, "#!/bin/sh\nsleep 300\n")
    environment = {
        "PATH": tools(),
        "GITHUB_WORKSPACE": str(copy_of("good-effect", tmp_path)),
        "RUNNER_TEMP": str(tmp_path),
        **{f"INPUT_{name}": "" for name in ("REPO_ID", "REVISION", "IGNORE", "REPORT_NAME")},
        "INPUT_PATH": ".",
        "INPUT_HOST": "spec",
        "INPUT_STRICT": "false",
        "INPUT_COMMENT": "false",
        "INPUT_BACKPORT": "false",
        "INPUT_FIX": "false",
        "INPUT_FAIL_ON": "error",
        "INPUT_TIMEOUT": "60",
        "INPUT_MEMORY": "1024",
        "INPUT_IMAGE": image,
    }
    script = ["/bin/bash", str(action() / "scripts" / "action" / "check")]
    mine = ["ps", "--quiet", "--filter", f"ancestor={image}"]
    with subprocess.Popen(
        script, env=environment, cwd=environment["GITHUB_WORKSPACE"], start_new_session=True, stdout=subprocess.DEVNULL
    ) as process:
        end = time.monotonic() + 20
        while not docker(*mine) and time.monotonic() < end:
            time.sleep(0.1)
        assert docker(*mine)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=30)
    end = time.monotonic() + 15
    while docker(*mine) and time.monotonic() < end:
        time.sleep(0.1)
    assert docker(*mine) == ""
    docker("rmi", image)


def says(checked: Checked, *texts: str) -> None:
    """Each text is in the log, and in the report that the job attaches and shows."""
    assert checked.returncode == 0, checked.stderr
    notes = (Path(checked.outputs["report"]) / "workflow.md").read_text("utf-8")
    for text in texts:
        assert text in notes
        assert text in checked.summary
    assert "::error title=audacitorch::" in checked.stdout
    assert (Path(checked.outputs["report"]) / "report.md").exists()


def test_a_report_names_the_checkout_and_not_the_mount(tmp_path: Path) -> None:
    checked = run_check(copy_of("good-effect", tmp_path), PATH=".")
    report = json.loads((Path(checked.outputs["report"]) / "report.json").read_text("utf-8"))
    assert report["target"]["id"] == "good-effect"
    assert "good-effect" in checked.summary.splitlines()[0]


def test_a_job_without_a_checkout_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    checked = run_check(tmp_path / "empty", PATH="models/mine")
    says(checked, "no checkout step", "uses: actions/checkout@3d3c42e5aac5", "lfs: true")
    assert checked.outputs["status"] == "2"


def test_a_path_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    copy_of("good-effect", tmp_path / "repo" / "deep")
    checked = run_check(tmp_path / "repo", PATH="nope")
    says(checked, "no such folder", "path: deep/good-effect")
    assert checked.outputs["verdict"] == "unknown"


def test_a_repo_before_its_first_export_is_told_how(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo" / "export.py").write_text("", encoding="utf-8")
    checked = run_check(tmp_path / "repo")
    says(checked, "No model has been exported yet", "run: python export.py", "path: exported")
    assert checked.outputs["status"] == "1"


def test_a_pointer_is_told_with_lfs_true(tmp_path: Path) -> None:
    says(run_check(copy_of("checkout-without-lfs", tmp_path)), "Git LFS pointer", "lfs: true")


def test_a_runner_without_docker_is_told(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in os.listdir("/usr/bin"):
        if not name.startswith("docker"):
            (programs / name).symlink_to(f"/usr/bin/{name}")
    checked = run_check(copy_of("good-effect", tmp_path), _PATH=str(programs))
    says(checked, "Docker is missing", "runs-on: ubuntu-24.04")
    assert checked.outputs["status"] == "3"


def test_an_image_that_is_nowhere_is_told(tmp_path: Path) -> None:
    checked = run_check(copy_of("good-effect", tmp_path), IMAGE="127.0.0.1:9/nothing:v0")
    says(checked, "can't be pulled: ", "No other image is run in its place")
    assert checked.outputs["status"] == "3"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIMEOUT", "a[$(touch pwned)]"),
        ("MEMORY", "x=1"),
        ("MEMORY", "0"),
        ("STRICT", "yes"),
        ("FAIL_ON", "sometimes"),
        ("REPO_ID", "../../etc"),
        ("REPO_ID", "--output=/x"),
        ("REVISION", "main\n--output=/x"),
        ("REVISION", "--facts=/x"),
        ("IMAGE", "image\nverdict=pass"),
        ("IMAGE", "--privileged"),
        ("PATH", "--help"),
        ("PATH", "-rf"),
        ("HOST", "windows"),
        ("IGNORE", "no-such-rule"),
    ],
)
def test_an_input_that_is_wrong_is_named(tmp_path: Path, name: str, value: str) -> None:
    checked = run_check(copy_of("good-effect", tmp_path), **{name: value})
    assert checked.outputs["status"] == "2", checked.stdout
    assert checked.outputs["verdict"] == "unknown"
    assert (Path(checked.outputs["report"]) / "workflow.md").exists()
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize(
    ("inputs", "name"),
    [
        ({"PATH": "."}, "audacitorch-report.check"),
        ({"PATH": "./models/a/"}, "audacitorch-report.check.models+a"),
        ({"PATH": "models-a"}, "audacitorch-report.check.models-a"),
        ({"PATH": "models+a"}, "audacitorch-report.check.models%2Ba"),
        ({"PATH": "modéls\n:a"}, "audacitorch-report.check.mod%C3%A9ls%0A%3Aa"),
        ({"HOST": "all"}, "audacitorch-report.check.all"),
        ({"MATRIX_INDEX": "1", "MATRIX_TOTAL": "3"}, "audacitorch-report.check.1"),
        ({"MATRIX_INDEX": "0", "MATRIX_TOTAL": "1"}, "audacitorch-report.check"),
        ({"REPO_ID": "author/name"}, "audacitorch-report.check.author+name"),
        ({"REPORT_NAME": "my/report: 1"}, "my-report- 1"),
    ],
)
def test_an_artifact_s_name_tells_uses_apart(tmp_path: Path, inputs: Dict[str, str], name: str) -> None:
    (tmp_path / "repo").mkdir()
    checked = run_check(tmp_path / "repo", IMAGE="127.0.0.1:9/nothing:v0", **inputs)
    assert checked.outputs["artifact"] == name


def test_inputs_reach_the_check(tmp_path: Path) -> None:
    repo = copy_of("always-raises", tmp_path)
    checked = run_check(repo, IGNORE="forward-error,\n card-tag-missing", STRICT="true", HOST="all", TIMEOUT="30.5")
    report = json.loads((Path(checked.outputs["report"]) / "report.json").read_text("utf-8"))
    assert report["ignored"] == ["forward-error"]
    assert report["strict"] is True
    assert report["hosts_wanted"] == ["spec", "audacity-3.2-alpha"]


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    repo = tmp_path / "a, b\n::error::c;$(touch pwned)"
    copy_of("good-effect", repo)
    (repo / "good-effect" / "::stop-commands::x\n").write_text("", encoding="utf-8")
    checked = run_check(repo, PATH="good-effect")
    assert checked.outputs["status"] == "0", checked.stderr
    assert not list(tmp_path.rglob("pwned"))
    told = run_check(repo, PATH="nope\n::set-output name=x::y")
    assert "\n::set-output" not in told.stdout


@pytest.mark.parametrize("to", ["outside", "key.json", ".git/config"])
def test_a_link_is_not_followed_wherever_it_leads(tmp_path: Path, to: str) -> None:
    repo = copy_of("good-effect", tmp_path / "checkout")
    secret = '{"short_description": "hunter2"}'
    (tmp_path / "outside").write_text(secret, encoding="utf-8")
    (repo.parent / "key.json").write_text(secret, encoding="utf-8")
    (repo.parent / ".git").mkdir()
    (repo.parent / ".git" / "config").write_text(secret, encoding="utf-8")
    (repo / "metadata.json").unlink()
    (repo / "metadata.json").symlink_to("../../outside" if to == "outside" else f"../{to}")
    checked = run_check(repo.parent, PATH="good-effect")
    report = Path(checked.outputs["report"])
    assert not [path for path in report.iterdir() if "hunter2" in path.read_text("utf-8")]
    assert "metadata.json is a link, which is not followed" in checked.stdout
    assert checked.outputs["status"] == "1"


def test_a_folder_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "checkout").mkdir()
    copy_of("good-effect", tmp_path / "elsewhere")
    (tmp_path / "checkout" / "models").symlink_to("../elsewhere")
    for path in ("models/good-effect", "./models/good-effect/", str(tmp_path / "checkout/models/good-effect")):
        checked = run_check(tmp_path / "checkout", PATH=path)
        says(checked, "links are not followed")
        assert checked.outputs["status"] == "2"


def test_a_folder_outside_of_the_checkout_that_the_workflow_names_is_checked(tmp_path: Path) -> None:
    (tmp_path / "checkout").mkdir()
    exported = copy_of("good-effect", tmp_path / "exported")
    assert run_check(tmp_path / "checkout", PATH=str(exported)).outputs["verdict"] == "pass"


def test_what_is_not_a_regular_file_is_left_out(tmp_path: Path) -> None:
    repo = copy_of("good-effect", tmp_path)
    (repo / "model.pt").unlink()
    os.mkfifo(repo / "model.pt")
    os.mkfifo(repo / "another")
    checked = run_check(repo)
    assert "model.pt is not a regular file" in checked.stdout
    assert checked.outputs["status"] == "1"


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    repo = copy_of("good-effect", tmp_path)
    shutil.copytree(repo, repo / "--help")
    assert run_check(repo, PATH="--help").outputs["verdict"] == "pass"


def test_a_newer_export_is_backported_and_what_can_be_fixed_is_fixed(tmp_path: Path) -> None:
    repo = copy_of("newer-export-aborts-at-raise", tmp_path)
    checked = run_check(repo, BACKPORT="true", FIX="true")
    assert checked.outputs["status"] == "1"
    repaired = Path(checked.outputs["repaired"])
    shutil.copy(repaired / "backported" / "model.pt", repo / "model.pt")
    assert "aborts-host" not in rules(run_check(repo))
    assert sorted(path.name for path in (repaired / "fixed").iterdir()) == ["model.pt"]


def rules(checked: Checked) -> Set[str]:
    """The rules of a report's findings."""
    report = json.loads((Path(checked.outputs["report"]) / "report.json").read_text("utf-8"))
    return {finding["rule"] for finding in report["findings"]}


def test_a_model_that_can_not_be_backported_is_told_and_the_verdict_stands(tmp_path: Path) -> None:
    checked = run_check(copy_of("always-raises", tmp_path), BACKPORT="true")
    assert checked.outputs["status"] == "1"
    assert "repaired" not in checked.outputs
    assert "::notice title=audacitorch::backport made nothing of the model" in checked.stdout


def test_facts_in_the_checkout_are_not_the_hubs(tmp_path: Path) -> None:
    repo = copy_of("good-effect", tmp_path)
    for name in (".facts.json", "facts.json"):
        (repo / name).write_text('{"source": "hub", "id": "someone/else"}', encoding="utf-8")
    checked = run_check(repo)
    report = json.loads((Path(checked.outputs["report"]) / "report.json").read_text("utf-8"))
    assert (checked.outputs["verdict"], report["target"]["source"]) == ("pass", "folder")


def test_a_model_that_only_the_runner_may_read_is_checked(tmp_path: Path) -> None:
    repo = copy_of("good-effect", tmp_path)
    (repo / "model.pt").chmod(0o600)
    repo.chmod(0o700)
    assert run_check(repo).outputs["verdict"] == "pass"


@pytest.mark.parametrize(
    ("fail_on", "status", "warnings", "expected"),
    [
        ("error", "0", "3", 0),
        ("error", "1", "0", 1),
        ("error", "3", "0", 3),
        ("error", "", "", 3),
        ("warning", "0", "3", 1),
        ("warning", "0", "0", 0),
        ("warning", "1", "0", 1),
        ("never", "1", "0", 0),
        ("never", "3", "", 0),
        ("sometimes", "2", "0", 2),
    ],
)
def test_the_job_fails_as_asked(fail_on: str, status: str, warnings: str, expected: int) -> None:
    environment = {"PATH": tools(), "FAIL_ON": fail_on, "STATUS": status, "WARNINGS": warnings}
    script = str(action() / "scripts" / "action" / "verdict")
    assert subprocess.run(["/bin/bash", script], env=environment).returncode == expected
