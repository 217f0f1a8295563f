"""The program from end to end: exit statuses, and what goes where."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, List

import jsonschema
import pytest

from audacitorch.cli import main
from audacitorch.report.formats import FORMATS
from tests.program import PROGRAM, raw, run
from tests.test_check import SCHEMA
from tests.test_repos import copy_of


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return copy_of("good-effect", tmp_path)


@pytest.mark.torch
def test_a_good_model_passes_with_0_and_the_report_is_written(good: Path, tmp_path: Path) -> None:
    done = run("check", str(good), "--report", str(tmp_path / "out"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("PASS for the specification and Audacity 3.2 alpha: good-effect.")
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == sorted(f"report.{chosen.ending}" for chosen in FORMATS.values() if chosen.ending)
    jsonschema.validate(json.loads((tmp_path / "out" / "report.json").read_text("utf-8")), SCHEMA)


@pytest.mark.torch
def test_problems_give_1_and_are_all_told(tmp_path: Path) -> None:
    done = run("check", str(copy_of("two-channels-one-label", tmp_path)))
    assert done.returncode == 1
    assert done.stdout.startswith("FAIL")
    assert "output-labels-mismatch" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["check", "/nowhere/at/all"], "There is no folder"),
        (["check", "no such place"], "There is no folder"),
        (["check", ""], "TARGET is empty"),
        (["check", "{good}/model.pt"], "is a file"),
        (["check"], "the following arguments are required: TARGET"),
        ([], "the following arguments are required: COMMAND"),
        (["chekc"], "invalid choice"),
        (["check", "{good}", "--host", "audacity"], "invalid choice"),
        (["check", "{good}", "--format", "pdf"], "invalid choice"),
        (["check", "{good}", "--timeout", "0"], "--timeout"),
        (["check", "{good}", "--timeout", "soon"], "--timeout"),
        (["check", "{good}", "--timeout", "nan"], "--timeout"),
        (["check", "{good}", "--memory", "-1"], "--memory"),
        (["check", "{good}", "--static", "--ignore", "card-tag-mising"], "did you mean card-tag-missing"),
        (["check", "{good}", "--static", "--ignore", "\x1b[2J"], "no rule is called"),
        (["rules", "shrot-input"], "did you mean short-input"),
    ],
)
def test_a_wrong_call_or_an_unreadable_target_gives_2(
    good: Path, words: List[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main([word.replace("{good}", str(good)) for word in words])
    except SystemExit as leaving:
        status = int(str(leaving.code))
    shown = capsys.readouterr()
    assert (status, shown.out) == (2, "")
    assert message in shown.err
    assert raw(shown.err) == []


def test_a_folder_for_reports_that_can_not_be_made_gives_2_after_the_report(
    good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(good), "--static", "--report", str(good / "model.pt" / "out")]) == 2
    shown = capsys.readouterr()
    assert shown.out.startswith("PASS")
    assert "the report can't be written" in shown.err


@pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("setpriv") is None,
    reason="needs to be root, and to give up root's way past permissions",
)
@pytest.mark.parametrize("name", ["model.pt", "metadata.json", "README.md", ".gitattributes", "."])
def test_what_may_not_be_read_gives_2(good: Path, name: str) -> None:
    os.chown(good / name, 65534, 65534)
    os.chmod(good / name, 0o700 if name == "." else 0o600)
    without = "--bounding-set=-dac_override,-dac_read_search"
    done = subprocess.run(
        ["setpriv", without, *PROGRAM, "check", str(good), "--static"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "can't be read: Permission denied" in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_torch_here_gives_3(good: Path) -> None:
    done = run("check", str(good), AUDACITORCH_PYTHON="/nowhere/python")
    assert done.returncode == 3
    assert "can't be started" in done.stdout
    assert "not the author's" in " ".join(done.stdout.split())


@pytest.mark.parametrize("body", ["exit 0", "exit 9", "echo hello", "exec sleep 0", 'exec {python} -S "$@"'])
def test_a_python_without_torch_gives_3_and_never_1(good: Path, tmp_path: Path, body: str) -> None:
    other = tmp_path / "python"
    other.write_text(f"#!/bin/sh\n{body.format(python=sys.executable)}\n", encoding="utf-8")
    other.chmod(0o755)
    done = run("check", str(good), "--format", "json", AUDACITORCH_PYTHON=str(other))
    assert done.returncode == 3, done.stdout
    report = json.loads(done.stdout)
    jsonschema.validate(report, SCHEMA)
    assert report["verdict"] == "unknown"
    assert [failure["rule"] for failure in report["could_not_run"]] == ["trial"]


def test_no_torch_here_and_an_error_in_the_files_gives_1(tmp_path: Path) -> None:
    done = run("check", str(copy_of("six-tags", tmp_path)), AUDACITORCH_PYTHON="/nowhere/python")
    assert done.returncode == 1
    assert "metadata-field-count" in done.stdout


def test_our_own_bug_gives_3_and_says_so(
    good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(*arguments: Any) -> Any:
        raise RuntimeError("\x1b[2J oh no")

    monkeypatch.setattr("audacitorch.check.check", breaks)
    assert main(["check", str(good), "--static"]) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "this is a bug of audacitorch" in shown.err
    assert "oh no" in shown.err
    assert raw(shown.err) == []


def test_the_hub_that_can_not_be_reached_gives_3(capsys: pytest.CaptureFixture[str], waits: List[float]) -> None:
    assert main(["check", "somebody/some-model", "--endpoint", "http://127.0.0.1:9"]) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert raw(shown.err) == []


def test_a_system_without_unixs_modules_checks_without_running_the_model(good: Path) -> None:
    """Windows, as far as it can be had here: what its Python lacks is blocked."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('fcntl', 'grp', 'pwd', 'resource', 'termios')));"
        " from audacitorch.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    for words, status, message in (
        (["check", str(good), "--static"], 0, ""),
        (["check", str(good)], 3, "audacitorch: Models run on Linux and macOS only."),
        (["check", str(good), "--sandbox", "container"], 3, "audacitorch: Models run on Linux and macOS only."),
        (["backport", str(good), "-o", str(good.parent / "new"), "--no-check"], 0, ""),
    ):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        assert done.stderr.startswith(message)
        assert "Traceback" not in done.stderr
