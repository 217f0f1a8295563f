"""What a host would make of audio: an effect's tracks, or an analyzer's labels.

The audio goes through the sandboxed worker block by block, so that neither a long file nor a stranger's model is ever
whole in this process.
"""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Deque, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from audacitorch.hosts import ANALYZER, DEFAULT_HOST, Host
from audacitorch.hosts.label_track import Label
from audacitorch.hosts.tracks import Track
from audacitorch.render.conversation import Conversation
from audacitorch.render.results import EffectTracks, LabelRows, label_paths, track_paths
from audacitorch.render.staging import Outputs
from audacitorch.trial.plan import DEFAULT_MEMORY_BYTES, DEFAULT_TIMEOUT_SECONDS, Plan
from audacitorch.trial.protocol import Block
from audacitorch.trial.starters import WorkerStarter

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: How a message of TorchScript begins whose last line has the reason.
_TORCHSCRIPT_STACK = "The following operation failed in the TorchScript interpreter"
#: Of many failed blocks so many are described.
_MOST_FAILURES = 20
#: Blocks that are sent before the result of the first of them is there.
_AHEAD = 1


@dataclass
class Rendering:
    """What came of one track for one host.

    ``complete`` says whether there are results: Audacity draws no label track once a block has failed, and no track
    of a result that is not a waveform. ``failures`` says which blocks failed and why, ``failed`` how many.
    """

    track: Track
    host: Host
    analyzes: bool
    complete: bool = True
    written: List[Path] = field(default_factory=list)
    labels: Optional[List[Label]] = None
    blocks: int = 0
    failed: int = 0
    failures: List[str] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)
    elapsed: float = 0.0

    def failed_at(self, start: int, samples: int, message: str) -> None:
        """Note that a block failed; of a message with a stack of calls only the reason is kept."""
        lines = message.strip().splitlines() or ["no reason was given"]
        reason = lines[-1 if lines[0].startswith(_TORCHSCRIPT_STACK) else 0].strip().rstrip(".")
        self.failed += 1
        if self.failed <= _MOST_FAILURES:
            where = f"The block at {start / self.track.audio.rate:.2f} s ({_count(samples, 'sample')})"
            self.failures.append(f"{where} failed: {reason}.")

    def to_json(self) -> Dict[str, Any]:
        """What came of the track, for programs."""
        return {
            "track": self.track.name,
            "host": self.host.name,
            "complete": self.complete,
            "written": [str(path) for path in self.written],
            "labels": None if self.labels is None else [label._asdict() for label in self.labels],
            "seconds": self.track.seconds,
            "elapsed_seconds": round(self.elapsed, 3),
            "blocks": self.blocks,
            "failed_blocks": self.failed,
            "failures": self.failures,
            "notes": self.notes,
        }

    def summary(self) -> str:
        """A line: "2 tracks, 12.0 s of audio in 1.5 s (8.0 times real time), 3 blocks, 1 failed."."""
        if not self.complete:
            what = "no label track" if self.analyzes else "no tracks"
        elif self.labels is not None:
            what = _count(len(self.labels), "label")
        else:
            what = _count(len(self.written), "track")
        seconds, speed = self.track.seconds, self.track.seconds / max(self.elapsed, 1e-9)
        failed = f"{self.failed:,} failed" if self.failed else "none failed"
        return (
            f"{what}, {seconds:.1f} s of audio in {self.elapsed:.1f} s ({speed:.1f} times real time), "
            f"{_count(self.blocks, 'block')}, {failed}."
        )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class Renderer:
    """Renders tracks with one model, for one host. A context manager: on the way out its worker is gone.

    The model stays loaded from track to track, as in Audacity, until it ends its process.
    """

    def __init__(
        self,
        start_worker: WorkerStarter,
        model: Path,
        metadata: Mapping[str, Any],
        host: Host = DEFAULT_HOST,
        seconds: float = DEFAULT_TIMEOUT_SECONDS,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
        sample_format: str = "float32",
        operators: Optional[Tuple[str, ...]] = None,
    ) -> None:
        """``metadata`` are the fields of a metadata.json that passed its rules; ``seconds`` is the limit for a block.

        ``sample_format`` is the project's, a key of :data:`audacitorch.hosts.tracks.SAMPLE_FORMATS`: it decides about
        the length of blocks. ``operators`` are those that the archive's code shows; a model that holds others raises
        HiddenCode.
        """
        self.host = host
        self._metadata = metadata
        self._sample_format = sample_format
        plan = Plan(
            model=os.path.abspath(model),  # the worker has a working folder of its own
            effect_type=metadata["effect_type"],
            sample_rate=metadata["sample_rate"],
            multichannel=metadata["multichannel"],
            task="render",
            host=host.name,
            seconds=seconds,
            memory_bytes=memory_bytes,
            operators=operators,
        )
        self._conversation = Conversation(start_worker, plan)

    def __enter__(self) -> Renderer:
        self._conversation.begin()  # the model is loaded while the first file is opened
        return self

    def __exit__(self, *_: object) -> None:
        self._conversation.close()

    @property
    def analyzes(self) -> bool:
        """Whether the model makes labels."""
        return bool(self._metadata["effect_type"] == ANALYZER)

    def paths(self, track: str, folder: Path, track_format: str, label_formats: Sequence[str] = ()) -> List[Path]:
        """The files that come of a track of that name."""
        if self.analyzes:
            return [path for _, path in label_paths(folder / track, label_formats)]
        return track_paths(folder, track, self._metadata["labels"], track_format)

    def render(
        self,
        track: Track,
        folder: Path,
        outputs: Outputs,
        track_format: str = "wav",
        advance: Callable[[float], None] = lambda seconds: None,
    ) -> Rendering:
        """Send a track through the model: an effect's tracks are staged in ``outputs``, labels are returned.

        ``advance`` is told the seconds of audio of each block that is done.

        Raises:
            AudioError: the file can't be read any further, or the results can't be written.
            TrialUnavailable: the worker failed for a reason that is not the model's.
        """
        rendering = Rendering(track, self.host, self.analyzes)
        started = time.monotonic()
        result = self._result(track, folder, outputs, track_format)
        try:
            rendering.complete = self._keep_all(rendering, result, advance)
            if rendering.complete:
                rendering.written, notes = result.finish()
                rendering.notes += notes
            else:
                result.abandon()
        except BaseException:
            result.abandon()
            raise
        if isinstance(result, LabelRows) and rendering.complete:
            rendering.labels = result.labels
        rendering.elapsed = time.monotonic() - started
        return rendering

    def _result(
        self, track: Track, folder: Path, outputs: Outputs, track_format: str
    ) -> Union[EffectTracks, LabelRows]:
        if self.analyzes:
            threshold = self._metadata.get("confidence_threshold")
            return LabelRows(self._metadata["labels"], self.host, threshold, track.audio.rate)
        return EffectTracks(outputs, self.paths(track.name, folder, track_format), track, track_format)

    def _keep_all(
        self, rendering: Rendering, result: Union[EffectTracks, LabelRows], advance: Callable[[float], None]
    ) -> bool:
        """Keep the result of every block; False where there is nothing to show in the end."""
        track, odd = rendering.track, _NotFinite(rendering.track.audio.rate)
        for start, samples, answer in self._answers(track, odd):
            rendering.blocks += 1
            if answer.failure is not None:
                rendering.failed_at(start, samples, answer.failure.message)
                if _ends_track(answer):
                    return False
            try:
                result.add(answer, start, samples)
            except ValueError as error:
                rendering.failed_at(start, samples, str(error))
                return False
            advance(samples / track.audio.rate)
        rendering.notes += odd.notes()
        return True

    def _answers(self, track: Track, odd: _NotFinite) -> Iterator[Tuple[int, int, Block]]:
        """Start and samples of each block, with what came of it.

        While the worker computes, the next block is read and sent, and the last result is kept.
        """
        asked: Deque[Tuple[int, int]] = deque()
        self._conversation.begin_track()
        for start, block in track.blocks(self._sample_format):
            odd.count(block, start)
            self._conversation.ask(block, start, track.audio.rate)
            asked.append((start, len(block)))
            if len(asked) > _AHEAD:
                yield (*asked.popleft(), self._conversation.receive())
        while asked:
            yield (*asked.popleft(), self._conversation.receive())


def _ends_track(answer: Block) -> bool:
    """Whether the host gives up the whole track, instead of putting zeros in place of the block."""
    return answer.failure is not None and not answer.tensors


class _NotFinite:
    """Counts samples of the input that are not numbers."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._samples = 0
        self._first = 0

    def count(self, block: NDArray[Any], start: int) -> None:
        import numpy as np

        with np.errstate(all="ignore"):
            total = block.sum()
        if np.isfinite(total):  # the rule, and many times faster than looking at each sample
            return
        odd = np.count_nonzero(~np.isfinite(block), axis=1)
        if odd.any():
            self._first = self._first if self._samples else start + int(odd.argmax())
            self._samples += int(odd.sum())

    def notes(self) -> List[str]:
        if not self._samples:
            return []
        return [
            f"{self._samples:,} samples of the input are NaN or infinite, the first at "
            f"{self._first / self._rate:.2f} s. Models rarely survive them: repair the recording first."
        ]
