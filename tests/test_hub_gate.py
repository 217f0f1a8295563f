"""A rate limit holds for every thread: while one waits for it to end, the others ask nothing."""

from __future__ import annotations

from threading import Event, Thread
from typing import List

import pytest

from audacitorch.http import connections
from audacitorch.hub import Hub
from tests.hub import LocalHub


def test_a_rate_limit_that_one_thread_meets_stops_the_others(
    local_hub: LocalHub, hub_client: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_hub.add_repo("ann/one", {"a": b"1"})
    local_hub.add_repo("ann/two", {"a": b"2"})
    local_hub.fault("rate-limit", path="ann/one", t=30)
    waited: List[float] = []
    asked_meanwhile: List[str] = []
    other = Thread(target=hub_client.repo_details, args=("ann/two",))

    arrived, opened = Event(), Event()

    def pause(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 1:
            other.start()
            assert arrived.wait(10)
            asked_meanwhile.extend(logged.path for logged in local_hub.take_log())
            opened.set()
        else:
            arrived.set()
            assert opened.wait(10)

    monkeypatch.setattr(connections, "pause", pause)
    hub_client.repo_details("ann/one")
    other.join()
    assert asked_meanwhile == ["/api/models/ann/one/revision/main"]
    assert waited[0] == 31
    assert 25 < waited[1] <= 31
    hub_client.repo_details("ann/two")
    assert len(waited) == 2
