"""The program in which a stranger's model runs: Torch 1.9.0, a plan, a sandbox, and JSON lines out.

:mod:`audacitorch.trial.process` starts it. It reads one plan as a JSON line from standard input, and writes what it
sees to standard output as soon as it is seen: when a model ends the process, everything before that is there. Nothing
here judges, and nothing here imports more than torch, the host's arithmetic and the standard library; torchaudio least
of all, whose operators Audacity lacks.

Events: ``ready``, ``sandbox``, ``loaded``, ``load-failed``, ``begin``, ``pass``, ``left-out``, ``minimum``,
``repeat``, ``seam``, ``block``, ``done``; their fields are those of :mod:`audacitorch.trial.observations`.
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig
import time
from typing import Any, List, Optional

from audacitorch.trial import sandbox, surroundings
from audacitorch.trial.worker_io import EventWriter, MemoryGauge, describe_failure


def main() -> None:
    """Carry out one plan from standard input, writing events to what was standard output."""
    sandbox.die_with_parent()
    events = EventWriter(os.fdopen(os.dup(1), "wb"))
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)  # a model may print: events are ours alone
    import torch

    events.emit("ready", torch=torch.__version__)
    from audacitorch.trial.passes import Passes
    from audacitorch.trial.render import render_blocks

    line = sys.stdin.buffer.readline()
    if not line:
        return  # the parent found reason not to run the model
    plan = json.loads(line)
    started = time.perf_counter()
    limits = sandbox.Limits(memory_bytes=plan["memory_bytes"])
    around, gauge = surroundings.container_around(), MemoryGauge()  # opened while /proc can be
    walls = sandbox.lock_down(limits, _readable(plan["model"], torch.__file__))
    events.emit("sandbox", sandbox={**walls, **around}, peak_memory_bytes=gauge.peak())
    model = _load(plan["model"], events, gauge)
    if model is not None and plan["task"] == "trial":
        Passes(model, plan, events, started).run()
    elif model is not None and plan["task"] == "render":
        render_blocks(model, plan, events, sys.stdin.buffer)
    events.emit("done", seconds=time.perf_counter() - started, peak_memory_bytes=gauge.peak())
    os._exit(0)  # a model's destructors have no say in how the trial ended


def _readable(model: str, torch_file: str) -> List[str]:
    """What a computing process may still read: the model, libraries, and what they ask about the machine."""
    return [
        model,
        os.path.dirname(torch_file),
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        sysconfig.get_path("stdlib"),
        *("/lib", "/lib64", "/usr/lib", "/usr/local/lib"),
        *("/dev/null", "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat"),
        *("/sys/devices/system/cpu", "/sys/devices/system/node"),
    ]


def _load(path: str, events: EventWriter, gauge: MemoryGauge) -> Optional[Any]:
    """Load as the host does, on the CPU and in eval mode. Code of the model runs here already."""
    import torch

    start = time.perf_counter()
    try:
        with torch.no_grad():
            model = torch.jit.load(path, map_location="cpu").eval()  # type: ignore[attr-defined,no-untyped-call]
    except Exception as error:
        events.emit("load-failed", failure=describe_failure(error))
        return None
    events.emit("loaded", seconds=time.perf_counter() - start, peak_memory_bytes=gauge.peak())
    return model
