"""Nobody moves the list but its maintainer: takeovers of names, models that nobody can run, listings in doubt."""

from __future__ import annotations

import json
from typing import List

import pytest

from audacitorch.github import GitHub
from audacitorch.registry.builtin_list import LISTED, QUARANTINED, builtin_states, held_removals
from audacitorch.registry.issues import keep_issues
from audacitorch.registry.jobs import Setting, do, plan
from audacitorch.registry.status import render_text, status
from audacitorch.registry.testing import merge
from tests.github import LocalGitHub
from tests.hub import HubRepo
from tests.registry.test_builtin_list import good_models
from tests.registry.world import START, World, model_files


def take_name(world: World, name: str, history: HubRepo) -> HubRepo:
    """A stranger's repo of this name, with the old repo's history pushed into it."""
    world.hub.add_repo("x/y", {})  # or the local Hub would give the same key again
    stranger: HubRepo = world.add(name, files={"README.md": b""})
    stranger.commits[:] = history.commits
    stranger.branches.update(history.branches)
    return stranger


class TestTakeover:
    def test_a_stranger_who_pushes_the_old_history_is_not_listed(self, world: World) -> None:
        names = good_models(world, 3)
        old = world.hub.find(names[0])
        assert old is not None
        world.hub.remove_repo(names[0])
        stranger = take_name(world, names[0], old)
        for hours in (1, 26):
            world.refresh(hours)
            done = world.curate(hours)
            assert world.listed() == names[1:], f"after {hours} hours"
            assert "Another repo has taken this name" in done.builtin_states[0].reason
        world.commit(names[0], model_files(8))  # a day later, the stranger's own commit
        world.refresh(hours=27)
        world.try_out(names[0], hours=27)
        world.curate(hours=27)
        assert world.listed() == names[1:]
        assert f"key: {stranger.key}" in builtin_states(world.folder)[0].reason

    def test_other_content_is_not_listed_for_an_hour(self, world: World) -> None:
        names = good_models(world, 3)
        world.hub.remove_repo(names[0])
        world.hub.add_repo("x/y", {})
        world.add(names[0], 9)
        world.refresh(hours=1)
        world.curate(hours=1)
        assert world.listed() == names[1:]

    def test_the_name_of_a_renamed_builtin_moves_nothing(self, world: World) -> None:
        names = good_models(world, 3)
        old = world.hub.find(names[0])
        assert old is not None
        world.hub.rename_repo(names[0], "ann/renamed")
        take_name(world, names[0], old)
        world.refresh(hours=1)
        done = world.curate(hours=1)
        assert world.listed() == ["ann/effect-01", "ann/effect-02", "ann/renamed"]
        assert done.builtin_states[0].taken
        assert f"another repo has taken {names[0]}" in render_text(status(world.folder))

    def test_a_person_lets_the_new_repo_in_by_its_key(self, world: World) -> None:
        names = good_models(world, 1)
        old = world.hub.find(names[0])
        assert old is not None
        world.hub.remove_repo(names[0])
        stranger = take_name(world, names[0], old)
        world.refresh(hours=1)
        world.try_out(names[0], hours=1)
        world.curate(hours=1)
        assert world.listed() == []
        text = world.folder.builtin.read_text()
        world.folder.builtin.write_text(text.replace("  request: 1", f"  key: {stranger.key}\n  request: 1"))
        world.curate(hours=2)
        assert world.listed() == names

    def test_the_owner_who_takes_the_name_back_is_listed_again(self, world: World) -> None:
        names = good_models(world, 1)
        old = world.hub.find(names[0])
        assert old is not None
        world.hub.remove_repo(names[0])
        take_name(world, names[0], old)
        world.refresh(hours=1)
        world.curate(hours=1)
        assert world.listed() == []
        world.hub.remove_repo(names[0])
        world.hub._repos[names[0]] = old
        world.refresh(hours=2)
        world.curate(hours=2)
        assert world.listed() == names

    def test_another_spelling_in_builtin_yml_is_the_same_repo_and_told(self, world: World) -> None:
        names = good_models(world, 1)
        world.folder.builtin.write_text(world.folder.builtin.read_text().replace(names[0], "Ann/Effect-00"))
        world.folder.builtin_state.unlink()
        done = world.curate(hours=1)
        assert world.listed() == names
        assert done.builtin_states[0].renamed


class TestNobodyCanRunIt:
    def test_builtins_are_tried_first(self, world: World) -> None:
        names = good_models(world, 2)
        for number in range(4):
            world.add(f"zoe/huge-{number}", files={**model_files(number + 20), "model.pt": bytes(200_000)})
        world.commit(names[1], model_files(9))
        world.refresh(hours=1)
        assert plan(world.folder)[0].id == names[1]

    def test_no_author_holds_up_the_others(self, world: World) -> None:
        for number in range(6):
            world.add(f"ann/effect-{number}", number)
        world.add("bob/effect", 10)
        world.add("cem/effect", 11)
        world.refresh()
        authors = [job.id.partition("/")[0] for job in plan(world.folder)]
        assert set(authors[:3]) == {"ann", "bob", "cem"}

    def test_after_three_days_untested_it_is_quarantined(self, world: World) -> None:
        names = good_models(world, 3)
        world.commit(names[0], model_files(9))
        for day in range(3):
            world.refresh(hours=24 * day + 1)
            world.curate(hours=24 * day + 1)
            assert world.listed() == names, day
            world.commit(names[0], model_files(10 + day))  # a new commit every day does not start it anew
        world.refresh(hours=74)
        done = world.curate(hours=74)
        assert world.listed() == names[1:]
        assert "could not be tested for 3 days" in done.builtin_states[0].reason
        world.try_out(names[0], hours=75)
        world.curate(hours=75)
        assert world.listed() == names

    def test_gated_for_the_hour_of_the_trials_it_is_quarantined_at_once(self, world: World, tmp_path: object) -> None:
        names = good_models(world, 3)
        repo = world.hub.find(names[0])
        assert repo is not None
        world.commit(names[0], model_files(9))
        world.refresh(hours=1)
        repo.gated = "manual"
        (job,) = plan(world.folder)
        result = do(job, Setting(world.hub.url, str(tmp_path), "process", 30.0))
        assert result["refused"]
        repo.gated = False
        merge(world.folder, [result], START)
        done = world.curate(hours=1)
        assert world.listed() == names[1:]
        assert "The Hub does not let us test what it lists" in done.builtin_states[0].reason
        assert names[0] in dict(status(world.folder).untested)
        world.commit(names[0], model_files(10))
        world.refresh(hours=24)
        world.curate(hours=24)
        assert world.listed() == names[1:]  # until it was run


class TestBreaker:
    @pytest.fixture
    def held(self, world: World) -> List[str]:
        names = good_models(world, 10)
        for name in names[:4]:
            world.commit(name, model_files(int(name[-2:]) + 100))
        world.refresh(hours=1)
        for name in names[:4]:
            world.try_out(name, "load-error", hours=1)
        return names

    def test_while_it_holds_the_list_no_issue_is_opened(self, world: World, held: List[str]) -> None:
        states = builtin_states(world.folder)
        assert held_removals(world.folder, states) == held[:4]
        with LocalGitHub() as server:
            server.add_token("writer", issues="write")
            with GitHub("audacitorch/action", "writer", server.url) as github:
                assert keep_issues(github, states, held_removals(world.folder, states)) == []
                world.curate(hours=2, confirmed=True)
                states = builtin_states(world.folder)
                assert len(keep_issues(github, states, held_removals(world.folder, states))) == 4

    def test_status_says_that_it_holds_and_what_it_asks(self, world: World, held: List[str]) -> None:
        text = render_text(status(world.folder))
        assert "4 of 10 built-in models would go at once" in text
        assert "--confirm-removals" in text
        assert all(name in text for name in held[:4])


class TestListingInDoubt:
    def test_half_of_the_repos_missing_is_in_doubt_and_nobody_is_gone(self, world: World) -> None:
        names = good_models(world, 20)
        repos = dict(world.hub._repos)
        for name in names[:10]:
            del world.hub._repos[name]
        for hours in (1, 30, 60):
            done = world.refresh(hours)
            assert done.exit_status == 3
            assert "in doubt" in str(done.fault)
            assert done.missing_builtins == names[:10]  # named the first time
            world.curate(hours)
        assert world.listed() == names
        text = render_text(status(world.folder))
        assert "last complete look at the Hub: 2024-05-01T10:00:00Z" in text
        assert "in doubt" in text
        world.hub._repos.update(repos)
        assert world.refresh(hours=61).exit_status == 0
        assert "last complete look at the Hub: 2024-05-03T23:00:00Z" in render_text(status(world.folder))

    @pytest.mark.parametrize(
        ("count", "missing", "doubt"), [(40, 4, False), (40, 5, True), (60, 6, False), (4, 3, False)]
    )
    def test_more_than_a_tenth_and_at_least_five_are_in_doubt(
        self, world: World, count: int, missing: int, doubt: bool
    ) -> None:
        for number in range(count):
            world.add(f"ann/idea-{number}", files={"README.md": b""})
        world.refresh()
        for number in range(missing):
            world.hub.remove_repo(f"ann/idea-{number}")
        assert (world.refresh(hours=1).exit_status == 3) is doubt

    def test_a_person_may_say_that_it_is_right(self, world: World) -> None:
        for number in range(20):
            world.add(f"ann/idea-{number}", files={"README.md": b""})
        world.refresh()
        for number in range(10):
            world.hub.remove_repo(f"ann/idea-{number}")
        assert world.refresh(hours=1, confirmed=True).exit_status == 0
        assert world.refresh(hours=26).exit_status == 0
        assert world.status("ann/idea-0") == "gone"

    def test_a_builtin_that_is_missing_is_named_the_first_time(self, world: World) -> None:
        names = good_models(world, 2)
        world.hub.remove_repo(names[0])
        assert world.refresh(hours=1).missing_builtins == names[:1]
        assert json.loads(world.folder.looks.read_text())["lacking_names"] == names[:1]
        assert [one.state for one in builtin_states(world.folder)] == [LISTED, LISTED]
        world.refresh(hours=26)
        assert [one.state for one in builtin_states(world.folder)] == [QUARANTINED, LISTED]
