"""From an opened request to its comment: how much longer that takes than the check of the model itself.

Once by the two programs that the workflow's jobs run, and once by the whole workflow, with act as the runner; both
against a Hub and a GitHub on loopback that take 50 ms for each answer.
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
from pathlib import Path
from typing import Callable, List

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.github import LocalGitHub  # noqa: E402
from tests.hub import LocalHub  # noqa: E402
from tests.needs import program  # noqa: E402
from tests.request.stage import MODEL, Stage, make_stage, rights_of  # noqa: E402

LIMIT_SECONDS = 5.0
LATENCY_SECONDS = 0.05
PROGRAM = str(program("audacitorch"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=5, help="default: %(default)d")
    options = parser.parse_args()
    ways: List[Callable[[Stage], None]] = [by_programs]
    if program("act"):
        ways.append(by_workflow)
    checks, slowest = [], 0.0
    for way in ways:
        times = []
        for _ in range(options.requests):
            times.append(seconds_to_comment(way))
            checks.append(seconds_of_check())
        over = statistics.median(times) - statistics.median(checks)
        slowest = max(slowest, over)
        print(f"{way.__doc__}: {statistics.median(times):.2f} s to the comment, {over:.2f} s on top of the check")
    print(f"the check itself: {statistics.median(checks):.2f} s; at most {LIMIT_SECONDS:g} s may come on top")
    return 0 if slowest <= LIMIT_SECONDS else 1


def seconds_to_comment(way: Callable[[Stage], None]) -> float:
    """Open a request, and wait for its comment."""
    hub, github = LocalHub(latency=LATENCY_SECONDS), LocalGitHub(latency=LATENCY_SECONDS)
    with tempfile.TemporaryDirectory() as folder, hub, github:
        github.state.add_issue("Built-in Model Request: x", f"### Repo ID\n\n{MODEL}\n", "ann", ("model-contrib",))
        stage = make_stage(github, hub, Path(folder))
        began = time.perf_counter()
        way(stage)
        took = time.perf_counter() - began
        if stage.labels != ["model-contrib", "ready-for-review"]:
            raise SystemExit(f"the request ended as {stage.labels}")
        stage.comment()
        return took


def by_programs(stage: Stage) -> None:
    """the two programs"""
    rights = rights_of("answer")
    stage.github.add_token("workflow", **rights)
    event = stage.folder / "event.json"
    event.write_text(json.dumps(stage.github.event("opened", 1)))
    environment = {
        **os.environ,
        "HF_ENDPOINT": stage.hub.url,
        "GITHUB_API_URL": stage.github.url,
        "GITHUB_REPOSITORY": stage.github.state.full_name,
        "GITHUB_TOKEN": "workflow",
    }
    given = ["--event", str(event), "--decision", str(stage.folder / "decision.json")]
    for words in (["triage", "--dry-run", "--sandbox", "process", *given], ["apply", *given]):
        subprocess.run([PROGRAM, "request", *words], env=environment, check=True, capture_output=True)


def by_workflow(stage: Stage) -> None:
    """the whole workflow"""
    done = stage.act("issues", stage.github.event("opened", 1), rights_of("collect", "answer"))
    if done.returncode:
        raise SystemExit(done.stdout)


def seconds_of_check() -> float:
    """The check of the same model, from a folder."""
    began = time.perf_counter()
    subprocess.run([PROGRAM, "check", str(ROOT / "examples" / "booster-net")], check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
