"""What becomes of archives of a newer PyTorch: agree, refused, told, silent; and a large archive against cp.

The corpus of small programs (tests/data/backport/corpus.json) is exported by ``--newer``, a Python with such a PyTorch,
backported here and run under Torch 1.9.0, each archive in a process of its own. With ``--architectures`` the same
happens to published architectures with seeded weights, as far as that Python has their packages.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import List

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.backport.outcomes import outcomes  # noqa: E402

LEAST_AGREE = {"exports": 0.92, "architectures": 0.95}
LARGE = 500 << 20
_CODE = """class Model(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  def forward(self: __torch__.Model,
    x: Tensor) -> Tensor:
    y = torch.pad(x, [1, 2])
    return y
"""
_LARGE_PROGRAM = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from audacitorch.backport import backport
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
backport(Path(sys.argv[2]), Path(sys.argv[3]))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--newer", default=os.environ.get("NEWER_PYTHON", "python3.11"), metavar="PYTHON",
        help="has the PyTorch that exports; default: $NEWER_PYTHON, or python3.11",
    )  # fmt: skip
    parser.add_argument("--architectures", metavar="PYTHON", help="has the packages of published models as well")
    parser.add_argument(
        "--say-exporter", action="store_true", help="name the PyTorch that exports, as --exported-by does"
    )
    parser.add_argument("--large", action="store_true", help="a 500 MB archive: time against cp, and memory")
    parser.add_argument("names", nargs="*", help="these cases only")
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(prefix="backport-") as folder:
        if options.large:
            return large(Path(folder))
        failed |= compared("exports", options.newer, Path(folder) / "small", options.names, options.say_exporter)
        if options.architectures:
            failed |= compared(
                "architectures", options.architectures, Path(folder) / "published", options.names, options.say_exporter
            )
    return int(failed)


def compared(module: str, python: str, folder: Path, names: List[str], say_exporter: bool) -> bool:
    """Export, backport, run and count; whether anything is silent or too little agrees."""
    import torch

    torch.zeros(1)  # the children are forked, and find it loaded
    exported = subprocess.run([python, "-m", f"tests.backport.{module}", str(folder), *names], cwd=ROOT, check=False)
    if exported.returncode:
        raise SystemExit(f"{python} could not export: does it have a newer PyTorch?")
    version = json.loads((folder / "expected.json").read_text(encoding="utf-8"))["torch"]
    found: Counter[str] = Counter()
    for one in outcomes(folder, [], version if say_exporter else None):
        found[one.kind] += 1
        if one.kind != "agree":
            print(f"{one.kind:8} {one.name}: {one.detail[:200]}", flush=True)
    total = sum(found.values())
    counts = ", ".join(f"{kind} {found[kind]}" for kind in ("agree", "refused", "told", "silent"))
    share = found["agree"] / max(1, total)
    print(f"{module} of PyTorch {version}: {total} archives: {counts}; {share:.1%} agree")
    return bool(found["silent"]) or (not names and share < LEAST_AGREE[module])


def large(folder: Path) -> int:
    """A 500 MB archive: medians would be of the disk's mood, so cp and backport take turns."""
    model = folder / "model.pt"
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr("model/code/__torch__.py", _CODE)
        archive.writestr("model/constants.pkl", b"\x80\x02).")
        archive.writestr("model/data.pkl", b"\x80\x02).")
        archive.writestr("model/version", "6\n")
        with archive.open("model/data/0", "w", force_zip64=True) as member:
            for _ in range(LARGE >> 20):
                member.write(os.urandom(1 << 20))
    ratios, memory = [], 0.0
    for _ in range(3):
        start = time.perf_counter()
        shutil.copyfile(model, folder / "copy.pt")
        middle = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", _LARGE_PROGRAM, str(ROOT), str(model), str(folder / "out.pt")],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        ratios.append((time.perf_counter() - middle, middle - start))
        memory = max(memory, float(done.stdout))
        (folder / "out.pt").unlink()
    spent, copied = sorted(ratios)[1]
    print(f"{LARGE >> 20} MB: backport {spent:.2f} s, cp {copied:.2f} s; peak memory {memory:.1f} MB above the start")
    return 0


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.exit(main())
