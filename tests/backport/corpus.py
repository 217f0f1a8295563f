"""Small programs that use what PyTorch gained or changed after 1.9.0; the benchmark exports and compares them.

They are data (``tests/data/backport/corpus.json``), a case a line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence

_DATA = Path(__file__).parents[1] / "data" / "backport" / "corpus.json"


@dataclass(frozen=True)
class Case:
    """A program: ``body`` is that of ``forward(self, x, …)``; one line without ``return`` is what it returns.

    ``shapes`` are those of its inputs, ``more`` those of further calls of the same archive. ``init`` makes the module's
    attributes, ``before`` stands in front of the class. ``how`` is ``script``, ``trace`` or ``both``; ``tolerance`` is
    relative to the peak.
    """

    name: str
    body: str
    shapes: Sequence[Sequence[int]] = ((2, 40),)
    more: Sequence[Sequence[Sequence[int]]] = ()
    init: str = ""
    before: str = ""
    how: str = "both"
    tolerance: float = 2e-4

    @property
    def ways(self) -> Sequence[str]:
        """How the case is exported."""
        return ("script", "trace") if self.how == "both" else (self.how,)


def cases() -> Dict[str, Case]:
    """Every case, by its name."""
    return {row["name"]: Case(**row) for row in json.loads(_DATA.read_text(encoding="utf-8"))}


def source(case: Case) -> str:
    """The text of a module with one class, ``Model``."""
    body = case.body.strip().split("\n")
    init = case.init.strip().split("\n") if case.init else []
    inputs = ", ".join(f"{letter}: Tensor" for letter, _ in zip("xyz", case.shapes))
    lines: List[str] = [
        "import torch",
        "import torch.nn.functional as F",
        "from torch import Tensor, nn",
        "from typing import Any, Dict, List, Optional, Tuple, Union",
        case.before.strip("\n"),
        "class Model(nn.Module):",
        "    def __init__(self):",
        *(f"        {line}" for line in ("super().__init__()", *init)),
        f"    def forward(self, {inputs}):",
        *(f"        {line}" for line in (body if len(body) > 1 else [f"return {body[0]}"])),
        "",
    ]
    return "\n".join(lines)
