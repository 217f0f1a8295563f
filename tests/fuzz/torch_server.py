"""Torch 1.9.0 asked which operators it compiles: archives on standard input, each behind its length, JSON lines back.

A forked child answers, in an empty folder, with a few seconds for each archive; where one ends it, the next child goes
on. Run it with the Python that has Torch 1.9.0.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 5
#: After so many archives a child makes room for a new one.
MOST_ARCHIVES = 5_000
_RECYCLED = 3


def main() -> None:
    import torch

    from audacitorch.trial import compiled

    torch.set_num_threads(1)
    # What Torch sets up at its first load is there for all children.
    warm = Path(__file__).parents[2] / "examples" / "booster-net" / "model.pt"
    compiled.count_operators(compiled.load(str(warm))[1])
    with tempfile.TemporaryDirectory() as folder:
        while True:
            child = os.fork()
            if child == 0:
                _serve(Path(folder))
            _, status = os.waitpid(child, 0)
            if status == 0:
                return
            if not (os.WIFEXITED(status) and os.WEXITSTATUS(status) == _RECYCLED):
                print(json.dumps({"died": status, "written": _cleared(Path(folder))}), flush=True)


def _serve(folder: Path) -> None:
    """In the child: never returns."""
    status = 1
    try:
        answers = os.dup(1)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.chdir(folder)
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        for _ in range(MOST_ARCHIVES):
            length = sys.stdin.buffer.read(8)
            if len(length) < 8:
                status = 0
                return
            said = _answer(folder, sys.stdin.buffer.read(int.from_bytes(length, "little")))
            os.write(answers, json.dumps(said).encode() + b"\n")
        status = _RECYCLED
    finally:
        os._exit(status)


def _answer(folder: Path, data: bytes) -> Dict[str, Any]:
    """``operators`` by name with their numbers, or ``error`` where the load raises; files that were ``written``."""
    from audacitorch.trial import compiled

    (folder / "model.pt").write_bytes(data)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        _, unit = compiled.load("model.pt")
        said: Dict[str, Any] = {"operators": compiled.count_operators(unit)[0]}
    except RuntimeError as error:
        said = {"error": str(error)[-300:]}
    signal.setitimer(signal.ITIMER_REAL, 0)
    return {**said, "written": _cleared(folder)}


def _cleared(folder: Path) -> List[str]:
    """The names of the files in ``folder`` but for the archive's; all of them are removed."""
    names = os.listdir(folder)
    for name in names:
        (folder / name).unlink()
    return sorted({*names} - {"model.pt"})


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
