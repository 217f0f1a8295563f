"""Where a stranger's model runs: the sandboxes, as the command line shows them, and what starts a worker in each."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Callable, Mapping, Optional

from audacitorch.hosts import TORCH_VERSION

if TYPE_CHECKING:
    from audacitorch.trial.process import Worker

#: Makes a worker for a model, with a folder of its own for scratch: ``start(scratch, model)``.
WorkerStarter = Callable[[str, str], "Worker"]


@dataclass(frozen=True)
class Sandbox:
    """A place for a worker. ``starter`` takes whether many models follow each other."""

    help: str
    starter: Callable[[bool], WorkerStarter]


def worker_starter(sandbox: str = "auto", many: bool = False) -> WorkerStarter:
    """What starts a worker in one of :data:`SANDBOXES`.

    With ``many``, workers in processes are forked from one that has imported Torch: each saves the import, and the
    first takes a little longer.

    The starter, not this function, raises TrialUnavailable where that sandbox is not available.
    """
    return SANDBOXES[sandbox].starter(many)


def _process(many: bool, walls: bool = True) -> WorkerStarter:
    python = torch_python()

    def start(scratch: str, model: str) -> Worker:
        from audacitorch.trial.process import Worker
        from audacitorch.trial.protocol import TrialUnavailable

        if python is None:
            raise TrialUnavailable(no_torch())
        if many and sys.platform.startswith("linux"):  # elsewhere a process with threads can't be forked safely
            from audacitorch.trial.forked import parent_of_workers

            return parent_of_workers(python).fork(scratch, model, walls)
        return Worker.in_process_sandbox(python, scratch, model, walls)

    return start


def _container(many: bool) -> WorkerStarter:
    from audacitorch.trial.container import ContainerWorker

    return ContainerWorker


def _process_or_container(many: bool) -> WorkerStarter:
    if torch_python() is not None:
        return _process(many)

    def start(scratch: str, model: str) -> Worker:
        from audacitorch.trial.container import ContainerWorker
        from audacitorch.trial.protocol import TrialUnavailable

        try:
            return ContainerWorker(scratch, model)
        except TrialUnavailable as error:
            raise TrialUnavailable(f"{no_torch()} The container: {error}") from error

    return start


#: By what --sandbox says.
SANDBOXES: Mapping[str, Sandbox] = MappingProxyType(
    {
        "auto": Sandbox("a process where Torch 1.9.0 is here, else a container", _process_or_container),
        "process": Sandbox("a process with no network, no files and bounded memory", _process),
        "container": Sandbox("a container that holds Torch 1.9.0", _container),
        "none": Sandbox(
            "a process that may do all that you may: for models of your own", lambda many: _process(many, walls=False)
        ),
    }
)


def no_torch() -> str:
    """That Torch 1.9.0 is missing, which Torch there is instead, and what can be done, the easiest first."""
    version = _torch_version_file()
    found = re.search(r"__version__ = '([\w.+-]+)'", version.read_text("utf-8")) if version is not None else None
    instead = f", only Torch {found.group(1)}" if found is not None else ""
    return (
        f"Torch {TORCH_VERSION} is not installed here{instead}. Check without running the model (--static), run it "
        "in a container (--sandbox container), install it under Python 3.9 (in a checkout: scripts/setup; elsewhere: "
        f"pip install torch=={TORCH_VERSION} 'numpy<2'), or name a Python that has it in AUDACITORCH_PYTHON."
    )


def torch_python() -> Optional[str]:
    """The Python that runs models: ``$AUDACITORCH_PYTHON``, or this one where it has Torch 1.9.0, or None.

    Torch is found without importing it; the worker's ``ready`` event tells its version for certain.
    """
    named = os.environ.get("AUDACITORCH_PYTHON")
    if named:
        return named
    version = _torch_version_file()
    return sys.executable if version is not None and f"'{TORCH_VERSION}" in version.read_text("utf-8") else None


def _torch_version_file() -> Optional[Path]:
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    version = Path(spec.origin).with_name("version.py")
    return version if version.is_file() else None
