"""`audacitorch push` against the local Hub, by the real client: checked, one commit, model.pt in LFS storage."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any, List
from urllib.parse import parse_qs, urlsplit

import pytest

from audacitorch.cli import main
from audacitorch.commands.push_command import request_link
from tests.hub import LocalHub
from tests.needs import require

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "booster"
    shutil.copytree(ROOT / "examples" / "booster-net", copy)
    return copy


@pytest.fixture(autouse=True)
def token(local_hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    local_hub.add_token("hf_ann", "ann", write=True)
    local_hub.add_token("hf_read", "ann")
    monkeypatch.setenv("HF_TOKEN", "hf_ann")


def push(hub: LocalHub, folder: Path, *options: str, repo: str = "ann/booster") -> int:
    return main(["push", str(folder), repo, "--endpoint", hub.url, "--static", *options])


def head(hub: LocalHub, repo: str = "ann/booster") -> Any:
    found = hub.find(repo)
    return None if found is None else found.head


def test_a_repo_is_made_and_holds_the_files(
    local_hub: LocalHub, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(local_hub, folder) == 0
    files = head(local_hub).files
    assert sorted(files) == [".gitattributes", "README.md", "metadata.json", "model.pt"]
    assert files["model.pt"].lfs
    assert files["model.pt"].content == (folder / "model.pt").read_bytes()
    said = capsys.readouterr().out
    assert f"{local_hub.url}/ann/booster at {head(local_hub).oid}" in said
    assert request_link("ann/booster") in said


def test_the_registry_finds_what_was_pushed(local_hub: LocalHub, folder: Path, tmp_path: Path) -> None:
    assert push(local_hub, folder) == 0
    registry = tmp_path / "registry"
    registry.mkdir()
    assert main(["registry", "refresh", "--registry", str(registry), "--endpoint", local_hub.url]) == 0
    record = json.loads((registry / "models" / "ann" / "booster.json").read_text())
    assert record["id"] == "ann/booster"


def test_the_second_push_sends_no_large_file_again(local_hub: LocalHub, folder: Path) -> None:
    assert push(local_hub, folder) == 0
    local_hub.take_log()
    (folder / "README.md").write_text("---\ntags: [audacity, volume]\n---\n")
    assert push(local_hub, folder) == 0
    assert [logged for logged in local_hub.take_log() if logged.method == "PUT"] == []
    assert b"volume" in head(local_hub).files["README.md"].content


def test_a_failing_model_is_not_uploaded(local_hub: LocalHub, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fields = json.loads((folder / "metadata.json").read_text())
    (folder / "metadata.json").write_text(json.dumps({**fields, "sample_rate": "fast"}))
    assert push(local_hub, folder) == 1
    assert head(local_hub) is None
    assert "Nothing was uploaded." in capsys.readouterr().err


def test_without_the_tag_it_is_refused_unless_asked_for(local_hub: LocalHub, folder: Path) -> None:
    (folder / "README.md").write_text("# Booster\n")
    assert push(local_hub, folder) == 1
    assert head(local_hub) is None
    assert push(local_hub, folder, "--untagged") == 0


def test_a_card_without_a_licence_is_uploaded_with_a_note(
    local_hub: LocalHub, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "README.md").write_text("---\ntags: audacity\n---\n")
    assert push(local_hub, folder) == 0
    assert "names no licence. Add `license: mit`" in capsys.readouterr().err
    (folder / "README.md").write_text("---\ntags: audacity\nlicense: mit\n---\n")
    assert push(local_hub, folder) == 0
    assert "licence" not in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["hf_read"]])
def test_without_the_right_to_write_it_says_so(
    local_hub: LocalHub,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: List[str],
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    if words:
        monkeypatch.setenv("HF_TOKEN", words[0])
    assert push(local_hub, folder) == 2
    assert "token" in capsys.readouterr().err
    assert head(local_hub) is None


def test_a_repo_without_gitattributes_gets_them_first(local_hub: LocalHub, folder: Path) -> None:
    local_hub.add_repo("ann/booster", {"README.md": b"old"})
    (folder / ".gitattributes").unlink(missing_ok=True)
    assert push(local_hub, folder) == 0
    assert b"*.pt filter=lfs" in head(local_hub).files[".gitattributes"].content


def test_a_model_that_stays_a_plain_file_is_an_error(
    local_hub: LocalHub, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tests.hub.upload._LFS_ENDINGS", ("nothing",))
    assert push(local_hub, folder) == 3
    assert "plain file" in capsys.readouterr().err


@pytest.mark.parametrize(("method", "status"), [("PUT", 3), ("POST", 2)])
def test_an_upload_that_breaks_leaves_the_repo_as_it_was_and_goes_on_when_repeated(
    local_hub: LocalHub, folder: Path, method: str, status: int
) -> None:
    local_hub.add_repo("ann/booster", {"README.md": b"old", ".gitattributes": b"*.pt filter=lfs\n"})
    before = head(local_hub).oid
    path = "" if method == "PUT" else "/preupload/"
    local_hub.fault("forbidden", method=method, path=path, times=None)
    assert push(local_hub, folder) == status
    assert head(local_hub).oid == before
    local_hub.faults.clear()
    assert push(local_hub, folder) == 0
    assert head(local_hub).files["model.pt"].lfs


@pytest.mark.slow
def test_a_large_upload_that_was_interrupted_goes_on_where_it_was(local_hub: LocalHub, tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    (folder / "model.pt").write_bytes(random.Random(0).randbytes(200_000_000))  # four pieces for Xet storage
    (folder / "README.md").write_text("---\ntags: audacity\n---\n")
    code = (
        "import sys; from pathlib import Path; from audacitorch.hub.upload import upload;"
        " upload(Path(sys.argv[1]), 'ann/large')"
    )
    one_by_one = {"HF_XET_FIXED_UPLOAD_CONCURRENCY": "1", "HF_XET_CLIENT_AC_MAX_UPLOAD_CONCURRENCY": "1"}
    kept = {name: value for name, value in os.environ.items() if name != "HF_HUB_DISABLE_XET"}
    around = {**kept, "HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": local_hub.url, **one_by_one}
    command = [sys.executable, "-c", code, str(folder)]
    local_hub.fault("slow", method="POST", path="/v1/xorbs/", times=None, seconds=1.0)
    with subprocess.Popen(command, env=around, stderr=subprocess.DEVNULL) as first:
        for _ in range(1200):
            if len(local_hub.xorbs) > 2 or first.poll() is not None:
                break
            time.sleep(0.1)
        first.kill()
    sent = len(local_hub.xorbs)
    assert sent >= 2
    assert "model.pt" not in head(local_hub, "ann/large").files, "no half a repo"
    local_hub.faults.clear()
    local_hub.take_log()
    subprocess.run(command, env=around, stderr=subprocess.DEVNULL, check=True, timeout=300)
    again = [logged for logged in local_hub.take_log() if logged.path.startswith("/v1/xorbs/")]
    assert len(again) < len(local_hub.xorbs), "what had been sent was not sent again"
    assert (
        head(local_hub, "ann/large").files["model.pt"].sha256 == sha256((folder / "model.pt").read_bytes()).hexdigest()
    )


@pytest.mark.parametrize("repo", ["booster", "ann/booster@main", "ann/b--x", "a/b/c"])
def test_an_id_that_audacity_can_not_read_is_refused(local_hub: LocalHub, folder: Path, repo: str) -> None:
    assert push(local_hub, folder, repo=repo) == 2


def test_the_link_fills_in_the_form() -> None:
    form = (ROOT / ".github" / "ISSUE_TEMPLATE" / "built-in-model-request.yml").read_text()
    asked = parse_qs(urlsplit(request_link("ann/booster")).query)
    assert asked["repo-id"] == ["ann/booster"]
    assert "id: repo-id" in form


@pytest.mark.torch
@pytest.mark.slow
def test_a_whole_check_runs_the_model_first(local_hub: LocalHub, folder: Path) -> None:
    require("torch")
    assert main(["push", str(folder), "ann/booster", "--endpoint", local_hub.url]) == 0
