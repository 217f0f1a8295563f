"""The image of this checkout, built once for a test run: seconds of work where only code has changed since the last."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TAG = "audacitorch-tests:v1"
#: The client that belongs to the engine has BuildKit; another that comes before it on the path may not.
DOCKER = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else str(shutil.which("docker"))


@cache
def built_image() -> str:
    """The name of the image, with the package index's wheel of Torch."""
    command = [DOCKER, "build", "--quiet", "--build-arg", "TORCH=pypi", "--tag", TAG, str(ROOT)]
    built = subprocess.run(command, env={**os.environ, "DOCKER_BUILDKIT": "1"}, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[-4000:]
    return TAG


def docker(*words: str) -> str:
    """What the engine's client prints."""
    return subprocess.run([DOCKER, *words], capture_output=True, text=True, check=True).stdout.strip()
