"""The program in which a stranger's model runs: walls, Torch 1.9.0, a plan, and events out.

:mod:`audacitorch.trial.process` starts it, or :mod:`audacitorch.trial.parent` forks it. It reads one plan as a JSON
line from standard input, and writes what it sees to standard output as soon as it is seen;
:mod:`audacitorch.trial.protocol` has the events. Nothing here judges, and nothing here imports more than torch, the
host's arithmetic and the standard library; torchaudio least of all, whose operators Audacity lacks.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import sysconfig
import time
from typing import Any, List, NoReturn, Optional, Tuple

from audacitorch.facts import decode
from audacitorch.trial import compiled, sandbox
from audacitorch.trial.plan import Plan
from audacitorch.trial.protocol import (
    PROTOCOL_VERSION,
    Done,
    EventWriter,
    Loaded,
    LoadFailed,
    Operators,
    Ready,
    Refused,
    Walls,
    describe_failure,
)


def main() -> None:
    """Carry out one plan from standard input, writing events to what was standard output."""
    sandbox.die_with_parent()
    run(sys.argv[2], walled=sys.argv[3] != "open")


def run(model: str, walled: bool, torch_file_bytes: int = 0) -> NoReturn:
    """Put up the walls, import Torch unless that is done, and carry out one plan; the process ends with it.

    ``torch_file_bytes`` is what of Torch's files the process that forked this one holds in memory: see
    :class:`audacitorch.trial.sandbox.MemoryGauge`.
    """
    events = EventWriter(os.fdopen(os.dup(1), "wb"))
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)  # a model may print: events are ours alone
    os.close(silence)
    gauge, in_force = sandbox.MemoryGauge(torch_file_bytes), sandbox.container_info()  # read while /proc can be
    in_force = {**sandbox.put_up_walls(_readable(model) if walled else None), **in_force}
    missing = sandbox.missing_walls(in_force) if walled else []
    if missing:
        events.emit(
            Refused(f"This machine has no {' and no '.join(missing)}, so a model can't be locked in. {_WAYS_OUT}")
        )
        os._exit(0)
    import torch

    events.emit(Ready(torch.__version__, PROTOCOL_VERSION, in_force))
    line = sys.stdin.buffer.readline()
    if line:  # else the parent found reason not to run the model
        _carry_out(decode(Plan, json.loads(line), "plan"), events, gauge)
    os._exit(0)  # a model's destructors have no say in how the trial ended


def _carry_out(plan: Plan, events: EventWriter, gauge: sandbox.MemoryGauge) -> None:
    from audacitorch.trial.forward import render_blocks
    from audacitorch.trial.passes import Passes

    started = time.perf_counter()
    limits = sandbox.set_limits(sandbox.Limits(memory_bytes=plan.memory_bytes), gauge)
    events.emit(Walls({"rlimits": limits}, gauge.peak()))
    loaded = _load(plan, events, gauge)
    if loaded is not None and plan.task == "trial":
        Passes(*loaded, plan, events, started, gauge.held).run()
    elif loaded is not None and plan.task == "render":
        render_blocks(loaded[0], plan, events, sys.stdin.buffer)
    events.emit(Done(time.perf_counter() - started, gauge.peak()))
    if loaded is not None and plan.listens:
        render_blocks(loaded[0], plan, events, sys.stdin.buffer)


_WAYS_OUT = (
    "Use --sandbox container, or Linux 5.13 or newer with Landlock and seccomp; --sandbox none runs the model open, "
    "with everything that you may do."
)


def _readable(model: str) -> List[str]:
    """What a computing process may read: the model, libraries, and what they ask about the machine."""
    torch = importlib.util.find_spec("torch")
    site_packages = [os.path.dirname(os.path.dirname(torch.origin))] if torch and torch.origin else []
    return [
        model,
        *site_packages,
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib")),
        *(os.path.join(prefix, "lib") for prefix in (sys.base_prefix, sys.base_exec_prefix)),
        *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache"),
        *("/dev/null", "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat"),
        *("/sys/devices/system/cpu", "/sys/devices/system/node"),
    ]


def _load(plan: Plan, events: EventWriter, gauge: sandbox.MemoryGauge) -> Optional[Tuple[Any, Any]]:
    """Load as the host does, and ask Torch what it compiled. Code of the model runs here already.

    None where the model does not load, or holds operators that the plan does not name.
    """
    import torch

    start = time.perf_counter()
    try:
        with torch.no_grad():
            module, unit = compiled.load(plan.model)
    except Exception as error:
        events.emit(LoadFailed(describe_failure(error)))
        return None
    events.emit(Loaded(time.perf_counter() - start, gauge.peak()))
    calls, functions = compiled.count_operators(unit)
    seen = calls if plan.operators is None else plan.operators
    hidden = tuple(sorted(name for name in set(calls) - set(seen) if not compiled.is_implied(name)))
    events.emit(Operators(calls, functions, hidden))
    return None if hidden else (module, unit)
