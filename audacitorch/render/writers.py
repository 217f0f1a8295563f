"""What a model's answers become: an effect's tracks as WAV files, an analyzer's labels as a label track."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Mapping, Optional, Tuple

from audacitorch.hosts import Host
from audacitorch.hosts.label_track import Label, block_labels, label_track, write_label_track
from audacitorch.hosts.tracks import PastedTrack
from audacitorch.trial.protocol import Block, TensorForm

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DTYPES = {"float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"}


class EffectTracks:
    """The mono tracks of an effect, as WAV files of 32-bit float that grow block by block."""

    def __init__(self, metadata: Mapping[str, Any], host: Host, folder: Path, stem: str, track_rate: int) -> None:
        self._stack = ExitStack()
        self.written: List[Path] = []
        self._tracks: List[PastedTrack] = []
        for index, label in enumerate(metadata["labels"]):
            path = folder / f"{_file_name(f'{stem}-{label}', self.written, index)}.wav"
            self.written.append(path)
            self._tracks.append(self._track(path, track_rate))

    def _track(self, path: Path, track_rate: int) -> PastedTrack:
        import soundfile

        file = self._stack.enter_context(soundfile.SoundFile(os.fsencode(path), "w", track_rate, 1, "FLOAT"))
        track = PastedTrack(file.write)
        self._stack.callback(track.close)
        return track

    def add(self, answer: Block, start: int, next_start: Optional[int], samples: int) -> Optional[str]:
        """Paste a block's result; returns what kept it from being one."""
        tensors = answer.tensors
        if len(tensors) != 1 or len(tensors[0].shape) != 2 or tensors[0].dtype != "float32":
            return f"an effect returns float32 (channels, samples), not {_shapes(answer)}"
        channels = _array(tensors[0], answer.payloads[0])
        for index, track in enumerate(self._tracks):
            if index < len(channels):
                track.paste(channels[index], start, next_start)
        return None

    def add_silence(self, start: int, next_start: Optional[int], samples: int) -> None:
        """What the host puts in place of a block that failed."""
        import numpy as np

        for track in self._tracks:
            track.paste(np.zeros(samples, np.float32), start, next_start)

    def close(self) -> None:
        self._stack.close()


class LabelTrack:
    """The label track of an analyzer."""

    def __init__(self, metadata: Mapping[str, Any], host: Host, folder: Path, stem: str, track_rate: int) -> None:
        self._metadata = metadata
        self._host = host
        self._track_rate = track_rate
        self._blocks: List[Tuple[float, List[Label]]] = []
        self.written = [folder / f"{_file_name(stem, [], 0)}.txt"]

    def add(self, answer: Block, start: int, next_start: Optional[int], samples: int) -> Optional[str]:
        """Keep a block's labels; returns what kept them from being some."""
        if len(answer.tensors) != 2:
            return f"an analyzer returns a tuple of two tensors, not {_shapes(answer)}"
        try:
            labels, timestamps = (_array(tensor, data) for tensor, data in zip(answer.tensors, answer.payloads))
            found = block_labels(
                labels.tolist(),
                timestamps.tolist(),
                self._metadata["labels"],
                self._host,
                samples / self._track_rate,
                self._metadata.get("confidence_threshold"),
            )
        except (ValueError, TypeError) as error:
            return str(error)
        self._blocks.append((start / self._track_rate, found))
        return None

    def add_silence(self, start: int, next_start: Optional[int], samples: int) -> None:
        """A block that failed has no labels."""

    def close(self) -> None:
        write_label_track(label_track(self._blocks), self.written[0])


def _array(tensor: TensorForm, data: bytes) -> NDArray[Any]:
    import numpy as np

    if tensor.dtype not in _DTYPES:
        raise ValueError(f"tensors of {tensor.dtype} can't be shown")
    return np.frombuffer(data, dtype=tensor.dtype).reshape(tensor.shape)


def _shapes(answer: Block) -> str:
    shown = [f"{tensor.dtype} {tensor.shape}" for tensor in answer.tensors]
    return ", ".join(shown) or f"a {answer.output.kind if answer.output else 'value'}"


def _file_name(text: str, taken: List[Path], index: int) -> str:
    """``text`` as a file name: what a file system could take for more than a name is left out."""
    name = re.sub(r"[^\w .()+-]", "_", text).strip(" .")[:150] or "track"
    return f"{name}-{index + 1}" if any(path.stem.lower() == name.lower() for path in taken) else name
