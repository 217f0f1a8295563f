"""The package as others install it: what the distributions hold and say, and every command in a fresh environment."""

from __future__ import annotations

import email
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from pathlib import Path
from typing import Set

import pytest

from audacitorch.version import __version__
from scripts.benchmarks import install
from scripts.environment import find_python
from tests.needs import program

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install.build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    source = folder / "source"
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.strip("\0").split("\0"):
        if (ROOT / name).is_file() and name.partition("/")[0] not in ("docs", "examples", "registry"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    code = f"from setuptools import build_meta; build_meta.build_sdist({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)
    return next(folder.glob("*.tar.gz"))


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return email.message_from_string(archive.read(f"audacitorch-{__version__}.dist-info/METADATA").decode("utf-8"))


def data_files() -> Set[str]:
    """Every file of the package in git that is no Python module."""
    listed = subprocess.run(["git", "ls-files", "audacitorch"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in listed.stdout.split() if not name.endswith(".py")}


def test_the_metadata_says_who_where_and_for_what(wheel: Path) -> None:
    told = metadata(wheel)
    assert told["License-Expression"] == "MIT"
    assert told["License-File"] == "LICENSE"
    assert "Hugo Flores García" in told["Author"]
    assert {url.partition(",")[0] for url in told.get_all("Project-URL", [])} >= {"Homepage", "Source", "Changelog"}
    classifiers = told.get_all("Classifier", [])
    assert "Typing :: Typed" in classifiers
    for version in install.PYTHONS:
        assert f"Programming Language :: Python :: {version}" in classifiers


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert data_files() <= names
    assert {name.partition("/")[0] for name in names} == {"audacitorch", f"audacitorch-{__version__}.dist-info"}


def test_the_source_distribution_holds_the_package_whole_and_no_tests(sdist: Path) -> None:
    top = f"audacitorch-{__version__}/"
    with tarfile.open(sdist) as archive:
        names = {member.name.replace(top, "", 1) for member in archive.getmembers()}
    assert data_files() <= names
    assert {"CHANGELOG.md", "LICENSE", "MIGRATING.md", "README.md", "pyproject.toml"} <= names
    assert [name for name in names if name.startswith("tests")] == []


def test_a_package_index_can_show_it(wheel: Path, sdist: Path) -> None:
    twine = program("twine")
    if twine is None:
        pytest.skip("scripts/setup --dev has not installed twine")
    done = subprocess.run([twine, "check", "--strict", str(wheel), str(sdist)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "machine", ["x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "x86_64-apple-darwin", "aarch64-apple-darwin"]
)
def test_what_is_locked_has_wheels_on_each_machine(machine: str, tmp_path: Path) -> None:
    """Windows needs packages beside them, so scripts/setup resolves anew there: the test below."""
    locks = ["torch.txt", "check.txt", "build.txt", *([] if machine.startswith("aarch64-many") else ["torchaudio.txt"])]
    words = ["pip", "install", "--dry-run", "--target", str(tmp_path), "--python", sys.executable, "--require-hashes"]
    words += ["--python-version", "3.9", "--python-platform", machine]
    run_uv(*words, *(word for lock in locks for word in ("-r", str(ROOT / "requirements" / lock))))


def test_windows_has_wheels_of_everything(tmp_path: Path) -> None:
    words = ["pip", "compile", "--python-version", "3.9", "--python-platform", "x86_64-pc-windows-msvc"]
    run_uv(*words, "--extra", "torch", "-o", str(tmp_path / "windows.txt"), str(ROOT / "pyproject.toml"))
    assert "torchaudio==0.9.0" in (tmp_path / "windows.txt").read_text("utf-8")


def run_uv(*words: str) -> None:
    uv = program("uv")
    if uv is None:
        pytest.skip("scripts/setup --dev has not installed uv")
    done = subprocess.run([uv, *words, "--no-config", "--only-binary", ":all:"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_command_says_what_is_missing_in_a_fresh_environment(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = Path(sys.prefix) / "tools" / "bin"  # uv is there, which installs faster than pip
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    python = find_python("3.13")
    if python is None:
        pytest.skip("there is no Python 3.13")
    error = install.make_environment(tmp_path / "fresh", python, wheel, None)
    assert error is None
    assert [
        f"{said.command}: {said.problem}" for said in install.said_in(tmp_path / "fresh", None) if said.problem
    ] == []
