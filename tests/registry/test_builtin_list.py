"""The built-in list: who is on it, who is left out, when a person is asked, and how it gets to the Hub."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import List

import jsonschema
import pytest

from audacitorch.hosts import ALPHA, SPEC
from audacitorch.hub.failures import AccessDenied, HubError
from audacitorch.registry import RegistryError
from audacitorch.registry.builtin import BuiltIn, read_builtin, with_entry, with_revision
from audacitorch.registry.builtin_list import QUARANTINED, WAITING, TooManyRemovals
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.publication import publish
from tests.registry.world import SCHEMA, World, model_files

LIST_REPO = "curators/audacity-models"


def good_models(world: World, count: int) -> List[str]:
    """So many tested models on the built-in list."""
    names = [f"ann/effect-{number:02d}" for number in range(count)]
    for number, name in enumerate(names):
        world.add(name, number)
    world.refresh()
    for name in names:
        world.try_out(name)
    world.list_builtin(*names)
    world.curate()
    assert world.listed() == names
    return names


class TestList:
    def test_models_json_is_a_sorted_array_of_ids_and_nothing_else(self, world: World) -> None:
        for number, name in enumerate(["zoe/last", "Ann/First", "ann/second"]):
            world.add(name, number)
        world.refresh()
        for name in ("zoe/last", "Ann/First", "ann/second"):
            world.try_out(name)
        world.list_builtin("zoe/last", "ann/second", "Ann/First")
        world.curate()
        assert world.listed() == ["Ann/First", "ann/second", "zoe/last"]

    def test_what_only_the_first_builds_run_is_not_listed(self, world: World) -> None:
        world.add("ann/probabilities")
        world.refresh()
        world.try_out("ann/probabilities", "label-format", hosts=(ALPHA,))
        assert world.status("ann/probabilities") == "compatible"
        assert world.record("ann/probabilities").hosts == {SPEC: "pass", ALPHA: "fail"}
        world.list_builtin("ann/probabilities")
        standing = world.curate().builtin_states[0]
        assert (standing.state, standing.reason) == (QUARANTINED, "label-format: label-format happened")
        assert world.listed() == []

    def test_a_new_entry_waits_until_it_was_tested(self, world: World) -> None:
        world.add("ann/effect")
        world.refresh()
        world.list_builtin("ann/effect")
        assert world.curate().builtin_states[0].state == WAITING
        assert world.listed() == []
        world.try_out("ann/effect")
        assert world.curate().added == ["ann/effect"]

    def test_a_main_that_moves_and_passes_moves_the_revision_on_and_keeps_comments(self, world: World) -> None:
        good_models(world, 2)
        oid = world.commit("ann/effect-01", model_files(7))
        world.refresh(hours=1)
        world.curate(hours=1)
        assert world.listed() == ["ann/effect-00", "ann/effect-01"]  # not tested yet
        text = world.folder.builtin.read_text()
        assert oid not in text
        world.try_out("ann/effect-01", hours=2)
        world.curate(hours=2)
        assert read_builtin(world.folder.builtin)[1] == BuiltIn("ann/effect-01", oid, 2)
        lines = zip(text.splitlines(), world.folder.builtin.read_text().splitlines())
        assert [new.strip() for old, new in lines if old != new] == [f'revision: "{oid}"']

    def test_a_main_that_moves_and_fails_is_left_out_until_it_passes_again(self, world: World) -> None:
        good_models(world, 2)
        before = world.folder.builtin.read_text()
        world.commit("ann/effect-01", model_files(7))
        world.refresh(hours=1)
        world.try_out("ann/effect-01", "aborts-host", hours=2)
        done = world.curate(hours=2)
        assert (done.removed, world.listed()) == (["ann/effect-01"], ["ann/effect-00"])
        assert world.folder.builtin.read_text() == before
        out = json.loads(world.folder.builtin_state.read_text())["ann/effect-01"]["quarantine"]
        assert out == {"reason": "aborts-host: aborts-host happened", "since": "2024-05-01T12:00:00Z"}
        world.curate(hours=9)
        assert json.loads(world.folder.builtin_state.read_text())["ann/effect-01"]["quarantine"] == out
        world.commit("ann/effect-01", model_files(8))
        world.refresh(hours=10)
        assert world.curate(hours=10).added == []  # out until it has been tested
        world.try_out("ann/effect-01", hours=11)
        assert world.curate(hours=11).added == ["ann/effect-01"]

    def test_nothing_changed_writes_nothing(self, world: World) -> None:
        good_models(world, 3)
        before = world.tree()
        done = world.curate(hours=50)
        assert (done.changed, world.tree()) == ([], before)

    def test_a_renamed_builtin_is_listed_under_its_new_name(self, world: World) -> None:
        good_models(world, 4)
        for number in range(4):
            world.hub.rename_repo(f"ann/effect-{number:02d}", f"bob/effect-{number:02d}")
        world.refresh(hours=1)
        done = world.curate(hours=1)
        assert world.listed() == [f"bob/effect-{number:02d}" for number in range(4)]
        assert all(one.renamed for one in done.builtin_states)

    def test_a_stranger_who_takes_a_builtins_name_is_not_listed(self, world: World) -> None:
        good_models(world, 1)
        world.hub.remove_repo("ann/effect-00")
        world.hub.add_repo("x/y", {})
        world.add("ann/effect-00", 5)
        world.refresh(hours=1)
        world.try_out("ann/effect-00", hours=1)
        for hours in (2, 30):
            world.refresh(hours)
        done = world.curate(hours=30)
        assert world.listed() == []
        assert "Another repo has taken this name" in done.builtin_states[0].reason
        world.list_builtin("ann/effect-00")  # a person has examined the new one
        world.curate(hours=31)
        assert world.listed() == ["ann/effect-00"]

    def test_gone_and_closed_builtins_are_left_out(self, world: World) -> None:
        names = good_models(world, 2)
        world.hub.remove_repo(names[0])
        world.hub.find(names[1]).gated = "manual"
        world.add("ann/other", 9)
        world.refresh(hours=1)
        world.curate(hours=1)
        assert world.listed() == [names[0]]
        world.refresh(hours=26)
        reasons = {one.named: one.reason for one in world.curate(hours=26).builtin_states}
        assert "lacks it" in reasons[names[0]]
        assert "gated" in reasons[names[1]]


class TestBreaker:
    def break_some(self, world: World, names: List[str]) -> None:
        for name in names:
            world.commit(name, model_files(int(name[-2:]) + 100))
        world.refresh(hours=1)
        for name in names:
            world.try_out(name, "load-error", hours=1)

    def test_more_than_a_tenth_and_more_than_two_stop_for_a_person(self, world: World) -> None:
        names = good_models(world, 20)
        self.break_some(world, names[:3])
        before = world.tree()
        with pytest.raises(TooManyRemovals, match="3 of 20 built-in models would go at once") as stop:
            world.curate(hours=1)
        assert f"{names[0]}: load-error: load-error happened" in str(stop.value)
        assert stop.value.exit_status == 1
        assert world.tree() == before
        world.curate(hours=1, confirmed=True)
        assert world.listed() == names[3:]

    @pytest.mark.parametrize(("count", "broken"), [(4, 2), (30, 3)])
    def test_two_or_a_tenth_may_go(self, world: World, count: int, broken: int) -> None:
        names = good_models(world, count)
        self.break_some(world, names[:broken])
        assert len(world.curate(hours=1).removed) == broken

    def test_an_emptied_builtin_yml_does_not_empty_the_list(self, world: World) -> None:
        good_models(world, 5)
        world.folder.builtin.write_text("[]\n")
        with pytest.raises(TooManyRemovals, match=r"no longer in builtin\.yml"):
            world.curate()


class TestYaml:
    def test_the_shipped_list_can_be_read_and_added_to(self) -> None:
        path = Path(__file__).parents[2] / "registry" / "builtin.yml"
        assert all(entry.request for entry in read_builtin(path))
        entry = BuiltIn("ann/effect", "a" * 40, 12, "2024-05-01", "says: hi # there")
        text = with_entry(path.read_text(), entry)
        assert text.startswith("# The built-in models")
        assert with_entry(text, entry) == text
        second = BuiltIn("bob/other", "0" * 40, 13)
        text = with_entry(text, second)
        assert text.count("# The built-in models") == 1

    def test_what_is_added_is_read_again(self, tmp_path: Path) -> None:
        path = tmp_path / "builtin.yml"
        entries = [
            BuiltIn("ann/effect", "a" * 40, 12, "2024-05-01", "says: hi # there\nand more"),
            BuiltIn("bob/other", "0" * 40, 13),
            BuiltIn("007/1e5", "1" * 39 + "e", 14, note="- [x"),
        ]
        text = "# comment\n[]\n"
        for entry in entries:
            text = with_entry(text, entry)
        path.write_text(text)
        assert read_builtin(path) == entries
        moved = with_revision(text, "bob/other", "b" * 40)
        path.write_text(moved)
        assert [entry.revision[0] for entry in read_builtin(path)] == ["a", "b", "1"]

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("id: ann/effect", "should hold a list"),
            ("- ann/effect", "should be a mapping"),
            ("- {id: ann, revision: x}", "not of the form author/name"),
            ("- {id: ann/effect, revision: main}", "full commit hash"),
            ("- {id: ann/effect, revison: x}", "no field revison"),
            (f"- {{id: ann/effect, revision: {'a' * 40}, request: -1}}", "number of an issue"),
            (f"- &a {{id: ann/effect, revision: {'a' * 40}}}\n- *a", "twice"),
            ("- !!python/object/apply:os.system [true]", "not YAML"),
            ("- {id: [", "not YAML"),
            pytest.param("[" * 1500, "nested too deep", id="nested"),
            (f"- id: ann/effect\n  revision: {'a' * 40}\n  revision: {'b' * 40}\n", "revision is given twice"),
            (f"- id: eve/x\n  revision: {'a' * 40}\n  id: ann/effect\n", "id is given twice"),
            (f"- {{id: eve/x, id: ann/effect, revision: {'a' * 40}}}", "id is given twice"),
            (f"- id: a/b\n  revision: &r {'a' * 40}\n- id: b/c\n  revision: *r\n", "not an alias"),
            (f"- &a\n  id: a/b\n  revision: {'a' * 40}\n- <<: *a\n  id: b/c\n", "no field <<"),
            (f"- <<: {{id: a/b}}\n  revision: {'a' * 40}\n", "no field <<"),
            ("- !!binary YW5u", "should be a mapping"),
            (f"- !!omap [id: a/b, revision: {'a' * 40}]", "should be a mapping"),
            ("- &a [*a]", "should be a mapping"),
            ("- &a {id: *a}", "should be one value"),
            ("- ? [a]\n  : b\n", "not YAML"),
            (f"- id: a/b\n  revision: {'a' * 40}\n---\n- id: b/c\n", "not YAML"),
            ("%YAML 3.0\n---\n[]\n", "not YAML"),
            (f"- id: a/b\n  revision: {'A' * 40}\n", "full commit hash"),
            (f"- id: a/b\n  revision: '{'a' * 40} '\n", "full commit hash"),
            (f"- id: a/b\n  revision: {'a' * 40}\n  request: 0x10\n", "number of an issue"),
            (f"- id: a/b\n  revision: {'a' * 40}\n  request: \u0661\n", "number of an issue"),
            (f"- id: >\n    a/b\n  revision: {'a' * 40}\n", "may hold letters"),
            (f"- id: \uff41/b\n  revision: {'a' * 40}\n", "may hold letters"),
            (f'- id: "a/b\\ud800"\n  revision: {"a" * 40}\n', "may hold letters"),
            ("<<<<<<< HEAD\n- id: a/b\n=======\n>>>>>>> x\n", "not YAML|should hold"),
        ],
    )
    @pytest.mark.slow
    def test_a_list_that_is_wrong_says_where(self, tmp_path: Path, text: str, says: str) -> None:
        path = tmp_path / "builtin.yml"
        path.write_text(text)
        with pytest.raises(RegistryError, match=says):
            read_builtin(path)

    @pytest.mark.parametrize(
        "sign", ["\r", "\x85", "\u2028", "\u2029", "\u200b", "\u200e", "\u202e", "\u2066", "\ufeff", "\u00ad"]
    )
    def test_an_entry_that_readers_of_a_change_do_not_see_is_refused(self, tmp_path: Path, sign: str) -> None:
        path = tmp_path / "builtin.yml"
        hidden = f"# kept by hand{sign}- id: eve/model{sign}  revision: {'b' * 40}"
        path.write_bytes(f"- id: ann/effect\n  revision: {'a' * 40}\n{hidden}\n".encode())
        with pytest.raises(RegistryError, match=rf"line 3: there is a U\+{ord(sign):04X}"):
            read_builtin(path)

    @pytest.mark.parametrize("line_break", ["\n", "\r\n"])
    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    def test_a_list_of_another_editor_is_read_and_added_to(self, tmp_path: Path, line_break: str, mark: str) -> None:
        path = tmp_path / "builtin.yml"
        text = f"{mark}- id: ann/effect{line_break}  revision: {'a' * 40}{line_break}"
        path.write_bytes(with_entry(text, BuiltIn("bob/other", "b" * 40)).encode())
        assert [entry.id for entry in read_builtin(path)] == ["ann/effect", "bob/other"]

    @pytest.mark.parametrize("ending", ["...\n", "- id: eve/x\n  note: |\n    text\n...\n"])
    def test_what_would_not_be_read_again_is_not_added(self, ending: str) -> None:
        text = f"- id: ann/effect\n  revision: {'a' * 40}\n{ending}"
        with pytest.raises((ValueError, RegistryError)):
            with_entry(text, BuiltIn("bob/other", "b" * 40))


class TestPublish:
    @pytest.fixture
    def published(self, world: World) -> World:
        good_models(world, 12)
        world.hub.add_token("secret", "curators", write=True)
        world.hub.add_repo(LIST_REPO, {"models.json": b"[]"})
        return world

    def upload(self, world: World, token: str = "secret") -> object:
        return publish(world.folder, world.client, LIST_REPO, token)

    def commits(self, world: World) -> int:
        return len(world.hub.find(LIST_REPO).commits)

    def test_one_commit_when_it_changed_and_one_request_when_not(self, published: World) -> None:
        world = published
        assert self.upload(world)
        blob = world.hub.find(LIST_REPO).head.files["models.json"]
        assert blob.read(0, blob.size) == world.folder.list.read_bytes()
        assert self.commits(world) == 2
        world.requests()
        assert self.upload(world) is None
        assert (self.commits(world), len(world.requests())) == (2, 1)

    def test_a_commit_by_somebody_else_in_between_is_not_overwritten_blindly(self, published: World) -> None:
        world = published
        world.hub.fault("after", path="/preupload/", then=lambda: world.hub.commit(LIST_REPO, {"README.md": b"hi"}))
        assert self.upload(world)
        head = world.hub.find(LIST_REPO).head
        assert set(head.files) == {"models.json", "README.md"}

    def test_an_empty_registry_does_not_empty_what_is_published(self, published: World) -> None:
        world = published
        self.upload(world)
        world.folder.list.write_text("[]\n")
        world.folder.builtin.write_text("[]\n")
        with pytest.raises(TooManyRemovals, match="12 of 12"):
            self.upload(world)
        assert self.commits(world) == 2

    def test_a_token_without_rights_is_refused(self, published: World) -> None:
        published.hub.add_token("other", "nobody", write=False)
        with pytest.raises(AccessDenied):
            self.upload(published, "other")

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["server-error", "drop", "cut", "rate-limit", "not-json", "forbidden", "gated"])
    def test_a_fault_at_any_request_leaves_the_old_list_or_the_new(
        self, published: World, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = published
        monkeypatch.setattr(time, "sleep", lambda seconds: None)  # huggingface_hub's patience
        for number in range(4):
            world.hub.fault(kind, after=number, times=None, t=1)
            with suppress(HubError):
                self.upload(world)
            world.hub.faults.clear()
            blob = world.hub.find(LIST_REPO).head.files["models.json"]
            assert blob.read(0, blob.size) in (b"[]", world.folder.list.read_bytes())
        self.upload(world)
        assert self.commits(world) <= 3

    def test_what_is_no_list_is_not_published(self, published: World) -> None:
        published.folder.list.write_text('["b/b", "a/a"]')
        with pytest.raises(RegistryError, match="sorted list"):
            self.upload(published)


def test_the_shipped_registry_is_whole() -> None:
    folder = RegistryFolder(Path(__file__).parents[2] / "registry")
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    for place, record in folder.records():
        validator.validate(json.loads((folder.models / place).read_text()))
        assert place == folder.place(record.id) or "~" in place
    assert folder.unreadable == []
    listed = json.loads(folder.list.read_text())
    assert listed == sorted(set(listed))
    assert len(read_builtin(folder.builtin)) >= len(listed)
