"""Hostile models are told apart, change nothing, and leave nothing behind."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Dict, List

import jsonschema
import pytest

from audacitorch.check import Options, check
from audacitorch.repo.model_repo import FolderRepo
from audacitorch.trial.starters import worker_starter
from tests.test_check import SCHEMA
from tests.test_repos import copy_of

pytestmark = pytest.mark.slow

HOSTILE = {
    "newer-export-aborts-at-pad": ("signal", {"newer-export", "aborts-host", "unknown-operator"}),
    "endless-loop": ("timeout", {"timeout"}),
    "eats-memory": (None, {"out-of-memory"}),
    "reads-a-file": ("refused", {"file-access"}),
    "writes-in-forward": ("refused", {"file-access"}),
    "writes-in-setstate": ("refused", {"file-access"}),
    "zip-bomb": ("refused", {"unsafe-archive"}),
    "member-with-escape-codes-climbs-out": ("refused", {"unsafe-archive"}),
}


def tree(folder: Path) -> Dict[str, str]:
    """Every file's content and time of change."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_mtime_ns}" for path in files}


@pytest.mark.torch
@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_model_is_told_apart_and_changes_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, expected = HOSTILE[name]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    folder = copy_of(name, tmp_path)
    before = tree(tmp_path)
    options = Options(timeout_seconds=2.0 if ended == "timeout" else 60.0, memory_bytes=300 << 20)
    report = check(FolderRepo(folder), options, worker_starter(many=True))
    assert {finding.rule for finding in report.findings} == expected
    assert report.exit_status == 1
    assert report.trial is not None
    assert ended is None or report.trial.ended == ended
    jsonschema.validate(report.to_json(), SCHEMA)
    assert tree(tmp_path) == before
    assert list(scratch.iterdir()) == []
    assert not list(Path("/tmp").glob("audacitorch-written-by-*"))
    assert processes_below(scratch) == []


def processes_below(folder: Path) -> List[str]:
    """Processes that work in a folder, or did before it was taken away."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            place = os.readlink(process / "cwd")
        except OSError:
            continue
        if place.startswith(str(folder)):
            found.append(f"{process.name}: {place}")
    return found
