"""How much a check costs: against a bare script that makes the same forward passes, and without running the model.

Prints medians over pairs of runs, one of each after the other, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import List, Tuple

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = str(Path(sys.executable).with_name("audacitorch"))
BARE = """
import json, sys, torch
model = torch.jit.load(sys.argv[1]).eval()
with torch.no_grad():
    for channels, samples in json.loads(sys.argv[2]):
        model(torch.randn(channels, samples))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10, help="default: %(default)d")
    parser.add_argument("--repo", type=Path, default=ROOT / "examples" / "booster-net")
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="an older checkout with its own .venv")
    options = parser.parse_args()
    if options.beside is not None:
        compare_with_checkout(options.beside, options.repo, options.pairs)
        return
    compare_with_bare_script(options.repo, options.pairs)
    with tempfile.TemporaryDirectory() as scratch:
        large = large_repo(options.repo, Path(scratch))
        static = [PROGRAM, "check", "--static", "--format", "json"]
        show("audacitorch check --static", [*static, str(options.repo)], options.pairs, limit=0.5)
        show("audacitorch check --static, 1 GB archive", [*static, str(large)], options.pairs, limit=0.5)
    show("audacitorch --help", [PROGRAM, "--help"], options.pairs, limit=0.2)


def compare_with_bare_script(repo: Path, pairs: int) -> None:
    """The ratio of a whole check to the same passes in a script that does nothing else."""
    check = [PROGRAM, "check", str(repo), "--format", "json"]
    report = json.loads(subprocess.run(check, capture_output=True, check=True).stdout)
    passes = [[done["input"]["channels"], done["input"]["samples"]] for done in report["trial"]["passes"]]
    bare = [sys.executable, "-c", BARE, str(repo / "model.pt"), json.dumps(passes)]
    ratios: List[float] = []
    times: List[Tuple[float, float]] = []
    for _ in range(pairs):
        times.append((seconds(check), seconds(bare)))
        ratios.append(times[-1][0] / times[-1][1])
    ours, theirs = (statistics.median(column) for column in zip(*times))
    print(f"audacitorch check {repo.name}: {ours:.3f} s; bare script, same {len(passes)} passes: {theirs:.3f} s")
    print(f"ratio, median of {pairs} pairs: {statistics.median(ratios):.2f} (at most 1.3)")


def compare_with_checkout(other: Path, repo: Path, pairs: int) -> None:
    """Another checkout's program beside this one's, in turns; each in its own environment.

    Processor time is shown too: on a busy machine it says more than the time that passed.
    """
    theirs = str(other / ".venv" / "bin" / "audacitorch")
    for words in (["--help"], ["check", "--static", str(repo)]):
        for program in (theirs, PROGRAM):
            measured([program, *words])  # what is compiled once, and read from the disk once, is not compared
        runs = [(measured([theirs, *words]), measured([PROGRAM, *words])) for _ in range(pairs)]
        print(f"audacitorch {' '.join(words)}, medians of {pairs} runs each, in turns:")
        for number, what in enumerate(("passed", "of the processor")):
            old, new = (statistics.median(run[side][number] for run in runs) for side in (0, 1))
            print(f"  {old:.3f} s {what} before, {new:.3f} s now ({new / old - 1:+.0%})")


def measured(command: List[str]) -> Tuple[float, float]:
    """Seconds that one run took, and seconds of the processor."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime


def show(name: str, command: List[str], runs: int, limit: float) -> None:
    """Median time and largest memory of a command, and whether it imported torch."""
    taken = statistics.median(seconds(command) for _ in range(runs))
    memory = peak_memory(command)
    traced = subprocess.run([sys.executable, "-X", "importtime", *command], capture_output=True, text=True)
    torch = any(line.split("|")[-1].strip() == "torch" for line in traced.stderr.splitlines())
    print(f"{name}: {taken:.3f} s (at most {limit:g}), {memory / 1e6:.0f} MB, torch {'' if torch else 'not '}imported")


def seconds(command: List[str]) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - start


def peak_memory(command: List[str]) -> int:
    """The most memory that a command held, in bytes."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_maxrss * 1024


def large_repo(repo: Path, folder: Path) -> Path:
    """The same repo with a gigabyte of weights beside the model's own."""
    large = folder / "large"
    large.mkdir()
    (large / "metadata.json").write_bytes((repo / "metadata.json").read_bytes())
    with zipfile.ZipFile(repo / "model.pt") as source, zipfile.ZipFile(large / "model.pt", "w") as target:
        top = source.namelist()[0].split("/")[0]
        for member in source.infolist():
            target.writestr(member, source.read(member))
        with target.open(zipfile.ZipInfo(f"{top}/data/1000"), "w", force_zip64=True) as weights:
            for _ in range(1000):
                weights.write(bytes(1 << 20))
    return large


if __name__ == "__main__":
    main()
