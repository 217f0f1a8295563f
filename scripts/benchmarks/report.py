"""What a report costs: a check with --report against one without, in pairs; and what each page weighs.

Prints the median difference over the pairs, so that a busy machine slows both of each.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = str(Path(sys.executable).with_name("audacitorch"))
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/model.pt"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10, help="default: %(default)d")
    parser.add_argument("--repo", type=Path, default=ROOT / "examples" / "booster-net")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        check = [PROGRAM, "check", str(options.repo)]
        differences = []
        for _ in range(options.pairs):
            plain = seconds(check)
            differences.append(seconds([*check, "--report", scratch]) - plain)
        added = statistics.median(differences)
        print(f"{options.repo.name}: --report adds {added:.2f} s, median of {options.pairs} pairs (at most 1.5)")
        for example in EXAMPLES:
            subprocess.run(
                [PROGRAM, "check", str(example), "--report", scratch], stdout=subprocess.DEVNULL, check=False
            )
            size = Path(scratch, "report.html").stat().st_size
            print(f"{example.name}/report.html: {size / 1e3:,.0f} kB (at most 3,000)")


def seconds(command: list[str]) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
