"""`audacitorch new`: what it makes passes a strict check as it is, under whichever PyTorch is there."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audacitorch.hosts import ALPHA
from audacitorch.new import EFFECT, KINDS, LABELER, Answers, NewError, create, default_labels
from audacitorch.repo.metadata_file import known_domains
from audacitorch.utils import validate_metadata
from tests.made import checked
from tests.program import PROGRAM, run

ROOT = Path(__file__).parents[2]


def files(folder: Path) -> List[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.torch
@pytest.mark.parametrize("options", [[], ["--stereo"], ["--kind", "labeler"], ["--kind", "labeler", "--stereo"]])
@pytest.mark.slow
def test_the_repo_passes_a_strict_check_as_it_is_made(tmp_path: Path, options: List[str]) -> None:
    folder = tmp_path / "my model"
    made = run("new", str(folder), *options)
    assert made.returncode == 0, made.stdout + made.stderr
    report = checked(folder, strict=True)
    assert (report.verdict, [f.rule for f in report.findings if f.severity == "warning"]) == ("pass", [])


@pytest.mark.torch
@pytest.mark.slow
def test_a_labeler_of_indices_runs_in_the_alphas(tmp_path: Path) -> None:
    folder = tmp_path / "labeler"
    assert run("new", str(folder), "--kind", "labeler", "--indices").returncode == 0
    assert checked(folder, hosts=(ALPHA,), strict=True).verdict == "pass"


@pytest.mark.torch
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_its_own_test_passes(tmp_path: Path, kind: str) -> None:
    create(tmp_path / "repo", Answers(kind, "Mine", labels=default_labels(kind)))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path / "repo", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_the_files(tmp_path: Path, kind: str) -> None:
    create(tmp_path / "repo", Answers(kind, "Mine", labels=default_labels(kind)))
    assert files(tmp_path / "repo") == [
        ".gitattributes",
        ".github/workflows/model.yml",
        ".gitignore",
        "README.md",
        "export.py",
        "model.py",
        "tests/test_model.py",
    ]


def test_the_workflow_is_the_starter(tmp_path: Path) -> None:
    create(tmp_path / "repo", Answers(EFFECT, "Mine", labels=("a",)))
    starter = ROOT / ".github" / "starter" / "model.yml"
    assert (tmp_path / "repo" / ".github" / "workflows" / "model.yml").read_text() == starter.read_text()


@settings(deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    name=st.text(min_size=1).filter(str.strip),
    labels=st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=4),
    rate=st.integers(1, 384000),
    domains=st.lists(st.sampled_from(known_domains()), min_size=1, max_size=4, unique=True),
)
@pytest.mark.slow
def test_whatever_it_is_called_the_code_compiles_and_the_card_is_valid(
    tmp_path_factory: pytest.TempPathFactory, kind: str, name: str, labels: List[str], rate: int, domains: List[str]
) -> None:
    answers = Answers(kind, name, rate, tuple(labels), domains=tuple(domains))
    folder = tmp_path_factory.mktemp("new") / "repo"
    try:
        written = create(folder, answers)
    except ValueError:  # half of a surrogate pair can't be written
        assert any("\ud800" <= character <= "\udfff" for character in "".join([name, *labels]))
        return
    for path in written:
        if path.suffix == ".py":
            ast.parse(path.read_text("utf-8"))
    assert validate_metadata(answers.metadata)[0]
    assert answers.class_name.isidentifier()


@pytest.mark.parametrize(
    "options",
    [["--labels", " , "], ["--sample-rate", "0"], ["--sample-rate", "400000"], ["--domains", "drums"], ["--name", " "]],
)
def test_answers_that_no_repo_can_have_are_refused(tmp_path: Path, options: List[str]) -> None:
    done = run("new", str(tmp_path / "repo"), *options)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert done.stderr.startswith("audacitorch: ")
    assert not (tmp_path / "repo").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(NewError):
        create(tmp_path, Answers(LABELER, "Mine", labels=("a", "b")))
    assert files(tmp_path) == ["thesis.txt"]


def test_somebody_at_a_terminal_is_asked(tmp_path: Path) -> None:
    import pty

    folder = tmp_path / "repo"
    ours, theirs = pty.openpty()
    os.write(ours, b"labeler\nBarks\n16000\ndog,other\nno\nspeech\n")
    command = [*PROGRAM, "new", str(folder), "--no-export"]
    done = subprocess.run(command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 0, done.stderr
    code = (folder / "model.py").read_text()
    assert "LABELS = ['dog', 'other']" in code
    assert "class Barks(WaveformToLabelsBase)" in code
    assert "16000" in code
