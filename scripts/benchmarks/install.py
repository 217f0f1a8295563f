"""The wheel in fresh environments: what each command says under every Python that is here, with and without PyTorch."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts.environment import find_python  # noqa: E402
from tests.hub import LocalHub  # noqa: E402

PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
TOKEN = "hf_ann"
#: What a command that needs Torch 1.9.0 must say in its first line where that is not installed.
WAYS_OUT = ("Torch 1.9.0 is not installed here", "--static", "--sandbox container", "pip install")
NEEDS_TORCH = 3

#: Each command with the exit status that it has everywhere, or NEEDS_TORCH where Torch 1.9.0 is not installed.
COMMANDS: Tuple[Tuple[str, int], ...] = (
    ("--help", 0),
    ("--version", 0),
    ("rules", 0),
    ("rules unknown-operator", 0),
    ("check --static model", 0),
    ("check model", NEEDS_TORCH),
    ("check model --sandbox process", NEEDS_TORCH),
    ("run model clip.wav -o tracks", NEEDS_TORCH),
    ("new made --kind labeler", 0),
    ("fix untagged --yes --static", 0),
    ("fix untagged_too --yes", NEEDS_TORCH),
    ("backport model -o rewritten", 0),
    ("push --static model ann/model", 0),
    ("push model ann/model", NEEDS_TORCH),
    ("fetch ann/model -o fetched", 0),
    ("check ann/model --static", 0),
    ("registry --help", 0),
    ("registry refresh --registry list", 0),
    ("registry status --registry list", 0),
    ("request --help", 0),
    ("request list", 2),
    ("python -m pydoc audacitorch", 0),
)


@dataclass(frozen=True)
class Said:
    """What one command did: its exit status, its first line, and what is wrong with it, empty where nothing is."""

    command: str
    status: int
    line: str
    problem: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", nargs="+", default=PYTHONS, metavar="3.X", help="default: 3.9 to 3.13")
    parser.add_argument("--torch", metavar="VERSION", help="also with this PyTorch, for the Pythons that it has")
    parser.add_argument("--wheel", type=Path, help="default: built from this checkout")
    options = parser.parse_args()
    problems = 0
    with tempfile.TemporaryDirectory() as folder:
        wheel = options.wheel or build_wheel(Path(folder))
        for version in options.python:
            python = find_python(version)
            if python is None:
                print(f"\nPython {version} is not on this machine.")
                continue
            for torch in dict.fromkeys((None, options.torch)):
                title = f"Python {version}, {f'Torch {torch}' if torch else 'no Torch'}"
                environment = Path(folder, f"{version}-{torch}")
                error = make_environment(environment, python, wheel, torch)
                if error is not None:
                    print(f"\n{title}: not installed: {error}")
                    continue
                print(f"\n{title}\n")
                problems += show(said_in(environment, torch))
                shutil.rmtree(environment)
    print(f"\n{problems} problems")
    return 1 if problems else 0


def build_wheel(folder: Path) -> Path:
    """The wheel of this checkout, built from a copy so that nothing is left in it."""
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "audacitorch", source / "audacitorch", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True)
    return next(folder.glob("audacitorch-*.whl"))


def make_environment(folder: Path, python: List[str], wheel: Path, torch: Optional[str]) -> Optional[str]:
    """A new environment with the wheel, and PyTorch where asked; what kept it from being made, None where nothing."""
    pip = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
    packages = [str(wheel), *([f"torch=={torch}", "numpy<2" if torch == "1.9.0" else "numpy"] if torch else [])]
    uv = shutil.which("uv")
    if uv is not None:
        steps = [
            [*python, "-m", "venv", "--without-pip", str(folder)],
            [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *packages],
        ]
    else:
        steps = [
            [*python, "-m", "venv", str(folder)],
            [str(folder / "bin" / "python"), *pip, *packages],
        ]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True)
        if done.returncode != 0:
            shutil.rmtree(folder, ignore_errors=True)
            return done.stderr.strip().splitlines()[-1][:250]
    return None


def said_in(environment: Path, torch: Optional[str]) -> Iterator[Said]:
    """What each command says in that environment, in a folder of its own, with a Hub of its own."""
    with tempfile.TemporaryDirectory() as name, LocalHub() as hub:
        folder = Path(name)
        shutil.copytree(ROOT / "tests" / "repos" / "good-effect", folder / "model")
        for untagged in ("untagged", "untagged_too"):
            shutil.copytree(ROOT / "tests" / "repos" / "good-effect", folder / untagged)
            (folder / untagged / "README.md").unlink()
        with wave.open(str(folder / "clip.wav"), "wb") as clip:
            clip.setparams((1, 2, 48_000, 0, "NONE", ""))
            clip.writeframes(bytes(2 * 48_000))
        hub.add_token(TOKEN, "ann", write=True)
        around = {"HOME": name, "PATH": os.defpath, "HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "COLUMNS": "120"}
        for command, expected in COMMANDS:
            words = (command if command.startswith("python ") else f"audacitorch {command}").split()
            words[0] = str(environment / "bin" / words[0])
            done = subprocess.run(words, cwd=folder, env=around, capture_output=True, text=True, timeout=300)
            line = first_line(done, expected)
            if expected == NEEDS_TORCH and torch == "1.9.0":
                expected = 0
            yield Said(command, done.returncode, line, problem_of(done, expected, line))


def first_line(done: subprocess.CompletedProcess[str], expected: int) -> str:
    """The first line of the result, or of what went wrong where a command shows changes before it says so."""
    streams = [done.stdout, done.stderr]
    if done.stdout.startswith("---") and expected == NEEDS_TORCH:
        streams.reverse()
    return next((stream.strip().splitlines()[0] for stream in streams if stream.strip()), "")


def problem_of(done: subprocess.CompletedProcess[str], expected: int, line: str) -> str:
    """What is wrong with what a command said."""
    if "Traceback" in done.stdout + done.stderr:
        return "a traceback"
    if done.returncode != expected:
        return f"exit status {done.returncode}, expected {expected}: {done.stderr.strip()[-200:]}"
    missing = [way for way in WAYS_OUT if way not in line] if expected == NEEDS_TORCH else []
    return f"the first line does not say {', '.join(missing)}" if missing else ""


def show(found: Iterator[Said]) -> int:
    """Print a table of them, and return how many are wrong."""
    problems = 0
    for said in found:
        print(f"{said.status}  {said.command:34} {said.line[:170]}")
        if said.problem:
            problems += 1
            print(f"   ^ {said.problem}")
    return problems


if __name__ == "__main__":
    sys.exit(main())
