"""What Audacity would make of an audio file: tracks as WAV files, labels as a label track.

The audio goes through the sandboxed worker block by block, so that neither a long file nor a stranger's model is ever
whole in this process.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Optional, Tuple

from audacitorch.errors import AudacitorchError
from audacitorch.findings import SPEC
from audacitorch.hosts.tracks import cut_blocks
from audacitorch.render.writers import ANALYZER, EffectTracks, LabelTrack
from audacitorch.trial.link import OutOfTime, TrialUnavailable, Worker
from audacitorch.trial.plan import DEFAULT_MEMORY_BYTES, DEFAULT_TIMEOUT_SECONDS, Plan

if TYPE_CHECKING:
    import soundfile
    from numpy.typing import NDArray

_START_SECONDS = 120.0


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
    host: str = SPEC
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
                answer, payloads = answers.ask(block)
                problem = _problem(answer) or result.add(answer, payloads, start, next_start, len(block))
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
            host=self.host,
            track_rate=track_rate,
            seconds=self.seconds,
            memory_bytes=self.memory_bytes,
        )


class _Answers:
    """The worker's side of the conversation: a block goes out, an event comes back."""

    def __init__(self, worker: Worker, plan: Plan, seconds: float) -> None:
        self._worker = worker
        self._events = worker.events()
        self._seconds = seconds
        self.ended = False
        worker.deadline = time.monotonic() + _START_SECONDS
        worker.begin(plan)
        self._load_failure = self._wait_for("loaded", "load-failed")[0]

    def ask(self, block: NDArray[Any]) -> Tuple[Dict[str, Any], List[bytes]]:
        """Send one block, (samples, channels), and return its event and what came with it."""
        if self._load_failure["event"] != "loaded":
            self.ended = True
            return self._load_failure, []
        header = {"channels": block.shape[1], "samples": block.shape[0]}
        self._worker.deadline = time.monotonic() + self._seconds
        self._worker.send(json.dumps(header).encode() + b"\n" + block.T.tobytes())
        return self._wait_for("block")

    def _wait_for(self, *wanted: str) -> Tuple[Dict[str, Any], List[bytes]]:
        try:
            for event, payloads in self._events:
                if event["event"] in wanted:
                    return event, payloads
        except OutOfTime:
            self.ended = True
            return {"event": "ended", "failure": {"message": f"not finished after {self._seconds:g} s"}}, []
        self.ended = True
        status = self._worker.wait()
        if status >= 0:
            lines = self._worker.stderr.strip().splitlines()
            raise TrialUnavailable(lines[-1] if lines else f"the worker ended with status {status}")
        return {"event": "ended", "failure": {"message": f"the process was ended by signal {-status}"}}, []


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


def _problem(answer: Mapping[str, Any]) -> Optional[str]:
    failure = answer.get("failure")
    return None if failure is None else str(failure["message"])
