"""The statuses are one table: the schema, the docs and the pages agree with it, and a new one is told of here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict

import pytest

from audacitorch.hosts import HOSTS
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.merging import merge, merge_files
from audacitorch.registry.model_record import ModelRecord
from audacitorch.registry.record_schema import (
    COMPATIBLE,
    EVENTS,
    GOOD,
    PARTLY,
    STATUSES,
    compatible_with,
    require_record,
)
from tests.registry.world import SCHEMA, World, model_files

ROOT = Path(__file__).parents[2]


def test_the_schema_names_the_statuses_and_events_of_the_tables() -> None:
    schema = json.loads(SCHEMA.read_text())
    assert schema["$defs"]["status"]["enum"] == list(STATUSES)
    assert tuple(schema["properties"]["history"]["items"]["properties"]["event"]["enum"]) == EVENTS


def test_the_docs_have_a_row_for_each_status() -> None:
    text = (ROOT / "docs" / "registry.md").read_text()
    table = text[text.index("| status | when |") : text.index("## Refresh")]
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", table, re.MULTILINE)
    assert rows == [(status.name, status.meaning) for status in STATUSES.values()]


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_can_be_read_and_said(world: World, status: str) -> None:
    world.add("ann/effect")
    world.refresh()
    data = {**world.record("ann/effect").to_json(), "status": status}
    require_record(data)
    assert ModelRecord.from_json(data).status_text != COMPATIBLE


def test_compatible_is_never_said_without_hosts() -> None:
    titles = [host.title for host in HOSTS]
    assert compatible_with(titles, len(titles)) == "compatible with both hosts"
    assert titles[0] in compatible_with(titles[:1], len(titles))


def test_green_is_for_every_host_only(world: World) -> None:
    world.add("ann/effect")
    world.refresh()
    assert world.try_out("ann/effect").mark == GOOD
    assert world.try_out("ann/effect", "label-format", hosts=tuple(HOSTS[:1])).mark == PARTLY


class TestMerge:
    def versions(self, world: World) -> Dict[str, Any]:
        """The same refresh and trial, made twice, four hours apart."""
        world.add("ann/effect")
        world.refresh()
        base = world.record("ann/effect").to_json()
        world.commit("ann/effect", model_files(4))
        found = {"base": base}
        path = world.folder.models / "ann" / "effect.json"
        for name, hours in (("ours", 1), ("theirs", 5)):
            path.write_text(json.dumps(base))
            world.refresh(hours)
            found[name] = world.try_out("ann/effect", hours=hours).to_json()
        return found

    def test_two_refreshes_four_hours_apart_merge_without_a_conflict(self, world: World) -> None:
        found = self.versions(world)
        merged = merge(found["base"], found["ours"], found["theirs"])
        require_record(merged)
        assert [event["event"] for event in merged["history"]] == ["new", "revision", "tested"]
        assert merged["status"] == COMPATIBLE
        assert merge(found["base"], found["theirs"], found["ours"])["history"] == merged["history"]

    def test_other_files_are_merged_by_their_entries(self) -> None:
        assert merge(["a/a", "b/b"], ["a/a", "b/b", "c/c"], ["b/b"]) == ["b/b", "c/c"]
        ours, theirs = {"k": {"since": "2"}, "m": 1}, {"k": {"since": "1"}, "n": 2}
        assert merge({"gone": 1, "m": 1}, {**ours, "gone": 1}, theirs) == {"k": {"since": "1"}, "n": 2}

    def test_what_cannot_be_merged_is_left_to_a_person(self, tmp_path: Path) -> None:
        for name, text in (("base", "{}"), ("ours", "{"), ("theirs", "[]")):
            (tmp_path / name).write_text(text)
        assert merge_files(tmp_path / "base", tmp_path / "ours", tmp_path / "theirs") == 1
        assert (tmp_path / "ours").read_text() == "{"


def test_builtin_yml_of_ten_megabytes_is_refused_at_once(world: World) -> None:
    from audacitorch.registry import RegistryError
    from audacitorch.registry.builtin import read_builtin

    world.folder.builtin.write_text("- x\n" * 2_500_000)
    with pytest.raises(RegistryError, match="more than"):
        read_builtin(world.folder.builtin)
    world.folder.builtin.write_text("- id: &a [x, x]\n  revision: [*a, *a, *a]\n")
    with pytest.raises(RegistryError, match="should be one value"):
        read_builtin(world.folder.builtin)


def test_a_stats_json_that_cannot_be_read_says_that_it_can_be_deleted(world: World) -> None:
    from audacitorch.registry import RegistryError

    world.folder.stats.write_text("{")
    with pytest.raises(RegistryError, match="delete it"):
        world.refresh()


def test_a_clock_that_jumped_hides_no_later_break(world: World) -> None:
    from audacitorch.registry.status import status

    world.add("ann/effect")
    world.add("bob/effect", 2)
    world.refresh(hours=24 * 365 * 20)  # the clock was wrong
    world.commit("bob/effect", {**model_files(), "metadata.json": b"{"})
    world.refresh(hours=24)
    assert [change.id for change in status(RegistryFolder(world.folder.path)).of("broken")] == ["bob/effect"]
