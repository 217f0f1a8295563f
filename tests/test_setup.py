"""scripts/setup with programs that only note how they are called: what is installed, what is said, when nothing is."""

from __future__ import annotations

import os
import platform
import pty
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List

import pytest

ROOT = Path(__file__).parents[1]
LINUX = platform.system() == "Linux" and platform.machine() == "x86_64"
PYTHON = """#!/bin/sh
if [ "$2" = venv ]; then
  mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo "venv $3" >>"$CALLS"
elif [ "$2" = pip ]; then
  echo "$*" >>"$CALLS"
fi
"""
UV = """#!/bin/sh
echo "$*" >>"$CALLS"
case "$*" in
  *"$BREAKS"*) echo "no space left on device" >&2; exit 1 ;;
  *--editable*) touch .venv/bin/audacitorch ;;
esac
"""


@dataclass
class Checkout:
    folder: Path

    @property
    def environment(self) -> Dict[str, str]:
        return {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.defpath}",
            "PYTHON": str(self.folder / "bin" / "fake-python"),
            "HOME": str(self.folder),
            "CALLS": str(self.folder / "calls"),
            "BREAKS": "nothing",
        }

    def setup(self, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "scripts/setup", *options]
        around = {**self.environment, **environment}
        return subprocess.run(
            words, cwd=self.folder, env=around, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )

    def calls(self) -> List[str]:
        """What was called since the last time, without what is the same for every call."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        prefix = f"pip install --quiet --compile-bytecode --python {self.folder}/.venv/bin/python "
        return [line.replace(prefix, "").replace(f"{self.folder}/", "") for line in lines]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    for name in ("scripts/setup", "scripts/environment.py", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    (tmp_path / "audacitorch").mkdir()
    (tmp_path / "bin").mkdir()
    for program, text in (("fake-python", PYTHON), ("uv", UV)):
        (tmp_path / "bin" / program).write_text(text)
        (tmp_path / "bin" / program).chmod(0o755)
    return Checkout(tmp_path)


def test_a_first_run_says_a_line_for_each_step_and_a_second_one_nothing(checkout: Checkout) -> None:
    done = checkout.setup()
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.startswith("[")]
    assert [line[:5] for line in lines] == ["[1/3]", "[2/3]", "[3/3]"]
    assert all("MB in .venv, " in line for line in lines)
    calls = checkout.calls()
    assert calls[0] == "venv .venv"
    assert calls[1] == "--require-hashes -r requirements/torch.txt"
    assert "--require-hashes -r requirements/build.txt -r requirements/check.txt" in calls
    assert calls[-1].startswith("--no-deps --no-build-isolation")
    again = checkout.setup()
    assert (again.returncode, again.stdout, again.stderr, checkout.calls()) == (0, "", "", [])


def test_a_changed_lock_is_installed_and_an_environment_for_tests_serves_a_check(checkout: Checkout) -> None:
    assert checkout.setup("--dev").returncode == 0
    assert any("requirements/tools.txt" in call for call in checkout.calls())
    assert checkout.setup().stderr == ""
    assert checkout.calls() == []
    with (checkout.folder / "requirements" / "check.txt").open("a") as file:
        file.write("# another\n")
    assert "[3/3]" in checkout.setup().stderr
    assert checkout.calls() != []


def test_what_fails_says_why_and_the_next_run_goes_on(checkout: Checkout) -> None:
    failed = checkout.setup(BREAKS="check.txt")
    assert failed.returncode == 3
    assert "… failed" in failed.stderr
    assert "no space left on device" in failed.stderr
    assert "Traceback" not in failed.stderr
    checkout.calls()
    assert checkout.setup().returncode == 0
    assert not any(call.startswith("venv") for call in checkout.calls())


def test_without_the_python_that_torch_needs_it_says_how_to_get_it(checkout: Checkout) -> None:
    (checkout.folder / "bin" / "uv").unlink()
    done = checkout.setup(PATH=str(checkout.folder / "bin"), PYTHON="")
    assert done.returncode == 3
    assert "Torch 1.9.0 needs CPython 3.9, which was not found" in done.stderr


def test_an_unknown_option_is_a_wrong_call(checkout: Checkout) -> None:
    assert checkout.setup("--gpu").returncode == 2


@pytest.mark.skipif(not LINUX, reason="elsewhere there is one build of Torch")
@pytest.mark.parametrize(("answer", "smaller"), [("\n", True), ("n\n", False)])
def test_somebody_at_a_terminal_is_offered_the_build_without_cuda(
    checkout: Checkout, answer: str, smaller: bool
) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    words = [sys.executable, "scripts/setup"]
    done = subprocess.run(words, cwd=checkout.folder, env=checkout.environment, stdin=theirs, stderr=theirs)
    os.close(theirs)
    said = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "831 MB to download" in said
    assert "Take the smaller one?" in said
    assert any("torch==1.9.0+cpu" in call for call in checkout.calls()) == smaller
    assert checkout.setup().stderr == "", "either build is what was asked for"
