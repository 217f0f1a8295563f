"""The image and its layers: what each weighs on disk and in a download, and that nothing is in it without use."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Dict, List

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
find torch numpy \( -name '*.a' -o -name '*.pxd' -o -name '*.pyi' -o -path torch/include \) -print
ls -d torchaudio caffe2 2>/dev/null
true
"""


CHUNK = 1 << 20


@dataclass(frozen=True)
class Layer:
    """A layer as it lies on disk, and as registries send it: bytes, and seconds to unpack it here."""

    size: int
    compressed: int
    unpack_seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", choices=("pypi", "cpu"), default="pypi", help="whose wheel (default: %(default)s)")
    parser.add_argument("--image", help="look at this image, and build none")
    parser.add_argument(
        "--bandwidth", type=float, default=60.0, metavar="MB/S", help="of a runner that pulls (default: %(default)g)"
    )
    options = parser.parse_args()
    tag = options.image or f"audacitorch-bench:{options.torch}"
    if options.image is None:
        print(f"built in {build(tag, options.torch, ROOT):.1f} s (nothing changed since the last time: seconds)")
    show_layers(tag, options.bandwidth)
    if options.image is None:
        print(f"after a change of code: built in {after_a_change(tag, options.torch):.1f} s")
    found = docker("run", "--rm", "--network", "none", "--user", "0", "--entrypoint", "sh", tag, "-c", UNUSED)
    print(f"without use: {found or 'nothing'}")
    return 1 if found else 0


def show_layers(tag: str, bandwidth: float) -> None:
    """Print a line for each layer, their sum, and what a runner without the image waits for."""
    layers = layers_of(tag)
    commands = commands_of(tag)
    print(f"{tag}, {docker('image', 'inspect', '--format', '{{.Os}}/{{.Architecture}}', tag)}")
    print(f"{'on disk':>12} {'to pull':>12}")
    for layer, command in zip(layers, commands):
        print(f"{layer.size / 1e6:9,.1f} MB {layer.compressed / 1e6:9,.1f} MB  {command[:90]}")
    size, pulled = sum(layer.size for layer in layers), sum(layer.compressed for layer in layers)
    print(f"{size / 1e6:9,.1f} MB {pulled / 1e6:9,.1f} MB  all layers, gzip as registries send them")
    unpacked = sum(layer.unpack_seconds for layer in layers)
    print(
        f"A runner without the image waits {pulled / 1e6 / bandwidth + unpacked:.0f} s longer than one that has it: "
        f"{pulled / 1e6 / bandwidth:.0f} s at {bandwidth:g} MB/s, and {unpacked:.0f} s to unpack, as measured here."
    )


def commands_of(tag: str) -> List[str]:
    """What made each layer that holds something, the lowest first."""
    history = docker("history", "--no-trunc", "--human=false", "--format", "{{json .}}", tag).splitlines()
    entries = [json.loads(line) for line in reversed(history)]
    return [" ".join(entry["CreatedBy"].split()) or entry["Comment"] for entry in entries if int(entry["Size"])]


def layers_of(tag: str) -> List[Layer]:
    """Every layer that holds something, the lowest first, compressed as a push does."""
    found: Dict[str, Layer] = {}
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder, "image.tar")
        docker("save", "--output", str(saved), tag)
        with tarfile.open(saved) as archive:
            manifest = archive.extractfile("manifest.json")
            assert manifest is not None
            names: List[str] = json.load(manifest)[0]["Layers"]
            for name in names:
                member = archive.extractfile(name)
                assert member is not None
                found[name] = measured(member)
    return [found[name] for name in names if found[name].size > CHUNK // 64]


def measured(layer: IO[bytes]) -> Layer:
    """A layer's weight, by gzip at its usual level, a piece at a time."""
    pack, unpack = zlib.compressobj(wbits=31), zlib.decompressobj(wbits=31)
    size = compressed = 0
    seconds = 0.0
    while True:
        data = layer.read(CHUNK)
        packed = pack.compress(data) if data else pack.flush()
        size, compressed = size + len(data), compressed + len(packed)
        start = time.perf_counter()
        unpack.decompress(packed)
        seconds += time.perf_counter() - start
        if not data:
            return Layer(size, compressed, seconds)


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
