"""`audacitorch fix`: what it shows, what it writes, what it leaves alone; and how many broken repos it makes whole."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Dict, Tuple

import pytest

from audacitorch.check import Options, check
from audacitorch.findings import ERROR
from audacitorch.hosts import HOSTS
from audacitorch.repo.model_repo import FolderRepo
from audacitorch.trial.starters import worker_starter
from tests.made import checked
from tests.program import PROGRAM, run
from tests.test_repos import copy_of

#: Fixtures whose remedy is mechanical: nothing is needed that only the author knows.
MECHANICAL = (
    "archive-format-10",
    "archive-format-7",
    "domain-unknown",
    "domains-only",
    "double-weights",
    "effect-type-in-capitals",
    "five-domain-tags",
    "half-weights",
    "label-as-number",
    "labels-as-text",
    "metadata-trailing-comma",
    "metadata-utf-16",
    "metadata-with-byte-order-mark",
    "multichannel-as-text",
    "newer-export-aborts-at-pad",
    "newer-export-aborts-at-raise",
    "no-effect-type",
    "newer-operator",
    "newer-operator-called-twice",
    "no-readme",
    "no-tags",
    "not-in-lfs",
    "readme-tag-in-capitals",
    "readme-without-front-matter",
    "readme-without-the-tag",
    "sample-rate-as-float",
    "sample-rate-as-text",
    "sample-rate-misspelt",
    "tag-twice",
    "tags-null",
    "type-that-came-later",
)
#: Of these, what a machine can't finish, with the reason.
NOT_YET: Dict[str, str] = {"type-that-came-later": "its type, SymInt, has no counterpart in Torch 1.9.0"}


def contents(folder: Path) -> Dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", [name for name in MECHANICAL if name not in NOT_YET])
@pytest.mark.slow
def test_one_command_fixes_it_whole(name: str, tmp_path: Path) -> None:
    folder = copy_of(name, tmp_path)
    done = run("fix", str(folder), "--yes", "--static")
    assert done.returncode == 0, done.stdout + done.stderr
    report = checked(folder, static=True, hosts=HOSTS)
    assert report.findings == ()
    assert run("fix", str(folder), "--yes", "--static").stdout == "There is nothing that a machine can fix.\n"


def test_at_least_four_in_five_of_the_mechanical_ones_are_fixed() -> None:
    assert len(NOT_YET) <= len(MECHANICAL) / 5


def test_a_dry_run_shows_the_difference_and_writes_nothing(tmp_path: Path) -> None:
    folder = copy_of("sample-rate-as-text", tmp_path)
    before = contents(folder)
    done = run("fix", str(folder), "--dry-run")
    assert "--- a/metadata.json\n+++ b/metadata.json\n" in done.stdout
    assert '+  "sample_rate": 44100,' in done.stdout
    assert "- Wrote `sample_rate` as an integer." in done.stdout
    assert contents(folder) == before


def test_without_a_terminal_nobody_is_asked_and_nothing_is_written(tmp_path: Path) -> None:
    folder = copy_of("sample-rate-as-text", tmp_path)
    before = contents(folder)
    done = subprocess.run(
        [*PROGRAM, "fix", str(folder)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "`--yes` writes the changes" in done.stderr) == (1, True)
    assert contents(folder) == before


@pytest.mark.parametrize(("answer", "written"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_somebody_at_a_terminal_is_asked(tmp_path: Path, answer: str, written: bool) -> None:
    folder = copy_of("sample-rate-as-text", tmp_path)
    before = contents(folder)
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    done = subprocess.run(
        [*PROGRAM, "fix", str(folder), "--static"], stdin=theirs, capture_output=True, text=True, check=False
    )
    os.close(ours)
    os.close(theirs)
    assert "Write these changes? [y/N]" in done.stdout
    assert (done.returncode == 0, contents(folder) != before) == (written, written)


def test_a_file_that_is_a_link_stays(tmp_path: Path) -> None:
    folder = copy_of("sample-rate-as-text", tmp_path)
    elsewhere = tmp_path / "elsewhere.json"
    (folder / "metadata.json").rename(elsewhere)
    (folder / "metadata.json").symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    done = run("fix", str(folder), "--yes", "--static")
    assert done.returncode == 1
    assert elsewhere.read_bytes() == before
    assert (folder / "metadata.json").is_symlink()


def test_problems_that_are_left_are_named(tmp_path: Path) -> None:
    folder = copy_of("sample-rate-as-text", tmp_path)
    fields = json.loads((folder / "metadata.json").read_text())
    (folder / "metadata.json").write_text(json.dumps({**fields, "short_description": "x" * 61}))
    done = run("fix", str(folder), "--yes", "--static")
    assert done.returncode == 1
    assert "(metadata-field-length)" in done.stdout
    assert json.loads((folder / "metadata.json").read_text())["sample_rate"] == 44100


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = run("fix", str(tmp_path / "nowhere"))
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (2, "", False)


@pytest.mark.torch
@pytest.mark.slow
def test_the_old_model_is_kept_until_the_new_one_has_passed(tmp_path: Path) -> None:
    folder = copy_of("newer-export-aborts-at-pad", tmp_path)
    before = (folder / "model.pt").read_bytes()
    statically = run("fix", str(folder), "--yes", "--static")
    assert "kept as model.pt.orig" in statically.stdout
    assert (folder / "model.pt.orig").read_bytes() == before

    (folder / "model.pt.orig").replace(folder / "model.pt")
    done = run("fix", str(folder), "--yes")
    assert done.returncode == 0, done.stdout
    assert not (folder / "model.pt.orig").exists()
    assert errors_when_run(folder) == ()


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_weights_become_the_floats_that_they_were(tmp_path: Path, dtype: str) -> None:
    import torch

    from audacitorch.fix.weights import float_weights

    layer = torch.nn.Conv1d(1, 2, 3).to(getattr(torch, dtype))
    torch.jit.script(layer).save(str(tmp_path / "before.pt"))
    assert float_weights(tmp_path / "before.pt", tmp_path / "after.pt")
    loaded = torch.jit.load(str(tmp_path / "after.pt"))
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    for before, after in zip(layer.parameters(), loaded.parameters()):
        assert torch.equal(before.float(), after)
    assert loaded(torch.randn(1, 1, 8)).shape == (1, 2, 6)
    assert not float_weights(tmp_path / "after.pt", tmp_path / "again.pt")


@pytest.mark.parametrize(
    "names",
    [
        {"model.pt": "Model.pt", "metadata.json": "metadata.JSON"},
        {"README.md": "Readme.MD"},
        {"model.pt": "model/model.pt", "metadata.json": "model/metadata.json", "README.md": "model/README.md"},
        {"model.pt": "v1/model.pt", "metadata.json": "v1/metadata.json"},
    ],
)
def test_files_that_are_misnamed_or_one_folder_too_deep_are_moved(tmp_path: Path, names: Dict[str, str]) -> None:
    folder = copy_of("good-effect", tmp_path)
    for name, wrong in names.items():
        (folder / wrong).parent.mkdir(exist_ok=True)
        (folder / name).rename(folder / wrong)
    before = sorted(str(path) for path in folder.rglob("*"))
    assert "- Renamed " in run("fix", str(folder), "--dry-run").stdout
    assert sorted(str(path) for path in folder.rglob("*")) == before
    done = run("fix", str(folder), "--yes", "--static")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"model.pt", "metadata.json", "README.md"} <= set(contents_of_files(folder))
    assert checked(folder, static=True, hosts=HOSTS).findings == ()


def test_what_may_be_another_model_stays_where_it_is(tmp_path: Path) -> None:
    """Two folders, or one beside files of its own: nobody knows which model is meant."""
    folder = copy_of("good-effect", tmp_path)
    for inner in ("small", "large"):
        (folder / inner).mkdir()
        (folder / inner / "model.pt").write_bytes(b"")
    (folder / "model.pt").unlink()
    assert run("fix", str(folder), "--yes", "--static").stdout.startswith("There is nothing")


def contents_of_files(folder: Path) -> Dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def errors_when_run(folder: Path) -> Tuple[str, ...]:
    report = check(FolderRepo(folder), Options(), worker_starter(many=True))
    return tuple(finding.rule for finding in report.findings if finding.severity == ERROR)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("effect-that-says-it-is-a-labeler", "waveform-to-labels", "waveform-to-waveform"),
        ("labeler-that-says-it-is-an-effect", "waveform-to-waveform", "waveform-to-labels"),
    ],
)
@pytest.mark.slow
def test_a_wrong_effect_type_is_corrected_by_what_the_model_returns(
    name: str, wrong: str, right: str, tmp_path: Path
) -> None:
    folder = copy_of(name, tmp_path)
    static = run("fix", str(folder), "--yes", "--static")
    assert json.loads((folder / "metadata.json").read_text("utf-8"))["effect_type"] == wrong, static.stdout
    done = run("fix", str(folder), "--yes", "--sandbox", "process")
    assert f"Wrote `effect_type` as {right}, which is what the model's results are when it runs." in done.stdout
    assert json.loads((folder / "metadata.json").read_text("utf-8"))["effect_type"] == right
    assert "output-type" not in {finding.rule for finding in checked(folder).findings}


@pytest.mark.torch
def test_a_labeler_that_lacks_its_times_is_left_alone(tmp_path: Path) -> None:
    import torch

    from tests.made import repo
    from tests.repos_make.parts import LABELER_FIELDS

    class Scores(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.eye(2)

    folder = repo(tmp_path, Scores(), LABELER_FIELDS)
    before = contents(folder)
    run("fix", str(folder), "--yes", "--sandbox", "process")
    assert contents(folder) == before
