"""Backports the exported corpus and runs it under Torch 1.9.0, every archive in a child of its own.

What became of an archive is one of

- ``agree``: the numbers are those of the newer PyTorch, or nearer to those of float64 than these are;
- ``refused``: the backport names what is left that 1.9.0 can't take;
- ``told``: it differs or raises, and the backport had said so with the line;
- ``silent``: it differs, raises or aborts, and nothing was said.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from audacitorch.backport import BackportError, backport
from tests.backport.outputs import difference, flat, is_nearer
from tests.backport.signals import tensor


@dataclass(frozen=True)
class Outcome:
    name: str
    kind: str
    detail: str = ""


def outcomes(folder: Path, names: List[str], exported_by: Optional[str] = None) -> Iterator[Outcome]:
    """What becomes of every archive in a folder that :mod:`tests.backport.exports` wrote, or of those with ``names``.

    ``exported_by`` is what a user says of the exporter; without, what the archive shows has to do.
    """
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))["archives"]
    (folder / "backported").mkdir(exist_ok=True)
    for name, wanted in expected.items():
        if not names or name in names or name.rpartition(".")[0] in names:
            yield outcome(folder, name, wanted, exported_by)


def outcome(folder: Path, name: str, wanted: Dict[str, Any], exported_by: Optional[str] = None) -> Outcome:
    output = folder / "backported" / f"{name}.pt"
    try:
        result = backport(folder / f"{name}.pt", output, force=True, exported_by=exported_by)
    except BackportError as error:
        return Outcome(name, "refused", str(error))
    if result.remaining:
        return Outcome(name, "refused", result.remaining[0].message)
    seen = _in_a_child(output, wanted)
    if not seen:
        return Outcome(name, "agree")
    doubtful = [f"the exporter is not shown: {', '.join(result.doubtful)}"] if result.doubtful else []
    said = [*(found.message for found in result.differences), *result.raising, *doubtful]
    return Outcome(name, "told" if said else "silent", f"{seen}; said: {said[0]}" if said else seen)


def _in_a_child(model: Path, wanted: Dict[str, Any]) -> str:
    """How the model's numbers differ, or how its process ended; empty where they agree."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        signal.alarm(60)
        try:
            seen = _run(model, wanted)
        except BaseException as error:
            lines = str(error).strip().splitlines() or [repr(error)]
            seen = f"it raises: {next((line for line in reversed(lines) if 'Error' in line), lines[-1])[:200]}"
        with os.fdopen(write, "wb") as pipe:
            pickle.dump(seen, pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        told = pipe.read()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return f"it ends by signal {os.WTERMSIG(status)}"
    return str(pickle.loads(told)) if told else "it ends without a word"


def _run(model: Path, wanted: Dict[str, Any]) -> str:
    import torch

    torch.set_num_threads(1)
    loaded = torch.jit.load(str(model))
    truths = wanted.get("truths") or [None] * len(wanted["inputs"])
    for shapes, right, truth in zip(wanted["inputs"], wanted["outputs"], truths):
        inputs = [tensor(torch, shape, seed) for seed, shape in enumerate(shapes)]
        with torch.no_grad():
            torch.manual_seed(9)
            for _ in range(2):  # the second pass runs what the profiler made of the code
                found = flat(torch, loaded(*inputs))
        seen = difference(found, right, wanted["tolerance"])
        if seen and not (truth and is_nearer(found, right, truth)):
            return seen
    return ""


if __name__ == "__main__":
    import torch

    torch.zeros(1)
    for one in outcomes(Path(sys.argv[1]), sys.argv[2:]):
        if one.kind != "agree":
            print(f"{one.kind:8} {one.name}: {one.detail}", flush=True)
