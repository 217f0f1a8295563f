"""Records that people touched: no command ends in a traceback, nothing is lost, and what can't be read is named."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from audacitorch.cli import main
from audacitorch.registry.index import Index
from tests.registry.world import World, model_files

Edit = Callable[[Dict[str, Any]], Any]


def put(*path: Any, value: Any) -> Edit:
    """Set a field of a record."""

    def edit(record: Dict[str, Any]) -> Any:
        found: Any = record
        for name in path[:-1]:
            found = found[name]
        found[path[-1]] = value
        return record

    return edit


def drop(*path: Any) -> Edit:
    """Remove a field of a record."""

    def edit(record: Dict[str, Any]) -> Any:
        found: Any = record
        for name in path[:-1]:
            found = found[name]
        del found[path[-1]]
        return record

    return edit


def text(change: Callable[[str], str]) -> Callable[[str], str]:
    """Change the file's text."""
    return change


LATER = {"schema_version": 2}
FILE = {"size": None, "git_sha1": None, "sha256": None}
FINDING = {"rule": "load-error", "severity": "error", "hosts": ["beta"], "message": "\x1b[31m"}
#: Edits of the JSON value.
VALUES: Dict[str, Edit] = {
    "a list": lambda record: [record],
    "a number": lambda record: 7,
    "null": lambda record: None,
    "an empty object": lambda record: {},
    "no schema version": drop("schema_version"),
    "a schema version in words": put("schema_version", value="1"),
    "a schema version that is true": put("schema_version", value=True),
    "a later schema": put("schema_version", value=2),
    "no id": drop("id"),
    "an id that is a number": put("id", value=3),
    "an id that climbs out": put("id", value="../../etc/passwd"),
    "another id": put("id", value="bob/other"),
    "no key": drop("key"),
    "a key that climbs out": put("key", value="../../x"),
    "another key": put("key", value="f" * 24),
    "a revision that is a branch": put("revision", value="main"),
    "a revision that is a number": put("revision", value=12),
    "another revision": put("revision", value="c" * 40),
    "an unknown status": put("status", value="fine"),
    "a status that is null": put("status", value=None),
    "a reason that is a list": put("reason", value=[]),
    "a date in words": put("last_changed", value="yesterday"),
    "a date that is a number": put("first_seen", value=20240501),
    "a date with line breaks": put("first_seen", value="2024-05-01T10:00:00Z\n"),
    "gated in words": put("gated", value="no"),
    "a licence that is a list": put("licence", value=["mit"]),
    "files that are a list": put("files", value=[]),
    "a file that is a number": put("files", "model.pt", value=4),
    "a size in words": put("files", "model.pt", "size", value="4 MB"),
    "a negative size": put("files", "model.pt", "size", value=-1),
    "a hash that is none": put("files", "model.pt", "sha256", value="abc"),
    "metadata that are a list": put("metadata", value=[1]),
    "an archive in words": put("archive", value="fine"),
    "static findings that are an object": put("static", "findings", value={}),
    "a finding that is text": put("static", "findings", value=["bad"]),
    "no static findings": drop("static", "findings"),
    "a trial without content": drop("trial", "content"),
    "a trial's content in words": put("trial", "content", value="x"),
    "a trial's speed in words": put("trial", "realtime_factor", value="fast"),
    "a trial that is true": put("trial", value=True),
    "previous ids that are text": put("previous_ids", value="a/b"),
    "a history that is an object": put("history", value={}),
    "an event that is text": put("history", value=["new"]),
    "an event without a status": drop("history", 0, "status"),
    "an event with a status of its own": put("history", 0, "status", value="lovely"),
    "a size beyond every disk": put("files", "model.pt", "size", value=10**400),
    "a speed beyond all numbers": put("trial", "realtime_factor", value=10**400),
    "a speed that is no number": put("trial", "realtime_factor", value=float("nan")),
    "a speed without an end": put("trial", "realtime_factor", value=float("inf")),
    "a trial of no Torch at all": drop("trial", "torch"),
    "a trial that did not end": drop("trial", "ended"),
    "a trial's end that is a list": put("trial", "ended", value=[]),
    "a trial's memory in words": put("trial", "peak_memory_bytes", value="much"),
    "a trial's memory beyond all numbers": put("trial", "peak_memory_bytes", value=10**400),
    "a shortest input below nothing": put("trial", "minimum_samples", value=-1),
    "seconds that are an object": put("trial", "load_seconds", value={}),
    "half of a character": put("reason", value="\ud800"),
    "escape codes and directions": put("licence", value="\u202e\x1b[31m\0mit"),
    "a date that no calendar has": put("last_changed", value="9999-99-99T99:99:99Z"),
    "the year nought": put("first_seen", value="0000-00-00T00:00:00Z"),
    "a date to come": put("last_changed", value="2999-01-01T00:00:00Z"),
    "an event on no day": put("history", 0, "date", value="2024-02-30T25:61:61Z"),
    "the history of another repo": put("history", 0, "revision", value="d" * 40),
    "metadata full of numbers": put("metadata", value={"sample_rate": 10**400, "labels": 7, "tags": [[]]}),
    "metadata that call themselves an effect": put("metadata", "effect_type", value=["waveform-to-labels"]),
    "an archive without fields": put("archive", value={}),
    "a finding for a host that is unknown": put("static", "findings", value=[FINDING]),
    "a finding whose line is text": put("static", "findings", value=[{**FINDING, "hosts": ["spec"], "line": "x"}]),
    "a finding whose details are a list": put("static", "findings", value=[{**FINDING, "hosts": [], "details": []}]),
    "a count of findings in words": put("static", "left_out", value="many"),
    "a rule that could not run, in words": put("static", "could_not_run", value=["archive"]),
    "itself as a previous name": put("previous_ids", value=["ann/touched"]),
    "a name that was never one": put("previous_ids", value=["../x", "\ud800"]),
    "files with names of all kinds": put("files", value={"": FILE, "a/../b": FILE, "\ud800": FILE, "model.pt": FILE}),
    "a menu and hosts of one's own": put("hosts", value="all"),
    "a note of a person's own": put("note", value="ask Ann"),
}
#: Edits of the text.
TEXTS: Dict[str, Callable[[bytes], bytes]] = {
    "an empty file": lambda content: b"",
    "cut off in the middle": lambda content: content[: len(content) // 2],
    "conflict markers": lambda content: b"<<<<<<< HEAD\n" + content + b"=======\n" + content + b">>>>>>> theirs\n",
    "another encoding": lambda content: content.decode().encode("utf-16"),
    "nested too deep": lambda content: b"[" * 100_000,
    "NaN": lambda content: content.replace(b'"reason": ""', b'"reason": NaN', 1),
}
COMMANDS: List[List[str]] = [
    ["status"], ["status", "--format", "markdown"], ["test", "--plan", "5"], ["publish"], ["refresh"], ["status"],
]  # fmt: skip


@pytest.fixture
def touched(world: World) -> World:
    for number, name in enumerate(["ann/touched", "bob/other", "cem/third"]):
        world.add(name, number)
    world.refresh()
    for name in ("ann/touched", "bob/other"):
        world.try_out(name)
    world.list_builtin("ann/touched", "bob/other")
    world.curate()
    return world


@pytest.mark.parametrize("name", [*VALUES, *TEXTS])
def test_an_edit_by_hand_fells_no_command_and_loses_nothing(
    touched: World, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world, path = touched, touched.folder.models / "ann" / "touched.json"
    original = path.read_bytes()
    if name in VALUES:
        path.write_text(json.dumps(VALUES[name](json.loads(original))))
    else:
        path.write_bytes(TEXTS[name](original))
    edited = path.read_bytes()
    monkeypatch.setenv("HF_ENDPOINT", world.hub.url)
    for command in [*COMMANDS, ["site", "-o", str(tmp_path / "site")]]:
        code = main(["registry", *command, "--registry", str(world.folder.path)])
        assert code in (0, 1, 3), (command, code)
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    files = {file: file.read_bytes() for file in world.folder.models.rglob("*.*") if file.is_file()}
    believed = any(b'"tested"' in content and b'"ann/touched"' in content for content in files.values())
    assert edited in files.values() or believed
    for file in files:
        assert file.suffix == ".json" or file.name in told.out + told.err
    assert '"bob/other"' in world.folder.list.read_text()
    for entry in world.folder.builtin.read_text().splitlines():
        assert "main" not in entry or "kept" in entry


def test_a_later_schema_is_never_overwritten(touched: World) -> None:
    world, path = touched, touched.folder.models / "ann" / "touched.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **LATER}))
    before = path.read_bytes()
    world.commit("ann/touched", model_files(9))
    for hours in (1, 30):
        done = world.refresh(hours)
        assert done.exit_status == 3
        assert any("schema version 2" in said for said in done.odd)
    assert path.read_bytes() == before


def test_a_stray_copy_is_left_alone_and_named(touched: World) -> None:
    world, real = touched, touched.folder.models / "ann" / "touched.json"
    stray = real.with_name("touched_LOCAL_4711.json")
    stray.write_bytes(real.read_bytes().replace(b"2024-05-01", b"2025-01-01"))
    world.commit("ann/touched", model_files(9))
    before = stray.read_bytes()
    done = world.refresh(hours=1)
    assert any("touched_LOCAL_4711.json" in said for said in done.odd)
    assert stray.read_bytes() == before
    assert world.record("ann/touched").history[-1]["event"] == "revision"


def test_a_record_is_found_by_its_key_wherever_it_lies(touched: World) -> None:
    world = touched
    record = world.record("ann/touched")
    (world.folder.models / "moved").mkdir()
    os.replace(world.folder.models / "ann" / "touched.json", world.folder.models / "moved" / "here.json")
    assert Index(world.folder).record(record.key) == record
    world.curate(hours=1)
    assert "ann/touched" in world.listed()
    world.refresh(hours=1)
    assert world.record("ann/touched") == record


def test_one_folder_that_cannot_be_written_does_not_end_the_refresh(world: World) -> None:
    world.folder.models.mkdir()
    (world.folder.models / "ann").write_text("not a folder")
    world.add("ann/effect", 1)
    world.add("bob/effect", 2)
    done = world.refresh()
    assert (done.failed, done.exit_status) == (["ann/effect"], 3)
    assert world.status("bob/effect") == "untested"


def test_a_revision_in_a_record_that_is_none_is_not_written_into_builtin_yml(touched: World) -> None:
    world, path = touched, touched.folder.models / "ann" / "touched.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "revision": "not a commit"}))
    before = world.folder.builtin.read_text()
    world.curate(hours=1)
    assert world.folder.builtin.read_text() == before


def test_unfinished_files_are_ignored_by_git_and_swept_up(touched: World) -> None:
    unfinished = touched.folder.models / "ann" / ".touched.json.x1.tmp"
    unfinished.write_text("{")
    os.utime(unfinished, (0, 0))
    assert "*.tmp" in (touched.folder.path / ".gitignore").read_text()
    touched.refresh(hours=1)
    assert not unfinished.exists()
