"""The local Hub, seen by the real huggingface_hub client: what it gets here is what it gets from the real one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import List

import pytest
from huggingface_hub import CommitOperationAdd, HfApi, HfFileSystem, hf_hub_download
from huggingface_hub.errors import (
    BadRequestError,
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.hub import LocalHub
from tests.hub.repos import git_sha1

FILES = {"README.md": b"---\ntags: [audacity, music]\n---\n", "metadata.json": b"{}", "model.pt": b"PK" * 5000}


@pytest.fixture
def api(local_hub: LocalHub) -> HfApi:
    local_hub.add_repo("ann/effect", FILES, lfs=["model.pt"])
    local_hub.add_token("hf_ann", "ann", write=True)
    local_hub.add_token("hf_read", "bob")
    return HfApi(endpoint=local_hub.url, token=False)


def paths(local_hub: LocalHub) -> List[str]:
    return [f"{logged.method} {logged.side}" for logged in local_hub.take_log()]


def test_listing_filters_by_tag_and_follows_links_to_the_end(local_hub: LocalHub, api: HfApi) -> None:
    for number in range(4):
        local_hub.add_repo(f"bob/m{number}", {}, tags=["audacity"])
    local_hub.add_repo("bob/other", {}, tags=["text"])
    assert [model.id for model in api.list_models(filter="audacity", limit=3)] == ["ann/effect", "bob/m0", "bob/m1"]
    pages = list(api.list_models(filter="audacity", full=True, limit=1000))
    assert [model.id for model in pages] == ["ann/effect", "bob/m0", "bob/m1", "bob/m2", "bob/m3"]
    assert pages[0].sha == local_hub.find("ann/effect").head.oid
    assert [s.rfilename for s in pages[0].siblings] == ["README.md", "metadata.json", "model.pt"]
    assert pages[0].siblings[0].size is None


def test_many_repos_are_listed_a_thousand_a_page(local_hub: LocalHub) -> None:
    local_hub.add_many(3_500, lambda number: {})
    api = HfApi(endpoint=local_hub.url, token=False)
    models = list(api.list_models(filter="audacity", expand=["sha"]))
    assert len({model.sha for model in models}) == 3_500
    assert len(local_hub.take_log()) == 4


def test_info_tells_sizes_and_hashes(local_hub: LocalHub, api: HfApi) -> None:
    info = api.model_info("ann/effect", files_metadata=True)
    model, card = info.siblings[2], info.siblings[0]
    assert model.lfs.sha256 == hashlib.sha256(FILES["model.pt"]).hexdigest()
    assert (model.size, card.size) == (10_000, len(FILES["README.md"]))
    assert card.blob_id == git_sha1(FILES["README.md"])
    assert card.lfs is None
    assert info.tags == ["audacity", "music"]


def test_tree_paths_refs_and_commits(local_hub: LocalHub, api: HfApi) -> None:
    local_hub.commit("ann/effect", {"docs/a/b.txt": b"b"}, title="Add docs")
    assert [e.path for e in api.list_repo_tree("ann/effect")] == ["README.md", "docs", "metadata.json", "model.pt"]
    assert len(list(api.list_repo_tree("ann/effect", recursive=True, expand=True))) == 6
    assert [e.path for e in api.get_paths_info("ann/effect", ["model.pt", "nothing"])] == ["model.pt"]
    assert [commit.title for commit in api.list_repo_commits("ann/effect")] == ["Add docs", "initial commit"]
    assert [branch.name for branch in api.list_repo_refs("ann/effect").branches] == ["main"]


def test_a_renamed_repo_is_found_under_its_old_name(local_hub: LocalHub, api: HfApi) -> None:
    local_hub.rename_repo("ann/effect", "ann/better")
    assert api.model_info("ann/effect").id == "ann/better"
    assert [e.path for e in api.get_paths_info("ann/effect", ["model.pt"])] == ["model.pt"]


def test_downloads_take_as_many_requests_as_from_the_real_hub(local_hub: LocalHub, api: HfApi, tmp_path: Path) -> None:
    def download(name: str, revision: str = "main") -> bytes:
        path = hf_hub_download(
            "ann/effect", name, revision=revision, endpoint=local_hub.url, token=False, cache_dir=tmp_path
        )
        return Path(path).read_bytes()

    sha = local_hub.find("ann/effect").head.oid
    assert download("model.pt") == FILES["model.pt"]
    assert paths(local_hub) == ["HEAD hub", "GET cdn"]
    assert download("model.pt") == FILES["model.pt"]
    assert paths(local_hub) == ["HEAD hub"]
    assert download("model.pt", sha) == FILES["model.pt"]
    assert paths(local_hub) == []
    assert download("metadata.json") == FILES["metadata.json"]
    assert len(paths(local_hub)) == 3


def test_range_reads_of_the_file_system(local_hub: LocalHub, api: HfApi) -> None:
    files = HfFileSystem(endpoint=local_hub.url, token=False, skip_instance_cache=True)
    with files.open("ann/effect/model.pt", block_size=1024, cache_type="none") as file:
        file.seek(4000)
        assert file.read(10) == b"PK" * 5


def test_upload_of_a_card_and_a_model(local_hub: LocalHub, api: HfApi) -> None:
    writer = HfApi(endpoint=local_hub.url, token="hf_ann")
    writer.create_repo("ann/new", private=True)
    writer.create_repo("ann/new", exist_ok=True)
    operations = [
        CommitOperationAdd("README.md", b"---\ntags: [audacity]\n---\n"),
        CommitOperationAdd("model.pt", b"weights" * 100),
    ]
    before = local_hub.find("ann/new")
    assert before is not None
    writer.create_commit("ann/new", operations, commit_message="Add", parent_commit=before.head.oid)
    head = before.head
    assert head.files["model.pt"].lfs
    assert head.files["model.pt"].read(0, 7) == b"weights"
    assert before.all_tags == ["audacity"]
    again = [CommitOperationAdd("notes.txt", b"x")]
    with pytest.raises(HfHubHTTPError) as stale:
        writer.create_commit("ann/new", again, commit_message="x", parent_commit=before.commits[0].oid)
    assert stale.value.response.status_code == 412
    assert before.head is head
    writer.upload_file(path_or_fileobj=b"[]", path_in_repo="models.json", repo_id="ann/new")
    assert before.head.files["models.json"].read(0, 2) == b"[]"
    with pytest.raises(HfHubHTTPError):
        HfApi(endpoint=local_hub.url, token="hf_read").upload_file(
            path_or_fileobj=b"x", path_in_repo="x", repo_id="ann/effect"
        )
    assert HfApi(endpoint=local_hub.url, token="hf_ann").whoami()["name"] == "ann"


def test_errors_are_those_of_the_real_hub(local_hub: LocalHub, api: HfApi, tmp_path: Path) -> None:
    local_hub.add_repo("ann/gated", FILES, gated="auto")
    local_hub.add_repo("ann/private", FILES, private=True)
    local_hub.add_repo("ann/disabled", FILES, disabled=True)
    for missing in ("ann/nothing", "ann/private"):
        with pytest.raises(RepositoryNotFoundError):
            api.model_info(missing, token="hf_read")
        with pytest.raises(HfHubHTTPError, match="Invalid username or password") as anonymous:
            api.model_info(missing)  # over https the client calls this RepositoryNotFoundError, too
        assert anonymous.value.response.status_code == 401
        assert "X-Error-Code" not in anonymous.value.response.headers
    assert api.model_info("ann/private", token="hf_ann").private
    with pytest.raises(RevisionNotFoundError):
        api.model_info("ann/effect", revision="nothing")
    assert api.model_info("ann/gated").gated == "auto"
    for token in (False, "hf_read"):
        with pytest.raises(GatedRepoError):
            api.hf_hub_download("ann/gated", "README.md", token=token, cache_dir=tmp_path)
    with pytest.raises(LocalEntryNotFoundError) as shut:
        api.hf_hub_download("ann/disabled", "model.pt", cache_dir=tmp_path)
    assert isinstance(shut.value.__cause__, DisabledRepoError)
    with pytest.raises(RemoteEntryNotFoundError):
        api.hf_hub_download("ann/effect", "nothing.txt", cache_dir=tmp_path)
    with pytest.raises(BadRequestError):
        list(api.list_models(expand=["usedStorage"]))
    with pytest.raises(HfHubHTTPError, match="401"):
        list(api.list_models(token="hf_revoked"))


def test_every_answer_tells_the_rate_limit(local_hub: LocalHub, api: HfApi) -> None:
    import requests
    from huggingface_hub.utils import parse_ratelimit_headers

    for path in ("/api/models", "/ann/effect/resolve/main/model.pt", "/ann/none/resolve/main/model.pt"):
        answer = requests.get(local_hub.url + path, allow_redirects=False, timeout=5)
        limit = parse_ratelimit_headers(answer.headers)
        assert limit is not None
        assert limit.window_seconds == 300
