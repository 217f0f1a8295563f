"""How far a trial has come, in words, out of its worker's events: which pass runs, and how long the rest may take."""

from __future__ import annotations

import time
from typing import Callable, Optional, Tuple

from audacitorch.trial.plan import Plan
from audacitorch.trial.protocol import Begin, Event, Loaded, Passed, Walls

#: Told each event of a trial.
Seen = Callable[[Event], None]
#: Called when a trial begins; gives what is told its events.
Watch = Callable[[Plan], Seen]


class PassProgress:
    """One trial's progress. A plan's passes are counted; the search for lengths that follows them is named."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._begun = 0
        self._ends = time.monotonic() + plan.seconds
        #: Of the longest pass so far: samples of the track, and seconds.
        self._cost: Tuple[int, float] = (0, 0.0)

    def text(self, event: Event) -> Optional[str]:
        """What to show from this event on; None where nothing changes."""
        if isinstance(event, Walls):
            self._ends = time.monotonic() + self._plan.seconds
            return "Loading the model"
        if isinstance(event, Loaded):
            return "Looking at what Torch compiled"
        if isinstance(event, Passed) and event.done.seconds is not None and not event.done.first:
            self._cost = max(self._cost, (event.done.track_samples, event.done.seconds))
        if not isinstance(event, Begin):
            return None
        self._begun += 1
        total = len(self._plan.passes) + sum(planned.purpose == "seam" for planned in self._plan.passes)  # in two parts
        if event.input.purpose == "search":
            return f"Searching for lengths that work: {event.input.samples:,} samples"
        of = f"pass {min(self._begun, total)} of {total}, {event.input.track_samples:,} samples"
        return f"Running the model: {of}, up to {self._seconds_left():.0f} s left"

    def _seconds_left(self) -> float:
        """For this pass and all that are left, at the speed of the longest so far; within the time limit."""
        samples, seconds = self._cost
        limit = max(self._ends - time.monotonic(), 0.0)
        if not samples:
            return limit
        left = sum(planned.samples for planned in self._plan.passes[max(self._begun - 1, 0) :])
        return min(limit, left * seconds / samples)
