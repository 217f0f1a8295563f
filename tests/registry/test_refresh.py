"""A refresh: what it records, what it asks, what it leaves alone."""

from __future__ import annotations

import json
from threading import Thread
from typing import Any, List

import jsonschema
import pytest

from audacitorch.findings import Finding
from audacitorch.hosts import ALPHA, SPEC
from audacitorch.registry.index import Index
from audacitorch.registry.model_record import judgement
from audacitorch.registry.refresh import refresh
from audacitorch.registry.status import status
from tests.registry.world import METADATA, MODEL, SCHEMA, START, World, model_files


def test_a_record_says_what_the_hub_and_the_files_say_and_validates(world: World) -> None:
    repo = world.add("ann/effect", card={"license": "mit"})
    assert world.refresh().exit_status == 0
    data = json.loads((world.folder.models / "ann" / "effect.json").read_text())
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(data)
    assert (data["id"], data["key"], data["revision"]) == ("ann/effect", repo.key, repo.head.oid)
    assert data["status"] == "untested"
    assert data["files"]["model.pt"]["sha256"] == repo.head.files["model.pt"].sha256
    assert data["files"]["model.pt"]["size"] == len(MODEL)
    assert data["metadata"]["long_description"] == "model 0"
    assert (data["effect_type"], data["menu"]) == ("waveform-to-waveform", "Effect > Deep Learning Effect")
    assert data["licence"] == "mit"
    assert data["static"]["findings"] == []
    assert data["first_seen"] == data["last_changed"] == "2024-05-01T10:00:00Z"
    assert list(data) == sorted(data)


def test_a_cold_repo_costs_three_requests_and_two_for_the_code(world: World) -> None:
    world.add("ann/effect")
    world.refresh()
    asked = world.requests()
    assert len(asked) == 1 + 3 + 2
    assert sum(path.startswith("cdn") for path in asked) == 1


def test_nothing_changed_costs_one_request_and_writes_nothing(world: World) -> None:
    for number in range(5):
        world.add(f"ann/effect-{number}", number)
    world.refresh()
    before = world.tree()
    world.requests()
    done = world.refresh(hours=48)
    assert (done.unchanged, done.written) == (5, 0)
    assert world.requests() == ["hub /api/models"]
    assert world.tree() == before


def test_likes_and_downloads_rewrite_one_file(world: World) -> None:
    repo = world.add("ann/effect")
    world.refresh()
    before = world.contents()
    repo.likes, repo.downloads = 7, 80
    world.refresh(hours=1)
    after = world.contents()
    assert {name for name in after if after[name] != before[name]} == {"stats.json"}
    assert json.loads(after["stats.json"]) == {"ann/effect": {"downloads": 80, "likes": 7}}


def test_a_new_readme_costs_one_request_and_keeps_the_trial(world: World) -> None:
    world.add("ann/effect")
    world.refresh()
    world.try_out("ann/effect")
    world.requests()
    oid = world.commit("ann/effect", {"README.md": b"---\ntags: [audacity]\n---\nMore.\n"})
    world.refresh(hours=1)
    assert len(world.requests()) == 2
    record = world.record("ann/effect")
    assert (record.revision, record.status) == (oid, "compatible")


def test_new_metadata_make_a_model_untested_again(world: World) -> None:
    world.add("ann/effect")
    world.refresh()
    world.try_out("ann/effect")
    world.commit("ann/effect", model_files(1))
    world.refresh(hours=1)
    record = world.record("ann/effect")
    assert (record.status, record.trial) == ("untested", None)
    assert [event["event"] for event in record.history] == ["new", "tested", "revision"]


def test_static_errors_for_every_host_are_incompatible_without_a_trial(world: World) -> None:
    world.add("ann/broken", files={**model_files(), "model.pt": MODEL[: len(MODEL) // 2]})
    world.add("ann/wordless", files={**model_files(), "metadata.json": b"{}"})
    world.refresh()
    assert world.status("ann/broken") == "incompatible"
    assert "not-torchscript" in world.record("ann/broken").reason
    assert world.status("ann/wordless") == "incompatible"


def test_a_repo_without_both_files_is_no_model_and_costs_no_request(world: World) -> None:
    world.add("ann/idea", files={"README.md": b""})
    world.add("ann/misnomer", files={"model.pth": b"x", "metadata.json": METADATA})
    world.refresh()
    assert world.requests() == ["hub /api/models"]
    assert world.status("ann/idea") == "not-a-model"
    record = world.record("ann/misnomer")
    assert (record.status, record.reason) == ("not-a-model", "model.pt is missing")
    assert "model.pth" in str(record.static)


def test_a_rename_keeps_history_and_moves_the_file(world: World) -> None:
    world.add("ann/effect")
    world.refresh()
    world.try_out("ann/effect")
    world.requests()
    world.hub.rename_repo("ann/effect", "bob/better")
    world.refresh(hours=1)
    record = world.record("bob/better")
    assert (record.previous_ids, record.status) == (("ann/effect",), "compatible")
    assert record.first_seen == "2024-05-01T10:00:00Z"
    assert [event["event"] for event in record.history] == ["new", "tested", "renamed"]
    assert not (world.folder.models / "ann" / "effect.json").exists()


def test_a_name_that_another_repo_takes_loses_no_record(world: World) -> None:
    first = world.add("ann/effect", 1)
    world.refresh()
    world.hub.remove_repo("ann/effect")
    world.hub.add_repo("x/y", {})
    second = world.add("ann/effect", 2)
    assert first.key != second.key
    world.refresh(hours=1)
    world.refresh(hours=26)
    assert world.record("ann/effect").key == second.key
    records = {record.key: (place, record.status) for place, record in world.folder.records()}
    assert records[first.key] == (f"ann/effect~{first.key}.json", "gone")
    before = world.tree()
    world.refresh(hours=27)
    assert world.tree() == before


def test_names_that_differ_in_capitals_have_different_files_everywhere(world: World) -> None:
    entries = [
        {"id": "Ann/Effect", "_id": "1" * 24, "sha": "a" * 40, "siblings": []},
        {"id": "ann/effect", "_id": "2" * 24, "sha": "b" * 40, "siblings": []},
    ]
    world.hub.fault("json", path="/api/models", value=entries, times=None)
    world.refresh()
    names = [name.casefold() for name in world.contents() if name.startswith("models/")]
    assert len(names) == len(set(names)) == 2


@pytest.mark.parametrize("name", ["con/nul", "aux/com1.v2", "LPT9/prn"])
def test_names_of_devices_can_be_written_on_windows(world: World, name: str) -> None:
    author, _, file = world.folder.place(name).partition("/")
    assert author.endswith("~")
    assert file.endswith("~.json")


def test_a_listing_full_of_oddities_harms_nothing(world: World) -> None:
    good = {
        "id": "ann/effect",
        "_id": "3" * 24,
        "sha": "c" * 40,
        "siblings": [{"rfilename": "a\nb"}, 7, {"rfilename": None}],
    }
    entries: List[Any] = [
        {"id": "../../etc/passwd", "_id": "4" * 24, "sha": "a" * 40},
        {"id": "ann/..", "_id": "5" * 24, "sha": "a" * 40},
        {"id": "ann/x\u202ey", "_id": "6" * 24, "sha": "a" * 40},
        {"id": "ann/odd-key", "_id": "../../x", "sha": "a" * 40},
        {"id": "ann/no-sha", "_id": "7" * 24},
        {"id": "a/" + "b" * 97, "_id": "8" * 24, "sha": "a" * 40},
        {**good, "cardData": "text", "tags": 5, "likes": -3, "downloads": True},
    ]
    world.hub.fault("json", path="/api/models", value=entries, times=None)
    done = world.refresh()
    assert len(done.odd) == 6
    assert [name for name in world.contents() if name.startswith("models/")] == ["models/ann/effect.json"]
    assert list(world.record("ann/effect").files) == ["a\nb"]


@pytest.mark.parametrize("how", [{"gated": "auto"}, {"disabled": True}])
def test_a_closed_repo_is_unreachable_without_a_request_and_comes_back(world: World, how: Any) -> None:
    repo = world.add("ann/effect")
    world.refresh()
    world.try_out("ann/effect")
    world.requests()
    repo.gated, repo.disabled = how.get("gated", False), how.get("disabled", False)
    world.refresh(hours=1)
    assert world.requests() == ["hub /api/models"]
    assert world.status("ann/effect") == "unreachable"
    before = world.tree()
    world.refresh(hours=2)
    assert world.tree() == before
    repo.gated, repo.disabled = False, False
    world.refresh(hours=3)
    assert world.status("ann/effect") == "compatible"


def test_what_only_a_token_sees_is_not_recorded(world: World) -> None:
    secret = {"id": "ann/secret", "_id": "9" * 24, "sha": "a" * 40, "siblings": [], "private": True}
    world.hub.fault("json", path="/api/models", value=[secret], times=None)
    world.refresh()
    assert not world.folder.models.exists()
    assert not world.folder.stats.exists()


def test_a_record_stays_small_whatever_the_archive_holds() -> None:
    found = [Finding("unknown-operator", "error", (ALPHA,), f"{number}" + "x" * 9000) for number in range(500)]
    made = judgement([*found, Finding("load-error", "error", (SPEC,), "x")], [], START)
    assert [finding["rule"] for finding in made["findings"]] == ["load-error", *["unknown-operator"] * 50]
    assert made["left_out"] == 450
    assert len(json.dumps(made)) < 150_000


class TestGone:
    def test_a_repo_that_vanishes_for_an_hour_keeps_its_record_untouched(self, world: World) -> None:
        world.add("ann/stays", 1)
        repo = world.add("ann/effect")
        world.refresh()
        before = world.tree()
        world.hub.remove_repo("ann/effect")
        assert world.refresh(hours=1).missing == 1
        world.hub._repos["ann/effect"] = repo
        world.refresh(hours=2)
        after = world.tree()
        assert {name: after[name] for name in before} == before
        assert json.loads(world.folder.missing.read_text()) == {}

    def test_gone_takes_two_refreshes_a_day_apart(self, world: World) -> None:
        world.add("ann/stays", 1)
        world.add("ann/effect")
        world.refresh()
        world.hub.remove_repo("ann/effect")
        world.refresh(hours=100)  # the first that misses it
        world.refresh(hours=123.9)
        assert world.status("ann/effect") == "untested"
        world.refresh(hours=124)
        assert world.status("ann/effect") == "gone"
        before = world.tree()
        world.refresh(hours=200)
        assert world.tree() == before

    def test_a_gone_repo_that_comes_back_has_its_status_again(self, world: World) -> None:
        world.add("ann/stays", 1)
        repo = world.add("ann/effect")
        world.refresh()
        world.try_out("ann/effect")
        world.hub.remove_repo("ann/effect")
        for hours in (1, 26):
            world.refresh(hours)
        world.hub._repos["ann/effect"] = repo
        world.refresh(hours=27)
        assert world.status("ann/effect") == "compatible"

    def test_an_empty_listing_is_not_believed(self, world: World) -> None:
        world.add("ann/effect")
        world.refresh()
        before = world.tree()
        world.hub.fault("empty-page", path="/api/models", times=None)
        for hours in (1, 30):
            done = world.refresh(hours)
            assert done.exit_status == 3
        assert world.tree() == before


class TestUnreadable:
    def test_a_new_repo_that_cannot_be_read_is_unreachable_at_once_and_asked_again(self, world: World) -> None:
        world.add("ann/effect")
        world.hub.fault("forbidden", path="/revision/", times=1)
        assert world.refresh().exit_status == 0
        assert world.status("ann/effect") == "unreachable"
        world.refresh(hours=1)
        assert world.status("ann/effect") == "untested"

    def test_a_known_repo_is_unreachable_after_a_day(self, world: World) -> None:
        world.add("ann/effect")
        world.refresh()
        world.commit("ann/effect", model_files(2))
        world.hub.fault("repo-not-found", path="/revision/", times=None)
        for hours in (1, 12):
            world.refresh(hours)
            assert world.status("ann/effect") == "untested"
        world.refresh(hours=25)
        assert world.status("ann/effect") == "unreachable"
        assert "no model repo" in world.record("ann/effect").reason

    def test_a_server_that_refuses_ranges_leaves_the_archive_to_the_trial(self, world: World) -> None:
        world.add("ann/effect", files={**model_files(), "model.pt": b"x" * 70_000})
        world.hub.fault("ignore-range", side="cdn", times=None)
        world.refresh()
        record = world.record("ann/effect")
        assert (record.status, record.archive) == ("untested", None)


class TestStops:
    def test_a_refresh_that_is_stopped_goes_on_where_it_was(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(6):
            world.add(f"ann/effect-{number}", number)
        put = Index.put
        done: List[Any] = []

        def stop(self: Index, record: Any) -> bool:
            if len(done) == 3:
                raise KeyboardInterrupt
            done.append(record.id)
            return put(self, record)

        with monkeypatch.context() as patched:
            patched.setattr(Index, "put", stop)
            with pytest.raises(KeyboardInterrupt):
                world.refresh(workers=1)
        world.requests()
        result = world.refresh(workers=1)
        assert (result.unchanged, result.written) == (3, 3)
        assert len(world.requests()) == 1 + 3 * 5

    def test_a_rename_that_is_stopped_half_way_leaves_one_record(self, world: World) -> None:
        world.add("ann/effect")
        world.refresh()
        old = (world.folder.models / "ann" / "effect.json").read_bytes()
        world.hub.rename_repo("ann/effect", "bob/effect")
        world.refresh(hours=1)
        (world.folder.models / "ann" / "effect.json").write_bytes(old)
        world.refresh(hours=2)
        assert [place for place, _ in world.folder.records()] == ["bob/effect.json"]

    def test_two_refreshes_at_once_do_the_work_once(self, world: World) -> None:
        for number in range(4):
            world.add(f"ann/effect-{number}", number)
        done: List[Any] = []
        both = [Thread(target=lambda: done.append(refresh(world.folder, world.client, START))) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert sorted(result.written for result in done) == [0, 4]
        assert len(world.requests()) == 2 + 4 * 5

    def test_a_damaged_record_is_made_again_and_told(self, world: World) -> None:
        world.add("ann/effect")
        world.refresh()
        (world.folder.models / "ann" / "effect.json").write_text("<<<<<<< HEAD\n{")
        done = world.refresh(hours=1)
        assert "ann/effect.json" in done.odd[0]
        assert world.status("ann/effect") == "untested"

    def test_another_version_of_the_tool_looks_again(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.add("ann/effect")
        world.refresh()
        for module in ("model_record", "examine"):
            monkeypatch.setattr(f"audacitorch.registry.{module}.__version__", "99.0")
        world.requests()
        world.refresh(hours=1)
        assert len(world.requests()) == 6
        assert (world.record("ann/effect").static or {})["tool"] == "99.0"


def test_status_tells_what_the_last_run_found(world: World) -> None:
    world.add("ann/effect")
    world.refresh()
    world.add("bob/new", 1)
    world.commit("ann/effect", {**model_files(), "metadata.json": b"{"})
    world.refresh(hours=24)
    found = status(world.folder)
    assert [change.id for change in found.of("new")] == ["bob/new"]
    assert [(change.id, "metadata-json" in change.said) for change in found.of("broken")] == [("ann/effect", True)]
