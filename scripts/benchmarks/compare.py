"""Two commits or checkouts side by side: which commands became slower or faster beyond noise.

Each pair is one run of the old and one of the new, in turns as to which is first, all under this checkout's Python. A
change counts if the interval of the median ratio (at least 95 %, from the ranks of the pairs' ratios) leaves out 1, and
the median differs by more than 3 %. Exit status 1 if anything became slower.
"""

from __future__ import annotations

import argparse
import io
import math
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence, Tuple

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = str(ROOT / "examples" / "booster-net")
COMMANDS: Dict[str, List[str]] = {
    "--help": ["--help"],
    "check --static": ["check", "--static", EXAMPLE],
    "check": ["check", EXAMPLE],
    "check of four": ["check", *[EXAMPLE] * 4],
    "rules": ["rules"],
}
LEAST_CHANGE = 0.03
CONFIDENCE = 0.95


class Cost(NamedTuple):
    """Seconds of one run: those that passed, and those of the processor, with all that it started."""

    passed: float
    processor: float


class Change(NamedTuple):
    """The median of new over old, and the interval that holds the true median."""

    ratio: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """What the pairs show."""
        if self.low <= 1 <= self.high or abs(self.ratio - 1) <= LEAST_CHANGE:
            return "no change beyond noise"
        return "SLOWER" if self.ratio > 1 else "faster"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", help="a commit, or a folder with a checkout")
    parser.add_argument("new", help="the same")
    parser.add_argument("--pairs", type=int, default=12, help="at least 6 (default: %(default)d)")
    parser.add_argument("--only", choices=COMMANDS, action="append", help="default: all")
    options = parser.parse_args()
    if options.pairs < 6:
        parser.error("fewer than 6 pairs have no interval")
    slower = False
    with ExitStack() as stack:
        old, new = (checkout(name, stack) for name in (options.old, options.new))
        print(f"new over old, medians of {options.pairs} pairs, and the interval of the median")
        for name in options.only or COMMANDS:
            pairs = [pair(COMMANDS[name], old, new, turn=number % 2 == 1) for number in range(-1, options.pairs)][1:]
            for what in Cost._fields:
                change = judged([getattr(two, what) / getattr(one, what) for one, two in pairs])
                before, after = (statistics.median(getattr(one[side], what) for one in pairs) for side in (0, 1))
                shown = f"{change.ratio:.2f} ({change.low:.2f} to {change.high:.2f})"
                print(f"{name:16} {what:10} {before:7.3f} s  {after:7.3f} s  {shown:22} {change.verdict}", flush=True)
                slower |= what == "processor" and change.verdict == "SLOWER"
    return 1 if slower else 0


def checkout(name: str, stack: ExitStack) -> Path:
    """The folder that is named, or a commit's files in a temporary one."""
    if Path(name).is_dir():
        return Path(name).resolve()
    made = subprocess.run(["git", "archive", name], cwd=ROOT, capture_output=True, check=False)
    if made.returncode:
        raise SystemExit(f"{name} is neither a folder nor a commit: {made.stderr.decode().strip()}")
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    with tarfile.open(fileobj=io.BytesIO(made.stdout)) as archive:
        archive.extractall(folder)  # noqa: S202  # this repository's own
    return Path(folder)


def pair(words: Sequence[str], old: Path, new: Path, turn: bool) -> Tuple[Cost, Cost]:
    """One run of each; ``turn``: the new one first."""
    if turn:
        after = cost(words, new)
        return cost(words, old), after
    return cost(words, old), cost(words, new)


def cost(words: Sequence[str], folder: Path) -> Cost:
    """One run of a checkout's program under this Python."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "audacitorch", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(f"audacitorch {' '.join(words)} ends with {process.returncode} in {folder}")
    return Cost(time.perf_counter() - start, usage.ru_utime + usage.ru_stime)


def judged(ratios: Sequence[float]) -> Change:
    """The median, and the narrowest pair of ranks around it that holds the true median with 95 % or more.

    How many of n pairs lie below the true median is binomial: no distribution of the noise is assumed.
    """
    ordered, count = sorted(ratios), len(ratios)
    outside, rank = 0.0, 0
    while rank < count // 2:
        outside += math.comb(count, rank) / 2**count
        if 2 * outside > 1 - CONFIDENCE:
            break
        rank += 1
    rank = max(rank, 1)
    return Change(statistics.median(ordered), ordered[rank - 1], ordered[-rank])


if __name__ == "__main__":
    sys.exit(main())
