"""From push to report: how much longer the action takes, on a runner that has the image, than the check itself."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List, Tuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.action.runner import action, run_workflow  # noqa: E402
from tests.image import DOCKER, built_image  # noqa: E402
from tests.test_repos import copy_of  # noqa: E402

LIMIT_SECONDS = 3.0
WORKFLOW = """
on: push
permissions: {{}}
jobs:
  check:
    runs-on: ubuntu-24.04
    timeout-minutes: 10
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
      - uses: audacitorch/action@v1
        with:
          image: {image}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5, help="default: %(default)d")
    options = parser.parse_args()
    image = built_image()
    action()
    times: List[Tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.pairs):
            repo = copy_of("good-effect", Path(folder) / str(number))
            start = time.perf_counter()
            subprocess.run(["audacitorch", "check", str(repo)], executable=program(), check=True, capture_output=True)
            middle = time.perf_counter()
            run = run_workflow(repo, WORKFLOW.format(image=image))
            if run.status:
                raise SystemExit(run.log)
            times.append((middle - start, time.perf_counter() - middle))
    check, whole = (statistics.median(column) for column in zip(*times))
    over = statistics.median(pair[1] - pair[0] for pair in times)
    print(f"the check itself: {check:.2f} s; push to report, with act as the runner and {DOCKER}: {whole:.2f} s")
    print(f"on top, median of {options.pairs} pairs: {over:.2f} s (at most {LIMIT_SECONDS:g})")
    return 0 if over <= LIMIT_SECONDS else 1


def program() -> str:
    """The command line of this checkout."""
    return str(Path(sys.executable).with_name("audacitorch"))


if __name__ == "__main__":
    sys.exit(main())
