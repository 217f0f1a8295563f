"""A registry with something of everything."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from audacitorch.hosts import HOSTS
from audacitorch.hub import Hub
from tests.hub import LocalHub
from tests.registry.world import World, model_files

NASTY = "<script>alert(1)</script>\x1b[31m \u202e ]]> \"'><img src=x onerror=alert(2)> {{7*7}} javascript:alert(3)"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with LocalHub() as hub, Hub(hub.url) as client:
        yield World(tmp_path / "registry", hub, client)


@pytest.fixture
def full(world: World) -> World:
    """A good built-in, one that broke, one that only the specification accepts, an odd one, one that is not a model."""
    hostile = dict.fromkeys(("short_description", "long_description"), NASTY)
    for number, name in enumerate(["ann/good", "ann/broken", "cat/partly"]):
        world.add(name, number)
    world.add("bob/nasty", 3, model_files(3, **hostile, tags=[NASTY, 7, NASTY], domains=[NASTY], labels=NASTY))
    world.add("bob/notes", files={"README.md": b"---\ntags: [audacity]\n---\n"})
    world.refresh()
    for name in ("ann/good", "ann/broken"):
        world.try_out(name)
    world.try_out("cat/partly", "label-format", hosts=(HOSTS[1],))
    world.list_builtin("ann/good", "ann/broken")
    world.curate()
    world.commit("ann/broken", model_files(7))
    world.refresh(hours=24)
    world.try_out("ann/broken", "aborts-host", hours=24.5)
    world.curate(hours=24.5)
    return world
