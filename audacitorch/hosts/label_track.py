"""What a host makes of an analyzer's output: labels, and the label track that holds them.

An analyzer returns ``(predictions, timestamps)`` for each block. Hosts read the first tensor differently; both ways
are here, on plain lists, so that no torch is needed: call ``tolist()`` on the tensors. The worker has added the
block's start to the timestamps by then, in the tensor's own type, as the hosts do. Source: docs/host.md, "Label
tracks".
"""

from __future__ import annotations

import math
import unicodedata
from bisect import bisect_left
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

from audacitorch.hosts import INDICES, Host

#: The label of a prediction below the confidence threshold.
UNCERTAIN = "uncertain"

#: Class probabilities (steps, classes), or class indices (steps,).
Predictions = Sequence[Union[Sequence[float], float]]
Span = Tuple[float, float]


class Label(NamedTuple):
    """A label from ``start`` to ``end``, in seconds."""

    start: float
    end: float
    text: str


def block_labels(
    predictions: Predictions,
    timestamps: Sequence[Sequence[float]],
    names: Sequence[str],
    host: Host,
    block_end: float,
    threshold: Optional[float] = None,
) -> List[Label]:
    """The labels that ``host`` draws for one block, in the order in which it draws them.

    ``timestamps`` is (steps, 2), start and end in seconds of the track, and ``block_end`` is the block's end in the
    same; ``names`` are the metadata's ``labels``. A host that reads probabilities takes the most probable class, calls
    it ``uncertain`` below ``threshold``, joins neighbours with the same label and clips ends to the block's end; under
    its argmax a class index is a list of one, whose largest value is always the first. A host that reads indices joins
    overlapping and touching spans of one label text, keeps the ends, drops spans that end before they start, and draws
    all labels of a text again for each further class of that text.

    Raises:
        ValueError: the host would read out of bounds or end: rows that disagree, an index outside ``names``,
            probabilities where it reads indices, timestamps that are not finite.
    """
    if host.labels == INDICES:
        indices = [_index(step, prediction, names, host) for step, prediction in enumerate(predictions)]
        spans = [_span(step, stamp, exact=False) for step, stamp in _rows(predictions, timestamps, exact=False)]
        return _joined_by_text(spans, [names[index] for index in indices], names)
    spans = [_span(step, stamp, exact=True) for step, stamp in _rows(predictions, timestamps, exact=True)]
    texts = [_text(step, prediction, names, threshold) for step, prediction in enumerate(predictions)]
    return _joined_neighbours(spans, texts, block_end)


def insert_labels(track: List[Label], labels: Iterable[Label]) -> None:
    """Add ``labels`` to a label track as the host does: each before the first that does not start earlier."""
    for label in labels:
        # A tuple of the start alone sorts before all labels with that start.
        track.insert(bisect_left(track, (label.start,)), label)


def format_label_track(labels: Iterable[Label]) -> str:
    """``labels`` as the text that Audacity imports as a label track: start, end and label, a tab between, a line each.

    A label file has no escapes, so each character that would break a line or a field becomes a space.
    """
    return "".join(f"{_seconds(label.start)}\t{_seconds(label.end)}\t{one_line(label.text)}\n" for label in labels)


def one_line(text: str) -> str:
    """``text`` without control characters and line separators; half of a surrogate pair becomes U+FFFD."""
    replacement = {"Cc": " ", "Zl": " ", "Zp": " ", "Cs": "\ufffd"}
    return "".join(replacement.get(unicodedata.category(character), character) for character in text)


def _rows(
    predictions: Predictions, timestamps: Sequence[Sequence[float]], exact: bool
) -> Iterable[Tuple[int, Sequence[float]]]:
    """The timestamps of the predictions. Hosts that don't ask for ``exact`` rows never look at what is too much."""
    if len(timestamps) < len(predictions) or (exact and len(timestamps) > len(predictions)):
        raise ValueError(f"{len(predictions)} predictions have {len(timestamps)} timestamps")
    return enumerate(timestamps[: len(predictions)])


def _span(step: int, stamp: Sequence[float], exact: bool) -> Span:
    if len(stamp) < 2 or (exact and len(stamp) > 2):
        raise ValueError(f"timestamp {step} has {len(stamp)} values, expected start and end")
    start, end = float(stamp[0]), float(stamp[1])
    if not (math.isfinite(start) and math.isfinite(end)):
        raise ValueError(f"timestamp {step} is not finite: {start}, {end}")
    return start, end


def _index(step: int, prediction: Union[Sequence[float], float], names: Sequence[str], host: Host) -> int:
    if not isinstance(prediction, (int, float)):
        raise ValueError(f"{host.title} expects class indices (steps,), got class probabilities (steps, classes)")
    return _within(step, int(prediction), names)


def _within(step: int, index: int, names: Sequence[str]) -> int:
    if not 0 <= index < len(names):
        raise ValueError(f"prediction {step} is class {index}, and there are {len(names)} labels")
    return index


def _text(
    step: int, prediction: Union[Sequence[float], float], names: Sequence[str], threshold: Optional[float]
) -> str:
    """The label of the most probable class, or ``uncertain``."""
    if isinstance(prediction, (int, float)):
        return names[_within(step, 0, names)]
    if not prediction:
        raise ValueError(f"prediction {step} has no classes")
    if not isinstance(prediction[0], (int, float)):
        raise ValueError("expected class probabilities (steps, classes), got more dimensions")
    index = _within(step, _argmax(prediction), names)
    return UNCERTAIN if threshold is not None and prediction[index] < threshold else names[index]


def _argmax(values: Sequence[float]) -> int:
    """The first index of the largest value; NaN counts as the largest, as in ``torch.argmax``."""
    return max(range(len(values)), key=lambda index: (math.isnan(values[index]), values[index], -index))


def _joined_neighbours(spans: Sequence[Span], texts: Sequence[str], block_end: float) -> List[Label]:
    joined: List[Label] = []
    for (start, end), text in zip(spans, texts):
        if joined and joined[-1].text == text:
            joined[-1] = joined[-1]._replace(end=end)
        else:
            joined.append(Label(start, end, text))
    return [label._replace(end=min(label.end, block_end)) for label in joined]


def _joined_by_text(spans: Sequence[Span], texts: Sequence[str], names: Sequence[str]) -> List[Label]:
    by_text: Dict[str, List[Label]] = {}
    for (start, end), text in sorted(zip(spans, texts)):
        if start > end:
            continue
        labels = by_text.setdefault(text, [])
        if labels and start <= labels[-1].end:
            labels[-1] = labels[-1]._replace(end=max(labels[-1].end, end))
        else:
            labels.append(Label(start, end, text))
    return [label for name in names for label in by_text.get(name, ())]


def _seconds(value: float) -> str:
    # Adding zero turns the "-0.0" that rounding a tiny negative number leaves into "0.0".
    return f"{round(value, 6) + 0.0:.6f}"
