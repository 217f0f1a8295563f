"""A short run of every fuzzing target, the same each time; `scripts/bench fuzz` runs longer, guided by coverage."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.differential import Differential, is_accepted
from tests.fuzz.mutator import MUTATORS
from tests.fuzz.targets import TARGETS, read

FINDS = Path(__file__).parent / "finds"
RUNS = {"backport": 60, "archive": 400}
#: A guard against hanging, far beyond what any input takes.
MOST_SECONDS = 20


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.slow
def test_nothing_but_what_is_documented_is_raised(name: str) -> None:
    target = TARGETS[name]
    random = Random(name)
    corpus = list(target.seeds())
    for data in corpus[:200]:
        target.run(data)
    for _ in range(RUNS.get(name, 1500)):
        data = MUTATORS[target.kind](random.choice(corpus), random)
        started = time.process_time()
        try:
            target.run(data)
        except Exception as error:
            pytest.fail(f"{type(error).__name__}: {error} by {data!r}")
        assert time.process_time() - started < MOST_SECONDS, data
        if random.random() < 0.2:
            corpus.append(data)


@pytest.mark.parametrize("find", sorted(FINDS.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_fuzzing_found_stays_fixed(find: Path) -> None:
    """``finds/TARGET/NAME`` holds the bytes."""
    TARGETS[find.parent.name].run(find.read_bytes())


@pytest.mark.torch
@pytest.mark.slow
def test_torch_and_the_reader_see_the_same_operators() -> None:
    random = Random("differential")
    compare = Differential(sys.executable)
    try:
        corpus = [data for data in TARGETS["archive"].seeds() if is_accepted(read(data))]
        for data in corpus:
            compare(data)
        of_seeds = compare.loaded
        for _ in range(600):
            data = MUTATORS["archive"](random.choice(corpus[:1] * len(corpus) + corpus), random)
            if is_accepted(read(data)):
                compare(data)
                corpus.append(data)
    finally:
        compare.close()
    assert of_seeds > 80
    assert compare.loaded > of_seeds + 20
