"""The program on odd targets: files that are none, names that a terminal would obey, a published model."""

from __future__ import annotations

import importlib.util
import json
import os
from collections import Counter
from pathlib import Path
from typing import Optional

import jsonschema
import pytest

from audacitorch.cli import main
from tests.program import raw, run
from tests.test_check import SCHEMA
from tests.test_hostile_models import processes_below
from tests.test_repos import copy_of


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return copy_of("good-effect", tmp_path)


def test_a_target_with_line_breaks_and_escape_codes_is_never_printed_raw(
    good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = good.parent / "\x1b[31mred\n::error::\u202eno"
    assert main(["check", str(odd), "--static"]) == 2
    assert raw(capsys.readouterr().err) == []
    good.rename(odd)
    (odd / "metadata.json").unlink()
    (odd / "meta\x1b[2J\n::warning::data.json").write_text("{}", encoding="utf-8")
    for form in ("text", "json", "markdown", "sarif"):
        assert main(["check", str(odd), "--static", "--format", form]) == 1
        shown = capsys.readouterr()
        assert raw(shown.out) + raw(shown.err) == []


def test_annotations_for_a_folder_of_odd_name_are_each_one_line(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = good.parent / "a\n::error::b,c:d"
    good.rename(odd)
    (odd / "metadata.json").unlink()
    assert main(["check", str(odd), "--static", "--format", "github"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(line.startswith(("::error ", "::warning ", "::notice ")) for line in lines)
    assert sum(line.startswith("::error") for line in lines) == 1


@pytest.mark.torch
@pytest.mark.slow
def test_an_error_text_with_escape_codes_is_shown_harmless(tmp_path: Path) -> None:
    folder = copy_of("raises-with-escape-codes", tmp_path)
    for form in ("text", "json", "markdown", "sarif"):
        done = run("check", str(folder), "--format", form)
        assert done.returncode == 1
        assert raw(done.stdout) + raw(done.stderr) == []


@pytest.mark.parametrize("kind", ["fifo", "folder", "loop"])
def test_a_model_that_is_no_file_is_missing(good: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    (good / "model.pt").unlink()
    if kind == "fifo":
        os.mkfifo(good / "model.pt")
    elif kind == "folder":
        (good / "model.pt").mkdir()
    else:
        (good / "model.pt").symlink_to("model.pt")
    assert main(["check", str(good)]) == 1
    assert "model.pt is missing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("checkout-without-lfs", "lfs-pointer"),
        ("metadata-utf-16", "metadata-encoding"),
        ("metadata-trailing-comma", "metadata-json"),
        ("zip-bomb", "unsafe-archive"),
        ("model-cut-in-half", "not-torchscript"),
    ],
)
@pytest.mark.parametrize("form", ["text", "json", "markdown", "sarif", "github"])
def test_every_format_names_the_rule(
    name: str, rule: str, form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(copy_of(name, tmp_path)), "--static", "--format", form]) == 1
    assert rule in capsys.readouterr().out


def published() -> Optional[Path]:
    """The voice-activity model of the package silero-vad, found without importing the package."""
    found = importlib.util.find_spec("silero_vad")
    places = list(found.submodule_search_locations or []) if found is not None else []
    models = [Path(place, "data", "silero_vad.jit") for place in places]
    return next((model for model in models if model.is_file()), None)


@pytest.mark.torch
@pytest.mark.skipif(published() is None, reason="silero-vad is not installed")
def test_A89_a_published_model_that_closes_audacity_is_told_in_one_report(tmp_path: Path) -> None:
    folder = copy_of("good-labeler-of-probabilities", tmp_path)
    (folder / "model.pt").write_bytes((published() or Path()).read_bytes())
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = run("check", str(folder), "--format", "json", TMPDIR=str(scratch))
    assert done.returncode == 1
    report = json.loads(done.stdout)
    jsonschema.validate(report, SCHEMA)
    found = [finding for finding in report["findings"] if finding["severity"] == "error"]
    operators = Counter((finding["rule"], finding["details"].get("operator")) for finding in found)
    code = code_of(folder / "model.pt")
    pads, raised = code.count("torch.pad("), code.count("ops.prim.RaiseException(")
    assert pads > 0
    assert raised > 0
    assert operators == {
        ("unknown-operator", "aten::pad"): pads,
        ("operator-arguments", "prim::RaiseException"): raised,
        ("newer-export", None): 1,
        ("forward-signature", None): 1,
        ("aborts-host", None): 1,
    }
    (ended,) = [finding for finding in found if finding["rule"] == "aborts-host"]
    assert "SIGABRT" in ended["message"]
    assert "aten::pad" in ended["message"]
    assert list(scratch.iterdir()) == []
    assert processes_below(scratch) == []


def code_of(model: Path) -> str:
    """All of an archive's code, in one text."""
    import zipfile

    with zipfile.ZipFile(model) as archive:
        members = [name for name in archive.namelist() if name.endswith(".py")]
        return "\n".join(archive.read(name).decode() for name in members)
