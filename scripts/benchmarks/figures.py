"""All benchmarks' figures in one table: what each must reach, and by which command it is measured.

    scripts/bench                          this table
    scripts/bench all [NAME …] --json FILE run them, and keep the figures with the machine and the versions
    scripts/bench page FILE                the page docs/benchmarks.md out of such a file

A figure is read from what its benchmark prints, so that a benchmark run by hand says the same.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "scripts" / "benchmarks"
_NUMBER = r"([\d,]+(?:\.\d+)?)"
_COLD, _TRIALS = "registry --only cold", "registry --only trials"


@dataclass(frozen=True)
class Figure:
    """One number of a benchmark: ``pattern`` finds it in what the command prints; ``#`` there stands for the number."""

    name: str
    unit: str
    command: str
    pattern: str
    at_most: Optional[float] = None
    at_least: Optional[float] = None

    @property
    def bench(self) -> str:
        """The benchmark's name."""
        return self.command.split()[0]

    @property
    def target(self) -> str:
        """What the number must reach, in words; empty where it is shown for itself."""
        if self.at_most is not None:
            return f"at most {self.at_most:g}"
        return "" if self.at_least is None else f"at least {self.at_least:g}"

    def read(self, printed: str) -> Optional[float]:
        """The number, or None where the benchmark did not print it."""
        found = re.search(self.pattern.replace("#", _NUMBER), printed)
        return float(found.group(1).replace(",", "")) if found else None

    def is_reached(self, value: float) -> bool:
        """Whether a number is within the target."""
        low = -float("inf") if self.at_least is None else self.at_least
        return low <= value <= (float("inf") if self.at_most is None else self.at_most)


FIGURES: Tuple[Figure, ...] = (
    Figure("a check over the same passes in a bare script", "times", "check", r"ratio, median of \d+ pairs: #", 1.3),
    Figure("`check --static`", "s", "check", r"check --static: # s", 0.5),
    Figure("`check --static` of a 1 GB archive", "s", "check", r"1 GB archive: # s", 0.5),
    Figure("`--help`", "s", "check", r"audacitorch --help: # s", 0.2),
    Figure("a report's files on top of a check", "s", "report", r"--report adds # s", 1.5),
    Figure("a check of a ConvTasNet over one whole block", "times", "heavy", r"ConvTasNet: check over .*?: #", 5),
    Figure("a check of a U-Net over one whole block", "times", "heavy", r"UNet: check over .*?: #", 5),
    Figure("`run` over the same passes in a bare script", "times", "run", r"ratio to the bare script: #", 1.3),
    Figure("first page of a catalogue of 10,000 models", "kB", "site", r"first page: # kB", 300),
    Figure("a keystroke in its search", "ms", "site", r"a keystroke: # ms to the next frame", 50),
    Figure("push to report on top of the check", "s", "action", r"on top, median of \d+ pairs: # s", 3),
    Figure("request to comment on top of the check", "s", "request", r"programs: [\d.]+ s to the comment, # s", 5),
    Figure("an index of 1,000 repos: a loop over it", "times", _COLD, r"ratio: # times faster", at_least=8),
    Figure("requests a repo for its record", "", _COLD, r"requests a repo: # for the record", 3),
    Figure("one of each bad kind beside healthy repos", "times", "registry --only bad", r"ratio: # \(at most 2\)", 2),
    Figure("read of an archive of 1 GB", "MiB", "registry --only large", r"# MiB read", 2),
    Figure("models, one process, fresh", "a second", _TRIALS, r"one process, fresh.*? s, # a second"),
    Figure("models, two processes, fresh", "a second", _TRIALS, r"two processes, fresh.*? s, # a second"),
    Figure("models, one process, forked", "a second", _TRIALS, r"one process, forked.*? s, # a second"),
    Figure("models, two processes, forked", "a second", _TRIALS, r"two processes, forked.*? s, # a ", at_least=5),
    Figure("a Dask cluster of two over one process", "times", _TRIALS, r"over one process: # times", at_least=1.7),
    Figure("a backport of 500 MB", "s", "backport --large", r"backport # s, cp"),
    Figure("`cp` of 500 MB", "s", "backport --large", r"cp # s; peak"),
    Figure("memory of a backport above the start", "MB", "backport --large", r"peak memory # MB"),
    Figure("memory of one hostile function of 2 MiB", "MB", "parsers", r"one hostile function of 2 MiB: # MB"),
    Figure("finds of the fuzzers", "", "fuzz", r"(?m)^# finds$", 0),
    Figure("false alarms over exports", "", "detection --only exports", r"archive rules alone: # false", 0),
    Figure("the image", "MB", "image", r"audacitorch-bench:\w+: # MB"),
    Figure("problems after an installation", "", "install", r"(?m)^# problems$", 0),
    Figure("a check over `torch.jit.load` and `test_run` of 0.0.4", "times", "peers", r"0\.0\.4: [\d.]+ s; # times"),
    Figure("`check --static` over modelscan", "times", "peers", r"modelscan: [\d.]+ s; # times", 1),
    Figure("`check --static` over modelaudit", "times", "peers", r"modelaudit: [\d.]+ s; # times", 1),
)  # fmt: skip


def commands(names: Sequence[str]) -> Iterator[str]:
    """The commands of the benchmarks that are named, or of all, each once; a whole command is a name as well."""
    known = {name for figure in FIGURES for name in (figure.bench, figure.command)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"There is no benchmark called {unknown[0]}: scripts/bench shows them.")
    wanted = (figure for figure in FIGURES if not names or figure.bench in names or figure.command in names)
    yield from dict.fromkeys(figure.command for figure in wanted)


def show_table() -> None:
    """The table as text."""
    rows = [
        ("figure", "target", "command"),
        *((one.name, f"{one.target} {one.unit}" if one.target else one.unit, one.command) for one in FIGURES),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for name, target, command in rows:
        print(f"{name:{widths[0]}}  {target.strip():{widths[1]}}  scripts/bench {command}")


def measure(names: Sequence[str]) -> Dict[str, Any]:
    """Run benchmarks one after the other, and read their figures."""
    found: List[Dict[str, Any]] = []
    load = os.getloadavg()[0]
    for command in commands(names):
        print(f"== scripts/bench {command}", flush=True)
        printed = _printed(command.split())
        for figure in (one for one in FIGURES if one.command == command):
            value = figure.read(printed)
            reached = None if value is None else figure.is_reached(value)
            found.append(
                {
                    "name": figure.name,
                    "value": value,
                    "unit": figure.unit,
                    "target": figure.target,
                    "reached": reached,
                    "command": command,
                }
            )
    return {**_machine(load), "figures": found}


def _printed(words: List[str]) -> str:
    """What a benchmark prints, shown while it runs."""
    command = [sys.executable, str(FOLDER / f"{words[0]}.py"), *words[1:]]
    lines: List[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    return "".join(lines)


def _machine(load: float) -> Dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, version

    versions = {"python": platform.python_version()}
    for package in ("audacitorch", "torch", "numpy", "distributed"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"model name\s*: (.*)", cpuinfo)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "commit": commit.stdout.strip(),
        "machine": {
            "system": platform.system(),
            "processor": model.group(1) if model else platform.machine(),
            "cores": os.cpu_count(),
            "memory_gib": round(memory / 2**30, 1),
            "load_before": round(load, 1),
        },
        "versions": versions,
    }


def page(measured: Dict[str, Any]) -> str:
    """The page of figures, in Markdown."""
    machine, versions = measured["machine"], measured["versions"]
    lines = [
        "# Figures",
        "",
        "Measured by `scripts/bench all --json docs/benchmarks.json`; `scripts/bench page` makes this page of it.",
        f"{measured['date']}, commit {measured['commit']}: {machine['cores']} cores ({machine['processor']}),",
        f"{machine['memory_gib']} GiB, load {machine['load_before']} before it began;",
        f"{', '.join(f'{name} {number}' for name, number in versions.items())}.",
        "Ratios are of runs side by side, so that a busy machine slows both; seconds and models a second are this",
        "machine's.",
        "",
        "| figure | measured | target | by `scripts/bench …` |",
        "| --- | --- | --- | --- |",
    ]
    for one in measured["figures"]:
        value = "not measured" if one["value"] is None else f"{one['value']:,g} {one['unit']}".strip()
        missed = " (missed)" if one["reached"] is False else ""
        lines.append(f"| {one['name']} | {value}{missed} | {one['target']} | `{one['command']}` |")
    return "\n".join(lines) + "\n"


def main() -> int:
    if len(sys.argv) == 1:
        show_table()
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    every = actions.add_parser("all", help="run benchmarks and keep their figures")
    every.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    every.add_argument("--json", type=Path, required=True, metavar="FILE")
    made = actions.add_parser("page", help="print the page of a file of figures")
    made.add_argument("file", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.action == "page":
        print(page(json.loads(options.file.read_text(encoding="utf-8"))), end="")
        return 0
    measured = measure(options.names)
    options.json.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    missed = [one for one in measured["figures"] if not one["reached"]]
    for one in missed:
        print(f"{one['name']}: {'not measured' if one['value'] is None else one['value']} {one['target']}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
