"""A run that is killed before any of its file operations: the next one comes to the same files, in every scenario."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import pytest

from tests.registry.world import World, model_files

pytestmark = pytest.mark.slow

#: Audit events that change files; "open" does where its flags say so.
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink")


class Killed(BaseException):
    """The process is gone: from here on nothing touches a file."""


class Killer:
    """Counts operations on files below a folder, and ends the run before one of them."""

    def __init__(self) -> None:
        self.folder = ""
        self.count = 0
        self.kill_at = 0

    def arm(self, folder: Path, kill_at: int) -> None:
        self.folder, self.count, self.kill_at = str(folder), 0, kill_at

    def disarm(self) -> None:
        self.folder = ""

    def __call__(self, event: str, arguments: Tuple[Any, ...]) -> None:
        if not self.folder or not (event in _CHANGES or event == "open"):
            return
        if event == "open" and not int(arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        if not any(isinstance(one, (str, os.PathLike)) and str(one).startswith(self.folder) for one in arguments):
            return
        self.count += 1
        if self.kill_at and self.count >= self.kill_at:
            raise Killed


KILLER = Killer()
sys.addaudithook(KILLER)

Action = Callable[[], object]


def new_repos(world: World) -> Action:
    world.add("dan/new", 5)
    return lambda: world.refresh(hours=1, workers=1)


def changed(world: World) -> Action:
    world.commit("ann/one", model_files(9))
    return lambda: world.refresh(hours=1, workers=1)


def renamed(world: World) -> Action:
    world.hub.rename_repo("ann/one", "zoe/one")
    return lambda: world.refresh(hours=1, workers=1)


def renamed_and_the_old_name_taken(world: World) -> Action:
    world.hub.rename_repo("ann/one", "zoe/one")
    world.hub.add_repo("x/y", {})
    world.add("ann/one", 8)
    return lambda: world.refresh(hours=1, workers=1)


def renamed_to_a_name_that_is_listed_first(world: World) -> Action:
    world.hub.rename_repo("cem/three", "aaa/three")
    world.hub.add_repo("x/y", {})
    world.add("cem/three", 8)
    return lambda: world.refresh(hours=1, workers=1)


def two_names_swapped(world: World) -> Action:
    one, two = world.hub.find("ann/one"), world.hub.find("bob/two")
    assert one is not None
    assert two is not None
    one.id, two.id = two.id, one.id
    world.hub._repos["ann/one"], world.hub._repos["bob/two"] = two, one
    return lambda: world.refresh(hours=1, workers=1)


def a_name_taken_over(world: World) -> Action:
    world.hub.remove_repo("ann/one")
    world.hub.add_repo("x/y", {})
    world.add("ann/one", 8)
    return lambda: (world.refresh(hours=1, workers=1), world.curate(hours=1))


def a_name_taken_back(world: World) -> Action:
    old = world.hub.find("ann/one")
    assert old is not None
    a_name_taken_over(world)()
    world.hub.remove_repo("ann/one")
    world.hub._repos["ann/one"] = old
    return lambda: world.refresh(hours=2, workers=1)


def gone_while_another_has_the_name(world: World) -> Action:
    a_name_taken_over(world)()
    return lambda: world.refresh(hours=26, workers=1)


def a_record_that_cannot_be_read(world: World) -> Action:
    (world.folder.models / "ann" / "one.json").write_text("<<<<<<< HEAD")
    return lambda: world.refresh(hours=1, workers=1)


def a_stray_record_alone(world: World) -> Action:
    os.replace(world.folder.models / "ann" / "one.json", world.folder.models / "ann" / "one_LOCAL_4711.json")
    return lambda: world.refresh(hours=1, workers=1)


def a_trial_that_fails(world: World) -> Action:
    return lambda: (world.try_out("ann/one", "load-error", hours=1), world.curate(hours=1))


def a_main_that_moves_and_passes(world: World) -> Action:
    world.commit("ann/one", model_files(9))
    world.refresh(hours=1)
    return lambda: (world.try_out("ann/one", hours=1), world.curate(hours=1))


SCENARIOS: List[Callable[[World], Action]] = [
    new_repos, changed, renamed, renamed_and_the_old_name_taken, renamed_to_a_name_that_is_listed_first,
    two_names_swapped, a_name_taken_over, a_name_taken_back, gone_while_another_has_the_name,
    a_record_that_cannot_be_read, a_stray_record_alone, a_trial_that_fails, a_main_that_moves_and_passes,
]  # fmt: skip


@pytest.fixture
def settled(world: World) -> World:
    for number, name in enumerate(["ann/one", "bob/two", "cem/three"]):
        world.add(name, number)
    world.refresh()
    for name in ("ann/one", "bob/two", "cem/three"):
        world.try_out(name)
    world.list_builtin("ann/one", "bob/two")
    world.curate()
    return world


def files(world: World) -> Dict[str, bytes]:
    """What lies there, but what was being written when the run was killed."""
    return {name: content for name, content in world.contents().items() if not name.endswith(".tmp")}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_killed_before_each_file_operation(
    settled: World, tmp_path: Path, scenario: Callable[[World], Action], record_property: Any
) -> None:
    world = settled
    act = scenario(world)
    before, folder = tmp_path / "before", world.folder.path
    shutil.copytree(folder, before)
    KILLER.arm(folder, 0)
    act()
    KILLER.disarm()
    operations, expected = KILLER.count, files(world)
    assert operations
    differences = 0
    for number in range(1, operations + 1):
        shutil.rmtree(folder)
        shutil.copytree(before, folder)
        KILLER.arm(folder, number)
        with pytest.raises(Killed):
            act()
        KILLER.disarm()
        act()
        differences += files(world) != expected
    record_property("crash points", operations)
    print(f"{scenario.__name__}: {operations} crash points, {differences} differences")
    assert differences == 0
