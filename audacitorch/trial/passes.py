"""The passes of a trial, inside the worker: what to run next, what it may cost, what came out."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Dict, List, Optional, Tuple

import torch
from torch import Tensor

from audacitorch.trial import measure
from audacitorch.trial.forward import Signals, prepare
from audacitorch.trial.observations import Pass
from audacitorch.trial.plan import Plan, PlannedPass
from audacitorch.trial.protocol import Begin, EventWriter, LeftOut, Measured, Passed, describe_failure

#: No pass starts that is expected to end after this part of the budget; the rest is for what estimates miss.
_BUDGET_SHARE = 0.9
#: When so many different lengths have all failed, the rest would too.
_HOPELESS_AFTER = 3
#: Stands for the output of a pass that raised; a model may return anything else, None too.
_FAILED = object()


class Passes:
    """Runs a plan's passes on one model, within the plan's budget.

    What later passes need of earlier ones is kept here: which lengths work, how fast the model is, the outputs that
    repeats and seams are compared with.
    """

    def __init__(self, model: Any, plan: Plan, events: EventWriter, started: float) -> None:
        self._model = model
        self._plan = plan
        self._events = events
        self._deadline = started + plan.seconds * _BUDGET_SHARE
        longest = max((planned.samples for planned in plan.passes), default=1)
        self._signals = Signals(longest, plan.track_rate, plan.seed)
        self._works: Dict[int, bool] = {}
        self._working_blocks: List[int] = []
        self._cost: Tuple[int, float] = (0, 0.0)
        self._first: Any = _FAILED
        self._whole: Optional[Tuple[Tensor, Any]] = None
        self._seam_samples = {planned.samples for planned in plan.passes if planned.purpose == "seam"}

    def run(self) -> None:
        """Run every pass that can tell something and that the budget allows, then search the shortest input."""
        for planned in self._plan.passes:
            if len(self._works) >= _HOPELESS_AFTER and not any(self._works.values()):
                self._events.emit(LeftOut(_name(planned), "no block of any length worked so far"))
            elif planned.purpose == "seam":
                self._run_seam(planned)
            elif self._affordable(planned.samples, _name(planned)):
                self._run_planned(planned)
        self._search_minimum()

    def _run_planned(self, planned: PlannedPass) -> None:
        samples = planned.samples
        if planned.purpose in ("signal", "stereo"):
            samples = min((block for block in self._working_blocks if block >= samples), default=samples)
        block = prepare(self._plan, self._signals.block(planned.signal, planned.channels, samples))
        output = self._forward(planned, block, samples)
        if planned.signal == "noise" and planned.channels == 1:
            self._remember(planned, block, output)

    def _remember(self, planned: PlannedPass, block: Tensor, output: Any) -> None:
        """Keep what later passes need of a mono noise pass."""
        samples, works = planned.samples, output is not _FAILED
        self._works[block.shape[1]] = works
        if works:
            self._working_blocks.append(samples)
        if planned.purpose == "first":
            self._first = output
        elif planned.purpose == "repeat":
            if works and self._first is not _FAILED:
                self._events.emit(Measured(repeat_difference_db=measure.difference_db(self._first, output)))
            self._first = _FAILED
        elif works and samples in self._seam_samples:
            self._whole = (block, output)

    def _run_seam(self, planned: PlannedPass) -> None:
        """Run the two halves of the block that was run whole, as two blocks of a clip would be."""
        if self._whole is None or not self._affordable(planned.samples, _name(planned)):
            return
        block, whole = self._whole
        self._whole = None
        border = block.shape[1] // 2
        parts = (block[:, :border].contiguous(), block[:, border:].contiguous())
        halves = [self._forward(planned, half, planned.samples // 2) for half in parts]
        if not any(half is _FAILED for half in halves):
            across = measure.labels_across(whole, border / self._plan.sample_rate)
            self._events.emit(Measured(seam_db=measure.seam_db(whole, halves), seam_labels=across))

    def _search_minimum(self) -> None:
        """Find the shortest input that works, in samples at the model's rate, by bisection between known lengths."""
        working = [samples for samples, works in self._works.items() if works]
        if not working:
            return
        good = min(working)
        bad = max((samples for samples, works in self._works.items() if not works and samples < good), default=0)
        while good - bad > 1:
            middle = 1 if bad == 0 else (bad + good) // 2
            if not self._affordable(middle, "the search for the shortest input"):
                return
            block = self._signals.block("noise", 1, middle)
            search = PlannedPass("search", "noise", middle)
            if self._forward(search, block, middle) is _FAILED:
                bad = middle
            else:
                good = middle
        self._events.emit(Measured(minimum_samples=good))

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
        start = time.perf_counter()
        try:
            with torch.no_grad():
                output = self._model(own)
            seconds = time.perf_counter() - start
            # Reading the result can fail as well: an expanded tensor asks for its memory only now.
            described = measure.describe_output(output, block.shape[1], self._plan.sample_rate)
        except Exception as error:
            failure = describe_failure(error)
            self._events.emit(Passed(replace(begun, seconds=time.perf_counter() - start, failure=failure)))
            return _FAILED
        if not begun.first:
            self._cost = max(self._cost, (block.shape[1], seconds))
        self._events.emit(Passed(replace(begun, seconds=seconds, output=described)))
        return output

    def _affordable(self, samples: int, what: str) -> bool:
        """Whether a block of so many samples fits into what is left; says what is left out where it does not."""
        known, seconds = self._cost
        expected = seconds * max(1.0, samples / known) if known else 0.0
        if time.perf_counter() + expected <= self._deadline:
            return True
        self._events.emit(LeftOut(what, f"the time limit of {self._plan.seconds:g} s"))
        return False


def _name(planned: PlannedPass) -> str:
    return f"{planned.purpose}: {planned.signal}, {planned.samples} samples, {planned.channels} channel(s)"
