"""A model's trial as a check uses it: started early, so that torch is imported while the parent reads files.

The session folds what the worker tells into one :class:`Trial`. It also finds the message behind an abort: 1.9.0 ends
the process while it builds some errors' text, because it can't read the debug members that a newer PyTorch wrote; a
copy without them gives the text.
"""

from __future__ import annotations

import re
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Tuple, Type, TypeVar

from audacitorch.trial.child import WorkerLost
from audacitorch.trial.observations import EXCEPTION, FINISHED, MEMORY, REFUSED, SIGNAL, Failure, Pass, Trial
from audacitorch.trial.plan import SHORT_BLOCK, Plan, PlannedPass
from audacitorch.trial.process import Ending, Worker
from audacitorch.trial.progress import Seen
from audacitorch.trial.protocol import (
    Begin,
    Block,
    Done,
    Event,
    LeftOut,
    Loaded,
    LoadFailed,
    Measured,
    Operators,
    OutOfTime,
    Passed,
    Ready,
    TrialUnavailable,
    Walls,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audacitorch.trial.starters import WorkerStarter

_DEBUG_SUFFIX = ".debug_pkl"
_LONGEST_NATIVE_MESSAGE = 4000
#: Shorter passes, in samples of the track, tell nothing about a model's speed.
_LONG_ENOUGH = 65536

Kind = TypeVar("Kind", bound=Event)


class TrialSession:
    """A worker that is importing torch, and the scratch folder that it has. A context manager."""

    def __init__(self, start_worker: WorkerStarter, model: Path) -> None:
        """Start the worker.

        Raises:
            TrialUnavailable: it can't be started here.
        """
        self._start_worker = start_worker
        self._stack = ExitStack()
        with ExitStack() as on_failure:
            on_failure.push(self._stack)
            self._scratch = self._stack.enter_context(scratch_folder())
            self._worker = self._stack.enter_context(start_worker(self._scratch, str(model)))
            on_failure.pop_all()

    def __enter__(self) -> TrialSession:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, plan: Plan, meanwhile: Callable[[], None] = lambda: None, seen: Seen = lambda event: None) -> Trial:
        """Run the plan's passes; where 1.9.0 could not build an error's text, find it in another way.

        ``meanwhile`` is called once, when the worker has its plan, and ``seen`` with each event.

        Raises:
            TrialUnavailable: nothing can be said about the model, for a reason that is not the model's.
        """
        try:
            trial = run_trial(self._worker, plan, meanwhile, seen)
        except WorkerLost:
            self._worker = self._stack.enter_context(self._start_worker(self._scratch, plan.model))
            trial = run_trial(self._worker, plan, seen=seen)
        hidden = [done for done in trial.passes if _is_hidden(done.failure)]
        if trial.ended == SIGNAL:
            return replace(trial, hidden_error=_message(self._without_debug(plan, trial.unfinished)))
        if not hidden and not _is_hidden(trial.load_failure):
            return trial
        shown = self._without_debug(plan, hidden[0] if hidden else None)
        if shown is None:
            return trial
        passes = tuple(replace(done, failure=shown) if done in hidden else done for done in trial.passes)
        return replace(trial, passes=passes, load_failure=trial.load_failure and shown)

    def hear(self, block: NDArray[Any], start: int, rate: int, seconds: float) -> Optional[Block]:
        """What the model makes of a block (samples, channels), after a plan that ``listens``.

        ``start`` is the block's first sample in its track of ``rate`` Hz. None where nothing came within ``seconds``,
        or the worker is gone.
        """
        self._worker.send_block(block.T.copy(), start / rate, rate, seconds)
        with suppress(OutOfTime, TrialUnavailable):
            return next((event for event in self._worker.events() if isinstance(event, Block)), None)
        return None

    def _without_debug(self, plan: Plan, step: Optional[Pass]) -> Optional[Failure]:
        """The failure behind an abort or a hidden text: the same step with a copy that has no debug members."""
        copy = Path(self._scratch, "without-debug.pt")
        if not copy_without_debug(Path(plan.model), copy):
            return None
        again = replace(plan, model=str(copy), task="load", listens=False)
        if step is not None:
            planned = PlannedPass(step.purpose, step.signal, step.track_samples, step.track_channels)
            again = replace(again, task="trial", passes=(planned,))
        try:
            with scratch_folder(self._scratch) as scratch, self._start_worker(scratch, str(copy)) as worker:
                second = run_trial(worker, again)
        except TrialUnavailable:
            return None  # what the first run showed stands without it
        failures = [second.load_failure, *(done.failure for done in second.passes)]
        return next((failure for failure in failures if failure is not None), None)


def _is_hidden(failure: Optional[Failure]) -> bool:
    """Whether 1.9.0 failed to build an error's text: it can't read the debug members of a newer PyTorch."""
    return failure is not None and "isTuple()INTERNAL ASSERT FAILED" in failure.message


def _message(failure: Optional[Failure]) -> Optional[str]:
    return None if failure is None else failure.message


def scratch_folder(parent: Optional[str] = None) -> tempfile.TemporaryDirectory[str]:
    """A temporary folder for a worker.

    Raises:
        TrialUnavailable: there is no place for one.
    """
    try:
        return tempfile.TemporaryDirectory(prefix="audacitorch-", dir=parent)
    except OSError as error:
        raise TrialUnavailable(f"No temporary folder can be made: {error.strerror or error}.") from error


def run_trial(
    worker: Worker,
    plan: Plan,
    meanwhile: Callable[[], None] = lambda: None,
    seen: Seen = lambda event: None,
) -> Trial:
    """Give a started worker its plan, do something else ``meanwhile``, and observe it to its end.

    Raises:
        TrialUnavailable: the model was not run, or not in Torch 1.9.0; nothing can be said about it.
    """
    worker.begin(plan)
    meanwhile()
    events: Dict[Type[Event], List[Event]] = {}
    start = time.monotonic()
    try:
        for event in worker.events():
            events.setdefault(type(event), []).append(event)
            seen(event)
            if isinstance(event, Walls):
                start = time.monotonic()
            elif isinstance(event, Done) and plan.listens:
                break
    except OutOfTime:
        if Walls not in events:
            raise TrialUnavailable("The worker did not start in time: is the machine overloaded?") from None
    if Walls not in events:
        raise TrialUnavailable(f"The worker did not start: {worker.last_words()}.")
    return _fold(events, plan, worker, time.monotonic() - start)


def _fold(seen: Mapping[Type[Event], List[Event]], plan: Plan, worker: Worker, seconds: float) -> Trial:
    """One value out of everything that was seen, in whatever way the worker ended."""

    def all_of(kind: Type[Kind]) -> List[Kind]:
        return [event for event in seen.get(kind, []) if isinstance(event, kind)]

    ready, walls, loaded, load_failed = all_of(Ready), all_of(Walls), all_of(Loaded), all_of(LoadFailed)
    passes, begun = [event.done for event in all_of(Passed)], all_of(Begin)
    failure = load_failed[0].failure if load_failed else None
    operators = all_of(Operators)
    fastest, slowest = _realtime_factors(passes, plan.sample_rate)
    if operators and operators[0].hidden:
        ending = Ending(REFUSED, reason="Torch compiled operators that the archive's code does not show")
    elif failure is not None:
        ending = Ending(MEMORY if failure.memory else EXCEPTION)
    else:
        ending = Ending(FINISHED) if Done in seen else worker.ending()
    peaks = [event.peak_memory_bytes for event in walls]
    peaks += [event.peak_memory_bytes for event in loaded] + [event.peak_memory_bytes for event in all_of(Done)]
    return Trial(
        ended=ending.kind,
        stage="forward" if loaded else "load",
        signal=ending.signal,
        reason=ending.reason,
        sandbox={**ready[0].sandbox, **walls[0].sandbox},
        torch=ready[0].torch,
        load_seconds=loaded[0].seconds if loaded else None,
        load_failure=failure,
        native_message=native_message(worker.stderr) if ending.kind in (SIGNAL, MEMORY) else "",
        passes=tuple(passes),
        unfinished=begun[-1].input if len(begun) > len(passes) else None,
        left_out=tuple(f"{event.what} ({event.why})" for event in all_of(LeftOut)),
        operators=operators[0].calls if operators else None,
        hidden_operators=operators[0].hidden if operators else (),
        realtime_factor=fastest,
        realtime_factor_slowest=slowest,
        peak_memory_bytes=peaks[-1] if Done in seen else max(worker.peak_memory_bytes or 0, peaks[-1]),
        seconds=seconds,
        **_measured(all_of(Measured)),
    )


def _measured(events: List[Measured]) -> Dict[str, Any]:
    """The trial's fields that comparing passes gave."""
    return {
        field.name: value
        for event in events
        for field in fields(event)
        for value in [getattr(event, field.name)]
        if value is not None
    }


def _realtime_factors(passes: List[Pass], sample_rate: int) -> Tuple[Optional[float], Optional[float]]:
    """Seconds of computing for a second of audio: of the fastest and the slowest long pass.

    Where none is long, of those that are not short: a block of one sample tells nothing about speed. The first pass is
    left out, in which the JIT profiles.
    """
    timed = [p for p in passes if p.output is not None and p.seconds is not None and not p.first and p.samples]
    long = [p for p in timed if p.track_samples >= _LONG_ENOUGH]
    timed = long or [p for p in timed if p.track_samples >= SHORT_BLOCK]
    factors = [(p.seconds or 0.0) * sample_rate / p.samples for p in timed]
    return (min(factors), max(factors)) if factors else (None, None)


def native_message(stderr: str) -> str:
    """What the process wrote when it ended, without the stack of C++ frames."""
    kept = [line for line in stderr.splitlines() if not re.match(r"frame #\d+:|<omitting", line)]
    return "\n".join(kept).strip()[:_LONGEST_NATIVE_MESSAGE]


def copy_without_debug(model: Path, copy: Path) -> bool:
    """Copy an archive without its ``.debug_pkl`` members; False where it has none or can't be copied."""
    from audacitorch.archive.layout import NotAZip, copy_without
    from audacitorch.archive.members import MemberError

    try:
        size = model.stat().st_size
        with model.open("rb") as source, copy.open("wb") as target:
            removed = copy_without(source, size, target, lambda name: name.lower().endswith(_DEBUG_SUFFIX))
    except (OSError, NotAZip, MemberError):
        return False
    return removed > 0
