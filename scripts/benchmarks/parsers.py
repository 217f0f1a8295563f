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
from typing import Callable, Dict, Iterator, List, Tuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
SMALL, LARGE = 65_536, 2 << 20
#: Statements of a function that is read to its end; ``N`` is a long name.
STATEMENTS = (
    "N = torch.relu(x)",
    "N = torch.add(x, x, alpha=1)",
    "N = [x, x, x, x, x, x, x, x, x, x]",
    "N = [[0], [0], [0], [0], [0], [0]]",
    "N = (x, (x, (x, (x, (x, (x, x))))))",
    "N = annotate(Dict[str, List[Tuple[Tensor, int]]], {})",
    "N = -1",
    "if torch.eq(1, 1):\n      N = x\n    else:\n      pass",
)
#: Reads an archive of one function of 2 MiB that has as many words and signs as the reader takes.
MEMORY = """
import io, resource, sys
from audacitorch.archive import read_archive
from audacitorch.archive.pieces import MAX_TOKENS
from audacitorch.archive.source import Source
from tests.archive.zips import MODULE, packed
def code(count, name):
    return MODULE.format(body="\\n    ".join([sys.argv[1].replace("N", name)] * count))
count = 100 * (MAX_TOKENS - 100) // Source("code/__torch__.py", code(100, "n").encode()).pieces[-1].tokens
data = packed({"code/__torch__.py": code(count, "n" * ((2 << 20) // count - len(sys.argv[1]) - 4))}, method=0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
archive = read_archive(io.BytesIO(data), len(data))
assert not archive.code_problems, archive.code_problems
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, before // 1024, len(data))
"""


@dataclass
class Parser:
    """``work`` makes, for an atom and a size, what is timed."""

    atoms: List[object]
    work: Callable[[object, int], Callable[[], object]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="*", help="parsers whose names begin so, or 'memory'; default: all of them")
    wanted = tuple(parser.parse_args().name)
    print(f"{'':22} {'65 kB':>9} {'2 MiB':>9} {'ratio':>6}  slowest atom")
    for name, one in parsers().items():
        if wanted and not name.startswith(wanted):
            continue
        timed = [(seconds(one.work(atom, LARGE)), atom) for atom in one.atoms]
        large, atom = max(timed, key=lambda one: one[0])
        small = min(seconds(one.work(atom, SMALL)) for _ in range(3))
        ratio = f"{large / small:6.0f}" if small > 0.001 else "     -"
        print(f"{name:22} {small * 1000:6.1f} ms {large * 1000:6.0f} ms {ratio}  {atom!a}", flush=True)
    for peak, before, size, statement in memory() if not wanted or "memory" in wanted else ():
        print(f"one function of {size:,} bytes: {peak} MB, {before} MB of them before it is read  {statement!r}")


def seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    with suppress(ValueError):
        work()
    return time.process_time() - started


def memory() -> Iterator[Tuple[int, int, int, str]]:
    """For each kind of statement: the process's peak in MB, what of it was there before, bytes, the statement."""
    for statement in STATEMENTS:
        command = [sys.executable, "-c", MEMORY, statement]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        peak, before, size = map(int, done.stdout.split())
        yield peak, before, size, statement


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
