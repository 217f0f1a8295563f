"""The one HTTP client: an answer has a total time, whatever a server does to keep it going."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from audacitorch.hub import Hub, HubUnreachable, fetch
from tests.hub import LocalHub

#: Against hanging; the limits under test are two seconds at most.
GENEROUS = 60.0
FILES = {"metadata.json": b'{"a": 1}', "model.pt": b"PK" * 5000}


@pytest.fixture
def impatient(local_hub: LocalHub, waits: List[float]) -> Any:
    local_hub.add_repo("ann/effect", FILES, lfs=["model.pt"], tags=["audacity"])
    with Hub(local_hub.url, token=False, timeouts=(2.0, 1.0), tries=3, total_seconds=0.5) as client:
        yield client


@pytest.mark.parametrize("kind", ["drip", "drip-headers"])
@pytest.mark.parametrize("what", ["listing", "details", "file"])
def test_a_drip_of_a_byte_now_and_then_does_not_hold_a_request(
    local_hub: LocalHub, impatient: Hub, kind: str, what: str
) -> None:
    local_hub.fault(kind, times=None, seconds=0.1)
    start = time.monotonic()
    ask: Dict[str, Callable[[], Any]] = {
        "listing": lambda: list(impatient.list_models()),
        "details": lambda: impatient.repo_details("ann/effect"),
        "file": lambda: impatient.read_file("ann/effect", "main", "metadata.json", limit=100),
    }
    with pytest.raises(HubUnreachable, match="second"):
        ask[what]()
    assert time.monotonic() - start < GENEROUS
    asked = [(logged.method, logged.target) for logged in local_hub.take_log()]
    assert len(set(asked)) == len(asked), "a request that used up its time is not sent again"


def test_a_drip_does_not_hold_a_download_beyond_its_time(local_hub: LocalHub, hub_client: Hub, tmp_path: Path) -> None:
    local_hub.add_repo("ann/effect", FILES, lfs=["model.pt"])
    local_hub.fault("drip", side="cdn", times=None, seconds=0.1)
    with pytest.raises(HubUnreachable, match=r"second|time for the download"):
        fetch("ann/effect", None, tmp_path, hub=hub_client, seconds=1.0)
    assert not (tmp_path / "model.pt").exists()


def test_a_rate_limit_that_is_waited_for_does_not_use_up_the_time(
    local_hub: LocalHub, impatient: Hub, waits: List[float]
) -> None:
    local_hub.fault("rate-limit", times=2, t=41)
    assert impatient.repo_details("ann/effect").id == "ann/effect"
    assert waits == [42.0, 42.0]


def test_a_slow_answer_leaves_the_connection_usable(local_hub: LocalHub, impatient: Hub) -> None:
    local_hub.fault("slow", seconds=0.3)
    for _ in range(3):
        assert impatient.repo_details("ann/effect").id == "ann/effect"
