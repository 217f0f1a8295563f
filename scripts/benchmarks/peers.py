"""Programs that do a part of the same job, beside this one: medians of pairs, one of each after the other.

`torch.jit.load` and `test_run` of audacitorch 0.0.4 make ten passes, where a check makes some twenty behind walls;
modelscan and modelaudit read an archive, as `check --static` does. They are taken from the PATH; the wheel of 0.0.4
comes from the package index (``--wheel``). The loop over `huggingface_hub` is in `scripts/bench registry`, `cp` in
`scripts/bench backport --large`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Dict, List, Tuple

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "booster-net"
OLD = """
import sys
sys.path.insert(0, sys.argv[1])
import torch
from audacitorch.utils import test_run
model = torch.jit.load(sys.argv[2])
test_run(model)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10, help="default: %(default)d")
    parser.add_argument("--wheel", type=Path, metavar="FILE", help="of audacitorch 0.0.4 (default: pip gets it)")
    options = parser.parse_args()
    model = str(EXAMPLE / "model.pt")
    ours = [sys.executable, "-m", "audacitorch", "check", str(EXAMPLE)]
    static = [*ours[:-1], "--static", str(EXAMPLE)]
    with tempfile.TemporaryDirectory() as folder:
        wheel = options.wheel or fetched(Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(Path(folder, "old"))
        show(
            "check",
            ours,
            "torch.jit.load and test_run of 0.0.4",
            [sys.executable, "-c", OLD, f"{folder}/old", model],
            options.pairs,
        )
    programs: Dict[str, List[str]] = {"modelscan": ["scan", "-p", model], "modelaudit": ["scan", model]}
    for name, words in programs.items():
        program = shutil.which(name)
        if program is None:
            print(f"{name} is not on the PATH: put the bin folder of an environment that has it there")
        else:
            show("check --static", static, name, [program, *words], options.pairs)
    return 0


def fetched(folder: Path) -> Path:
    """The wheel of 0.0.4, from the package index."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(folder), "audacitorch==0.0.4"]
    subprocess.run(command, check=True)
    return next(folder.glob("audacitorch-0.0.4*.whl"))


def show(what: str, ours: List[str], name: str, theirs: List[str], pairs: int) -> None:
    """Medians of both, and of the pairs' ratios."""
    costs: List[Tuple[float, float]] = [(seconds(ours), seconds(theirs)) for _ in range(pairs)]
    own, other = (statistics.median(column) for column in zip(*costs))
    ratio = statistics.median(one / two for one, two in costs)
    print(f"{what}: {own:.2f} s; {name}: {other:.2f} s; {ratio:.2f} times as long", flush=True)


def seconds(command: List[str]) -> float:
    """Of one run that ends by itself; 1 says that something was found."""
    environment = {**os.environ, "NO_ANALYTICS": "1", "PROMPTFOO_DISABLE_TELEMETRY": "1"}
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    if done.returncode not in (0, 1, 2):
        raise SystemExit(f"{command[0]} ended with {done.returncode}: {done.stderr[-500:]}")
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
