"""A parent whose workers are hostile Python, not models: one leaves what traces it can, another reports what it sees.

What a model could do at worst is to have code of its own run in its worker, behind the walls. Which of the two a
worker is stands in its plan, as the model's path.
"""

from __future__ import annotations

import builtins
import ctypes
import fcntl
import mmap
import os
import random
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List

MARK = "left-by-the-model-before"


def traces() -> None:
    """Leave something in every place that a process has."""
    import torch

    os.environ["AUDACITORCH_TRACE"] = MARK
    ctypes.CDLL(None).setenv(b"AUDACITORCH_NATIVE", MARK.encode(), 1)
    setattr(builtins, "trace", MARK)  # noqa: B010
    sys.modules["trace_of_a_model"] = sys
    random.seed(1)
    torch.manual_seed(1)
    torch.set_num_threads(7)
    torch.set_default_dtype(torch.float64)
    torch._C._jit_set_profiling_executor(False)
    torch.jit.CompilationUnit(f"def f(x: int) -> str:\n    return '{MARK}'\n")
    torch._C._jit_clear_class_registry()
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    kept = [mmap.mmap(-1, 1 << 20) for _ in range(4)] + [os.dup(0) for _ in range(20)]
    for block in kept[:4]:
        block[: len(MARK)] = MARK.encode()
    for attack in (
        lambda: os.kill(os.getppid(), 9),
        lambda: os.killpg(os.getpgid(os.getppid()), 9),
        lambda: Path("trace").touch(),
        lambda: Path(f"/proc/{os.getppid()}/mem").read_bytes(),
        lambda: os.fork(),
    ):
        with suppress(OSError):
            attack()


def seen() -> Dict[str, Any]:
    """What a worker can see of the process that it is, as far as another could have changed it."""
    import torch

    opened: List[int] = []
    for descriptor in range(256):
        with suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_GETFD)
            opened.append(descriptor)
    return {
        "environment": sorted(name for name in os.environ if name != "HOME"),
        "native": ctypes.CDLL(None).getenv(b"AUDACITORCH_NATIVE"),
        "builtins": sorted(set(vars(builtins)) - {"_"}),
        "modules": sorted(sys.modules),
        "random": random.getstate() == random.Random(1).getstate(),
        "seed": torch.initial_seed(),
        "drawn": torch.rand(1).item(),
        "threads": torch.get_num_threads(),
        "dtype": str(torch.get_default_dtype()),
        "profiling": torch._C._jit_set_profiling_executor(True),
        "limits": resource.getrlimit(resource.RLIMIT_NOFILE),
        "descriptors": opened,
    }


def carry_out(plan: Any, events: Any, gauge: Any) -> None:
    """In place of the worker's own."""
    import json

    from audacitorch.trial.protocol import LeftOut

    if plan.model == "traces":
        traces()
    events.emit(LeftOut(json.dumps(seen()), ""))


def main() -> None:
    from audacitorch.trial import parent, worker

    worker._carry_out = carry_out
    parent.main()


if __name__ == "__main__":
    main()
