"""The search for lengths that a model takes, without a model."""

from __future__ import annotations

from typing import Dict, Optional

from audacitorch.trial.lengths import Hints, Lengths
from audacitorch.trial.observations import Failure, Output, Pass, TensorFacts

TOO_SHORT = Failure("RuntimeError", "Padding size should be less than the corresponding input dimension")


def tried(works: Dict[int, bool]) -> Lengths:
    """Lengths of which the planned passes have tried some."""
    lengths = Lengths(Hints())
    for samples, worked in works.items():
        lengths.note(done(samples, worked))
    return lengths


def done(samples: int, worked: bool) -> Pass:
    output = Output("tensor", (TensorFacts("float32", (1, samples)),)) if worked else None
    return Pass("length", "noise", 1, samples, samples, 1, output=output, failure=None if worked else TOO_SHORT)


def searched(lengths: Lengths, shortest: Optional[int]) -> Optional[int]:
    """What the search says of a model that takes ``shortest`` samples and more; None: there is no time to try any."""

    def attempt(samples: int) -> bool:
        if shortest is not None:
            lengths.note(done(samples, samples >= shortest))
        return shortest is not None

    return lengths.search(attempt).minimum_samples


def test_the_shortest_is_found_to_the_sample() -> None:
    assert searched(tried({2048: True, 257: False, 5003: True}), 1025) == 1025


def test_without_time_the_shortest_that_is_known_to_work_stands() -> None:
    """Short blocks that failed are short on a slow machine too: the verdict does not turn by its speed."""
    assert searched(tried({2048: True, 257: False, 5003: True}), None) == 2048


def test_without_time_nothing_is_said_where_nothing_failed() -> None:
    assert searched(tried({2048: True, 257: True}), None) is None
