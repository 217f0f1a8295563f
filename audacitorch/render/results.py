"""What a model's answers become: an effect's tracks as audio files, an analyzer's labels as label files."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, List, Mapping, Optional, Sequence, Tuple

from audacitorch.hosts import HOSTS, INDICES, Host
from audacitorch.hosts.label_track import Label, block_labels, format_label_track, insert_labels, one_line
from audacitorch.hosts.tracks import PastedTrack, Track
from audacitorch.render.staging import Outputs, TrackWriter
from audacitorch.trial.protocol import Block

if TYPE_CHECKING:
    from numpy.typing import NDArray

AUDACITY = "txt"
#: Bytes of a track's and a label's part of a file name: file systems take 255 for the whole.
_LONGEST_NAME, _LONGEST_LABEL = 140, 90
#: Seconds by which labels that touch may overlap, because their times are 32-bit floats.
_ROUNDING = 1e-3
_DTYPES = frozenset(["float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"])


class EffectTracks:
    """The mono tracks of an effect: each grows block by block."""

    def __init__(self, outputs: Outputs, paths: Sequence[Path], track: Track, track_format: str) -> None:
        """A file at each of ``paths``, for the selection of ``track``.

        Raises:
            OutputError: there can't be one.
        """
        self._outputs, self._paths, self._start = outputs, list(paths), track.start
        samples = track.end - track.start
        self._writers: List[TrackWriter] = []
        self._tracks: List[PastedTrack] = []
        for path in paths:
            writer = TrackWriter(outputs.stage(path), path, track.audio.rate, track_format, samples)
            self._writers.append(writer)
            self._tracks.append(PastedTrack(writer.write, samples))

    def add(self, answer: Block, start: int, samples: int) -> None:
        """Paste a block's result, one tensor (channels, samples), at ``start``, in samples.

        A channel without a track is left out, and a track without a channel is left as it is.

        Raises:
            OutputError: the disk is full, for one.
        """
        for track, channel in zip(self._tracks, tensor_array(answer, 0)):
            track.paste(channel, start - self._start)

    def finish(self) -> Tuple[List[Path], List[str]]:
        """Write what is left; returns the files, and sentences about what could not be written as it is."""
        notes = []
        for path, writer, track in zip(self._paths, self._writers, self._tracks):
            track.finish()
            writer.close()
            if writer.clipped:
                notes.append(
                    f"{path.name}: {writer.clipped:,} samples beyond full scale were clipped, because FLAC can't hold "
                    "them. WAV can."
                )
        return self._paths, notes

    def abandon(self) -> None:
        """Remove the files: there is no result."""
        for writer in self._writers:
            writer.abandon()
        self._outputs.discard(self._paths)


class LabelRows:
    """The labels of an analyzer's label track."""

    def __init__(self, names: Sequence[str], host: Host, threshold: Optional[float], rate: int) -> None:
        """``names`` are the metadata's ``labels``, ``threshold`` its confidence threshold; ``rate`` is the track's."""
        self._names, self._host, self._threshold, self._rate = names, host, threshold, rate
        self._indices = False
        self.labels: List[Label] = []

    def add(self, answer: Block, start: int, samples: int) -> None:
        """Add the labels of a block of so many samples at ``start``; its timestamps are in seconds of the track.

        Raises:
            ValueError: the host would read out of bounds or end.
        """
        predictions, timestamps = tensor_array(answer, 0), tensor_array(answer, 1)
        if predictions.ndim == 0 or timestamps.ndim != 2:
            raise ValueError(
                f"predictions have the shape {predictions.shape} and timestamps {timestamps.shape}, expected "
                "(steps,) or (steps, classes), and (steps, 2)"
            )
        self._indices = self._indices or predictions.ndim == 1
        end = (start + samples) / self._rate
        rows = predictions.tolist(), timestamps.tolist()
        insert_labels(self.labels, block_labels(*rows, self._names, self._host, end, self._threshold))

    def finish(self) -> Tuple[List[Path], List[str]]:
        """Labels become files by :func:`write_labels`, once it is known whether the hosts' differ."""
        if not self._indices or self._host.labels == INDICES:
            return [], []
        others = " or ".join(host.title for host in HOSTS if host.labels == INDICES)
        return [], [
            f"The model gives class indices. {self._host.title.capitalize()} takes the most probable class, so each "
            f"step shows the first label. See them in {others} with --host all."
        ]

    def abandon(self) -> None:
        """Nothing is drawn."""
        self.labels = []


def tensor_array(answer: Block, index: int) -> NDArray[Any]:
    """A tensor of an answer.

    Raises:
        ValueError: it is not there, or of a type that NumPy lacks.
    """
    import numpy as np

    if index >= len(answer.tensors):
        raise ValueError(f"expected {index + 1} tensors, got {len(answer.tensors)}")
    form = answer.tensors[index]
    if form.dtype not in _DTYPES:
        raise ValueError(f"tensors of {form.dtype} can't be shown")
    return np.frombuffer(answer.payloads[index], dtype=form.dtype).reshape(form.shape)


def write_labels(
    labels: Sequence[Label], outputs: Outputs, stem: Path, formats: Sequence[str], seconds: float
) -> List[Path]:
    """Stage a file of labels in Audacity's format, and in each of ``formats``, for a track of so many seconds.

    Raises:
        OutputError: the disk is full, for one.
    """
    paths = label_paths(stem, formats)
    for suffix, path in paths:
        outputs.write(path, LABEL_FORMATS[suffix](labels, seconds))
    return [path for _, path in paths]


def track_paths(folder: Path, track: str, labels: Sequence[str], suffix: str) -> List[Path]:
    """A file for each label: ``{track}-{label}``, numbered where an earlier one is called so already."""
    names: List[str] = []
    for index, label in enumerate(labels):
        name = f"{file_name(track)}-{_safe(label)}"
        taken = any(name.lower() == earlier.lower() for earlier in names)
        names.append(f"{name}-{index + 1}" if taken else name)
    return [folder / f"{name}.{suffix}" for name in names]


def label_paths(stem: Path, formats: Sequence[str]) -> List[Tuple[str, Path]]:
    """The files of a label track with their suffixes: Audacity's, and one for each of ``formats``."""
    return [(suffix, stem.with_name(f"{stem.name}.{suffix}")) for suffix in dict.fromkeys([AUDACITY, *formats])]


def file_name(text: str, longest: int = _LONGEST_NAME) -> str:
    """``text``, cut to ``longest`` bytes: file systems take no longer names."""
    encoded = text.encode("utf-8", "surrogateescape")
    return text if len(encoded) <= longest else encoded[:longest].decode("utf-8", "ignore")


def _safe(label: str) -> str:
    """A model's label as a part of a file name: what a file system could take for more than a name is left out."""
    return file_name(re.sub(r"[^\w .()+-]", "_", label).strip(" ."), _LONGEST_LABEL) or "track"


def _csv(labels: Sequence[Label], seconds: float) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["start", "end", "label"])
    writer.writerows([f"{label.start:.6f}", f"{label.end:.6f}", one_line(label.text)] for label in labels)
    return text.getvalue()


def _json(labels: Sequence[Label], seconds: float) -> str:
    rows = [
        {"start": round(label.start, 6), "end": round(label.end, 6), "label": one_line(label.text)} for label in labels
    ]
    return json.dumps({"seconds": seconds, "labels": rows}, ensure_ascii=False, indent=1) + "\n"


def _textgrid(labels: Sequence[Label], seconds: float) -> str:
    """Interval tiers, as many as labels lie over one another, and a point tier for labels without a length.

    Praat's tiers hold no overlaps and no gaps, so gaps are intervals without text. What starts before 0 is moved there.
    """
    points = [label for label in labels if label.start == label.end]
    times = [sorted((max(label.start, 0.0), max(label.end, 0.0))) for label in labels]
    spans = [Label(start, end, label.text) for (start, end), label in zip(times, labels) if start < end]
    end = max([seconds, *(span.end for span in spans), *(point.end for point in points)])
    tiers = [_interval_tier(f"labels {i}" if i > 1 else "labels", t, end) for i, t in enumerate(_tiers(spans), 1)]
    if points or not tiers:
        tiers.append(_point_tier("points", points, end))
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end:.6f}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, tier in enumerate(tiers, 1):
        lines += [f"    item [{number}]:", *(f"        {line}" for line in tier)]
    return "\n".join(lines) + "\n"


def _tiers(spans: Sequence[Label]) -> List[List[Label]]:
    """Spans in tiers without overlap: each in the first tier that is free by then."""
    tiers: List[List[Label]] = []
    for span in sorted(spans):
        free = next((tier for tier in tiers if tier[-1].end <= span.start + _ROUNDING), None)
        if free is None:
            tiers.append([span])
        elif span.end > free[-1].end:
            free.append(span._replace(start=max(span.start, free[-1].end)))
    return tiers


def _interval_tier(name: str, spans: Sequence[Label], end: float) -> List[str]:
    filled: List[Label] = []
    position = 0.0
    for span in [*spans, Label(end, end, "")]:
        if span.start > position:
            filled.append(Label(position, span.start, ""))
        if span.end > span.start:
            filled.append(span)
        position = span.end
    lines = ['class = "IntervalTier"', f"name = {_quoted(name)}", "xmin = 0", f"xmax = {end:.6f}"]
    lines.append(f"intervals: size = {len(filled)}")
    for number, span in enumerate(filled, 1):
        lines += [f"intervals [{number}]:", f"    xmin = {span.start:.6f}", f"    xmax = {span.end:.6f}"]
        lines.append(f"    text = {_quoted(span.text)}")
    return lines


def _point_tier(name: str, points: Sequence[Label], end: float) -> List[str]:
    lines = ['class = "TextTier"', f"name = {_quoted(name)}", "xmin = 0", f"xmax = {end:.6f}"]
    lines.append(f"points: size = {len(points)}")
    for number, point in enumerate(points, 1):
        lines += [
            f"points [{number}]:",
            f"    number = {max(point.start, 0.0):.6f}",
            f"    mark = {_quoted(point.text)}",
        ]
    return lines


def _quoted(text: str) -> str:
    return '"' + one_line(text).replace('"', '""') + '"'


#: Formats of label tracks, by the suffix of their files; each writes all labels of a track of so many seconds.
LABEL_FORMATS: Mapping[str, Callable[[Sequence[Label], float], str]] = {
    AUDACITY: lambda labels, seconds: format_label_track(labels),
    "csv": _csv,
    "json": _json,
    "TextGrid": _textgrid,
}
