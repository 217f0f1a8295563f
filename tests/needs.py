"""What a test needs of the machine: a test that lacks it is skipped with the reason, or fails where it was promised.

``AUDACITORCH_TEST_REQUIRE`` names, with commas, what must be there: ``docker``, ``act``, ``browser``, ``torch``,
``lfs``, ``vnu`` or ``all``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Callable, Dict, List, Optional

import pytest

REQUIRE = "AUDACITORCH_TEST_REQUIRE"
_VNU = "build/npm/node_modules/vnu-jar/build/dist/vnu.jar"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def _docker() -> Optional[str]:
    if shutil.which("docker") is None:
        return "the program docker is not installed"
    try:
        asked = subprocess.run(["docker", "info"], capture_output=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return "no Docker engine answers"
    return None if asked.returncode == 0 else "no Docker engine answers"


def program(name: str) -> Optional[str]:
    """Where a program is: among the tools that scripts/setup --dev installs, in this environment, or on the path."""
    places = [Path(sys.prefix) / "tools" / "bin", Path(sys.executable).parent]
    return shutil.which(name, path=os.pathsep.join(map(str, places))) or shutil.which(name)


def _act() -> Optional[str]:
    return None if program("act") else "the program act is not installed"


def browser_program() -> Optional[str]:
    """Where Chromium is."""
    return next((found for found in map(shutil.which, _BROWSERS) if found), None)


def _browser() -> Optional[str]:
    if find_spec("playwright") is None:
        return "Python's package playwright is not installed"
    return None if browser_program() else "no Chromium is installed"


def _torch() -> Optional[str]:
    try:
        installed = version("torch")
    except PackageNotFoundError:
        return "Torch is not installed"
    return None if installed.partition("+")[0] == "1.9.0" else f"Torch is {installed}, not 1.9.0"


def _lfs() -> Optional[str]:
    return None if shutil.which("git-lfs") else "git-lfs is not installed"


def html_checker() -> Optional[List[str]]:
    """How the Nu Html Checker is called: Java, and the file of npm's package vnu-jar; None where one is missing."""
    java = shutil.which("java")
    jar = Path(os.environ.get("VNU_JAR") or _VNU)
    return [java, "-jar", str(jar)] if java and jar.is_file() else None


def _vnu() -> Optional[str]:
    return None if html_checker() else f"no Java, or no {_VNU} (npm install --prefix build/npm vnu-jar)"


_PROBES: Dict[str, Callable[[], Optional[str]]] = {
    "docker": _docker,
    "act": _act,
    "browser": _browser,
    "torch": _torch,
    "lfs": _lfs,
    "vnu": _vnu,
}
#: What can be asked for; each is a marker, too.
NEEDS = tuple(_PROBES)


@cache
def missing(need: str) -> Optional[str]:
    """Why ``need`` is not there, None where it is."""
    return _PROBES[need]()


def require(need: str) -> None:
    """Skip the test where ``need`` is not there; fail it where the environment promised it."""
    reason = missing(need)
    promised = os.environ.get(REQUIRE, "").replace(" ", "").split(",")
    if reason is not None and (need in promised or "all" in promised):
        pytest.fail(f"{reason}, and {REQUIRE} asks for {need}", pytrace=False)
    if reason is not None:
        pytest.skip(reason)
