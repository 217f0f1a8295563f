"""A model's trial as a check uses it: started early, so that torch is imported while the parent reads files.

The session also finds the message behind an abort: 1.9.0 ends the process while it builds some errors' text, because
it can't read the debug members that a newer PyTorch wrote; a copy without them gives the text.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Callable, Optional

from audacitorch.trial.link import TrialUnavailable, Worker
from audacitorch.trial.observations import SIGNAL, Trial
from audacitorch.trial.plan import Plan, PlannedPass
from audacitorch.trial.run import run_trial

#: Makes a worker that has a folder of its own for scratch.
WorkerStarter = Callable[[str], Worker]

_DEBUG_SUFFIX = ".debug_pkl"
#: Copying more than this to find a clearer message is not worth the wait.
_LARGEST_COPY = 4 << 30


class TrialSession:
    """A worker that is importing torch, and the scratch folder that it has. A context manager."""

    def __init__(self, start_worker: WorkerStarter) -> None:
        """Start the worker.

        Raises:
            TrialUnavailable: it can't be started here.
        """
        self._start_worker = start_worker
        self._stack = ExitStack()
        self._scratch = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="audacitorch-"))
        with ExitStack() as on_failure:
            on_failure.push(self._stack)
            self._worker = self._stack.enter_context(start_worker(self._scratch))
            on_failure.pop_all()

    def __enter__(self) -> TrialSession:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, plan: Plan, meanwhile: Callable[[], None] = lambda: None) -> Trial:
        """Run the plan's passes, and where the process was ended look for the reason that 1.9.0 could not tell.

        ``meanwhile`` is called once, when the worker has its orders.

        Raises:
            TrialUnavailable: nothing can be said about the model, for a reason that is not the model's.
        """
        trial = run_trial(self._worker, plan, meanwhile)
        if trial.ended != SIGNAL:
            return trial
        return replace(trial, hidden_error=self._hidden_error(plan, trial))

    def _hidden_error(self, plan: Plan, trial: Trial) -> Optional[str]:
        """The error behind an abort: the same step once more, with a copy of the model that has no debug members."""
        copy = Path(self._scratch, "without-debug.pt")
        if not copy_without_debug(Path(plan.model), copy):
            return None
        again = replace(plan, model=str(copy), task="load")
        if trial.unfinished is not None:
            step = trial.unfinished
            planned = PlannedPass(step.purpose, step.signal, step.track_samples, step.track_channels)
            again = replace(again, task="trial", passes=(planned,))
        try:
            with tempfile.TemporaryDirectory(dir=self._scratch) as scratch, self._start_worker(scratch) as worker:
                second = run_trial(worker, again)
        except TrialUnavailable:
            return None  # what the first run showed stands without it
        failures = [second.load_failure, *(done.failure for done in second.passes)]
        messages = [failure.message for failure in failures if failure is not None]
        return messages[0] if messages else None


def copy_without_debug(model: Path, copy: Path) -> bool:
    """Copy an archive without its ``.debug_pkl`` members; False where it has none or can't be copied."""
    import zipfile

    try:
        if model.stat().st_size > _LARGEST_COPY:
            return False
        with zipfile.ZipFile(model) as source:
            members = source.infolist()
            kept = [member for member in members if not member.filename.lower().endswith(_DEBUG_SUFFIX)]
            if len(kept) == len(members) or sum(member.file_size for member in kept) > _LARGEST_COPY:
                return False
            with zipfile.ZipFile(copy, "w") as target:
                for member in kept:
                    with source.open(member) as data, target.open(member, "w") as out:
                        shutil.copyfileobj(data, out, 1 << 20)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError):
        return False
    return True
