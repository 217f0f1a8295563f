"""Our client: what it asks, how often, what it believes, and whom it tells its token."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, List, Type

import pytest

from audacitorch.hub import Hub, HubUnreachable
from audacitorch.hub.failures import (
    AccessDenied,
    DamagedDownload,
    DisabledRepo,
    FileNotFound,
    FileTooLarge,
    GatedRepo,
    HubError,
    RateLimited,
    RepoNotFound,
    RevisionNotFound,
    TargetUnreadable,
)
from tests.hub import HubRepo, LocalHub

FILES = {
    "README.md": b"# card",
    "metadata.json": b'{"a": 1}',
    "model.pt": b"PK" * 5000,
    "odd/n\u00e4me #1?%.txt": b"odd",
}


@pytest.fixture
def repo(local_hub: LocalHub) -> HubRepo:
    return local_hub.add_repo("ann/effect", FILES, lfs=["model.pt"])


def test_details_take_one_request_and_tell_sizes_and_hashes(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo
) -> None:
    details = hub_client.repo_details("ann/effect")
    assert (details.id, details.sha) == ("ann/effect", repo.head.oid)
    model, card = details.files["model.pt"], details.files["README.md"]
    assert (model.lfs, model.size, model.sha256) == (True, 10_000, repo.head.files["model.pt"].sha256)
    assert (card.lfs, card.size, card.git_sha1) == (False, 6, repo.head.files["README.md"].oid)
    assert len(local_hub.take_log()) == 1


def test_details_follow_a_rename_and_tell_the_new_name(local_hub: LocalHub, hub_client: Hub, repo: HubRepo) -> None:
    local_hub.rename_repo("ann/effect", "ann/better")
    assert hub_client.repo_details("ann/effect").id == "ann/better"
    assert len(local_hub.take_log()) == 2


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_takes_two_requests_and_is_verified(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, name: str
) -> None:
    file = hub_client.repo_details("ann/effect").files[name]
    local_hub.take_log()
    read = hub_client.read_file("ann/effect", repo.head.oid, name, limit=10_000, expected=file)
    assert read == FILES[name]
    assert len(local_hub.take_log()) == 2


def test_a_file_beyond_its_limit_is_not_read_to_its_end(local_hub: LocalHub, hub_client: Hub) -> None:
    local_hub.add_repo("ann/huge", {"metadata.json": b"x" * 3_000_000})
    with pytest.raises(FileTooLarge):
        hub_client.read_file("ann/huge", "main", "metadata.json", limit=1000)


def test_connections_are_kept_alive_and_threads_may_share_a_client(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo
) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: hub_client.repo_details("ann/effect").id, range(40)))
    assert ids == ["ann/effect"] * 40


ERRORS = [
    ("repo-not-found", RepoNotFound),
    ("revision-not-found", RevisionNotFound),
    ("entry-not-found", FileNotFound),
    ("gated", GatedRepo),
    ("disabled", DisabledRepo),
    ("forbidden", AccessDenied),
    ("unauthorized", RepoNotFound),
    ("rate-limit-bare", RateLimited),
    ("server-error", HubUnreachable),
    ("drop", HubUnreachable),
    ("cut", HubUnreachable),
    ("stall", HubUnreachable),
    ("not-json", HubUnreachable),
    ("loop", HubUnreachable),
]


@pytest.mark.parametrize(("kind", "expected"), ERRORS)
def test_each_failure_of_the_hub_has_its_error(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, kind: str, expected: Type[HubError]
) -> None:
    local_hub.fault(kind, times=None, at=5)
    with pytest.raises(expected) as raised:
        hub_client.repo_details("ann/effect")
    assert type(raised.value) is expected or expected is HubUnreachable
    assert raised.value.exit_status == (2 if issubclass(expected, TargetUnreadable) else 3)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("kind", ["rate-limit", "rate-limit-bare", "server-error", "drop", "cut", "stall", "not-json"])
def test_what_passes_is_asked_again(local_hub: LocalHub, hub_client: Hub, repo: HubRepo, kind: str) -> None:
    local_hub.fault(kind, times=2, at=5)
    assert hub_client.repo_details("ann/effect").sha == repo.head.oid
    assert len(local_hub.take_log()) == 3


@pytest.mark.parametrize("kind", ["wrong-hash", "wrong-size", "cut"])
@pytest.mark.parametrize("name", ["metadata.json", "model.pt"])
def test_a_damaged_file_is_never_returned(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, kind: str, name: str
) -> None:
    file = hub_client.repo_details("ann/effect").files[name]
    local_hub.fault(kind, path="resolve-cache|objects", times=None)
    with pytest.raises(HubUnreachable):
        hub_client.read_file("ann/effect", repo.head.oid, name, limit=1 << 20, expected=file)


def test_a_file_of_another_commit_is_refused(local_hub: LocalHub, hub_client: Hub, repo: HubRepo) -> None:
    first = repo.head.oid
    local_hub.commit("ann/effect", {"metadata.json": b"{}"})
    repo.branches[first] = repo.head.oid  # a Hub that takes the commit for a branch which moved
    with pytest.raises(DamagedDownload):
        hub_client.read_file("ann/effect", first, "metadata.json", limit=100)
    with pytest.raises(HubUnreachable):
        hub_client.repo_details("ann/effect", first)


def test_rate_limits_are_waited_for_as_the_header_says(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, waits: List[float]
) -> None:
    local_hub.fault("rate-limit", t=41)
    local_hub.fault("rate-limit-bare", after=1, retry_after=7)
    local_hub.fault("rate-limit-bare", after=2, retry_after="soon")
    assert hub_client.repo_details("ann/effect").id == "ann/effect"
    assert waits == [42.0, 7, 4.0]


def test_a_rate_limit_that_is_not_used_up_leaves_the_wait_to_retry_after(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, waits: List[float]
) -> None:
    local_hub.fault("rate-limit", r=12, t=240, retry_after=3)
    assert hub_client.repo_details("ann/effect").id == "ann/effect"
    assert waits == [3]


def test_without_a_header_waits_double_up_to_eight_seconds(
    local_hub: LocalHub, repo: HubRepo, waits: List[float]
) -> None:
    local_hub.fault("server-error", times=5)
    with Hub(local_hub.url, token=False) as client:
        client.repo_details("ann/effect")
    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0]


def test_an_absurd_wait_is_not_waited_for(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, waits: List[float]
) -> None:
    local_hub.fault("rate-limit", t=999_999, times=None)
    with pytest.raises(RateLimited):
        hub_client.repo_details("ann/effect")
    assert waits == []
    assert len(local_hub.take_log()) == 1


def test_the_token_goes_to_the_hub_and_to_nobody_else(local_hub: LocalHub) -> None:
    repo = local_hub.add_repo("ann/private", FILES, lfs=["model.pt"], private=True)
    local_hub.add_token("hf_ann", "ann")
    with Hub(local_hub.url, token="hf_ann") as client:
        assert client.repo_details("ann/private").private
        assert client.read_file("ann/private", repo.head.oid, "model.pt", limit=1 << 20) == FILES["model.pt"]
    assert [(r.side, r.authorized) for r in local_hub.take_log()] == [("hub", True), ("hub", True), ("cdn", False)]


def test_a_netrc_password_goes_nowhere(
    local_hub: LocalHub, repo: HubRepo, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text(
        "machine 127.0.0.1 login me password secret\nmachine localhost login a password b\n"
    )
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Hub(local_hub.url, token=False) as client:
        client.read_file("ann/effect", "main", "model.pt", limit=1 << 20)
    assert not any(logged.authorized for logged in local_hub.take_log())


def test_a_revoked_token_is_put_away_and_the_request_made_without_it(local_hub: LocalHub, repo: HubRepo) -> None:
    with Hub(local_hub.url, token="hf_revoked") as client:
        assert client.repo_details("ann/effect").id == "ann/effect"
        assert client.repo_details("ann/effect").id == "ann/effect"
    assert [logged.authorized for logged in local_hub.take_log()] == [True, False, False]


def test_a_repo_of_somebody_else_is_not_found_and_a_gated_one_is_gated(local_hub: LocalHub, hub_client: Hub) -> None:
    local_hub.add_repo("ann/private", FILES, private=True)
    local_hub.add_repo("ann/gated", FILES, gated="manual")
    with pytest.raises(RepoNotFound):
        hub_client.repo_details("ann/private")
    assert hub_client.repo_details("ann/gated").gated
    with pytest.raises(GatedRepo):
        hub_client.read_file("ann/gated", "main", "metadata.json", limit=100)


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://localhost/x", "http://[::", "gopher:x"])
def test_redirects_to_odd_places_are_not_followed(local_hub: LocalHub, hub_client: Hub, repo: HubRepo, to: str) -> None:
    local_hub.fault("foreign-redirect", times=None, to=to)
    with pytest.raises(HubUnreachable):
        hub_client.repo_details("ann/effect")


@pytest.mark.parametrize(
    "value",
    [
        [], "text", 7, None, {}, {"id": "ann/effect"}, {"id": "ann/effect", "sha": "main", "siblings": []},
        {"id": "../x", "sha": "0" * 40, "siblings": []}, {"id": "a/b", "sha": "0" * 40, "siblings": [{}]},
        {"id": "a/b", "sha": "0" * 40, "siblings": ["x"]}, {"id": "a/b", "sha": "0" * 40, "siblings": {"a": 1}},
        {"id": "a/b", "sha": "0" * 40, "siblings": [{"rfilename": "x", "size": -1, "blobId": "0" * 40}]},
        {"id": "a/b", "sha": "0" * 40, "siblings": [{"rfilename": "x", "size": 1, "blobId": "0" * 40, "lfs": {}}]},
    ],
)  # fmt: skip
def test_descriptions_of_another_shape_are_refused(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, value: object
) -> None:
    local_hub.fault("json", value=value)
    with pytest.raises(HubUnreachable):
        hub_client.repo_details("ann/effect")


def test_deeply_nested_json_is_refused(local_hub: LocalHub, hub_client: Hub, repo: HubRepo) -> None:
    local_hub.fault("body", times=None, body=b"[" * 200_000)
    with pytest.raises(HubUnreachable):
        hub_client.repo_details("ann/effect")


def test_a_hub_that_is_not_there_is_unreachable(waits: List[float]) -> None:
    with Hub("http://127.0.0.1:9", token=False) as client, pytest.raises(HubUnreachable, match="refused"):
        client.repo_details("ann/effect")
    assert waits == [1.0, 2.0]


@pytest.mark.parametrize(
    "endpoint", ["huggingface.co", "ftp://x", "http://", "http://a:99999", "http://u:p@host", "http://[::"]
)
def test_an_endpoint_that_is_no_address_is_refused(endpoint: str) -> None:
    with pytest.raises(HubUnreachable):
        Hub(endpoint, token=False)


def test_the_environment_names_the_endpoint_the_token_and_forbids(
    local_hub: LocalHub, repo: HubRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_hub.add_token("hf_env", "ann")
    monkeypatch.setenv("HF_ENDPOINT", local_hub.url + "/")
    monkeypatch.setenv("HF_TOKEN", "hf_env")
    with Hub() as client:
        client.repo_details("ann/effect")
    assert [logged.authorized for logged in local_hub.take_log()] == [True]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(HubUnreachable, match="HF_HUB_OFFLINE"):
        Hub()


@pytest.mark.parametrize("kind", ["wrong-hash", "wrong-size", "cut", "drop"])
def test_a_file_that_was_damaged_once_is_read_again(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, kind: str
) -> None:
    file = hub_client.repo_details("ann/effect").files["metadata.json"]
    local_hub.fault(kind, path="resolve-cache")
    read = hub_client.read_file("ann/effect", repo.head.oid, "metadata.json", limit=100, expected=file)
    assert read == FILES["metadata.json"]
