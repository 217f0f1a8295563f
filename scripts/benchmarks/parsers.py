"""Every parser's and renderer's time on repeated atoms at 65 kB and at 2 MiB, and the memory of one hostile function.

The inputs are those of tests/test_linear_time.py; each line names the atom that takes longest. Times are the
processor's.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Tuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
SMALL, LARGE = 65_536, 2 << 20
MEMORY = """
import io, resource, sys
from audacitorch.archive import read_archive
from tests.test_linear_time import _code
data = _code(sys.argv[1], 2 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
archive = read_archive(io.BytesIO(data), len(data))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, before // 1024)
"""


@dataclass
class Parser:
    """``work`` makes, for an atom and a size, what is timed."""

    atoms: List[object]
    work: Callable[[object, int], Callable[[], object]]


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    print(f"{'':22} {'65 kB':>9} {'2 MiB':>9} {'ratio':>6}  slowest atom")
    for name, parser in parsers().items():
        timed = [(seconds(parser.work(atom, LARGE)), atom) for atom in parser.atoms]
        large, atom = max(timed, key=lambda one: one[0])
        small = min(seconds(parser.work(atom, SMALL)) for _ in range(3))
        ratio = f"{large / small:6.0f}" if small > 0.001 else "     -"
        print(f"{name:22} {small * 1000:6.1f} ms {large * 1000:6.0f} ms {ratio}  {atom!a}", flush=True)
    peak, before = memory()
    print(f"one hostile function of 2 MiB: {peak} MB at its peak, {before} MB of them before it is read")


def seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    with suppress(ValueError):
        work()
    return time.process_time() - started


def memory() -> Tuple[int, int]:
    """The largest peak of the process, in MB, over a few kinds of functions."""
    found = []
    for atom in ("torch.f(x),", "x+", "f(x,", "y = torch.f(x)\n    ", "0,"):
        command = [sys.executable, "-c", MEMORY, atom]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        peak, before = map(int, done.stdout.split())
        found.append((peak, before))
    return max(found)


def parsers() -> Dict[str, Parser]:
    from audacitorch.report.formats import FORMATS, render
    from audacitorch.request.issue_event import command_in, find_repo
    from audacitorch.request.memory import read_memory
    from tests import test_linear_time as linear

    def repeated(atom: object, size: int) -> bytes:
        data = atom if isinstance(atom, bytes) else str(atom).encode()
        return data * (size // len(data))

    def of_bytes(read: Callable[[bytes], object]) -> Callable[[object, int], Callable[[], object]]:
        def work(atom: object, size: int) -> Callable[[], object]:
            data = repeated(atom, size)
            return lambda: read(data)

        return work

    def rendered(name: str) -> Callable[[object, int], Callable[[], object]]:
        return lambda atom, size: lambda: render(linear._report(repeated(atom, size).decode()), name)

    pickled = of_bytes(lambda data: linear._described(b"\x80\x02]q\0" + data)())
    found = {
        "code": Parser([*linear.CODE_ATOMS], lambda atom, size: linear._read(linear._code(str(atom), size))),
        "pickles": Parser([*linear.PICKLE_ATOMS], pickled),
    }
    readers: Dict[str, Callable[[bytes], object]] = {**linear.TEXT_READERS}
    for name, read in (("form", find_repo), ("command", command_in), ("comment's memory", read_memory)):
        readers[name] = lambda data, read=read: read(data.decode())  # type: ignore[misc]
    found.update({name: Parser([*linear.TEXT_ATOMS], of_bytes(read)) for name, read in readers.items()})
    found.update({f"{name} report": Parser([*linear.RENDERED_ATOMS], rendered(name)) for name in FORMATS})
    return found


if __name__ == "__main__":
    main()
