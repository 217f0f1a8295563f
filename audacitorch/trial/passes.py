"""The passes of a trial, inside the worker: what to run next, what it may cost, what came out."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Callable, Dict, List, Optional, Tuple

import torch
from torch import Tensor

from audacitorch.trial import measure
from audacitorch.trial.compiled import State, follows_input
from audacitorch.trial.forward import Signals, prepare
from audacitorch.trial.lengths import Hints, Lengths
from audacitorch.trial.observations import LENGTH_SEARCH, Pass
from audacitorch.trial.plan import ODD_BLOCKS, SHORT_BLOCK, WHOLE_BLOCK, Plan, PlannedPass
from audacitorch.trial.protocol import Begin, EventWriter, LeftOut, Measured, Passed, describe_failure

#: No pass starts that is expected to end after this part of the budget; the rest is for what estimates miss.
_BUDGET_SHARE = 0.9
#: When all lengths up to a block of so many samples have failed, the rest would too.
_HOPELESS_FROM = 65536
#: The passes of a slow model together take at most this many times one whole block; slow is what takes so long for it.
_WHOLE_BLOCKS = 4.25
_SLOW_SECONDS = 0.5
#: A slow model's seam is heard on a block of so many samples at the model's rate, not on the whole one.
_SLOW_SEAM = 32768
#: Blocks of at least this many samples tell the latency.
_LONG_ENOUGH = 32768
#: Passes of one length after which memory must still grow to be said to grow: the first ones fill caches.
_SETTLED_AFTER = 2
#: Stands for the output of a pass that raised; a model may return anything else, None too.
_FAILED = object()


class Passes:
    """Runs a plan's passes on one model, within the plan's budget.

    What later passes need of earlier ones is kept here: which lengths work, how fast the model is, the outputs that
    repeats, seams and signals are compared with.
    """

    def __init__(
        self, model: Any, unit: Any, plan: Plan, events: EventWriter, started: float, memory: Callable[[], int]
    ) -> None:
        self._model = model
        self._plan = plan
        self._events = events
        self._started = started
        self._memory = memory
        self._limit = f"the time limit of {plan.seconds:g} s"
        self._deadline = started + plan.seconds * _BUDGET_SHARE
        longest = max((planned.samples for planned in plan.passes), default=1)
        self._hopeless_from = min(_HOPELESS_FROM, longest) * plan.sample_rate / plan.track_rate
        self._signals = Signals(longest, plan.track_rate, plan.seed)
        self._hints = Hints()
        self._lengths = {channels: Lengths(self._hints) for channels in (1, 2)}
        self._working_blocks: List[int] = []
        self._cost: Tuple[int, float] = (0, 0.0)
        self._first: Any = _FAILED
        self._answers: Dict[str, Any] = {}
        self._whole: Optional[Tuple[Tensor, Any]] = None
        self._slow = False
        #: What the last pass took of the processor: on a busy machine a fast model takes long as well.
        self._processor_seconds = 0.0
        self._seam_samples = {planned.samples for planned in plan.passes if planned.purpose == "seam"}
        self._state = State(model, unit)
        self._held: List[int] = []

    def run(self) -> None:
        """Run every pass that can tell something and that the budget allows, then compare and search."""
        put_off = [planned for planned in self._plan.passes if not self._run(planned)]
        for planned in put_off:
            self._run(planned, last=True)
        self._compare_answers()
        self._compare_state()
        channels = 2 if self._lengths[2].any_returned and not self._lengths[1].any_returned else 1
        found = self._lengths[channels].search(lambda samples: self._try_length(channels, samples))
        if found != Measured():
            self._events.emit(found)

    def _run(self, planned: PlannedPass, last: bool = False) -> bool:
        """Run one planned pass if that makes sense; False where it should wait until some block has worked."""
        channels = planned.channels if self._plan.multichannel else 1
        lengths = self._lengths[channels]
        if lengths.longest >= self._hopeless_from and not lengths.any_returned:
            self._events.emit(LeftOut(_name(planned), "no block of any length worked so far"))
        elif planned.purpose == "seam":
            self._run_seam(planned)
        elif self._slow and planned.samples == ODD_BLOCKS[1]:
            self._events.emit(LeftOut(_name(planned), f"the model is slow, and {ODD_BLOCKS[0]:,} samples were tried"))
        elif planned.purpose == "signal" and not self._working_blocks and not last:
            return False
        else:
            self._run_planned(planned)
        return True

    def _run_planned(self, planned: PlannedPass) -> None:
        samples = planned.samples
        if planned.purpose == "signal":
            samples = min((block for block in self._working_blocks if block >= samples), default=samples)
        if not self._affordable(samples, _name(planned)):
            return
        block = prepare(self._plan, self._signals.block(planned.signal, planned.channels, samples))
        output = self._forward(planned, block, samples)
        if planned.signal == "noise" and planned.channels == 1:
            self._remember(planned, block, output)
        comparable = planned.purpose in ("first", "repeat", "signal") and samples == SHORT_BLOCK
        if comparable and output is not _FAILED and block.shape[0] == 1:
            self._answers[planned.signal] = output
            self._held.append(self._state.held_bytes())

    def _remember(self, planned: PlannedPass, block: Tensor, output: Any) -> None:
        """Keep what later passes need of a mono noise pass."""
        samples, works = planned.samples, output is not _FAILED
        if works:
            self._working_blocks.append(samples)
        if planned.purpose == "first":
            self._first = output
        elif planned.purpose == "repeat":
            if works and self._first is not _FAILED:
                self._measure(lambda: Measured(repeat_difference_db=measure.difference_db(self._first, output)))
            self._first = _FAILED
        elif works and samples in self._seam_samples:
            self._whole = (block, output)
            self._bound_total(samples)
            if block.shape[1] >= _LONG_ENOUGH:
                self._measure(lambda: Measured(latency_samples=measure.latency_samples(block, output)))

    def _bound_total(self, samples: int) -> None:
        """A slow model's trial ends after a few times what its whole block took."""
        seconds = self._cost[1]
        self._slow = samples == WHOLE_BLOCK and min(seconds, self._processor_seconds) > _SLOW_SECONDS
        bound = self._started + seconds * _WHOLE_BLOCKS
        if self._slow and bound < self._deadline:
            self._deadline, self._limit = bound, f"a trial takes at most {_WHOLE_BLOCKS:g} times one whole block"

    def _run_seam(self, planned: PlannedPass) -> None:
        """Run the two parts of a block that was run in one, as two blocks of a clip would be; both odd in length.

        That block is the whole one; for a slow model it is a shorter one, which costs a quarter of it.
        """
        if self._whole is None or not self._affordable(planned.samples // (4 if self._slow else 1), _name(planned)):
            return
        block, whole = self._whole
        self._whole = None
        track_samples = planned.samples
        if self._slow and block.shape[1] > _SLOW_SEAM:
            track_samples = track_samples * _SLOW_SEAM // block.shape[1]
            block = block[:, :_SLOW_SEAM].contiguous()
            whole = self._forward(planned, block, track_samples)
            why = f"the model is slow, and blocks of {_SLOW_SEAM:,} samples were compared"
            self._events.emit(LeftOut(_name(planned), why))
        border = (block.shape[1] // 2) | 1
        parts = (block[:, :border].contiguous(), block[:, border:].contiguous())
        halves = [self._forward(planned, part, track_samples // 2) for part in parts]
        if not any(output is _FAILED for output in (whole, *halves)):
            self._measure(
                lambda: Measured(
                    seam_db=measure.seam_db(whole, halves),
                    seam_labels=measure.labels_across(whole, border / self._plan.sample_rate),
                )
            )

    def _compare_answers(self) -> None:
        """Whether noise, silence, a tone and an impulse all gave the same."""
        first, *others = self._answers.values() if len(self._answers) >= 3 else (_FAILED,)
        if others and measure.says_something(first) and all(measure.same(first, other) for other in others):
            sure = measure.is_certain(first) or not follows_input(self._model)
            self._events.emit(Measured(ignores_input=sure))

    def _compare_state(self) -> None:
        held = self._held[_SETTLED_AFTER:]
        growth = [later - earlier for earlier, later in zip(held, held[1:])]
        if len(growth) >= 2 and min(growth) > 0:
            self._events.emit(Measured(kept_bytes=sum(growth) // len(growth)))

    def _try_length(self, channels: int, samples: int) -> bool:
        """Run a block of another length; False where there is no time for it."""
        if not self._affordable(samples, LENGTH_SEARCH):
            return False
        block = self._signals.block("noise", channels, samples)
        self._forward(PlannedPass("search", "noise", samples, channels), block, samples)
        return True

    def _forward(self, planned: PlannedPass, block: Tensor, track_samples: int) -> Any:
        """One forward pass, announced before and described after; ``_FAILED`` where it raised."""
        begun = Pass(
            purpose=planned.purpose,
            signal=planned.signal,
            channels=block.shape[0],
            samples=block.shape[1],
            track_samples=track_samples,
            track_channels=planned.channels,
            input_peak=block.abs().max().item(),
            first=planned.purpose == "first",
        )
        self._events.emit(Begin(begun))
        own = block.clone()  # a model may work in place, and the block is needed again
        torch.default_generator.manual_seed(self._plan.seed)  # what a model draws at random is not what it remembers
        output, done = self._called(own, begun)
        if planned.signal == "noise":
            self._lengths[block.shape[0]].note(done)
        if done.failure is None and not begun.first:
            self._cost = max(self._cost, (block.shape[1], done.seconds or 0.0))
        if done.failure is not None:
            self._hints.read(done.failure.message)
        self._events.emit(Passed(replace(done, memory_bytes=self._memory() or None)))
        return output

    def _called(self, block: Tensor, begun: Pass) -> Tuple[Any, Pass]:
        start, processor = time.perf_counter(), time.process_time()
        try:
            with torch.no_grad():
                output = self._model(block)
            seconds, self._processor_seconds = time.perf_counter() - start, time.process_time() - processor
            # Reading the result can fail as well: an expanded tensor asks for its memory only now.
            described = measure.describe_output(output, block.shape[1], self._plan.sample_rate)
        except Exception as error:
            return _FAILED, replace(begun, seconds=time.perf_counter() - start, failure=describe_failure(error))
        return output, replace(begun, seconds=seconds, output=described)

    def _measure(self, compare: Callable[[], Measured]) -> None:
        """Emit a comparison; where there is no memory left for it, the model's passes stand without it."""
        try:
            self._events.emit(compare())
        except (MemoryError, RuntimeError) as error:
            self._events.emit(LeftOut("a comparison of outputs", describe_failure(error).message.splitlines()[0]))

    def _affordable(self, samples: int, what: str) -> bool:
        """Whether a block of so many samples fits into what is left; says what is left out where it does not."""
        known, seconds = self._cost
        expected = seconds * max(1.0, samples / known) if known else 0.0
        if time.perf_counter() + expected <= self._deadline:
            return True
        self._events.emit(LeftOut(what, self._limit))
        return False


def _name(planned: PlannedPass) -> str:
    return f"{planned.purpose}: {planned.signal}, {planned.samples} samples, {planned.channels} channel(s)"
