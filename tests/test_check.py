"""A check as a function: odd targets, hostile models, and failures that are ours."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any, List

import jsonschema
import pytest

from audacitorch.check import Options, UnknownRule, check
from audacitorch.findings import CouldNotRun
from audacitorch.repo.model_repo import FolderRepo, TargetError
from audacitorch.report.model import Report
from audacitorch.trial.observations import Trial
from audacitorch.trial.protocol import TrialUnavailable
from audacitorch.trial.starters import worker_starter
from tests.test_repos import copy_of

SCHEMA = json.loads((Path(__file__).parents[1] / "audacitorch" / "data" / "report.schema.json").read_text("utf-8"))


def no_worker(scratch: str, model: str) -> Any:
    raise AssertionError("a static check starts no worker")


def checked(folder: Path, **options: Any) -> Report:
    """A static check that must not run anything, valid against the shipped schema."""
    report = check(FolderRepo(folder), Options(**{"static": True, **options}), no_worker)
    jsonschema.validate(report.to_json(), SCHEMA)
    return report


def rules(report: Report) -> List[str]:
    return sorted(finding.rule for finding in report.findings)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return copy_of("good-effect", tmp_path)


@pytest.mark.torch
def test_a_report_on_a_model_that_ran_is_valid_and_whole(good: Path) -> None:
    report = check(FolderRepo(good), Options(), worker_starter())
    told = report.to_json()
    jsonschema.validate(told, SCHEMA)
    assert told["target"]["model_sha256"] == hashlib.sha256((good / "model.pt").read_bytes()).hexdigest()
    assert told["verdict"] == "pass"
    assert told["trial"]["torch"].startswith("1.9.0")
    assert Report.from_json(json.loads(json.dumps(told))).to_json() == told


def test_a_missing_folder_is_no_target(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="There is no folder"):
        FolderRepo(tmp_path / "nowhere")


def test_a_file_is_no_target(good: Path) -> None:
    with pytest.raises(TargetError, match="is a file"):
        FolderRepo(good / "model.pt")


def test_a_loop_of_links_is_no_target(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(TargetError):
        FolderRepo(tmp_path / "loop")


def test_a_name_that_is_too_long_or_holds_nul_is_no_target() -> None:
    for name in ("x" * 5000, "a\0b"):
        with pytest.raises(TargetError):
            FolderRepo(Path(name))


@pytest.mark.parametrize("name", ["model.pt", "metadata.json", "README.md"])
@pytest.mark.parametrize("kind", ["fifo", "folder", "loop", "nowhere"])
def test_what_is_no_regular_file_is_missing_and_never_opened(good: Path, name: str, kind: str) -> None:
    (good / name).unlink()
    if kind == "fifo":
        os.mkfifo(good / name)
    elif kind == "folder":
        (good / name).mkdir()
    else:
        (good / name).symlink_to(name if kind == "loop" else "nowhere")
    report = checked(good)
    assert rules(report) == (["card-tag-missing"] if name == "README.md" else ["missing-file"])


def test_links_to_files_are_followed_as_caches_keep_them(good: Path) -> None:
    (good / "model.pt").rename(good / "blob")
    (good / "model.pt").symlink_to("blob")
    assert rules(checked(good)) == []


def test_a_file_that_may_not_be_read_is_an_unreadable_target(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(self: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if self.name == "metadata.json":
            raise PermissionError(13, "Permission denied")
        return opened(self, mode, *rest, **more)

    opened = Path.open
    monkeypatch.setattr(Path, "open", refuses)
    with pytest.raises(TargetError, match=r"metadata\.json can't be read: Permission denied"):
        checked(good)


def test_a_disk_that_fails_is_an_unreadable_target(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(file: Any, size: int) -> Any:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("audacitorch.archive.read_archive", fails)
    with pytest.raises(TargetError, match="Input/output error"):
        checked(good)


def test_model_too_large(good: Path) -> None:
    """2 GiB and more: ``model-too-large``, from its size alone."""
    os.truncate(good / "model.pt", (1 << 31) - 1)
    assert "model-too-large" not in rules(checked(good))
    os.truncate(good / "model.pt", 1 << 31)
    report = checked(good)
    assert "model-too-large" in rules(report)
    assert report.target.model_sha256 is None  # a static check hashes no gigabytes


def test_metadata_beyond_any_size_is_not_read(good: Path) -> None:
    os.truncate(good / "metadata.json", 1 << 40)
    report = checked(good)
    assert rules(report) == ["metadata-json"]
    assert "larger than" in report.findings[0].message


def test_a_huge_readme_is_read_to_its_front_matter(good: Path) -> None:
    with (good / "README.md").open("ab") as file:
        file.truncate(1 << 40)
    assert rules(checked(good)) == []


@pytest.mark.parametrize("cut", [1, 4, 30, 100, 500, -22, -1])
def test_a_model_cut_anywhere_is_no_torchscript(good: Path, cut: int) -> None:
    whole = (good / "model.pt").read_bytes()
    (good / "model.pt").write_bytes(whole[:cut])
    assert rules(checked(good)) == ["not-torchscript"]


def test_names_with_line_breaks_and_escape_codes_are_never_shown_raw(good: Path) -> None:
    (good / "model.pt").rename(good / "\x1b[2J\n::error::model.pt")
    report = checked(good)
    assert rules(report) == ["missing-file"]
    for finding in report.findings:
        assert finding.hint.isprintable()
        assert finding.message.isprintable()


def test_an_unknown_rule_to_ignore_is_refused_with_a_suggestion(good: Path) -> None:
    with pytest.raises(UnknownRule, match="did you mean not-in-lfs"):
        checked(good, ignore=("not-in-lsf",))


def test_an_ignored_rule_finds_nothing_and_is_named(good: Path) -> None:
    (good / "README.md").unlink()
    report = checked(good, ignore=("card-tag-missing",), strict=True)
    assert (rules(report), report.ignored, report.exit_status) == ([], ("card-tag-missing",), 0)
    assert checked(good, strict=True).exit_status == 1


def test_ignoring_a_rule_does_not_make_a_dangerous_model_run(tmp_path: Path) -> None:
    folder = copy_of("writes-in-forward", tmp_path)
    started: List[str] = []

    def start(scratch: str, model: str) -> Any:
        started.append(scratch)
        raise TrialUnavailable("no worker here")

    report = check(FolderRepo(folder), Options(ignore=("file-access",)), start)
    assert report.trial is not None
    assert report.trial.ended == "refused"
    assert started


def test_a_worker_that_does_not_start_leaves_the_verdict_open(good: Path) -> None:
    def start(scratch: str, model: str) -> Any:
        raise TrialUnavailable("no Torch 1.9.0 here")

    report = check(FolderRepo(good), Options(), start)
    assert report.could_not_run == (CouldNotRun("trial", "no Torch 1.9.0 here"),)
    assert (report.verdict, report.exit_status) == ("unknown", 3)
    jsonschema.validate(report.to_json(), SCHEMA)


def test_the_first_line_says_that_torch_is_missing_and_what_to_do(
    good: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from audacitorch.cli import main
    from audacitorch.trial import starters

    monkeypatch.setattr(starters, "torch_python", lambda: None)
    assert main(["check", str(good), "--sandbox", "process"]) == 3
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("UNKNOWN for the specification and Audacity 3.2 alpha: ")
    assert "Torch 1.9.0 is not installed here" in first
    assert "--static" in first


def test_a_worker_that_does_not_start_hides_no_static_error(tmp_path: Path) -> None:
    def start(scratch: str, model: str) -> Any:
        raise TrialUnavailable("no Torch 1.9.0 here")

    report = check(FolderRepo(copy_of("six-tags", tmp_path)), Options(), start)
    assert report.exit_status == 1


@pytest.mark.parametrize(
    "collector",
    [
        "audacitorch.archive.read_archive",
        "audacitorch.repo.readme.read_card",
        "audacitorch.repo.metadata_file.read_metadata",
    ],
)
def test_a_collector_that_raises_is_our_fault_and_the_others_go_on(
    good: Path, monkeypatch: pytest.MonkeyPatch, collector: str
) -> None:
    def breaks(*arguments: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(collector, breaks)
    report = checked(good)
    assert [failure.error for failure in report.could_not_run] == ["RuntimeError: a bug"]
    assert report.exit_status == 3
    assert rules(report) == []


@pytest.mark.parametrize("rule", ["file-access", "unsafe-archive"])
def test_where_danger_could_not_be_judged_nothing_is_run(
    good: Path, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    from dataclasses import replace

    import audacitorch.rules as registry

    def breaks(archive: Any) -> Any:
        raise RuntimeError("a bug")

    known = dict(registry.all_rules())
    known[rule] = replace(known[rule], check=breaks)
    monkeypatch.setattr(registry, "all_rules", lambda: known)
    monkeypatch.setattr("audacitorch.rules.runner.all_rules", lambda: known)
    started: List[Any] = []

    class Worker:
        def __enter__(self) -> Worker:
            started.append(self)
            return self

        def __exit__(self, *_: object) -> None:
            pass

    report = check(FolderRepo(good), Options(), lambda scratch, model: Worker())  # type: ignore[arg-type, return-value]
    assert started
    assert report.trial == Trial("skipped", reason=f"{rule} could not be decided")
    assert report.exit_status == 3


def test_a_model_that_goes_away_while_it_is_checked_is_no_crash(good: Path) -> None:
    from audacitorch.repo.model_repo import Digest

    found = FolderRepo(good)
    (good / "model.pt").unlink()
    assert Digest(found, static=True).value() is None


def test_importing_the_check_imports_no_torch() -> None:
    import subprocess

    program = "import sys; sys.modules['torch'] = None; import audacitorch.check, audacitorch.commands.check_command"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_reader_that_does_not_end_is_stopped_and_the_others_go_on(
    good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never_ends(*arguments: Any) -> Any:
        while True:
            pass

    monkeypatch.setattr("audacitorch.archive.read_archive", never_ends)
    report = checked(good, timeout_seconds=0.2)
    assert report.could_not_run == (CouldNotRun("archive", "Reading the archive took longer than 0.2 s."),)
    assert report.exit_status == 3


def test_without_a_place_for_temporary_files_the_check_is_not_made(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(good / "nowhere"))
    report = check(FolderRepo(good), Options(), worker_starter("process"))
    assert report.exit_status == 3
    assert "No temporary folder can be made" in report.could_not_run[0].error


PROGRAM = """
import sys
from audacitorch.cli import main
import audacitorch.trial.process as process
begin = process.Worker.begin
def told(self, plan):
    begin(self, plan)
    print("running", flush=True)
process.Worker.begin = told
sys.exit(main(["check", sys.argv[1], "--sandbox", "process"]))
"""


@pytest.mark.torch
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_leaves_neither_a_worker_nor_a_folder(name: str, tmp_path: Path) -> None:
    import signal
    import subprocess

    folder, scratch = copy_of("endless-loop", tmp_path), tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch)}
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"running\n"
        process.send_signal(getattr(signal, name))
        assert process.wait(60) == 128 + getattr(signal, name)
    assert list(scratch.iterdir()) == []


@pytest.mark.torch
def test_with_too_few_open_files_the_check_is_not_made(good: Path) -> None:
    import subprocess

    command = f"ulimit -n 8; exec {sys.executable} -m audacitorch check {good} --sandbox process"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 3
    assert "bug of audacitorch" not in done.stderr + done.stdout


@pytest.mark.torch
def test_a_run_without_walls_is_said_in_the_first_line(good: Path) -> None:
    from audacitorch.report.content import headline

    report = check(FolderRepo(good), Options(), worker_starter("none"))
    assert report.trial is not None
    assert report.trial.sandbox["kind"] == "none"
    assert headline(report).endswith("(run without a sandbox).")
