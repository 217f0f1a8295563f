"""What is found: a corpus of faulty, hostile and good model repos, judged by a whole check and by what people have.

The faulty repos are those of tests/repos, the hostile archives those of ``hostile.py`` that Torch 1.9.0, run bare,
lets write or read a file, the good ones the examples and exports of every PyTorch at hand. Printed are the share
found, the share named rightly, and the false alarms; beside them what ``torch.jit.load`` with audacitorch 0.0.4 and
the alphas' schema finds, and what scanners of model files say.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Set

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
PROGRAM = str(Path(sys.executable).with_name("audacitorch"))
#: Rules that say of an archive that it means harm, or that nobody can tell what it does.
DANGER = {"file-access", "hidden-code", "unsafe-archive", "unusual-code", "not-torchscript", "file-format-too-new"}
EARLIER = "audacitorch==0.0.4"
SCANNERS = ("modelscan", "picklescan", "modelaudit", "fickling")
QUIET = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "NO_ANALYTICS": "1"}

#: What a contributor has without this project: load, the earlier library's test run, and the host's own schema.
BASELINE = """
import json, os, sys
import torch, jsonschema
from audacitorch.utils import test_run
os.chdir(sys.argv[2])
folder, schema = sys.argv[1], json.load(open(sys.argv[3]))["$defs"]["audacity-3.2-alpha"]
fields = json.load(open(folder + "/metadata.json", encoding="utf-8"))
jsonschema.validate(fields, schema)
model = torch.jit.load(folder + "/model.pt")
with torch.no_grad():
    test_run(model, fields["multichannel"])
"""
#: Runs an archive bare, in a folder of its own, and says what became of it.
BARE = """
import os, sys, torch
os.chdir(sys.argv[2])
seen = []
try:
    model = torch.jit.load(sys.argv[1])
    seen.append("loaded")
    model(torch.ones(1, 8))
    seen.append("ran")
except BaseException:
    pass
print(*seen, *(["wrote"] if os.path.exists("out.bin") else []))
"""
#: Judges an archive alone.
READ = """
import sys
from audacitorch.archive import read_archive
from audacitorch.facts import Facts, Repo, Unavailable
from audacitorch.rules import all_rules
from audacitorch.rules.runner import Outcome, run_rules
with open(sys.argv[1], "rb") as file:
    archive = read_archive(file, file.seek(0, 2))
none, outcome = Unavailable("only the archive is read"), Outcome()
rules = [rule for rule in all_rules().values() if set(rule.needs) == {"archive"}]
run_rules(rules, Facts(Repo(source="folder"), none, none, archive, none), outcome)
print(*{found.rule for found in outcome.findings if found.severity == "error"})
"""


@dataclass
class Case:
    """A repo of the corpus: where it lies, and the rules of which one must be found (none in a good one)."""

    name: str
    folder: Path
    rules: Set[str] = field(default_factory=set)


@dataclass
class Tally:
    """How a kind of repos was judged."""

    total: int = 0
    found: int = 0
    named: int = 0
    missed: List[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scanners", type=Path, metavar="VENV", help="an environment with scanners of model files")
    parser.add_argument("--jobs", type=int, default=2, help="default: %(default)d")
    parser.add_argument("--only", choices=("faulty", "hostile", "good", "exports"), help="one kind of repos")
    parser.add_argument(
        "--python", action="append", default=[], metavar="PYTHON", help="another PyTorch's, for exports"
    )
    parser.add_argument("--no-baseline", action="store_true", help="judge by the check alone")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write the corpus here and keep it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        base = options.keep or Path(scratch)
        makers = {"faulty": faulty, "hostile": hostile, "good": good}
        kinds = {kind: list(make(base / kind)) for kind, make in makers.items() if options.only in (None, kind)}
        judges: Dict[str, Callable[[Case], Optional[Set[str]]]] = {"audacitorch check": checked}
        if not options.no_baseline:
            judges[f"torch.jit.load, {EARLIER} and the schema"] = baseline(Path(scratch))
        if options.only in (None, "exports"):
            cases = list(exports(base / "exports", [sys.executable, *options.python]))
            with ThreadPoolExecutor(options.jobs) as pool:
                show("audacitorch check --static", "good", tally(cases, list(pool.map(read, cases))))
        for judge, examine in judges.items():
            for kind, cases in kinds.items():
                with ThreadPoolExecutor(options.jobs) as pool:
                    show(judge, kind, tally(cases, list(pool.map(examine, cases))))
        for scanner in SCANNERS if options.scanners else ():
            for kind, cases in kinds.items():
                flagged = scan(options.scanners / "bin", scanner, base / kind, cases)
                show(scanner, kind, tally(cases, [set(DANGER) if case.name in flagged else set() for case in cases]))


def show(judge: str, kind: str, counted: Tally) -> None:
    """One line of the table, and the first few that were judged wrongly."""
    if kind == "good":
        print(f"{judge}: {kind}: {counted.total} repos, {counted.found} false alarms")
    else:
        share = f"{counted.found} of {counted.total} found ({counted.found / max(counted.total, 1):.1%})"
        print(f"{judge}: {kind}: {share}, {counted.named} named rightly")
    for name in counted.missed[:20]:
        print(f"    {name}")
    sys.stdout.flush()


def tally(cases: List[Case], judged: List[Optional[Set[str]]]) -> Tally:
    """``judged`` holds, for each case, the rules with errors or warnings; None where nothing could be said."""
    counted = Tally(len(cases))
    for case, rules in zip(cases, judged):
        found = bool(rules)
        counted.found += found
        counted.named += bool(rules and rules & case.rules)
        if found != bool(case.rules) or (found and case.rules and not (rules or set()) & case.rules):
            counted.missed.append(f"{case.name}: {', '.join(sorted(rules or {'nothing'}))}")
    return counted


def checked(case: Case) -> Optional[Set[str]]:
    """The rules that a whole check of both hosts finds broken."""
    done = subprocess.run(
        [
            PROGRAM,
            "check",
            str(case.folder),
            "--host",
            "all",
            "--format",
            "json",
            "--timeout",
            "60",
            "--memory",
            "2048",
        ],
        capture_output=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        return None
    # A labeler can pass for one host alone: a good one is not wrong for that.
    findings = [found for found in json.loads(done.stdout)["findings"] if found["rule"] != "label-format"]
    wanted = ("error", "warning") if case.rules else ("error",)
    return {found["rule"] for found in findings if found["severity"] in wanted}


def baseline(scratch: Path) -> Callable[[Case], Optional[Set[str]]]:
    """What the earlier library finds: all that is said is that something raised, or that the process crashed."""
    place = scratch / "earlier"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(place), EARLIER]
    subprocess.run(install, check=True, stderr=subprocess.DEVNULL)
    schema = ROOT / "audacitorch" / "data" / "metadata.schema.json"

    def run(case: Case) -> Optional[Set[str]]:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", BASELINE, str(case.folder), folder, str(schema)]
            try:
                environment = {**os.environ, "PYTHONPATH": str(place)}
                done = subprocess.run(command, capture_output=True, env=environment, timeout=60, check=False)
            except subprocess.TimeoutExpired:
                return set(case.rules) or {"timeout"}
            return (set(case.rules) or {"raised"}) if done.returncode else set()

    return run


def scan(programs: Path, scanner: str, folder: Path, cases: List[Case]) -> Set[str]:
    """The cases in ``folder`` that a scanner warns of."""
    environment = {**os.environ, **QUIET}

    def output(*words: str) -> str:
        command = [str(programs / words[0]), *words[1:]]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False).stdout

    if scanner == "modelaudit":
        issues = json.loads(output("modelaudit", "scan", "--format", "json", str(folder)))["issues"]
        places = [issue["location"] or "" for issue in issues if issue["severity"] in ("warning", "critical")]
        return {case.name for case in cases if any(str(case.folder / "model.pt") in place for place in places)}
    flagged = set()
    for case in cases:
        model = str(case.folder / "model.pt")
        if scanner == "modelscan":
            found = "No issues found" not in output("modelscan", "-p", model)
        elif scanner == "picklescan":
            found = "Infected files: 0" not in output("picklescan", "-p", model)
        else:
            found = "likely unsafe" in output("fickling", "--check-safety", "--print-results", model).lower()
        if found:
            flagged.add(case.name)
    return flagged


def faulty(base: Path) -> Iterator[Case]:
    """The repos of tests/repos that have an error or a warning, each with the rules that its expect.json names."""
    for expected in sorted((ROOT / "tests" / "repos").glob("*/expect.json")):
        wanted = json.loads(expected.read_text(encoding="utf-8"))
        rules = {
            found["rule"]
            for found in wanted["findings"]
            if found["severity"] in ("error", "warning") and found["rule"] != "label-format"
        }
        if rules:
            yield Case(expected.parent.name, repo(base, expected.parent.name, expected.parent, wanted["lfs"]), rules)


def repo(base: Path, name: str, source: Path, lfs: bool = True) -> Path:
    """A copy of a repo as its author would have it."""
    folder = base / name
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("expect.json", "*.py", "__pycache__"))
    if lfs:
        (folder / ".gitattributes").write_text("*.pt filter=lfs diff=lfs merge=lfs -text\n", encoding="utf-8")
    return folder


def hostile(base: Path) -> Iterator[Case]:
    """The archives that Torch 1.9.0 really lets touch a file, as whole repos."""
    from scripts.benchmarks.hostile import archives

    with tempfile.TemporaryDirectory() as scratch:
        for name, content in archives().items():
            folder = repo(base, name, ROOT / "examples" / "booster-net")
            (folder / "model.pt").write_bytes(content)
            place = Path(scratch, name)
            place.mkdir()
            command = [sys.executable, "-c", BARE, str(folder / "model.pt"), str(place)]
            seen = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
            if "wrote" in seen or ("map-read" in name and "ran" in seen):
                yield Case(name, folder, DANGER)
            else:
                shutil.rmtree(folder)


def good(base: Path) -> Iterator[Case]:
    """The examples, the fixtures without a finding, and exports of every kind."""
    for folder in sorted((ROOT / "examples").iterdir()):
        if (folder / "model.pt").is_file():
            yield Case(folder.name, repo(base, folder.name, folder))
    for expected in sorted((ROOT / "tests" / "repos").glob("*/expect.json")):
        findings = json.loads(expected.read_text(encoding="utf-8"))["findings"]
        if all(found["severity"] == "note" or found["rule"] == "label-format" for found in findings):
            yield Case(expected.parent.name, repo(base, expected.parent.name, expected.parent))


def exports(base: Path, pythons: List[str]) -> Iterator[Case]:
    """Archives of several hundred modules in every way of saving them, from each PyTorch at hand."""
    for number, python in enumerate(pythons):
        folder = base / str(number)
        command = [python, str(ROOT / "tests" / "archive" / "export_corpus.py"), str(folder)]
        print(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0])
        for model in sorted(folder.glob("*.pt")):
            yield Case(f"{number}/{model.stem}", model)


def read(case: Case) -> Optional[Set[str]]:
    """The rules about danger that an archive alone breaks; that it is too new is no false alarm."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(case.folder)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    return set(done.stdout.split()) & (DANGER - {"file-format-too-new"}) if done.returncode == 0 else {"crashed"}


if __name__ == "__main__":
    main()
