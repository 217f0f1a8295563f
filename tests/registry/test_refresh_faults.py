"""Every fault of the local Hub at every request of a refresh: nothing known gets worse, and the next run is whole."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator

import pytest

from audacitorch.registry.model_record import ModelRecord
from tests.registry.world import MODEL, World, model_files

pytestmark = pytest.mark.slow

#: Faults, with what they need to be told.
FAULTS: Dict[str, Dict[str, Any]] = {
    "unauthorized": {}, "invalid-token": {}, "forbidden": {}, "gated": {}, "disabled": {}, "repo-not-found": {},
    "entry-not-found": {}, "revision-not-found": {}, "not-found-bare": {}, "rate-limit": {"t": 30},
    "rate-limit-bare": {"retry_after": 7}, "server-error": {}, "slow": {"seconds": 0.8}, "drop": {}, "cut": {},
    "stall": {"seconds": 0.8}, "wrong-size": {}, "wrong-hash": {}, "ignore-range": {}, "wrong-range": {}, "etag": {},
    "empty-page": {}, "repeat-page": {}, "bad-link": {}, "foreign-link": {}, "loop": {}, "not-json": {},
    "body": {"body": b"[{]"},
}  # fmt: skip
#: The listing, the repo's details, metadata.json with its redirect, model.pt with its redirect.
REQUESTS = 6
KNOWN = ("ann/listed", "ann/other", "bob/changes")


@pytest.fixture
def settled(world: World) -> World:
    """Three tested models, all built in, one of which has a new commit."""
    for number, repo_id in enumerate(KNOWN):
        world.add(repo_id, number)
    world.refresh()
    for repo_id in KNOWN:
        world.try_out(repo_id)
    world.list_builtin(*KNOWN)
    world.curate()
    assert world.listed() == list(KNOWN)
    world.commit("bob/changes", model_files(9))
    world.requests()
    return world


def not_worse(before: ModelRecord, after: ModelRecord) -> bool:
    """Whether a record is as it was, or what a good refresh would have made of it."""
    return after == before or (after.status == "untested" and after.revision != before.revision)


def cases() -> Iterator[Any]:
    """Every fault, for one answer and for all that follow."""
    for kind in FAULTS:
        yield pytest.param(kind, False, id=f"{kind}, once")
        slow = [pytest.mark.slow] if kind in ("slow", "stall") else []
        yield pytest.param(kind, True, id=f"{kind}, from then on", marks=slow)


@pytest.mark.parametrize(("kind", "persistent"), cases())
def test_a_fault_at_any_request_makes_nothing_worse(settled: World, kind: str, persistent: bool) -> None:
    world = settled
    before = {repo_id: world.record(repo_id) for repo_id in KNOWN}
    saved = {path: path.read_bytes() for path in world.folder.path.rglob("*") if path.is_file()}
    for number in range(REQUESTS):
        for path, content in saved.items():
            path.write_bytes(content)
        world.hub.fault(kind, after=number, times=None if persistent else 1, **FAULTS[kind])
        done = world.refresh(hours=1, workers=1)
        world.curate(hours=1)
        assert done.exit_status in (0, 3)
        assert done.exit_status == 0 or done.fault
        assert world.listed() == list(KNOWN), f"request {number}: the list was shortened"
        for repo_id in KNOWN:
            assert not_worse(before[repo_id], world.record(repo_id)), f"request {number}: {repo_id}"
        world.hub.faults.clear()
        again = world.refresh(hours=2, workers=1)
        assert again.exit_status == 0
        assert world.record("bob/changes").status == "untested"
        assert world.record("bob/changes").revision != before["bob/changes"].revision
        assert world.record("ann/listed") == before["ann/listed"]


@pytest.mark.parametrize("kind", ["server-error", "cut", "empty-page", "drop", "not-json", "repeat-page-forever"])
def test_a_listing_that_ends_early_loses_nobody(settled: World, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = settled
    client_listing = world.client.list_models
    monkeypatch.setattr(world.client, "list_models", lambda: client_listing(page_size=1))
    world.hub.fault(kind, path=r"/api/models\?", after=1, times=None)
    for hours in (1, 30, 60):
        done = world.refresh(hours)
        assert done.exit_status == 3
        assert done.fault
        world.curate(hours)
    assert world.listed() == list(KNOWN)
    assert all(world.record(repo_id).status != "gone" for repo_id in KNOWN)
    assert set(json.loads(world.folder.stats.read_text())) == set(KNOWN)


def test_a_rate_limit_that_asks_for_too_much_stops_the_refresh_and_the_next_goes_on(world: World) -> None:
    for number in range(30):
        world.add(f"ann/effect-{number:02d}", number)
    world.hub.fault("rate-limit", path="/revision/", after=10, times=None, t=9999)
    done = world.refresh(workers=2)
    assert done.exit_status == 3
    assert "rate limit" in str(done.fault)
    assert 0 < done.written <= 10
    assert done.written + len(done.failed) == 30
    assert len(world.requests()) < 1 + 10 * 5 + 6
    world.hub.faults.clear()
    assert world.refresh().written == 30 - done.written


def test_a_hub_that_fails_for_every_repo_is_left_alone(world: World) -> None:
    for number in range(60):
        world.add(f"ann/effect-{number:02d}", number)
    world.hub.fault("server-error", path="/revision/", times=None)
    done = world.refresh(workers=2)
    assert done.exit_status == 3
    assert len(done.failed) == 60
    assert len(world.requests()) < 1 + 4 * 12


def test_main_that_moves_between_two_requests_is_read_at_the_listed_commit(world: World) -> None:
    repo = world.add("ann/effect")
    listed = repo.head.oid
    world.hub.fault("after", path="/api/models", then=lambda: world.commit("ann/effect", model_files(5)))
    world.refresh()
    record = world.record("ann/effect")
    assert (record.revision, (record.metadata or {})["long_description"]) == (listed, "model 0")
    world.refresh(hours=1)
    assert (world.record("ann/effect").metadata or {})["long_description"] == "model 5"


def test_bytes_of_another_file_are_never_held_against_a_small_model(settled: World) -> None:
    world = settled
    before = world.record("bob/changes")
    world.commit("bob/changes", {**model_files(9), "model.pt": MODEL + b"\0"})
    world.hub.fault("body", side="cdn", times=None, body=bytes(len(MODEL) + 1))
    done = world.refresh(hours=1)
    assert (done.exit_status, done.failed) == (3, ["bob/changes"])
    assert "its hash differs" in str(done.fault)
    assert world.record("bob/changes") == before


def test_what_looks_damaged_in_a_large_model_is_left_to_the_trial(settled: World) -> None:
    world = settled
    large = bytes(1 << 17)
    world.commit("bob/changes", {**model_files(9), "model.pt": large})
    world.refresh(hours=1)
    assert world.status("bob/changes") == "untested"
    world.curate(hours=1)
    assert "bob/changes" in world.listed()


def test_an_unreachable_hub_changes_nothing(settled: World) -> None:
    world = settled
    before = world.tree()
    world.hub.close()
    done = world.refresh(hours=100)
    assert done.exit_status == 3
    assert "can't be reached" in str(done.fault)
    assert world.tree() == before
