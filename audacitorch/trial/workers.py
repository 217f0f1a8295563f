"""Choosing the sandbox in which models run: a process here, or a container."""

from __future__ import annotations

from audacitorch.trial.link import TrialUnavailable, Worker
from audacitorch.trial.process import WorkerProcess, torch_python
from audacitorch.trial.session import WorkerStarter
from audacitorch.version import TORCH_VERSION

SANDBOXES = ("auto", "process", "container")


def worker_starter(sandbox: str = "auto") -> WorkerStarter:
    """What starts a worker in ``sandbox``; ``auto`` takes a process where Torch 1.9.0 is, and a container elsewhere.

    The starter, not this function, raises TrialUnavailable where that sandbox can't be had.
    """
    python = torch_python()
    if sandbox == "process" or (sandbox == "auto" and python is not None):
        if python is None:
            return _unavailable(
                f"no Torch {TORCH_VERSION} here: run scripts/setup, or name a Python that has it in "
                "AUDACITORCH_PYTHON, or use --sandbox container"
            )
        return lambda scratch: WorkerProcess.in_process_sandbox(python, scratch)
    from audacitorch.trial.container import ContainerWorker

    return ContainerWorker


def _unavailable(reason: str) -> WorkerStarter:
    def start(scratch: str) -> Worker:
        raise TrialUnavailable(reason)

    return start
