"""The listing: raw, page by page, and never shorter than it is without saying so."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import pytest

from audacitorch.hub import Hub, HubUnreachable
from audacitorch.hub.failures import IncompleteListing
from tests.hub import LocalHub


def drain(client: Hub, page_size: int = 2) -> Tuple[List[str], bool]:
    """The ids that were listed, and whether the listing came to its end."""
    ids: List[str] = []
    try:
        for entry in client.list_models(page_size=page_size):
            ids.append(entry["id"])
    except IncompleteListing:
        return ids, False
    return ids, True


@pytest.fixture
def ids(local_hub: LocalHub) -> List[str]:
    for number in range(5):
        local_hub.add_repo(f"ann/m{number}", {"metadata.json": b"{}"}, tags=["audacity"])
    local_hub.add_repo("ann/other", {}, tags=["text"])
    return [f"ann/m{number}" for number in range(5)]


def test_every_repo_comes_once_for_one_request_a_page(local_hub: LocalHub, hub_client: Hub, ids: List[str]) -> None:
    assert drain(hub_client) == (ids, True)
    assert len(local_hub.take_log()) == 3
    assert drain(hub_client, 1000) == (ids, True)
    assert len(local_hub.take_log()) == 1


def test_an_entry_holds_what_a_refresh_wants(local_hub: LocalHub, hub_client: Hub, ids: List[str]) -> None:
    entry: Dict[str, Any] = next(iter(hub_client.list_models()))
    assert {"_id", "id", "sha", "siblings", "tags", "disabled", "gated", "likes", "downloads"} <= set(entry)


@pytest.mark.parametrize("card", [{"ignore_metadata_errors": 1}, {"self": 1}, "text", ["x"], 7, {"tags": {"a": 1}}])
def test_a_bad_card_kills_nothing(local_hub: LocalHub, hub_client: Hub, ids: List[str], card: object) -> None:
    local_hub.add_repo("bad/card", {}, tags=["audacity"], card=card)
    assert drain(hub_client) == ([*ids, "bad/card"], True)


@pytest.mark.parametrize("kind", ["rate-limit", "server-error", "cut", "drop", "stall", "not-json"])
@pytest.mark.parametrize("page", [0, 1, 2])
def test_a_passing_fault_at_any_page_changes_nothing(
    local_hub: LocalHub, hub_client: Hub, ids: List[str], kind: str, page: int
) -> None:
    local_hub.fault(kind, after=page, t=1)
    assert drain(hub_client) == (ids, True)


LASTING = [
    "unauthorized", "forbidden", "repo-not-found", "rate-limit", "server-error", "cut", "drop", "not-json", "stall",
]  # fmt: skip


@pytest.mark.parametrize("kind", LASTING)
@pytest.mark.parametrize("page", [1, 2])
def test_a_lasting_fault_after_the_first_page_keeps_what_came_and_says_that_more_may_exist(
    local_hub: LocalHub, hub_client: Hub, ids: List[str], kind: str, page: int
) -> None:
    local_hub.fault(kind, after=page, times=None, t=1)
    assert drain(hub_client) == (ids[: 2 * page], False)


@pytest.mark.parametrize("kind", LASTING)
def test_a_lasting_fault_at_the_first_page_is_an_unreachable_hub(
    local_hub: LocalHub, hub_client: Hub, ids: List[str], kind: str
) -> None:
    local_hub.fault(kind, times=None, t=1)
    with pytest.raises(HubUnreachable) as raised:
        next(iter(hub_client.list_models()))
    assert raised.value.exit_status == 3


@pytest.mark.parametrize(
    "kind", ["empty-page", "repeat-page", "repeat-page-forever", "bad-link", "foreign-link", "disguised-list"]
)
@pytest.mark.parametrize("page", [1, 2])
def test_a_listing_that_lies_is_incomplete(
    local_hub: LocalHub, hub_client: Hub, ids: List[str], kind: str, page: int
) -> None:
    if kind == "disguised-list":
        local_hub.fault("json", after=page, times=None, value={"id": "x"})
    else:
        local_hub.fault(kind, after=page, times=None)
    listed, complete = drain(hub_client)
    assert not complete
    assert listed == ids[: 2 * page + (2 if kind.endswith("link") or kind.startswith("repeat") else 0)]
    assert len(local_hub.take_log()) <= 5


def test_an_empty_page_that_promises_another_is_incomplete(
    local_hub: LocalHub, hub_client: Hub, ids: List[str]
) -> None:
    local_hub.fault("empty-page", link=True)
    assert drain(hub_client) == ([], False)


def test_a_relative_link_is_followed(local_hub: LocalHub, hub_client: Hub, ids: List[str]) -> None:
    local_hub.fault("header", name="Link", value='</api/models?filter=audacity&limit=2&cursor=Mg==>; rel="next"')
    assert drain(hub_client) == (ids, True)


def test_no_repo_with_the_tag_is_a_complete_listing(local_hub: LocalHub, hub_client: Hub) -> None:
    assert drain(hub_client) == ([], True)


def test_a_repo_that_moves_between_pages_comes_once_and_another_may_be_missing(
    local_hub: LocalHub, hub_client: Hub, ids: List[str]
) -> None:
    def insert_first() -> None:
        repos = local_hub._repos
        moved = repos.pop("ann/m4")
        later = dict(repos)
        repos.clear()
        repos.update({"ann/m4": moved}, **later)

    local_hub.fault("after", then=insert_first)
    assert drain(hub_client) == (["ann/m0", "ann/m1", "ann/m2", "ann/m3"], False)


def test_an_entry_without_an_id_is_left_out_and_told(local_hub: LocalHub, hub_client: Hub, ids: List[str]) -> None:
    local_hub.fault("edit", edit=lambda page: [{"sha": "x"}, "text", None, *page])
    assert drain(hub_client) == (ids, False)


def test_many_repos_are_read_in_little_memory(local_hub: LocalHub, hub_client: Hub) -> None:
    local_hub.add_many(3_000, lambda number: {})
    listed, complete = drain(hub_client, 1000)
    assert (len(set(listed)), complete) == (3_000, True)
    assert len(local_hub.take_log()) == 3
