"""Writes the model.pt files that only a newer PyTorch can write, into tests/repos.

Run it with a Python that has one, from the project's folder (they were made with PyTorch 2.13.0)::

    python tests/repos_make/newer.py

It needs torch and nothing else. The debug members are kept: they are what ends Torch 1.9.0. They hold the name of the
source file, so the modules are compiled from a text that has none but its own.
"""

from __future__ import annotations

import linecache
from pathlib import Path

SOURCE = """
import torch
from torch import Tensor, nn

class Pads(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch._C._nn.pad(x * 0.5, [0, 1], "constant", None)[:, : x.size(1)]

class Raises(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.size(1) == 0:
            raise ValueError("nothing to hear")
        return x * 0.5

class Halves(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 0.5
"""
FOLDERS = {
    "Pads": "newer-export-aborts-at-pad",
    "Raises": "newer-export-aborts-at-raise",
    "Halves": "newer-export-that-works",
}


def main() -> None:
    """Script each module and save it into its folder."""
    import torch

    name = "modules.py"
    linecache.cache[name] = (len(SOURCE), None, SOURCE.splitlines(keepends=True), name)
    namespace = {"__name__": "__main__"}
    exec(compile(SOURCE, name, "exec"), namespace)
    for module, folder in FOLDERS.items():
        path = Path(__file__).parents[1] / "repos" / folder / "model.pt"
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.jit.script(namespace[module]().eval()).save(str(path))


if __name__ == "__main__":
    main()
