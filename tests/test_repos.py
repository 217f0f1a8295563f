"""Every folder of tests/repos gives exactly the findings that its expect.json names: one defect, one finding."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

from audacitorch.check import Options, check
from audacitorch.repo.model_repo import FolderRepo
from audacitorch.report.model import Report
from audacitorch.trial.starters import worker_starter
from tests import sentences

REPOS = Path(__file__).parent / "repos"
SLOW = ("endless-loop", "eats-memory", "slower-than-real-time")


@cache
def expect(name: str) -> Dict[str, Any]:
    """What must be found in a folder."""
    path = REPOS / name / "expect.json"
    if not path.is_file():
        pytest.fail(f"{path} is missing: write it with `python -m tests.repos_make --expect {name}`, and read it")
    loaded: Dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def _case(name: str) -> Any:
    marks = [] if expect(name)["static"] else [pytest.mark.torch]
    return pytest.param(name, marks=[*marks, pytest.mark.slow] if name in SLOW else marks)


NAMES = sorted(folder.name for folder in REPOS.iterdir())
CASES = [_case(name) for name in NAMES]


def copy_of(name: str, folder: Path) -> Path:
    """A fixture as its author would have it: with model.pt handed to LFS, unless that is the defect."""
    copy = folder / name
    shutil.copytree(REPOS / name, copy, ignore=shutil.ignore_patterns("expect.json"))
    if expect(name)["lfs"]:
        (copy / ".gitattributes").write_text("*.pt filter=lfs diff=lfs merge=lfs -text\n", encoding="utf-8")
    return copy


def checked(name: str, folder: Path) -> Report:
    """The report on a fixture, made as its expect.json asks."""
    wanted = expect(name)
    options = {key: wanted[key] for key in ("static", "timeout_seconds", "memory_bytes") if key in wanted}
    return check(FolderRepo(copy_of(name, folder)), Options(**options), worker_starter(many=True))


def _key(finding: Dict[str, Any]) -> Tuple[Any, ...]:
    return (finding["rule"], finding["severity"], tuple(finding["hosts"]), finding["message"])


@pytest.mark.parametrize("name", CASES)
def test_a_repo_gives_exactly_its_findings(name: str, tmp_path: Path) -> None:
    report = checked(name, tmp_path)
    assert report.could_not_run == ()
    said = [text for finding in report.findings for text in (finding.message, finding.hint)]
    assert [fault for text in said for fault in sentences.faults(text)] == []
    found = sorted((_key(finding) for finding in report.to_json()["findings"]), key=repr)
    wanted = sorted((_key(finding) for finding in expect(name)["findings"]), key=repr)
    assert [key[:3] for key in found] == [key[:3] for key in wanted], found
    unmatched = [message for *_, message in wanted if not any(message in said for *_, said in found)]
    assert unmatched == [], found


def good() -> List[str]:
    """Fixtures that nothing is wrong with."""
    return [name for name in NAMES if not expect(name)["findings"]]


def test_there_are_good_repos_of_every_kind() -> None:
    assert {"good-effect", "good-multichannel-effect", "five-tags", "newer-export-that-works"} <= set(good())


def test_no_fixture_switches_lfs_on_for_this_project() -> None:
    assert not list(REPOS.rglob(".gitattributes"))


def test_fixtures_are_small() -> None:
    assert sum(path.stat().st_size for path in REPOS.rglob("*") if path.is_file()) < 300_000


@pytest.mark.torch
@pytest.mark.slow
def test_no_folder_is_stale(tmp_path: Path) -> None:
    from tests.repos_make.__main__ import all_fixtures, write

    fixtures = all_fixtures()
    assert {fixture.name for fixture in fixtures} <= set(NAMES)
    for fixture in fixtures:
        if fixture.model != "kept":
            write(fixture, tmp_path)
            made = {path.name: path.read_bytes() for path in (tmp_path / fixture.name).iterdir()}
            assert made == {path.name: path.read_bytes() for path in (REPOS / fixture.name).iterdir()}, fixture.name


@pytest.mark.torch
@pytest.mark.slow
def test_fresh_processes_say_the_same_as_forked_ones(tmp_path: Path) -> None:
    """The tests above run every model in a worker that was forked; here each has an import of Torch for itself."""
    differing: List[str] = []
    for name in NAMES:
        wanted = expect(name)
        if wanted["static"] or name in SLOW:
            continue
        options = {key: wanted[key] for key in ("timeout_seconds", "memory_bytes") if key in wanted}
        forked, fresh = (
            check(
                FolderRepo(copy_of(name, tmp_path / str(many))), Options(**options), worker_starter(many=many)
            ).to_json()
            for many in (True, False)
        )
        for part in ("verdict", "findings", "skipped", "could_not_run"):
            if forked[part] != fresh[part]:
                differing.append(f"{name}: {part}: {forked[part]} {fresh[part]}")
        if forked["trial"]["ended"] != fresh["trial"]["ended"] or _outcomes(forked) != _outcomes(fresh):
            differing.append(f"{name}: passes")
    assert differing == []


def _outcomes(report: Dict[str, Any]) -> List[Any]:
    """What a report's passes were and gave, without seconds and bytes."""
    return [(done["input"], done.get("output"), done.get("failure")) for done in report["trial"].get("passes", ())]
