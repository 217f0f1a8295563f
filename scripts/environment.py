"""What scripts/setup does: virtual environments of a certain Python, with what requirements/ locks, and a line a step.

Any Python from 3.8 on runs it, on Linux, macOS and Windows. uv does the work where it is installed, pip elsewhere.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import List, Optional, Sequence

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".venv"
STAMP = FOLDER / ".audacitorch-setup"
#: Where a virtual environment has its programs.
PROGRAMS = "Scripts" if os.name == "nt" else "bin"
CPU_PAGE = "https://download.pytorch.org/whl/cpu/torch_stable.html"
#: Megabytes of Torch 1.9.0 to download, by system and machine.
TORCH_SIZES = {
    ("Linux", "x86_64"): 831,
    ("Linux", "aarch64"): 49,
    ("Darwin", "x86_64"): 128,
    ("Darwin", "arm64"): 42,
    ("Windows", "AMD64"): 222,
}
CPU_SIZE = 176
MACHINE = (platform.system(), platform.machine())
NO_ENVIRONMENT = 3


class SetupFailed(Exception):
    """Something that is needed is not here, or could not be installed."""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Set up what ``arguments`` ask for, and return the exit status: 3 where that is not possible here."""
    options = parsed(arguments)
    try:
        if is_done(options.dev, options.cpu):
            compile_changed()
            return 0
        set_up(options.dev, options.cpu or wants_cpu_build())
    except SetupFailed as error:
        print(f"scripts/setup: {error}", file=sys.stderr)
        return NO_ENVIRONMENT
    except KeyboardInterrupt:
        print("\nscripts/setup: interrupted; the next run goes on from here", file=sys.stderr)
        return 130
    return 0


def parsed(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    """The options; a wrong call ends the program with 2."""
    parser = argparse.ArgumentParser(
        prog="scripts/setup",
        description="Make .venv, the environment that runs models: CPython 3.9, Torch 1.9.0, audacitorch. "
        "It installs the versions and hashes of requirements/, and does nothing where that has been done.",
    )
    parser.add_argument("--dev", action="store_true", help="and what the tests need; their tools are in .venv/tools")
    parser.add_argument(
        "--cpu", action="store_true", help=f"Torch's build without CUDA, {CPU_SIZE} MB, for Linux x86-64"
    )
    return parser.parse_args(arguments)


def wanted(dev: bool, cpu: bool) -> str:
    """What is noted when it has been set up: the options, and a sum of the files that say what is installed."""
    sum_of_files = 0
    for path in [ROOT / "pyproject.toml", *sorted((ROOT / "requirements").glob("*.txt"))]:
        sum_of_files = zlib.crc32(path.read_bytes(), sum_of_files)
    return f"dev={dev} cpu={cpu} {sum_of_files:08x}"


def is_done(dev: bool, cpu: bool) -> bool:
    """Whether .venv is as asked: an environment for the tests serves a check as well, and either build of Torch."""
    if not STAMP.is_file() or not program(FOLDER, "audacitorch").exists():
        return False
    noted = STAMP.read_text(encoding="utf-8").strip()
    return noted in {wanted(more, build) for more in {dev, True} for build in {cpu, True}}


def compile_changed() -> None:
    """Compile the package where it has changed: where Python writes no bytecode, every start would do it anew."""
    compiled = STAMP.stat().st_mtime
    if any(path.stat().st_mtime > compiled for path in (ROOT / "audacitorch").rglob("*.py")):
        run([program(FOLDER, "python"), "-m", "compileall", "-q", ROOT / "audacitorch"])
        os.utime(STAMP)


def wants_cpu_build() -> bool:
    """Ask somebody at a terminal which build of Torch to take, where there are two and none is installed."""
    if MACHINE != ("Linux", "x86_64") or list(FOLDER.glob("lib/python3.9/site-packages/torch-1.9.0*")):
        return False
    size = TORCH_SIZES[MACHINE]
    print(
        f"The package index's Torch 1.9.0 holds CUDA, which nothing here uses: {size} MB to download, 1.8 GB on disk.\n"
        f"PyTorch's own page (download.pytorch.org) has a build without it: {CPU_SIZE} MB. `--cpu` takes that one.",
        file=sys.stderr,
    )
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print("Take the smaller one? [Y/n] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("", "y", "yes")


def set_up(dev: bool, cpu: bool) -> None:
    """Install all of it, a line a step.

    Raises:
        SetupFailed: something is not here, or could not be installed.
    """
    locks = ROOT / "requirements"
    steps = Steps(5 if dev else 3)
    with steps.step("Python 3.9", FOLDER):
        make_environment(FOLDER, "3.9", "Torch 1.9.0 needs")
    size = CPU_SIZE if cpu else TORCH_SIZES.get(MACHINE)
    with steps.step(f"Torch 1.9.0{f', at most {size} MB to download' if size else ''}", FOLDER):
        if cpu:  # by pip: uv does not take 1.9.0+cpu for the 1.9.0 that is locked
            pip(FOLDER, "--no-deps", "--no-index", "--find-links", CPU_PAGE, "torch==1.9.0+cpu")
            pip(FOLDER, "--require-hashes", "-r", locks / "torch.txt")
        else:
            install(FOLDER, "--require-hashes", "-r", locks / "torch.txt")
        if MACHINE != ("Linux", "aarch64"):  # there is no wheel for it, and only exporting uses it
            install(FOLDER, "--no-deps", "--require-hashes", "-r", locks / "torchaudio.txt")
    with steps.step("audacitorch and what it needs", FOLDER):
        install_package(dev)
    if dev:
        with steps.step("models for the tests", FOLDER):
            install(FOLDER, "--no-deps", "--require-hashes", "-r", locks / "models.txt")
        tools = FOLDER / "tools"
        with steps.step("the tests' tools, on Python 3.13", tools):
            make_environment(tools, "3.13", "The tools of the tests need")
            install(tools, "--require-hashes", "-r", locks / "tools.txt")
    run([program(FOLDER, "python"), "-m", "compileall", "-q", ROOT / "audacitorch"])
    STAMP.write_text(wanted(dev, cpu) + "\n", encoding="utf-8")


def install_package(dev: bool) -> None:
    """The package, as a link to this checkout. The locks hold for Linux and macOS; Windows needs more packages."""
    editable = ["--config-settings", "editable_mode=compat", "--editable"]
    if os.name == "nt":
        install(FOLDER, *editable, f"{ROOT}[container,dev]" if dev else ROOT)
        return
    locks = ROOT / "requirements"
    lock = locks / ("dev.txt" if dev else "check.txt")
    install(FOLDER, "--require-hashes", "-r", locks / "build.txt", "-r", lock)
    install(FOLDER, "--no-deps", "--no-build-isolation", *editable, ROOT)


class Steps:
    """Prints a line for each step: its number, what it does, and what that took."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._number = 0

    def step(self, what: str, folder: Path) -> Step:
        """The next step, which fills ``folder``. A context manager."""
        self._number += 1
        return Step(f"[{self._number}/{self._total}] {what}", folder)


class Step:
    """One step: its line is begun when it starts, and ended with megabytes and seconds when it is done."""

    def __init__(self, title: str, folder: Path) -> None:
        self._title = title
        self._folder = folder

    def __enter__(self) -> None:
        self._before, self._start = size_of(self._folder), time.monotonic()
        print(f"{self._title} … ", end="", file=sys.stderr, flush=True)

    def __exit__(self, kind: Optional[type], *_: object) -> None:
        more = (size_of(self._folder) - self._before) / 1e6
        taken = time.monotonic() - self._start
        print("failed" if kind else f"{more:,.0f} MB in .venv, {taken:.0f} s", file=sys.stderr)


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def program(environment: Path, name: str) -> Path:
    """A program of a virtual environment."""
    return environment / PROGRAMS / (f"{name}.exe" if os.name == "nt" else name)


def make_environment(folder: Path, version: str, why: str) -> None:
    """A virtual environment of that Python in ``folder``; what is there of another Python is replaced.

    Raises:
        SetupFailed: there is no such Python.
    """
    if is_python([str(program(folder, "python"))], version):
        return
    python = find_python(version)
    if python is None:
        raise SetupFailed(
            f"{why} CPython {version}, which was not found: install python{version}, or pyenv, or uv "
            "(https://docs.astral.sh/uv), which can install it."
        )
    shutil.rmtree(folder, ignore_errors=True)
    run([*python, "-m", "venv", folder])


def find_python(version: str) -> Optional[List[str]]:
    """How to call an interpreter of that version: $PYTHON, on the path, the launcher's, of pyenv, or of uv."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    candidates = [[os.environ["PYTHON"]]] if os.environ.get("PYTHON") else []
    candidates += [[f"python{version}"], ["py", f"-{version}"]]
    candidates += [[str(path)] for path in sorted(pyenv.glob(f"{version}.*/bin/python"))]
    candidates += [["python3"], ["python"]]
    for candidate in candidates:
        if is_python(candidate, version):
            return candidate
    uv = shutil.which("uv")
    if uv is not None and subprocess.run([uv, "python", "install", "--quiet", version]).returncode == 0:
        found = subprocess.run([uv, "python", "find", version], stdout=subprocess.PIPE, text=True)
        return [found.stdout.strip()] if found.returncode == 0 else None
    return None


def is_python(command: List[str], version: str) -> bool:
    """Whether that is an interpreter of the version that can make virtual environments."""
    code = f"import sys, venv; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"
    try:
        asked = subprocess.run([*command, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:
        return False
    return asked.returncode == 0


def install(environment: Path, *words: object) -> None:
    """Install packages: by uv where it is here, in parallel and from its cache, else by pip. Only errors are shown."""
    uv = shutil.which("uv")
    if uv is None:
        pip(environment, *words)
        return
    python = program(environment, "python")
    run([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *words])


def pip(environment: Path, *words: object) -> None:
    """Install packages by the environment's own pip."""
    python = program(environment, "python")
    run([python, "-m", "pip", "--disable-pip-version-check", "--quiet", "--quiet", "install", *words])


def run(words: Sequence[object]) -> None:
    """Run a program.

    Raises:
        SetupFailed: it failed; it has said why.
    """
    command = [str(word) for word in words]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise SetupFailed(f"`{' '.join(command)}` failed:\n{done.stdout.strip()[-2000:]}")
