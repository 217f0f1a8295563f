"""`audacitorch check` of many targets: one table, one exit status, one line of JSON each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import List, Tuple

import pytest

from audacitorch.cli import main
from audacitorch.repo.target import from_page, repos_below

REPOS = Path(__file__).parent / "repos"
GOOD, BAD = "good-effect", "no-labels"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with two model repos, and with what is not one."""
    folder = tmp_path / "models"
    for name in (GOOD, BAD):
        shutil.copytree(REPOS / name, folder / name)
    (folder / "notes").mkdir()
    (folder / "README.md").write_text("Models.")
    return folder


def call(capsys: pytest.CaptureFixture[str], *words: str) -> Tuple[int, str, str]:
    status = main(["check", "--static", *words])
    return (status, *capsys.readouterr())


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_folder_of_repos_is_one_table_with_one_exit_status(
    models: Path, jobs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = call(capsys, str(models), "--jobs", jobs)
    lines = out.splitlines()
    assert (status, err) == (1, "")
    assert lines[0].split() == ["spec", "audacity-3.2-alpha", "errors", "warnings", "model"]
    assert lines[1].split() == ["PASS", "PASS", "0", "0", str(models / GOOD)]
    assert lines[2].split() == ["FAIL", "FAIL", "1", "0", str(models / BAD)]
    assert lines[3] == "    metadata-field-missing: `labels` is missing."
    assert lines[-1] == "2 models: 1 pass, 1 fail."


@pytest.mark.torch
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_models_run_side_by_side_and_are_told_in_their_order(
    tmp_path: Path, jobs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [GOOD, "always-raises", GOOD + "-again"]
    for name in names:
        shutil.copytree(REPOS / name.replace("-again", ""), tmp_path / name)
    words = ["check", "--sandbox", "process", "--format", "json", "--jobs", jobs]
    assert main([*words, *(str(tmp_path / name) for name in names)]) == 1
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(one["asked"]).name for one in reports] == names
    assert [one["verdict"] for one in reports] == ["pass", "fail", "pass"]
    assert [one["trial"]["ended"] for one in reports] == ["finished", "finished", "finished"]


def test_named_targets_are_checked_in_their_order(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, str(models / GOOD), str(models / BAD), "--format", "json", "--jobs", "2")
    reports = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert [(Path(one["asked"]).name, one["verdict"]) for one in reports] == [(GOOD, "pass"), (BAD, "fail")]


def test_one_target_that_can_not_be_read_does_not_stop_the_others(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = call(capsys, str(models / "nowhere"), str(models / GOOD))
    assert status == 2
    assert "nowhere: There is no folder" in err
    assert out.splitlines()[-1] == "2 models: 1 pass, 1 not checked."


def test_each_model_has_its_own_folder_of_reports(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "others" / GOOD
    shutil.copytree(models / GOOD, other)
    call(capsys, str(models), str(other), "--report", str(tmp_path / "reports"))
    found = sorted(path.parent.name for path in (tmp_path / "reports").glob("*/report.html"))
    assert len(found) == 3
    assert BAD in found


@pytest.mark.parametrize("words", [["--format", "html"], ["--format", "sarif"], ["--outputs", "x"], ["--facts", "x"]])
def test_what_is_for_one_model_is_refused_for_many(
    models: Path, words: List[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = call(capsys, str(models), *words)
    assert (status, out) == (2, "")
    assert err.startswith("audacitorch: ")


def test_markdown_begins_with_the_table(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys, str(models), "--format", "markdown")
    assert out.startswith("## 2 models: 1 pass, 1 fail.")
    assert out.count("### Facts") == 2


def test_html_can_be_printed(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, str(models / GOOD), "--format", "html")
    assert status == 0
    assert out.startswith("<!DOCTYPE html>")


def test_a_folder_with_a_model_or_without_any_is_one_target(models: Path, tmp_path: Path) -> None:
    assert repos_below(str(models / GOOD)) == [str(models / GOOD)]
    assert repos_below(str(models / "notes")) == [str(models / "notes")]
    assert repos_below("ann/booster") == ["ann/booster"]
    assert repos_below("") == [""]


@pytest.mark.parametrize(
    ("target", "repo_id"),
    [
        ("https://huggingface.co/ann/booster", "ann/booster"),
        ("https://huggingface.co/ann/booster/", "ann/booster"),
        ("http://hf.co/ann/booster?library=pytorch#x", "ann/booster"),
        ("https://huggingface.co/ann/booster.v1/tree/main", "ann/booster.v1@main"),
        ("https://huggingface.co/ann/booster/blob/0123abc/model.pt", "ann/booster@0123abc"),
        ("https://huggingface.co/ann/booster/resolve/v1/model.pt?download=true", "ann/booster@v1"),
        ("https://huggingface.co/ann", "https://huggingface.co/ann"),
        ("https://evil.example/ann/booster", "https://evil.example/ann/booster"),
        ("ann/booster", "ann/booster"),
        ("./folder", "./folder"),
    ],
)
def test_the_address_of_a_page_is_a_target(target: str, repo_id: str) -> None:
    assert from_page(target) == repo_id
