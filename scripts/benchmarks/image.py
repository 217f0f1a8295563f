"""The image and its layers: what each weighs, and that nothing is in it without use."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List

ROOT = Path(__file__).resolve().parents[2]
#: The client that belongs to the engine has BuildKit; another that comes before it on the path may not.
DOCKER = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"
#: What an image of this kind often carries along.
UNUSED = r"""
set -u
find / -xdev -path /proc -prune -o -type d -path '*/.cache/pip' -print
ls -d /var/lib/apt/lists/*_* /var/cache/apt/archives/*.deb 2>/dev/null
for program in cc gcc g++ clang make cmake ld nvcc; do command -v $program; done
cd /usr/local/lib/python3.9/site-packages
find . -path ./audacitorch/new -prune -o -type d \( -name tests -o -name test \) \
  ! -path './pip/*' ! -path './setuptools/*' ! -path './pkg_resources/*' -print
find torch torchaudio numpy \( -name '*.a' -o -name '*.pxd' -o -path torch/include \) -print
ls -d caffe2 2>/dev/null
true
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", choices=("pypi", "cpu"), default="pypi", help="whose wheel (default: %(default)s)")
    options = parser.parse_args()
    tag = f"audacitorch-bench:{options.torch}"
    print(f"built in {build(tag, options.torch, ROOT):.1f} s (nothing changed since the last time: seconds)")
    size = int(docker("image", "inspect", "--format", "{{.Size}}", tag))
    print(f"{tag}: {size / 1e6:,.0f} MB")
    for line in docker("history", "--no-trunc", "--human=false", "--format", "{{json .}}", tag).splitlines():
        layer = json.loads(line)
        if int(layer["Size"]):
            print(
                f"{int(layer['Size']) / 1e6:10,.1f} MB  {' '.join(layer['CreatedBy'].split())[:90] or layer['Comment']}"
            )
    print(f"after a change of code: built in {after_a_change(tag, options.torch):.1f} s")
    found = docker("run", "--rm", "--network", "none", "--user", "0", "--entrypoint", "sh", tag, "-c", UNUSED)
    print(f"without use: {found or 'nothing'}")
    return 1 if found else 0


def docker(*words: str) -> str:
    """What the engine's client prints."""
    return subprocess.run([DOCKER, *words], capture_output=True, text=True, check=True).stdout.strip()


def build(tag: str, torch: str, context: Path) -> float:
    """Build the image, and return how long that took."""
    start = time.perf_counter()
    command: List[str] = [DOCKER, "build", "--quiet", "--build-arg", f"TORCH={torch}", "--tag", tag, str(context)]
    subprocess.run(command, env={**os.environ, "DOCKER_BUILDKIT": "1"}, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def after_a_change(tag: str, torch: str) -> float:
    """How long a build takes after one line of code has changed, in a copy of the tree."""
    with tempfile.TemporaryDirectory() as folder:
        names = ("Dockerfile", ".dockerignore", "pyproject.toml", "requirements", "audacitorch")
        subprocess.run(["cp", "-R", *(str(ROOT / name) for name in names), folder], check=True)
        with (Path(folder) / "audacitorch" / "__main__.py").open("a", encoding="utf-8") as file:
            file.write(f"# {time.time()}\n")
        taken = build(f"{tag}-changed", torch, Path(folder))
    docker("rmi", f"{tag}-changed")
    return taken


if __name__ == "__main__":
    sys.exit(main())
