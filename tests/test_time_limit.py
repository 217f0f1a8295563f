"""Work in this process can be stopped, in any thread, and what is in time is left alone."""

from __future__ import annotations

import threading
from typing import Any, List

import pytest

from audacitorch.time_limit import TimeLimitExceeded, time_limit


def endless() -> None:
    number = 0
    while True:
        try:
            number += 1
        except Exception:  # what broad handlers of the work catch does not keep it going
            number = 0


def test_work_without_end_is_stopped() -> None:
    with pytest.raises(TimeLimitExceeded, match=r"Reading took longer than 0\.05 s"):
        with time_limit(0.05, "Reading"):
            endless()


def test_work_in_another_thread_is_stopped_there() -> None:
    caught: List[Any] = []

    def work() -> None:
        try:
            with time_limit(0.05, "Reading"):
                endless()
        except TimeLimitExceeded as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert len(caught) == 1


def test_work_in_time_is_left_alone() -> None:
    before = threading.active_count()
    for _ in range(100):
        with time_limit(60.0, "Reading"):
            pass
    assert threading.active_count() <= before + 100
    assert sum(range(10)) == 45


def test_an_error_of_the_work_is_kept() -> None:
    with pytest.raises(ValueError, match="its own"), time_limit(60.0, "Reading"):
        raise ValueError("its own")


def test_a_limit_that_no_clock_holds_is_no_limit() -> None:
    with time_limit(1e300, "Reading"):
        pass
