"""The program's options, and what it imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

import jsonschema
import pytest

from tests.program import PROGRAM, run
from tests.test_check import SCHEMA
from tests.test_repos import copy_of


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return copy_of("good-effect", tmp_path)


def verdicts(folder: Path, *options: str) -> Dict[str, Any]:
    done = run("check", str(folder), "--static", "--format", "json", *options)
    report: Dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(report, SCHEMA)
    return {"status": done.returncode, "verdict": report["verdict"], **report["hosts"]}


@pytest.mark.parametrize(("host", "status"), [(None, 0), ("spec", 0), ("audacity-3.2-alpha", 1), ("all", 1)])
def test_the_host_that_is_named_decides(tmp_path: Path, host: Optional[str], status: int) -> None:
    found = verdicts(copy_of("domains-only", tmp_path), *(["--host", host] if host else []))
    assert found["status"] == status
    assert (found["spec"], found["audacity-3.2-alpha"]) == ("pass", "fail")


@pytest.mark.slow
def test_a_strict_check_refuses_warnings_but_not_notes(tmp_path: Path) -> None:
    assert verdicts(copy_of("no-readme", tmp_path))["status"] == 0
    assert verdicts(tmp_path / "no-readme", "--strict")["status"] == 1
    assert verdicts(copy_of("not-in-lfs", tmp_path), "--strict")["status"] == 0


def test_rules_that_are_ignored_are_left_out(tmp_path: Path) -> None:
    folder = copy_of("sample-rate-misspelt", tmp_path)
    ignoring = ["--ignore", "metadata-field-missing", "--ignore", "metadata-unknown-field"]
    assert verdicts(folder)["status"] == 1
    assert verdicts(folder, *ignoring)["status"] == 0


@pytest.mark.slow
def test_machine_formats_are_utf_8_whatever_the_terminal(tmp_path: Path) -> None:
    folder = copy_of("short-description-60-characters", tmp_path)
    for form in ("text", "json", "markdown", "sarif", "github"):
        done = subprocess.run(
            [*PROGRAM, "check", str(folder), "--static", "--format", form],
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        done.stdout.decode("ascii" if form == "text" else "utf-8")


def test_nobody_reads_our_output_to_its_end(good: Path) -> None:
    done = subprocess.run(
        f"{' '.join(PROGRAM)} check {good} --static | true", shell=True, capture_output=True, check=False
    )
    assert done.stderr == b""


def test_a_closed_output_leaves_the_exit_status(good: Path) -> None:
    done = subprocess.run(
        f"{' '.join(PROGRAM)} check {good} --static >&-", shell=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_disk_too_full_for_the_report_gives_2(good: Path) -> None:
    done = subprocess.run(
        f"{' '.join(PROGRAM)} check {good} --static >/dev/full", shell=True, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"audacitorch: the report can't be written to standard output: ")
    assert done.stderr.count(b"\n") == 1


def test_a_package_that_is_not_installed_is_named_in_one_sentence(good: Path) -> None:
    program = "import sys; sys.modules['rich'] = None; from audacitorch.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "check", str(good), "--static"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "audacitorch: this needs the package rich, which is not installed here\n"


@pytest.mark.parametrize("words", [["--help"], ["check", "--help"], ["rules"], ["rules", "short-input"], ["--version"]])
def test_what_needs_no_torch_imports_none(words: List[str]) -> None:
    assert "torch" not in imported(*words)


def test_a_static_check_imports_no_torch_and_few_others(good: Path) -> None:
    modules = imported("check", str(good), "--static")
    assert modules.isdisjoint({"torch", "numpy", "huggingface_hub", "requests", "jsonschema", "jinja2", "docker"})


def imported(*words: str) -> set[str]:
    """The top-level modules that a call imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *PROGRAM[1:], *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "audacitorch.cli" in names
    return {name.partition(".")[0] for name in names}


def test_a_check_without_torch_installed_works_statically(good: Path) -> None:
    program = "import sys; sys.modules['torch'] = None; from audacitorch.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "check", str(good), "--static"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
