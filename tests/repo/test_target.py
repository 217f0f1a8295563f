"""Facts of a fetched repo, through a file between two programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from audacitorch.facts import Repo, RepoFile
from audacitorch.findings import ERROR, NOTE, WARNING, Finding
from audacitorch.hosts import ALPHA, SPEC, Host
from audacitorch.repo.model_repo import TargetError
from audacitorch.repo.target import read_facts, write_facts
from audacitorch.report.formats import step_outputs, write_outputs
from audacitorch.report.model import Report, Target


def test_facts_come_back_as_they_were(tmp_path: Path) -> None:
    file = RepoFile("model.pt", 7, lfs=False, sha256="ab")
    repo = Repo("hub", "author/name", "c0ffee", {"model.pt": file})
    write_facts(repo, tmp_path / "facts.json")
    assert read_facts(tmp_path / "facts.json") == repo


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"source": "hub", "files": [{"surprise": 1}]}', "\xff"])
def test_what_is_no_facts_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "facts.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(TargetError, match="fetch --facts"):
        read_facts(tmp_path / "facts.json")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="can't be read"):
        read_facts(tmp_path / "nothing.json")
    with pytest.raises(TargetError, match="can't be written"):
        write_facts(Repo("hub"), tmp_path / "nowhere" / "facts.json")


def finding(severity: str, *hosts: Host) -> Finding:
    return Finding("slow", severity, hosts, "slow", "be fast")


@pytest.mark.parametrize(
    ("hosts", "strict", "expected"),
    [
        ((SPEC,), False, "verdict=fail\nerrors=1\nwarnings=1\n"),
        ((SPEC,), True, "verdict=fail\nerrors=2\nwarnings=0\n"),
        ((ALPHA,), False, "verdict=fail\nerrors=2\nwarnings=1\n"),
    ],
)
def test_outputs_count_what_concerns_the_hosts_that_were_asked_for(hosts: tuple, strict: bool, expected: str) -> None:
    findings = (
        finding(ERROR, SPEC, ALPHA),
        finding(ERROR, ALPHA),
        finding(WARNING, SPEC, ALPHA),
        finding(NOTE, SPEC, ALPHA),
    )
    assert step_outputs(Report(Target("folder"), findings, hosts_wanted=hosts, strict=strict)) == expected


def test_outputs_are_added_to_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("before=1\n", encoding="utf-8")
    write_outputs(Report(Target("folder")), tmp_path / "outputs")
    assert (tmp_path / "outputs").read_text("utf-8") == "before=1\nverdict=pass\nerrors=0\nwarnings=0\n"
