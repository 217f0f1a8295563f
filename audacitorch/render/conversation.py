"""The parent's half of `run`: blocks of real audio to a worker, and what became of them back."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional, Type

from audacitorch.trial.observations import Failure
from audacitorch.trial.plan import Plan
from audacitorch.trial.process import START_SECONDS, Worker
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
    """A worker with the model loaded: blocks go out, an answer to each comes back. Started anew after it has ended.

    A second block may be sent before the answer to the first is there, so that the worker never waits.
    """

    def __init__(self, start_worker: WorkerStarter, plan: Plan) -> None:
        self._start_worker, self._plan = start_worker, plan
        self._stack = ExitStack()
        self._worker: Optional[Worker] = None
        self._loaded = False
        self._failure: Optional[Block] = None
        self._track = 0
        self._unanswered = 0
        self._sent: Optional[NDArray[Any]] = None

    def close(self) -> None:
        """End the worker."""
        self._worker, self._loaded, self._unanswered = None, False, 0
        self._stack.close()

    def begin(self) -> None:
        """Give a worker the plan, so that it loads the model while other things are done.

        Raises:
            TrialUnavailable: there can't be a worker, for a reason that is not the model's.
        """
        if self._worker is not None or self._failure is not None:
            return
        with ExitStack() as on_failure:
            on_failure.callback(self.close)
            scratch = self._stack.enter_context(scratch_folder())
            self._worker = self._stack.enter_context(self._start_worker(scratch, self._plan.model))
            self._worker.begin(self._plan)
            on_failure.pop_all()

    def begin_track(self) -> None:
        """Blocks of another track follow; what was not yet answered of the last one is of no interest."""
        while self._unanswered:
            self.receive()
        self._track += 1

    def ask(self, block: NDArray[Any], start: int, rate: int) -> None:
        """Send one block, (samples, channels), that begins at sample ``start`` of a track of ``rate`` Hz."""
        self.begin()
        self._await_model()
        if self._worker is not None:
            with suppress(OutOfTime):  # receive tells
                self._worker.flush()
                self._worker.send_block(self._kept(block), start / rate, rate, self._plan.seconds, self._track)
            self._unanswered += 1

    def receive(self) -> Block:
        """What became of the first block that was sent and not answered yet."""
        answer = self._failure or self._wait_for(Block)
        assert isinstance(answer, Block)
        if self._worker is not None:
            self._unanswered -= 1
            self._worker.deadline = time.monotonic() + self._plan.seconds
            with suppress(OutOfTime):
                self._worker.flush()
        return answer

    def _kept(self, block: NDArray[Any]) -> NDArray[Any]:
        """The block channel by channel, in memory that does not change before the next one is sent."""
        import numpy as np

        if self._sent is None or self._sent.size < block.size:
            self._sent = np.empty(block.size, np.float32)
        kept = self._sent[: block.size].reshape(block.shape[::-1])
        np.copyto(kept, block.T)
        return kept

    def _await_model(self) -> None:
        """Wait until the model is loaded."""
        if self._worker is None or self._loaded:
            return
        self._worker.deadline = time.monotonic() + START_SECONDS  # it may have waited long for its first block
        self._events = self._worker.events()
        answer = self._wait_for(Loaded, LoadFailed)
        self._loaded = isinstance(answer, Loaded)
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
