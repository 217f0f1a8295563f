"""What is found: a corpus of faulty, hostile and good model repos, judged by a whole check and by what people have.

The faulty repos have one fault each (``faults.py``), the hostile archives are those of the tests' tables that Torch
1.9.0, run bare, lets write or read a file, the good ones the examples, the fixtures without a finding, and exports of
every PyTorch at hand. Printed are the share found, the share named rightly, and the false alarms of each host; beside
them what ``torch.jit.load`` with audacitorch 0.0.4 and the host's schema finds, and what scanners of model files say.
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
from threading import Lock
from typing import Callable, Dict, FrozenSet, Iterator, List, Mapping, Optional, Set, Tuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from audacitorch.hosts import HOSTS, INDICES  # noqa: E402
from scripts.benchmarks.environments import environment  # noqa: E402

PROGRAM = str(Path(sys.executable).with_name("audacitorch"))
#: Rules that say of an archive that it means harm, or that nobody can tell what it does.
DANGER = {"file-access", "hidden-code", "unsafe-archive", "unusual-code", "not-torchscript", "file-format-too-new"}
EARLIER = "audacitorch==0.0.4"
SCANNERS = ("modelscan", "picklescan", "modelaudit", "fickling")
QUIET = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "NO_ANALYTICS": "1"}
NAMES = tuple(host.name for host in HOSTS)

#: What a contributor has without this project: the host's own schema, load, and the earlier library's test run. Each
#: repo named on a line of standard input is judged in a forked process.
BASELINE = """
import json, os, signal, sys
import jsonschema, torch
from audacitorch.utils import test_run
torch.set_num_threads(1)
hosts = json.load(open(sys.argv[1]))["$defs"]
names = sys.argv[2:]
def judge(folder):
    refused = set()
    try:
        fields = json.load(open(folder + "/metadata.json", encoding="utf-8"))
        for name in names:
            try:
                jsonschema.validate(fields, hosts[name])
            except jsonschema.ValidationError:
                refused.add(name)
        model = torch.jit.load(folder + "/model.pt")
        with torch.no_grad():
            test_run(model, fields["multichannel"])
    except BaseException:
        refused.update(names)
    return refused
for line in sys.stdin:
    receiver, sender = os.pipe()
    child = os.fork()
    if not child:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1), os.dup2(nothing, 2)
        signal.alarm(60)
        os.write(sender, " ".join(["judged", *judge(line.rstrip())]).encode())
        os._exit(0)
    os.close(sender)
    said = open(receiver).read().split()
    os.waitpid(child, 0)
    print(*(said[1:] if said else names), flush=True)
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
    if all(model(torch.randn(1, size)).shape == (1, size) for size in (1, 4410, 16384)):
        seen.append("good")
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
    """A repo of the corpus: the rules of which one must be found (none in a good one), the hosts that can't run it."""

    name: str
    folder: Path
    rules: Set[str] = field(default_factory=set)
    fails: FrozenSet[str] = frozenset()


@dataclass(frozen=True)
class Judged:
    """What somebody says of a repo: by which hosts it can't be run, and the rules that name why."""

    refused: FrozenSet[str] = frozenset()
    rules: FrozenSet[str] = frozenset()


EVERY_HOST = Judged(frozenset(NAMES))
Judge = Callable[[Case], Judged]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scanners", type=Path, metavar="VENV", help="an environment that has the scanners")
    parser.add_argument("--jobs", type=int, default=2, help="default: %(default)d")
    parser.add_argument("--only", choices=("faulty", "hostile", "good", "exports"), help="one kind of repos")
    parser.add_argument(
        "--python", action="append", default=[], metavar="PYTHON", help="another PyTorch's, for exports"
    )
    parser.add_argument("--no-baseline", action="store_true", help="judge by the check alone")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write the corpus here and keep it")
    options = parser.parse_args()
    pythons = [sys.executable, *options.python]
    with tempfile.TemporaryDirectory() as scratch:
        base = (options.keep or Path(scratch)).resolve()
        if options.only in (None, "exports"):
            cases = list(exports(base / "exports", pythons))
            with ThreadPoolExecutor(options.jobs) as pool:
                alarms = [name for name in pool.map(alarm, cases) if name]
            print(f"exports, archive rules alone: {len(alarms)} false alarms in {len(cases)}", *alarms, sep="\n    ")
        makers: Dict[str, Callable[[], Iterator[Case]]] = {
            "faulty": lambda: faulty(base / "faulty"),
            "hostile": lambda: hostile(base / "hostile"),
            "good": lambda: good(base / "good", pythons),
        }
        kinds = {kind: list(make()) for kind, make in makers.items() if options.only in (None, kind)}
        judges: Dict[str, Judge] = {"`audacitorch check`": checked}
        if not options.no_baseline:
            judges["the host's schema, `torch.jit.load`, `audacitorch` 0.0.4"] = baseline(Path(scratch))
            programs = options.scanners / "bin" if options.scanners else environment("scanners", *SCANNERS)
            for scanner in SCANNERS:
                judges[scanner] = scan(programs, scanner, base)
        rows = []
        for judge, examine in judges.items():
            with ThreadPoolExecutor(options.jobs) as pool:
                said = {kind: list(zip(cases, pool.map(examine, cases))) for kind, cases in kinds.items()}
            rows.append(row(judge, said))
        print(table(kinds, rows))


# --- the table --------------------------------------------------------------------------------------------------------

Outcomes = Mapping[str, List[Tuple[Case, Judged]]]


def row(judge: str, outcomes: Outcomes) -> List[str]:
    """One line of the table; what was judged wrongly is printed."""
    cells = [judge]
    faulty, hostile, good = (outcomes.get(kind, []) for kind in ("faulty", "hostile", "good"))
    for host in NAMES:
        cells.append(_share([(case, host in said.refused) for case, said in faulty if host in case.fails]))
    cells.append(_share([(case, bool(said.rules)) for case, said in faulty if not case.fails]))
    named = "check" in judge
    cells.append(_share([(case, bool(said.rules & case.rules)) for case, said in faulty]) if named else "-")
    cells.append(_share([(case, said.refused >= case.fails) for case, said in hostile]))
    cells.append(_share([(case, bool(said.rules & case.rules)) for case, said in hostile]) if named else "-")
    cells += [str(sum(host in said.refused - case.fails for case, said in good)) for host in NAMES]
    print(f"{judge}:")
    for case, said in (*faulty, *hostile, *good):
        missed = not said.refused >= case.fails or (case.rules and not said.rules & case.rules)
        alarm = not case.rules and said.refused != case.fails
        if named and (missed or alarm):
            print(f"    {case.name}: {' '.join(sorted(said.refused)) or 'nobody'}: {' '.join(sorted(said.rules))}")
    sys.stdout.flush()
    return cells


def _share(judged: List[Tuple[Case, bool]]) -> str:
    right = sum(is_right for _, is_right in judged)
    return f"{right} of {len(judged)}" if judged else "-"


def table(kinds: Mapping[str, List[Case]], rows: List[List[str]]) -> str:
    count = len(kinds.get("good", ()))
    heads = ["", *(f"faults, {host}" for host in NAMES), "warnings", "named rightly", "hostile archives",
             "named rightly", *(f"false alarms in {count}, {host}" for host in NAMES)]  # fmt: skip
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# --- who judges -------------------------------------------------------------------------------------------------------


def checked(case: Case) -> Judged:
    """What a whole check of both hosts says. A label's form is a fault for one host; warnings count as named."""
    options = ("--host", "all", "--format", "json", "--timeout", "60", "--memory", "2048")
    done = subprocess.run([PROGRAM, "check", str(case.folder), *options], capture_output=True, check=False)
    if done.returncode not in (0, 1):
        return Judged(rules=frozenset((f"status-{done.returncode}",)))
    said = json.loads(done.stdout)
    rules = {found["rule"] for found in said["findings"] if found["severity"] in ("error", "warning")}
    return Judged(frozenset(host for host in NAMES if said["hosts"][host] != "pass"), frozenset(rules))


def baseline(scratch: Path) -> Judge:
    """What the earlier library finds: all that is said is that something raised, or that the process crashed."""
    place = scratch / "earlier"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(place), EARLIER]
    subprocess.run(install, check=True, stderr=subprocess.DEVNULL)
    schema = str(ROOT / "audacitorch" / "data" / "metadata.schema.json")
    command = [sys.executable, "-c", BASELINE, schema, *NAMES]
    away = scratch / "away"  # where the models of the corpus may write
    away.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(place)}
    pipe = subprocess.PIPE
    server = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment, cwd=away)
    turn = Lock()

    def run(case: Case) -> Judged:
        with turn:
            assert server.stdin is not None
            assert server.stdout is not None
            print(case.folder, file=server.stdin, flush=True)
            return Judged(frozenset(server.stdout.readline().split()))

    return run


def scan(programs: Path, scanner: str, base: Path) -> Judge:
    """A scanner; whatever it warns of counts as a warning for every host."""
    environment = {**os.environ, **QUIET}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(programs / words[0]), *words[1:]]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    if scanner == "modelaudit":  # which starts slowly, and takes folders
        issues = json.loads(run("modelaudit", "scan", "--format", "json", str(base)).stdout)["issues"]
        places = {issue["location"] or "" for issue in issues if issue["severity"] in ("warning", "critical")}
        return lambda case: _judged(any(str(case.folder / "model.pt") in place for place in places))
    clean = {"modelscan": "No issues found", "picklescan": "Infected files: 0"}.get(scanner)
    if clean is not None:
        return lambda case: _judged(clean not in run(scanner, "-p", str(case.folder / "model.pt")).stdout)
    unsafe = 1  # the status of fickling that is neither safe nor "no pickle in it that I can read"
    return lambda case: _judged(run("fickling", "--check-safety", str(case.folder / "model.pt")).returncode == unsafe)


def _judged(found: bool) -> Judged:
    return Judged(frozenset(NAMES), frozenset(("warned",))) if found else Judged()


# --- the corpus -------------------------------------------------------------------------------------------------------


def faulty(base: Path) -> Iterator[Case]:
    """Repos with one fault each."""
    from scripts.benchmarks.faults import faults, write

    for fault in faults():
        yield Case(fault.name, write(fault, base), set(fault.rules), frozenset(fault.fails))


def repo(base: Path, name: str, source: Path) -> Path:
    """A copy of a repo as its author would have it."""
    folder = base / name
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("expect.json", "*.py", "__pycache__"))
    (folder / ".gitattributes").write_text("*.pt filter=lfs diff=lfs merge=lfs -text\n", encoding="utf-8")
    return folder


def hostile(base: Path) -> Iterator[Case]:
    """The archives that Torch 1.9.0 really lets touch a file, as whole repos."""
    from scripts.benchmarks.hostile import archives

    for name, content in archives().items():
        folder = repo(base, name, ROOT / "examples" / "booster-net")
        (folder / "model.pt").write_bytes(content)
        seen = bare(folder / "model.pt")
        if "wrote" in seen or ("map-read" in name and "ran" in seen):
            yield Case(name, folder, DANGER, frozenset(NAMES))
        else:
            shutil.rmtree(folder)


def bare(model: Path) -> Set[str]:
    """What became of a model that Torch 1.9.0 loaded and ran without anything around it."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-c", BARE, str(model), place]
        return set(subprocess.run(command, capture_output=True, text=True, check=False).stdout.split())


def good(base: Path, pythons: List[str]) -> Iterator[Case]:
    """What Torch 1.9.0 runs of the exports of every PyTorch, the bases of the faults, examples and fixtures."""
    from scripts.benchmarks.faults import bases, write

    for fault in bases():
        yield Case(fault.name, write(fault, base), fails=frozenset(fault.fails))
    for folder in sorted((ROOT / "examples").iterdir()):
        if (folder / "model.pt").is_file():
            yield Case(folder.name, repo(base, folder.name, folder), fails=_crashed_by_probabilities(folder))
    for expected in sorted((ROOT / "tests" / "repos").glob("*/expect.json")):
        findings = json.loads(expected.read_text(encoding="utf-8"))["findings"]
        if all(found["severity"] == "note" or found["rule"] == "label-format" for found in findings):
            fails = frozenset(host for found in findings if found["severity"] == "error" for host in found["hosts"])
            yield Case(expected.parent.name, repo(base, expected.parent.name, expected.parent), fails=fails)
    for number, python in enumerate(pythons):
        place = base / f"exports-{number}"
        subprocess.run([python, str(ROOT / "scripts" / "benchmarks" / "good_exports.py"), str(place)], check=True)
        for model in sorted(place.glob("*.pt"))[:: len(pythons) + 1]:
            if "good" in bare(model):
                folder = repo(base, f"{number}-{model.stem}", ROOT / "examples" / "booster-net")
                shutil.move(str(model), str(folder / "model.pt"))
                yield Case(folder.name, folder)


def _crashed_by_probabilities(folder: Path) -> FrozenSet[str]:
    """The hosts that can't take what the examples' labelers give, as the specification asks."""
    card = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    is_labeler = card["effect_type"] == "waveform-to-labels"
    return frozenset(host.name for host in HOSTS if is_labeler and host.labels == INDICES)


def exports(base: Path, pythons: List[str]) -> Iterator[Case]:
    """Archives of several hundred modules in every way of saving them, from each PyTorch at hand."""
    for number, python in enumerate(pythons):
        folder = base / str(number)
        command = [python, str(ROOT / "tests" / "archive" / "export_corpus.py"), str(folder)]
        print(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0])
        for model in sorted(folder.glob("*.pt")):
            yield Case(f"{number}/{model.stem}", model)


def alarm(case: Case) -> Optional[str]:
    """The export and the rules about danger that it breaks; that it is too new is no false alarm."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(case.folder)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    rules = set(done.stdout.split()) & (DANGER - {"file-format-too-new"}) if done.returncode == 0 else {"crashed"}
    return f"{case.name}: {' '.join(sorted(rules))}" if rules else None


if __name__ == "__main__":
    main()
