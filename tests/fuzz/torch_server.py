"""Torch 1.9.0 asked which operators it compiles: archives on standard input, each behind its length, JSON lines back.

Each archive is loaded in a forked child in an empty folder, which may write nothing and has few seconds. Run it with
the Python that has Torch 1.9.0.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 5


def answer(data: bytes) -> Dict[str, Any]:
    """``operators`` by name with their numbers, ``error`` where the load raises, ``died`` where the child ended."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.pt")
        path.write_bytes(data)
        receiver, sender = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(receiver)
            _load_and_tell(path, sender)
        os.close(sender)
        with open(receiver, "rb") as file:
            said = file.read()
        _, status = os.waitpid(child, 0)
        written = sorted(set(os.listdir(folder)) - {"model.pt"})
    found: Dict[str, Any] = json.loads(said) if said else {"died": status}
    return {**found, "written": written}


def _load_and_tell(path: Path, sender: int) -> None:
    """In the child: never returns."""
    from audacitorch.trial import compiled

    try:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.chdir(path.parent)
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        try:
            _, unit = compiled.load(str(path))
            said: Dict[str, Any] = {"operators": compiled.count_operators(unit)[0]}
        except RuntimeError as error:
            said = {"error": str(error)[-300:]}
        os.write(sender, json.dumps(said).encode())
    finally:
        os._exit(0)


def main() -> None:
    import torch

    torch.set_num_threads(1)
    while True:
        length = sys.stdin.buffer.read(8)
        if len(length) < 8:
            return
        print(json.dumps(answer(sys.stdin.buffer.read(int.from_bytes(length, "little")))), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
