"""The parent's half of `run`: blocks of real audio to a worker, and what became of them back."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional, Type

from audacitorch.trial.observations import Failure
from audacitorch.trial.plan import Plan
from audacitorch.trial.process import Worker
from audacitorch.trial.protocol import Block, Event, Loaded, LoadFailed, OutOfTime, TrialUnavailable
from audacitorch.trial.session import scratch_folder
from audacitorch.trial.starters import WorkerStarter

if TYPE_CHECKING:
    from numpy.typing import NDArray


def started_early(start_worker: WorkerStarter, model: Path, stack: ExitStack) -> WorkerStarter:
    """A starter whose first worker is started now and imports Torch meanwhile; ``stack`` ends it.

    Where it can't be started, the error comes when a worker is asked for.
    """
    ready: List[Worker] = []
    with suppress(TrialUnavailable):
        scratch = stack.enter_context(scratch_folder())
        ready.append(stack.enter_context(start_worker(scratch, os.path.abspath(model))))

    def start(scratch: str, model: str) -> Worker:
        return ready.pop() if ready else start_worker(scratch, model)

    return start


class Conversation:
    """A worker with the model loaded: a block goes out, an answer comes back. Started anew after it has ended."""

    def __init__(self, start_worker: WorkerStarter, plan: Plan) -> None:
        self._start_worker, self._plan = start_worker, plan
        self._stack = ExitStack()
        self._worker: Optional[Worker] = None
        self._failure: Optional[Block] = None

    def close(self) -> None:
        """End the worker."""
        self._worker = None
        self._stack.close()

    def ask(self, block: NDArray[Any], start: int, rate: int) -> None:
        """Send one block, (samples, channels), that begins at sample ``start`` of a track of ``rate`` Hz."""
        if self._worker is None and self._failure is None:
            self._begin()
        if self._worker is not None:
            samples, channels = block.shape
            self._worker.send_block(channels, samples, block.T.tobytes(), self._plan.seconds, start / rate, rate)

    def receive(self) -> Block:
        """What became of the block that was sent last."""
        answer = self._failure or self._wait_for(Block)
        assert isinstance(answer, Block)
        return answer

    def _begin(self) -> None:
        scratch = self._stack.enter_context(scratch_folder())
        self._worker = self._stack.enter_context(self._start_worker(scratch, self._plan.model))
        self._worker.begin(self._plan)
        self._events = self._worker.events()
        answer = self._wait_for(Loaded, LoadFailed)
        if isinstance(answer, LoadFailed):
            answer = Block(0.0, failure=answer.failure)
        if isinstance(answer, Block):  # and the next load would end like this one
            self._failure = answer
            self.close()

    def _wait_for(self, *wanted: Type[Event]) -> Event:
        """The next event of a kind that is wanted, or a failed block where the worker ended before."""
        assert self._worker is not None
        with suppress(OutOfTime):
            for event in self._events:
                if isinstance(event, wanted):
                    return event
        ending = self._worker.ending()
        self.close()
        message = ending.reason or f"the process was ended by {ending.signal}"
        return Block(0.0, failure=Failure(ending.kind, message))
