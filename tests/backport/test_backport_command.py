"""The command: files and model repos, in place or beside, and what it says about the numbers."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from audacitorch.backport import proof
from audacitorch.cli import main
from tests.archive.zips import MODULE, packed

PADS = MODULE.format(body="y = torch.pad(x, [1, 2])")
HERE = Path(__file__).parents[1]


def run(*words: object) -> int:
    return main(["backport", *map(str, words)])


def repo_of(folder: Path, code: str = PADS) -> Path:
    folder.mkdir()
    (folder / "model.pt").write_bytes(packed({"code/__torch__.py": code}))
    (folder / "metadata.json").write_text("{}")
    (folder / "README.md").write_text("# A model\n")
    return folder


def test_a_model_repo_is_written_to_another_folder_with_its_card(tmp_path: Path) -> None:
    repo = repo_of(tmp_path / "repo")
    before = (repo / "model.pt").read_bytes()
    assert run(repo, "-o", tmp_path / "new" / "folder", "--no-check") == 0
    written = tmp_path / "new" / "folder"
    assert sorted(path.name for path in written.iterdir()) == ["README.md", "metadata.json", "model.pt"]
    assert (repo / "model.pt").read_bytes() == before != (written / "model.pt").read_bytes()
    assert run(repo, "-o", written, "--no-check") == 2
    assert run(repo, "-o", written, "--no-check", "--force") == 0


def test_in_place_keeps_the_original_while_nobody_ran_the_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repo = repo_of(tmp_path / "repo")
    before = (repo / "model.pt").read_bytes()
    assert run(repo, "--in-place", "--no-check") == 0
    assert (repo / "model.pt.orig").read_bytes() == before != (repo / "model.pt").read_bytes()
    assert "model.pt.orig" in capsys.readouterr().out
    assert run(repo, "--in-place", "--no-check") == 2  # the original is not written over
    assert (repo / "model.pt.orig").read_bytes() == before
    assert sorted(path.name for path in repo.iterdir()) == ["README.md", "metadata.json", "model.pt", "model.pt.orig"]


def test_in_place_leaves_what_needs_nothing(tmp_path: Path) -> None:
    repo = repo_of(tmp_path / "repo", MODULE.format(body="y = torch.relu(x)"))
    before = (repo / "model.pt").read_bytes()
    assert run(repo, "--in-place", "--no-check") == 0
    assert (repo / "model.pt").read_bytes() == before
    assert not (repo / "model.pt.orig").exists()


def test_a_model_that_is_refused_is_left_as_it_is(tmp_path: Path) -> None:
    repo = repo_of(tmp_path / "repo")
    (repo / "model.pt").write_bytes(b"no archive")
    assert run(repo, "--in-place") == 2
    assert (repo / "model.pt").read_bytes() == b"no archive"
    assert sorted(path.name for path in repo.iterdir()) == ["README.md", "metadata.json", "model.pt"]


def test_what_differs_is_told_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = "z = torch.conj(x)\n    w = torch.mul_(z, 2)\n    y = torch.pad(x, [1])"
    (tmp_path / "model.pt").write_bytes(packed({"code/__torch__.py": MODULE.format(body=body)}))
    assert run(tmp_path / "model.pt", "-o", tmp_path / "out.pt", "--no-check") == 0
    told = capsys.readouterr().out
    assert "code/__torch__.py:8: aten::conj differs where its result, or what it is of, is written to later." in told


@pytest.mark.torch
def test_the_result_is_run_and_the_original_kept_no_longer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repo = repo_of(tmp_path / "repo")
    shutil.copyfile(HERE / "data" / "backport" / "audio-effect.pt", repo / "model.pt")
    assert run(repo, "--in-place") == 0
    told = capsys.readouterr().out
    assert "it loads, and gives a result for 3 of 5 inputs" in told
    assert not (repo / "model.pt.orig").exists()


@pytest.mark.torch
def test_a_result_that_does_not_load_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.pt").write_bytes(packed({"code/__torch__.py": PADS}))  # its data.pkl holds no module
    assert run(tmp_path / "model.pt", "-o", tmp_path / "out.pt") == 1
    assert "does not run the result" in capsys.readouterr().out


@pytest.mark.torch
def test_two_archives_are_compared_on_inputs_of_several_lengths() -> None:
    model = HERE / "repos" / "good-effect" / "model.pt"
    once, again = proof.run(model, sys.executable), proof.run(model, sys.executable)
    compared = list(proof.compare(once, again))
    assert once.usable == len(compared) == len(proof.INPUTS)
    assert all(one.agrees and one.greatest == 0 for one in compared)
    assert {(one.channels, one.samples) for one in compared} >= {(1, 1), (2, 16_384), (1, 10_007)}


def test_differences_are_measured() -> None:
    def ran(*values: float, shapes: Any = ((2,),), error: Any = None) -> proof.Run:
        return proof.Run("1", "", (proof.Given(1, 2, error, shapes, values),))

    def seen(one: proof.Run, other: proof.Run) -> list:
        return [(found.agrees, found.greatest) for found in proof.compare(one, other)]

    nan = float("nan")
    assert seen(ran(1.0, 0.5), ran(1.0, 0.25)) == [(False, 0.25)]
    assert seen(ran(1.0, nan), ran(1.0, nan)) == [(True, 0.0)]
    assert seen(ran(1.0, nan), ran(1.0, 1.0)) == [(False, float("inf"))]
    assert seen(ran(1.0, 0.5), ran(1.0, 0.5, shapes=((2, 1),))) == [(False, 0.0)]
    assert seen(ran(1.0, 0.5), ran(error="no")) == [(False, 0.0)]
    assert seen(ran(error="no"), ran(1.0, 0.5)) == [(True, 0.0)]
    assert seen(ran(error="no"), ran(error="other")) == []


def test_a_python_that_is_not_there_is_a_check_that_could_not_be_made() -> None:
    with pytest.raises(proof.CanNotProve):
        proof.run(HERE / "repos" / "good-effect" / "model.pt", "/nowhere/python")
