"""Which lengths of block a model takes, inside the worker: the shortest, or what they must be a multiple of."""

from __future__ import annotations

import re
from math import gcd
from typing import Callable, Dict, List, Optional, Set

from audacitorch.trial.observations import Output, Pass
from audacitorch.trial.protocol import Measured

#: Guesses at what lengths must be a multiple of: how many of the numbers in error texts, and the largest.
_MOST_GUESSES, _LARGEST_MULTIPLE = 20, 65536
_SHAPE = re.compile(r"shape '\[([\d, -]{1,200})\]' is invalid for input of size")

#: Runs a block of so many samples; False where there is no time for it.
Attempt = Callable[[int], bool]
#: Whether a block of so many samples works; None where there is no time to tell.
Works = Callable[[int], Optional[bool]]


class Hints:
    """Numbers in error texts, any of which may be what lengths must be a multiple of."""

    def __init__(self) -> None:
        self.numbers: Set[int] = set()
        #: The numbers that every shape which did not fit had in common; None while there was none.
        self.frames: Optional[Set[int]] = None

    def read(self, message: str) -> None:
        """Take in the end of an exception's text."""
        said = message[-500:]
        self.numbers.update(int(digits) for digits in re.findall(r"\b\d{1,6}\b", said))
        shape = _SHAPE.search(said)
        if shape is not None:
            numbers = {int(digits) for digits in re.findall(r"\d{1,6}", shape[1])} - {0, 1}
            numbers = {number for number in numbers if number <= _LARGEST_MULTIPLE}
            self.frames = numbers if self.frames is None else self.frames & numbers

    def multiples(self) -> List[int]:
        """The numbers that may be multiples, ascending."""
        return sorted(number for number in self.numbers if 1 < number <= _LARGEST_MULTIPLE)[:_MOST_GUESSES]


class Lengths:
    """Lengths, in samples at the model's rate, that were tried with one number of channels."""

    def __init__(self, hints: Hints) -> None:
        self._hints = hints
        self._returned: Dict[int, bool] = {}
        self._finite: Dict[int, bool] = {}

    def note(self, done: Pass) -> None:
        """Take in a pass over noise."""
        self._returned[done.samples] = done.failure is None
        self._finite[done.samples] = _is_finite(done.output)

    @property
    def longest(self) -> int:
        """The longest that was tried; 0 for none."""
        return max(self._returned, default=0)

    @property
    def any_returned(self) -> bool:
        """Whether any length did not raise."""
        return any(self._returned.values())

    def search(self, attempt: Attempt) -> Measured:
        """Find what inputs must be a multiple of, or else the shortest input that works, with more lengths.

        A length works if it gives finite numbers or, where none does so far, if it returns at all.
        """
        tried = self._finite if any(self._finite.values()) else self._returned
        working = sorted(samples for samples, worked in tried.items() if worked)
        if not working and not self._hints.frames:
            return Measured()

        def works(samples: int) -> Optional[bool]:
            return tried[samples] if samples in tried or attempt(samples) else None

        guesses = None if working else [max(self._hints.frames or ())]
        above = [samples for samples, worked in tried.items() if not worked and samples > next(iter(working), 1)]
        multiple = self._search_multiple(min(above), tried, works, guesses) if above else None
        if multiple is not None or not working:
            return Measured(multiple_samples=multiple)
        good = working[0]
        bad = max((samples for samples, worked in tried.items() if not worked and samples < good), default=0)
        while good - bad > 1:
            middle = 1 if bad == 0 else (bad + good) // 2
            worked = works(middle)
            if worked is None:  # the shortest that is known to work stands, where a shorter one is known to fail
                return Measured(minimum_samples=good if bad else None)
            good, bad = (middle, bad) if worked else (good, middle)
        return Measured(minimum_samples=good)

    def _search_multiple(
        self, floor: int, tried: Dict[int, bool], works: Works, guesses: Optional[List[int]]
    ) -> Optional[int]:
        """What lengths from ``floor`` on must be a multiple of, checked with more lengths; None: there is none.

        Unless they are given, guesses are numbers that error texts hold, a power of two, and what the lengths that
        work have in common.
        """
        common = 0
        for samples, worked in tried.items():
            common = gcd(common, samples) if worked and samples >= floor else common
        for multiple in guesses or [*self._hints.multiples(), 4096, _LARGEST_MULTIPLE, common]:
            if multiple < 2 or any(worked and n >= floor and n % multiple for n, worked in tried.items()):
                continue
            base = multiple * (floor // multiple + 1)
            if not all(works(samples) for samples in (base, base + multiple)):
                continue
            for prime in _primes(multiple):
                while multiple % prime == 0 and works(base + multiple // prime):
                    multiple //= prime
            return multiple if multiple > 1 else None
        return None


def _is_finite(output: Optional[Output]) -> bool:
    return output is not None and not any(tensor.nan or tensor.inf for tensor in output.tensors)


def _primes(number: int) -> List[int]:
    """The prime factors of a number, each once."""
    found, divisor = [], 2
    while number > 1:
        if number % divisor == 0:
            found.append(divisor)
            while number % divisor == 0:
                number //= divisor
        divisor = divisor + 1 if divisor * divisor <= number else number
    return found
