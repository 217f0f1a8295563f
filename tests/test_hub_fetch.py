"""A repo from the Hub to a folder: few requests, one commit, right bytes, and nothing half done."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import stat
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest

from audacitorch import hub as hub_package
from audacitorch.facts import Repo, RepoFile
from audacitorch.hub import Hub, HubError, HubUnreachable, TargetUnreadable, fetch
from audacitorch.hub.failures import DamagedDownload, GatedRepo, LocalStorageError, RepoNotFound, RevisionNotFound
from tests.hub import Blob, HubRepo, LocalHub

MODEL = random.Random(2).randbytes(300_000)
FILES = {"README.md": b"# card", "metadata.json": b'{"a": 1}', "model.pt": MODEL, "train.py": b"x", "weights.bin": b"y"}
WANTED = ["README.md", "metadata.json", "model.pt"]


@pytest.fixture
def repo(local_hub: LocalHub) -> HubRepo:
    return local_hub.add_repo("ann/effect", FILES, lfs=["model.pt"])


def held(folder: Path) -> Dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_it_brings_what_a_check_needs_and_nothing_else(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, tmp_path: Path
) -> None:
    fetched = fetch("ann/effect", None, tmp_path / "new" / "folder", hub=hub_client)
    assert held(tmp_path / "new" / "folder") == {name: FILES[name] for name in WANTED}
    assert len(local_hub.take_log()) == 7
    sha256 = {name: hashlib.sha256(FILES[name]).hexdigest() for name in WANTED}
    files = {name: RepoFile(name, len(FILES[name]), name == "model.pt", sha256[name]) for name in WANTED}
    assert fetched == Repo("hub", "ann/effect", repo.head.oid, files)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "new" / "folder" / "model.pt").stat().st_mode) == 0o644 & ~umask


def test_what_is_there_already_is_not_asked_for_again(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, tmp_path: Path
) -> None:
    first = fetch("ann/effect", "main", tmp_path, hub=hub_client)
    local_hub.take_log()
    assert fetch("ann/effect", "main", tmp_path, hub=hub_client) == first
    assert len(local_hub.take_log()) == 1
    (tmp_path / "metadata.json").write_bytes(b'{"a": 2}')
    assert fetch("ann/effect", "main", tmp_path, hub=hub_client) == first
    assert held(tmp_path)["metadata.json"] == FILES["metadata.json"]
    assert len(local_hub.take_log()) == 3


def test_all_files_are_of_one_commit_though_main_moves(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, tmp_path: Path
) -> None:
    first = repo.head.oid
    moved = {"metadata.json": b'{"a": 2}', "model.pt": b"other"}
    local_hub.fault(
        "after", path="/revision/main", then=lambda: local_hub.commit("ann/effect", moved, lfs=["model.pt"])
    )
    assert fetch("ann/effect", "main", tmp_path, hub=hub_client).revision == first
    assert held(tmp_path)["model.pt"] == MODEL
    assert fetch("ann/effect", "main", tmp_path, hub=hub_client).revision == repo.head.oid != first
    assert held(tmp_path)["model.pt"] == b"other"
    assert fetch("ann/effect", first, tmp_path, hub=hub_client).revision == first
    assert held(tmp_path)["model.pt"] == MODEL


def test_a_renamed_repo_is_named_as_the_hub_names_it_now(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, tmp_path: Path
) -> None:
    local_hub.rename_repo("ann/effect", "ann/better")
    assert fetch("ann/effect", None, tmp_path, hub=hub_client).id == "ann/better"
    assert len(local_hub.take_log()) == 8


def test_names_that_the_hub_tells_never_become_paths(local_hub: LocalHub, hub_client: Hub, tmp_path: Path) -> None:
    names = ["../metadata.json", "/tmp/model.pt", "a\nb", "..", "C:\\x", "sub/metadata.json", "\u202emodel.pt"]
    local_hub.add_repo("ann/odd", {**dict.fromkeys(names, b"evil"), "metadata.json": b"{}"})
    fetched = fetch("ann/odd", None, tmp_path / "in", hub=hub_client)
    assert list(fetched.files) == ["metadata.json"]
    assert held(tmp_path / "in") == {"metadata.json": b"{}"}
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_model_outside_of_lfs_says_so_and_has_its_hash(local_hub: LocalHub, hub_client: Hub, tmp_path: Path) -> None:
    local_hub.add_repo("ann/plain", {"model.pt": MODEL})
    fetched = fetch("ann/plain", None, tmp_path, hub=hub_client)
    sha256 = hashlib.sha256(MODEL).hexdigest()
    assert fetched.files == {"model.pt": RepoFile("model.pt", len(MODEL), False, sha256)}


def test_a_file_beyond_its_bound_is_described_and_left_on_the_hub(
    local_hub: LocalHub, hub_client: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hole = tmp_path / "hole"
    with hole.open("wb") as file:
        file.truncate(1 << 31)
    local_hub.add_repo("ann/huge", {"model.pt": Blob(hole, lfs=True, sha256="c" * 64), "metadata.json": b"{}"})
    fetched = fetch("ann/huge", None, tmp_path / "in", hub=hub_client)
    assert fetched.files["model.pt"] == RepoFile("model.pt", 1 << 31, True, "c" * 64)
    assert held(tmp_path / "in") == {"metadata.json": b"{}"}
    assert len(local_hub.take_log()) == 3
    assert hub_package.WANTED["model.pt"] == (1 << 31) - 1


def test_a_file_that_is_not_the_repos_is_neither_kept_nor_deleted(
    local_hub: LocalHub, hub_client: Hub, tmp_path: Path
) -> None:
    local_hub.add_repo("ann/bare", {"metadata.json": b"{}"})
    (tmp_path / "README.md").write_bytes(b"mine")
    with pytest.raises(LocalStorageError, match=r"README\.md"):
        fetch("ann/bare", None, tmp_path, hub=hub_client)
    assert held(tmp_path) == {"README.md": b"mine"}


def failure(act: Callable[[], object]) -> Optional[HubError]:
    """How it failed, None where it did not."""
    try:
        act()
    except HubError as error:
        return error
    return None


ONCE = ["cut", "drop", "stall", "server-error", "rate-limit", "rate-limit-bare", "slow"]
ON_FILES = ["wrong-size", "wrong-hash"]


@pytest.mark.parametrize("at", range(7))
@pytest.mark.parametrize("kind", ONCE)
def test_a_passing_fault_at_any_request_is_survived(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, tmp_path: Path, kind: str, at: int
) -> None:
    local_hub.fault(kind, after=at, seconds=0.6 if kind == "stall" else 0.05)
    fetch("ann/effect", None, tmp_path, hub=hub_client)
    assert held(tmp_path) == {name: FILES[name] for name in WANTED}


@pytest.mark.parametrize("kind", ON_FILES)
def test_content_that_was_damaged_once_is_brought_again(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, tmp_path: Path, kind: str
) -> None:
    for path in ("cache.*metadata", "cache.*README", "objects"):
        local_hub.fault(kind, path=path)
    fetch("ann/effect", None, tmp_path, hub=hub_client)
    assert held(tmp_path) == {name: FILES[name] for name in WANTED}


LASTING = [*ONCE[:-1], *ON_FILES, "unauthorized", "forbidden", "repo-not-found", "entry-not-found", "gated", "disabled"]


@pytest.mark.parametrize("kind", [kind for kind in LASTING if kind != "stall"])
@pytest.mark.parametrize("path", ["/api/models/", "/resolve/", "resolve-cache", "/objects/"])
def test_a_lasting_fault_leaves_no_wrong_file(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, tmp_path: Path, kind: str, path: str
) -> None:
    local_hub.fault(kind, path=path, times=None)
    error = failure(lambda: fetch("ann/effect", None, tmp_path, hub=hub_client))
    if error is None:
        assert path == "/resolve/"  # where the fault spoils no more than a redirect's text
        assert kind in (*ON_FILES, "cut")
    else:
        assert error.exit_status == (2 if isinstance(error, TargetUnreadable) else 3)
    placed = {name: content for name, content in held(tmp_path).items() if not name.startswith(".")}
    assert placed.items() <= {name: FILES[name] for name in WANTED}.items()


def test_an_interrupted_download_goes_on_from_where_it_was(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, tmp_path: Path
) -> None:
    local_hub.fault("cut", side="cdn", at=200_000)
    local_hub.fault("forbidden", side="cdn", after=1)
    with pytest.raises(HubUnreachable):
        fetch("ann/effect", None, tmp_path, hub=hub_client)
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")]
    local_hub.take_log()
    seen: List[Tuple[str, int, int]] = []
    fetch("ann/effect", None, tmp_path, hub=hub_client, progress=lambda *step: seen.append(step))
    (ranged,) = [logged for logged in local_hub.take_log() if logged.side == "cdn"]
    assert ranged.range is not None
    assert ranged.sent < 200_000
    assert held(tmp_path) == {name: FILES[name] for name in WANTED}
    assert seen[-1] == ("model.pt", len(MODEL), len(MODEL))


@pytest.mark.parametrize("partial", [b"wrong" * 10, MODEL + b"more", MODEL, MODEL[:-1] + b"?"])
@pytest.mark.parametrize("ranges", [True, False])
def test_whatever_a_partial_file_holds_the_end_is_right(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, tmp_path: Path, partial: bytes, ranges: bool
) -> None:
    sha256 = hashlib.sha256(MODEL).hexdigest()
    (tmp_path / f".model.pt.{sha256[:16]}.part").write_bytes(partial)
    if not ranges:
        local_hub.fault("ignore-range", times=None)
    fetch("ann/effect", None, tmp_path, hub=hub_client)
    assert held(tmp_path) == {name: FILES[name] for name in WANTED}


@pytest.mark.parametrize("kind", ["wrong-range", "wrong-hash"])
def test_lasting_damage_is_told_and_leaves_no_partial_file(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, tmp_path: Path, kind: str
) -> None:
    sha256 = hashlib.sha256(MODEL).hexdigest()
    (tmp_path / f".model.pt.{sha256[:16]}.part").write_bytes(MODEL[:1000])
    local_hub.fault(kind, side="cdn", times=None)
    if kind == "wrong-hash":
        with pytest.raises(DamagedDownload):
            fetch("ann/effect", None, tmp_path, hub=hub_client)
    else:
        fetch("ann/effect", None, tmp_path, hub=hub_client)
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


def test_a_partial_file_that_is_a_link_is_not_followed(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    sha256 = hashlib.sha256(MODEL).hexdigest()
    (tmp_path / "in" / f".model.pt.{sha256[:16]}.part").symlink_to(victim)
    with pytest.raises(LocalStorageError):
        fetch("ann/effect", None, tmp_path / "in", hub=hub_client)
    assert victim.read_bytes() == b"mine"


def test_no_room_and_no_folder_are_our_fault(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LocalStorageError):
        fetch("ann/effect", None, tmp_path / "file" / "x", hub=hub_client)
    (tmp_path / "in" / "model.pt").mkdir(parents=True)
    with pytest.raises(LocalStorageError):
        fetch("ann/effect", None, tmp_path / "in", hub=hub_client)
    full: Any = type("Usage", (), {"free": 5})
    monkeypatch.setattr("audacitorch.hub.download.shutil.disk_usage", lambda path: full)
    with pytest.raises(LocalStorageError, match="no room") as raised:
        fetch("ann/effect", None, tmp_path / "new", hub=hub_client)
    assert raised.value.exit_status == 3


def _fetch_there(url: str, folder: str) -> None:
    with Hub(url, token=False) as client:
        fetch("ann/effect", None, folder, hub=client)


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
def test_processes_may_fetch_into_one_folder(local_hub: LocalHub, repo: HubRepo, tmp_path: Path) -> None:
    local_hub.fault("slow", side="cdn", seconds=0.3, times=None)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_fetch_there, args=(local_hub.url, str(tmp_path))) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert held(tmp_path) == {name: FILES[name] for name in WANTED}
    assert len([logged for logged in local_hub.take_log() if logged.side == "cdn"]) == 1


@pytest.mark.parametrize(
    ("repo_id", "revision", "expected"),
    [
        ("ann/none", None, RepoNotFound),
        ("ann/private", None, RepoNotFound),
        ("ann/effect", "none", RevisionNotFound),
        ("ann/gated", None, GatedRepo),
    ],
)
def test_what_can_not_be_had_is_the_targets_fault(
    local_hub: LocalHub, hub_client: Hub, repo: HubRepo, tmp_path: Path, repo_id: str, revision: str, expected: type
) -> None:
    local_hub.add_repo("ann/private", FILES, private=True)
    local_hub.add_repo("ann/gated", FILES, gated="auto")
    with pytest.raises(expected) as raised:
        fetch(repo_id, revision, tmp_path, hub=hub_client)
    assert raised.value.exit_status == 2  # type: ignore[attr-defined]


def test_the_callers_token_opens_a_private_repo(
    local_hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_hub.add_repo("ann/private", FILES, private=True, lfs=["model.pt"])
    local_hub.add_token("hf_ann", "ann")
    monkeypatch.setenv("HF_ENDPOINT", local_hub.url)
    fetch("ann/private", None, tmp_path, "hf_ann")
    assert sorted(held(tmp_path)) == WANTED
    with pytest.raises(RepoNotFound):
        fetch("ann/private", None, tmp_path, False)


@pytest.mark.parametrize(("token", "hinted"), [("", True), ("hf_eve", False)])
def test_a_repo_that_may_be_private_names_the_token_that_would_read_it(
    local_hub: LocalHub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, token: str, hinted: bool
) -> None:
    from audacitorch.cli import main

    local_hub.add_repo("ann/private", FILES, private=True, lfs=["model.pt"])
    local_hub.add_token("hf_eve", "eve")
    monkeypatch.setenv("HF_TOKEN", token)
    assert main(["check", "--static", "ann/private", "--endpoint", local_hub.url]) == 2
    said = capsys.readouterr().err
    assert "ann/private" in said
    assert ("If it is private, set HF_TOKEN to a token that may read it." in said) == hinted


def test_a_timeout_that_was_asked_for_bounds_the_download_too(
    local_hub: LocalHub, repo: HubRepo, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from audacitorch.cli import main

    monkeypatch.setenv("HF_TOKEN", "")
    words = ["check", "--static", "ann/effect", "--endpoint", local_hub.url]
    assert main([*words, "--timeout", "0.001"]) == 3
    assert "time for the download is up" in capsys.readouterr().err
    assert not [logged for logged in local_hub.take_log() if logged.side == "cdn"]
    assert main(words) == 1
