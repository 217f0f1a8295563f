"""What reads strangers' bytes, fuzzed with coverage as the guide: runs, time and finds of each target.

atheris needs a newer Python than Torch 1.9.0 has: it gets an environment of its own below the user's cache folder.
The target `differential` asks the Torch 1.9.0 of the Python that runs this. A find is an exception that is not
documented, an input that takes seconds, or an operator that only one of Torch and the reader sees; its bytes are
written to the folder that --keep names, by target, and belong into tests/fuzz/finds then.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from random import Random
from typing import Any, Callable, Dict, Optional

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
ATHERIS = "atheris>=3"
DIFFERENTIAL = "differential"
#: What one input may take of the processor's time; atheris counts by the clock, and a busy machine has its own.
MOST_SECONDS = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", nargs="*", help="default: all of them")
    parser.add_argument("--runs", type=int, default=100_000, help="of each target (default: %(default)d)")
    parser.add_argument("--seconds", type=int, default=0, help="end a target after so long (default: never)")
    parser.add_argument("--python", help="a Python with atheris and this package's dependencies")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-finds"), help="for finds (default: %(default)s)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args()
    if options.child:
        fuzz(options.child, options.keep, options.target[0], rest)
        return
    from scripts.benchmarks.environments import environment
    from tests.fuzz.targets import names

    python = options.python or str(environment("fuzz", ATHERIS, str(ROOT)) / "python")

    total = 0
    for name in options.target or [*names(), DIFFERENTIAL]:
        total += run(python, name, options)
    print(f"{total} finds")
    sys.exit(total > 0)


def run(python: str, name: str, options: argparse.Namespace) -> int:
    """Fuzz one target in a process of its own and print a line; the number of finds."""
    from tests.fuzz.seeds import MOST_BYTES

    keep = options.keep.resolve() / name
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "corpus")
        corpus.mkdir()
        command = [python, __file__, "--child", name, "--keep", str(keep), sys.executable, f"-runs={options.runs}"]
        command += [f"-max_total_time={options.seconds}", f"-max_len={MOST_BYTES}"]
        started = time.monotonic()
        done = subprocess.run(
            [*command, "-print_final_stats=1", "-timeout=3600", "-rss_limit_mb=4096", str(corpus)],
            capture_output=True, text=True, errors="replace", check=False, cwd=folder,
        )  # fmt: skip
        took = time.monotonic() - started
        progress = Path(folder, "progress.txt")
        more = f"; {progress.read_text()}" if progress.exists() else ""
    runs = re.search(r"stat::number_of_executed_units: *(\d+)", done.stderr)
    found = sorted(keep.glob("*")) if keep.is_dir() else []
    if done.returncode or runs is None:
        print(done.stderr[-2000:], file=sys.stderr)
    count = int(runs[1]) if runs else 0
    print(f"{name}: {count:,} runs in {took:.0f} s, {count / took:.0f} a second, {len(found)} finds{more}", flush=True)
    for find in found:
        print(f"    {find}")
    return len(found) + (done.returncode != 0)


def fuzz(name: str, keep: Path, torch_python: str, arguments: list[str]) -> None:
    """In the child: let atheris drive one target; it ends the process."""
    import atheris

    with atheris.instrument_imports(include=["audacitorch"]):
        from tests.fuzz import targets
        from tests.fuzz.differential import is_accepted
        from tests.fuzz.mutator import MUTATORS

    asked: Optional[Any] = None
    if name == DIFFERENTIAL:
        from tests.fuzz.differential import Differential

        asked = Differential(torch_python, Path("progress.txt"))
    target = targets.TARGETS["archive" if asked else name]
    change = MUTATORS[target.kind]

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)  # noqa: S311 - the same seed, the same change
        plain = random.random() < (0.02 if asked else 0.2)
        return atheris.Mutate(data, most) if plain else change(data, random)[:most]

    # What the reader refuses is never compared: the differential target begins with what it takes.
    begin = target.seeds() if asked is None else [seed for seed in target.seeds() if is_accepted(targets.read(seed))]
    for number, seed in enumerate(begin):
        Path(f"{arguments[-1]}/seed-{number}").write_bytes(seed)
    finds = Finds(keep, asked or target.run)
    atheris.Setup([sys.argv[0], *arguments], finds.run, custom_mutator=mutate)
    atheris.Fuzz()


class Finds:
    """Runs a target and keeps the first input for each place that it fails at, so that the run goes on."""

    def __init__(self, folder: Path, target: Callable[[bytes], object]) -> None:
        self._folder = folder
        self._target = target
        self._places: Dict[str, bytes] = {}

    def run(self, data: bytes) -> None:
        started = time.process_time()
        try:
            self._target(data)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            self._keep(f"{type(error).__name__}-{Path(frame.filename).stem}-{frame.lineno}", data, str(error))
        if time.process_time() - started > MOST_SECONDS:
            self._keep("slow", data, "")

    def _keep(self, place: str, data: bytes, message: str) -> None:
        if place not in self._places:
            self._places[place] = data
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / place).write_bytes(data)
            print(f"{place}: {message[:300]}", flush=True)


if __name__ == "__main__":
    main()
