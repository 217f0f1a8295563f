"""What happened when a model ran, as one immutable value, and how to tell its passes apart.

The worker sends these values in its events; :mod:`audacitorch.trial.session` folds the events into one
:class:`Trial`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Mapping, Optional, Sequence, Tuple

FINISHED = "finished"
EXCEPTION = "exception"
SIGNAL = "signal"
TIMEOUT = "timeout"
MEMORY = "memory"
REFUSED = "refused"
SKIPPED = "skipped"
#: What a trial calls its search for lengths, where it left that out.
LENGTH_SEARCH = "the search for lengths that work"


@dataclass(frozen=True)
class Failure:
    """An exception, with its whole text; ``memory`` where it was the memory limit that raised it."""

    type: str
    message: str
    memory: bool = False


@dataclass(frozen=True)
class TensorFacts:
    """A tensor's form and its values' range. Statistics are None for an empty tensor, and over finite values only.

    ``silent_tail`` counts the columns at the end of a tensor of two dimensions that hold nothing but zeros.
    """

    dtype: str
    shape: Tuple[int, ...]
    nan: int = 0
    inf: int = 0
    minimum: Optional[float] = None
    maximum: Optional[float] = None
    mean: Optional[float] = None
    rms: Optional[float] = None
    silent_tail: int = 0


@dataclass(frozen=True)
class TimestampFacts:
    """Timestamps of one analyzer pass, in seconds from the start of the block."""

    unordered: int
    negative: int
    beyond_end: int
    latest: Optional[float]
    block_seconds: float


@dataclass(frozen=True)
class Output:
    """What ``forward`` returned. ``kind`` is ``tensor``, ``tuple`` or the name of whatever else it was."""

    kind: str
    tensors: Tuple[TensorFacts, ...] = ()
    timestamps: Optional[TimestampFacts] = None


@dataclass(frozen=True)
class Pass:
    """One forward pass. ``samples`` is what the model saw, ``track_samples`` what the host cut from the track.

    ``memory_bytes`` is what the process held in memory after it, Torch included.
    """

    purpose: str
    signal: str
    channels: int
    samples: int
    track_samples: int
    track_channels: int
    input_peak: float = 0.0
    seconds: Optional[float] = None
    memory_bytes: Optional[int] = None
    first: bool = False
    output: Optional[Output] = None
    failure: Optional[Failure] = None


@dataclass(frozen=True)
class Trial:
    """A trial from load to end.

    Attributes:
        ended: how the worker's process ended, or ``REFUSED``, ``SKIPPED``.
        stage: what it was doing then: ``load`` or ``forward``.
        hidden_error: the message that 1.9.0 could not show because it aborted while building it.
        operators: what Torch compiled, calls by operator name; None where the model did not load.
        hidden_operators: those of them that the archive's reader did not see.
        minimum_samples: the shortest input that works, at the model's rate.
        multiple_samples: inputs must be a multiple of this many samples; None where no such number was found.
        repeat_difference_db: how far two results for the same block are apart; None where they are equal.
        latency_samples: how many samples the output is behind the input, where it is a delayed copy of it.
        kept_bytes: what the model keeps more in its attributes after each pass; None where that does not grow.
        ignores_input: different inputs gave the same output.
        realtime_factor: seconds of work for a second of audio, of the fastest pass over a long block.
        realtime_factor_slowest: the same, of the slowest.
    """

    ended: str
    stage: str = "load"
    signal: Optional[str] = None
    reason: str = ""
    sandbox: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    torch: Optional[str] = None
    load_seconds: Optional[float] = None
    load_failure: Optional[Failure] = None
    hidden_error: Optional[str] = None
    native_message: str = ""
    operators: Optional[Mapping[str, int]] = None
    hidden_operators: Tuple[str, ...] = ()
    passes: Tuple[Pass, ...] = ()
    unfinished: Optional[Pass] = None
    left_out: Tuple[str, ...] = ()
    minimum_samples: Optional[int] = None
    multiple_samples: Optional[int] = None
    repeat_difference_db: Optional[float] = None
    seam_db: Optional[float] = None
    seam_labels: Optional[int] = None
    latency_samples: Optional[int] = None
    kept_bytes: Optional[int] = None
    ignores_input: Optional[bool] = None
    realtime_factor: Optional[float] = None
    realtime_factor_slowest: Optional[float] = None
    peak_memory_bytes: Optional[int] = None
    seconds: Optional[float] = None

    @property
    def not_begun(self) -> bool:
        """Whether nothing was run, not even the load; ``reason`` says why."""
        return self.ended in (REFUSED, SKIPPED) and self.torch is None


def where(done: Pass) -> str:
    """A pass in words: "a block of 2,048 samples (1 channel, noise)"."""
    channels = "1 channel" if done.channels == 1 else f"{done.channels} channels"
    samples = "1 sample" if done.samples == 1 else f"{done.samples:,} samples"
    return f"a block of {samples} ({channels}, {done.signal})"


def failed(done: Pass) -> bool:
    """Whether a pass raised for a reason other than memory, which is a finding of its own."""
    return done.failure is not None and not done.failure.memory


def too_short(trial: Trial, done: Pass) -> bool:
    """Whether a pass was shorter than the shortest input that works."""
    return trial.minimum_samples is not None and done.samples < trial.minimum_samples


def fails_only_on_stereo(trial: Trial, done: Pass) -> bool:
    """Whether a stereo pass failed although mono works: the channels are the reason, not the length."""
    return _fails_by_channels(trial, done, 2)


def fails_only_on_mono(trial: Trial, done: Pass) -> bool:
    """Whether a mono pass failed although stereo works, and mono never does."""
    mono_works = any(other.output is not None and other.channels == 1 for other in trial.passes)
    return not mono_works and _fails_by_channels(trial, done, 1)


def _fails_by_channels(trial: Trial, done: Pass, channels: int) -> bool:
    others_work = any(other.output is not None and other.channels != channels for other in trial.passes)
    return failed(done) and done.channels == channels and others_work and not too_short(trial, done)


def failed_by_itself(trial: Trial, done: Pass) -> bool:
    """Whether a pass failed for none of the reasons that have findings of their own: length, channels, memory."""
    by_channels = fails_only_on_stereo(trial, done) or fails_only_on_mono(trial, done)
    return failed(done) and not too_short(trial, done) and not by_channels


def list_of_places(passes: Sequence[Pass]) -> str:
    """Where passes were made: "a block of 100 samples (1 channel, noise) and 2 other kinds of block"."""
    places = list(dict.fromkeys(where(done) for done in passes))
    others = len(places) - 1
    return places[0] + (f" and {others} other {'kinds' if others > 1 else 'kind'} of block" if others else "")
