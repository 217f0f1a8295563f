"""What people see of the registry: status, the page, issues about broken built-ins, and the program's exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List

import pytest

from audacitorch.github import GitHub
from audacitorch.registry.builtin_list import builtin_states
from audacitorch.registry.issues import LABEL, keep_issues
from audacitorch.registry.status import render_markdown, render_text, status
from tests.github import LocalGitHub
from tests.registry.world import World, model_files

ROOT = Path(__file__).parents[2]
NASTY = "<script>alert(1)</script>\x1b[31m @everyone \u202e ::error:: | `x`"


@pytest.fixture
def seen(world: World) -> World:
    """A good built-in, one that broke, and a model whose author writes odd things."""
    for number, name in enumerate(["ann/good", "ann/broken", "bob/nasty"]):
        world.add(name, number, model_files(number, short_description=NASTY) if name == "bob/nasty" else None)
    world.refresh()
    for name in ("ann/good", "ann/broken"):
        world.try_out(name)
    world.list_builtin("ann/good", "ann/broken")
    world.curate()
    world.commit("ann/broken", model_files(7))
    world.refresh(hours=24)
    world.try_out("ann/broken", "aborts-host", hours=24.5)
    world.curate(hours=24.5)
    return world


class TestStatus:
    def test_it_says_what_broke_is_out_and_why(self, seen: World) -> None:
        text = render_text(status(seen.folder))
        assert (
            "Built-in, quarantined (1)\n  ann/broken  since 2024-05-02T10:30:00Z: aborts-host: aborts-host happened"
            in text
        )
        assert "Broken (1)\n  ann/broken  compatible → incompatible: aborts-host: aborts-host happened" in text
        assert "ann/good" not in text  # nothing happened to it in this run

    def test_a_longer_look_back_shows_more(self, seen: World) -> None:
        from tests.registry.world import START

        found = status(seen.folder, START)
        assert {change.id for change in found.of("new")} == {"ann/good", "bob/nasty"}
        assert [(change.id, change.said) for change in found.of("broken")] == [
            ("ann/broken", "new → incompatible: aborts-host: aborts-host happened")  # new and broken, said once
        ]

    def test_hostile_text_reaches_no_terminal_and_no_summary_raw(self, seen: World) -> None:
        found = status(seen.folder)
        found.changes.append(type(found.changes[0])("new", "bob/nasty", NASTY))
        for page in (render_text(found), render_markdown(found)):
            assert "\x1b" not in page
            assert "\u202e" not in page
            assert "\n::" not in page
        assert "<script>" not in render_markdown(found)

    def test_an_empty_registry_has_a_status(self, world: World) -> None:
        assert render_text(status(world.folder)).startswith("0 models; nothing changed")


class TestIssues:
    @pytest.fixture
    def server(self) -> Iterator[LocalGitHub]:
        with LocalGitHub() as server:
            server.add_token("writer", issues="write")
            yield server

    def keep(self, server: LocalGitHub, world: World) -> List[str]:
        with GitHub("audacitorch/action", "writer", server.url) as github:
            return keep_issues(github, builtin_states(world.folder))

    def test_one_issue_is_opened_left_alone_updated_and_closed(self, seen: World, server: LocalGitHub) -> None:
        assert self.keep(server, seen) == ["opened an issue: ann/broken is broken"]
        assert self.keep(server, seen) == []
        seen.commit("ann/broken", model_files(8))
        seen.refresh(hours=48)
        seen.try_out("ann/broken", "forward-error", hours=48)
        seen.curate(hours=48)
        assert self.keep(server, seen) == ["updated #1: ann/broken"]
        seen.commit("ann/broken", model_files(9))
        seen.refresh(hours=72)
        seen.try_out("ann/broken", hours=72)
        seen.curate(hours=72)
        assert self.keep(server, seen) == ["closed #1: ann/broken passes again"]
        assert self.keep(server, seen) == []

    def test_the_issue_carries_the_label_and_no_markup_of_strangers(self, seen: World, server: LocalGitHub) -> None:
        self.keep(server, seen)
        issue = server.state.issues[1]
        assert LABEL in issue.labels
        assert "aborts-host" in str(issue.body)


class TestProgram:
    def run(self, world: World, *words: str, url: str = "") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "HF_ENDPOINT": url or world.hub.url}
        command = [sys.executable, "-m", "audacitorch", "registry", *words, "--registry", str(world.folder.path)]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=ROOT)

    @pytest.mark.slow
    def test_a_refresh_and_what_follows_by_the_command_line(self, world: World) -> None:
        world.add("ann/effect")
        done = self.run(world, "refresh")
        assert (done.returncode, done.stdout) == (0, "1 listed, 0 unchanged, 1 written, 0 missing\n")
        before = world.tree()
        assert self.run(world, "refresh").returncode == 0
        assert world.tree() == before
        assert json.loads(self.run(world, "test", "--plan", "5").stdout) == {"shard": ["1/1"]}
        assert "New (1)" in self.run(world, "status").stdout
        assert self.run(world, "publish").stdout == "the list has not changed\n"

    @pytest.mark.slow
    def test_an_unreachable_hub_is_exit_3_and_a_wrong_call_exit_2(self, world: World, tmp_path: Path) -> None:
        done = self.run(world, "refresh", url="http://127.0.0.1:9")
        assert done.returncode == 3
        assert "not complete" in done.stderr
        assert "Traceback" not in done.stderr
        assert self.run(world, "test", "--shard", "5/2").returncode == 2
        assert self.run(world, "status", "--since", "yesterday").returncode == 2
        world.folder.builtin.write_text("- x")
        assert self.run(world, "publish").returncode == 2

    def test_too_many_going_is_exit_1_and_says_how_to_go_on(self, world: World) -> None:
        world.folder.list.write_text(json.dumps(["a/a", "b/b", "c/c"]))
        done = self.run(world, "publish")
        assert done.returncode == 1
        assert "3 of 3 built-in models would go at once" in done.stderr
        assert self.run(world, "publish", "--confirm-removals").returncode == 0
        assert world.listed() == []
