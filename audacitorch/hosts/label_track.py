"""What Audacity makes of an analyzer's output: labels, and the label track that holds them.

An analyzer returns, for each block, ``(labels, timestamps)``. The two hosts read the first of them differently; both
readings are here, on plain lists, so that no torch is needed: call ``tolist()`` on the tensors. Source: docs/host.md,
"Label tracks".
"""

from __future__ import annotations

import math
import unicodedata
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

from audacitorch.hosts import INDICES, Host

#: The label of a prediction below the confidence threshold.
UNCERTAIN = "uncertain"

#: Class probabilities (steps, classes), or class indices (steps,).
Predictions = Sequence[Union[Sequence[float], float]]


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
    block_seconds: float,
    threshold: Optional[float] = None,
) -> List[Label]:
    """The labels that ``host`` draws for one block, in seconds from the start of the block.

    ``timestamps`` is (steps, 2), start and end in seconds; ``names`` are the metadata's ``labels``. The ``spec`` host
    takes the most probable class (indices are taken as they are), calls it ``uncertain`` below ``threshold``, joins
    neighbours with the same label and clips ends to the block's end. The 3.2 alphas take indices alone, join
    overlapping and touching labels of one class, keep the ends and drop labels that end before they start.

    Raises ValueError where the host would read out of bounds or end: rows that disagree, an index outside ``names``,
    probabilities for the alphas, timestamps that are not finite.
    """
    if len(predictions) != len(timestamps):
        raise ValueError(f"{len(predictions)} predictions have {len(timestamps)} timestamps")
    spans = [_span(step, stamp) for step, stamp in enumerate(timestamps)]
    classes = [_class(step, prediction, names, host) for step, prediction in enumerate(predictions)]
    if host.labels == INDICES:
        return _join_classes(spans, [index for index, _ in classes], names)
    texts = [_text(names[index], probability, threshold) for index, probability in classes]
    return _join_neighbours(spans, texts, block_seconds)


def label_track(blocks: Iterable[Tuple[float, Sequence[Label]]]) -> List[Label]:
    """All blocks' labels, each moved by its block's start in seconds; labels are not joined over block borders."""
    return [Label(start + label.start, start + label.end, label.text) for start, labels in blocks for label in labels]


def format_label_track(labels: Iterable[Label]) -> str:
    """``labels`` as the text that Audacity imports as a label track: start, end and label, a tab between, a line each.

    A label file knows no escapes, so each character that would break a line or a field becomes a space.
    """
    return "".join(f"{_seconds(label.start)}\t{_seconds(label.end)}\t{_one_line(label.text)}\n" for label in labels)


def write_label_track(labels: Iterable[Label], path: Path) -> None:
    """Write ``labels`` to ``path`` in UTF-8, with line feeds on every platform."""
    path.write_bytes(format_label_track(labels).encode("utf-8"))


def _span(step: int, stamp: Sequence[float]) -> Tuple[float, float]:
    if len(stamp) != 2:
        raise ValueError(f"timestamp {step} has {len(stamp)} values where start and end are wanted")
    start, end = float(stamp[0]), float(stamp[1])
    if not (math.isfinite(start) and math.isfinite(end)):
        raise ValueError(f"timestamp {step} is not finite: {start}, {end}")
    return start, end


def _class(
    step: int, prediction: Union[Sequence[float], float], names: Sequence[str], host: Host
) -> Tuple[int, Optional[float]]:
    """The class of one prediction and, where it is known, its probability."""
    probability: Optional[float] = None
    if isinstance(prediction, (int, float)):
        index = int(prediction)
    elif host.labels == INDICES:
        raise ValueError(f"{host} takes class indices (steps,), not class probabilities (steps, classes)")
    elif not prediction:
        raise ValueError(f"prediction {step} has no classes")
    else:
        index = _argmax(prediction)
        probability = prediction[index]
    if not 0 <= index < len(names):
        raise ValueError(f"prediction {step} is class {index}, and there are {len(names)} labels")
    return index, probability


def _argmax(values: Sequence[float]) -> int:
    """The first index of the largest value; NaN counts as the largest, as in ``torch.argmax``."""
    return max(range(len(values)), key=lambda index: (math.isnan(values[index]), values[index], -index))


def _text(name: str, probability: Optional[float], threshold: Optional[float]) -> str:
    return UNCERTAIN if probability is not None and threshold is not None and probability < threshold else name


def _join_neighbours(spans: Sequence[Tuple[float, float]], texts: Sequence[str], block_seconds: float) -> List[Label]:
    joined: List[Label] = []
    for (start, end), text in zip(spans, texts):
        if joined and joined[-1].text == text:
            joined[-1] = joined[-1]._replace(end=end)
        else:
            joined.append(Label(start, end, text))
    return [label._replace(end=min(label.end, block_seconds)) for label in joined]


def _join_classes(spans: Sequence[Tuple[float, float]], classes: Sequence[int], names: Sequence[str]) -> List[Label]:
    by_class: Dict[int, List[Label]] = {}
    for (start, end), index in sorted(zip(spans, classes)):
        if start > end:
            continue
        labels = by_class.setdefault(index, [])
        if labels and start <= labels[-1].end:
            labels[-1] = labels[-1]._replace(end=max(labels[-1].end, end))
        else:
            labels.append(Label(start, end, names[index]))
    return sorted(label for labels in by_class.values() for label in labels)


def _seconds(value: float) -> str:
    # Adding zero turns the "-0.0" that rounding a tiny negative number leaves into "0.0".
    return f"{round(value, 6) + 0.0:.6f}"


def _one_line(text: str) -> str:
    """``text`` without control characters and line separators; half of a surrogate pair becomes U+FFFD."""
    replacement = {"Cc": " ", "Zl": " ", "Zp": " ", "Cs": "\ufffd"}
    return "".join(replacement.get(unicodedata.category(character), character) for character in text)
