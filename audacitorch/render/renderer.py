"""What Audacity would make of an audio file: tracks as WAV files, labels as a label track.

The audio goes through the sandboxed worker block by block, so that neither a long file nor a stranger's model is ever
whole in this process.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, List, Mapping, Optional, Tuple, Type

from audacitorch.errors import AudacitorchError
from audacitorch.hosts import ANALYZER, DEFAULT_HOST, Host
from audacitorch.hosts.tracks import cut_blocks
from audacitorch.render.writers import EffectTracks, LabelTrack
from audacitorch.trial.observations import Failure
from audacitorch.trial.plan import DEFAULT_MEMORY_BYTES, DEFAULT_TIMEOUT_SECONDS, Plan
from audacitorch.trial.process import Worker
from audacitorch.trial.protocol import Block, Event, Loaded, LoadFailed, OutOfTime

if TYPE_CHECKING:
    import soundfile
    from numpy.typing import NDArray


class AudioError(AudacitorchError):
    """An audio file that can't be read, that is no track of Audacity's, or whose results have no place to go."""

    exit_status = 2


@dataclass
class Rendering:
    """What came of one audio file: the files that were written, and what went wrong in which block."""

    written: List[Path] = field(default_factory=list)
    failures: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class Renderer:
    """Renders audio files with one model. ``metadata`` are the fields of a metadata.json that passed its rules."""

    model: Path
    metadata: Mapping[str, Any]
    host: Host = DEFAULT_HOST
    seconds: float = DEFAULT_TIMEOUT_SECONDS
    memory_bytes: int = DEFAULT_MEMORY_BYTES

    def render(self, worker: Worker, audio: Path, folder: Path, name: Optional[str] = None) -> Rendering:
        """Send an audio file through a started worker, and write what comes of it into ``folder``.

        ``name`` is the track's, by default that of the file. ``seconds`` is the limit for each block. A block that
        raises becomes silence, as in Audacity.

        Raises:
            AudioError: the file can't be read, or has more than two channels; or ``folder`` can't be made.
            TrialUnavailable: the worker failed for a reason that is not the model's.
        """
        with ExitStack() as stack:
            source = stack.enter_context(_opened(audio))
            answers = _Answers(worker, self._plan(source.samplerate), self.seconds)
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise AudioError(f"{folder} can't be made the folder for results: {error.strerror}") from error
            analyzer = self.metadata["effect_type"] == ANALYZER
            kind = LabelTrack if analyzer else EffectTracks
            result = kind(self.metadata, self.host, folder, name or audio.stem, source.samplerate)
            stack.callback(result.close)
            rendering = Rendering()
            for start, next_start, block in _blocks(source):
                answer = answers.ask(block)
                failed = None if answer.failure is None else answer.failure.message
                problem = failed or result.add(answer, start, next_start, len(block))
                if problem:
                    seconds = start / source.samplerate
                    rendering.failures.append(f"the block at {seconds:.2f} s ({len(block):,} samples): {problem}")
                    result.add_silence(start, next_start, len(block))
                if answers.ended:
                    break
        rendering.written = result.written
        return rendering

    def _plan(self, track_rate: int) -> Plan:
        return Plan(
            model=str(self.model),
            effect_type=self.metadata["effect_type"],
            sample_rate=self.metadata["sample_rate"],
            multichannel=self.metadata["multichannel"],
            task="render",
            host=self.host.name,
            track_rate=track_rate,
            seconds=self.seconds,
            memory_bytes=self.memory_bytes,
        )


class _Answers:
    """The worker's side of the conversation: a block goes out, an event comes back."""

    def __init__(self, worker: Worker, plan: Plan, seconds: float) -> None:
        self._worker = worker
        self._seconds = seconds
        self.ended = False
        worker.begin(plan)
        self._events = worker.events()
        self._load_failure: Optional[Block] = None
        answer = self._wait_for(Loaded, LoadFailed)
        if isinstance(answer, LoadFailed):
            self._load_failure = Block(0.0, failure=answer.failure)
        elif isinstance(answer, Block):
            self._load_failure = answer

    def ask(self, block: NDArray[Any]) -> Block:
        """Send one block, (samples, channels), and return what became of it."""
        if self._load_failure is not None:
            self.ended = True
            return self._load_failure
        self._worker.send_block(block.shape[1], block.shape[0], block.T.tobytes(), self._seconds)
        answer = self._wait_for(Block)
        assert isinstance(answer, Block)
        return answer

    def _wait_for(self, *wanted: Type[Event]) -> Event:
        """The next event of a kind that is wanted, or a failed block where the worker ended before."""
        with suppress(OutOfTime):
            for event in self._events:
                if isinstance(event, wanted):
                    return event
        self.ended = True
        ending = self._worker.ending()
        message = ending.reason or f"the process was ended by {ending.signal}"
        return Block(0.0, failure=Failure(ending.kind, message))


def _opened(audio: Path) -> soundfile.SoundFile:
    import soundfile

    try:
        with audio.open("rb"):  # whose error says more than libsndfile's "System error."
            pass
        file = soundfile.SoundFile(os.fsencode(audio))  # a name need not be UTF-8
    except (OSError, soundfile.SoundFileError, ValueError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "error_string", None) or error
        raise AudioError(f"{audio} can't be read as audio: {reason}") from error
    if file.channels > 2:
        file.close()
        raise AudioError(f"{audio} has {file.channels} channels: Audacity's tracks are mono or stereo")
    return file


def _blocks(source: soundfile.SoundFile) -> Iterator[Tuple[int, Optional[int], NDArray[Any]]]:
    """The clip's blocks: start, the next block's start (None for the last) and float32 (samples, channels)."""
    start = 0
    for length in cut_blocks(source.frames, 2 if source.subtype == "PCM_16" else 4):
        block = source.read(length, dtype="float32", always_2d=True)
        end = start + length
        yield start, end if end < source.frames else None, block
        start = end
