"""A month on the Hub: what is on the list on each day, through everything that happened to the models' repos."""

from __future__ import annotations

from typing import Callable, Dict, List

import pytest

from audacitorch.registry.builtin_list import TooManyRemovals
from audacitorch.registry.jobs import plan
from tests.hub import HubRepo
from tests.registry.test_builtin_list import good_models
from tests.registry.world import World, model_files

A, B, C, D, E, F = (f"ann/effect-{number:02d}" for number in range(6))
REST = [f"ann/effect-{number:02d}" for number in range(6, 20)]
ALL = [A, B, C, D, E, F, *REST]


class Month:
    """The Hub's side: what happens on which day, and which models fail or can't be run."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.broken: Dict[str, bool] = {}
        self.cannot_run: List[str] = []
        self.kept: Dict[str, HubRepo] = {}

    def commit(self, name: str, number: int, broken: bool = False) -> None:
        self.world.commit(name, model_files(number))
        self.broken[name] = broken

    def vanish(self, name: str) -> None:
        repo = self.world.hub.find(name)
        assert repo is not None
        self.kept[name] = repo
        self.world.hub.remove_repo(name)

    def come_back(self, name: str) -> None:
        self.world.hub._repos[name.lower()] = self.kept.pop(name)

    def take_name(self, name: str) -> None:
        self.world.hub.add_repo(f"x/y{len(self.world.hub._repos)}", {})
        stranger = self.world.add(name, files={"README.md": b""})
        stranger.commits[:] = self.kept[name].commits
        stranger.branches.update(self.kept[name].branches)

    def gate(self, name: str, gated: bool) -> None:
        repo = self.world.hub.find(name)
        assert repo is not None
        repo.gated = "manual" if gated else False

    def run_day(self, day: int) -> List[str]:
        """Refresh, trials, the list: what a day's workflow does."""
        hours = 24.0 * day
        self.world.refresh(hours)
        for job in plan(self.world.folder):
            if job.id not in self.cannot_run:
                errors = ("load-error",) if self.broken.get(job.id) else ()
                self.world.try_out(job.id, *errors, hours=hours + 1)
        try:
            self.world.curate(hours + 2)
        except TooManyRemovals:
            self.held = True
        return self.world.listed()


def without(*names: str) -> List[str]:
    return [name for name in ALL if name not in names]


@pytest.mark.slow
def test_a_month_on_the_hub(world: World) -> None:
    good_models(world, 20)
    month = Month(world)
    events: Dict[int, Callable[[], object]] = {
        2: lambda: month.commit(A, 100),  # a good new version
        3: lambda: month.commit(B, 101, broken=True),  # a bad one
        5: lambda: month.commit(B, 102),  # fixed
        6: lambda: month.vanish(C),  # for an afternoon
        7: lambda: month.come_back(C),
        8: lambda: month.vanish(D),  # deleted
        11: lambda: month.take_name(D),  # and its name taken, with the old history
        12: lambda: month.commit(D, 103),  # and other content a day later
        14: lambda: (month.cannot_run.append(E), month.commit(E, 104)),  # nobody can run it
        15: lambda: month.commit(E, 105),
        19: lambda: month.cannot_run.remove(E),
        20: lambda: month.gate(F, True),
        21: lambda: month.gate(F, False),
        22: lambda: [month.vanish(name) for name in REST],  # a Hub that lists a part of it
        24: lambda: [month.come_back(name) for name in REST],
        25: lambda: world.hub.rename_repo(A, "ann/renamed"),
        27: lambda: [month.commit(name, 200 + n, broken=True) for n, name in enumerate(REST[:4])],  # too many at once
        29: lambda: [month.commit(name, 300 + n) for n, name in enumerate(REST[:4])],
    }
    renamed = sorted([*without(A, D), "ann/renamed"])
    expected: Dict[int, List[str]] = {
        **dict.fromkeys(range(1, 3), ALL),
        **dict.fromkeys(range(3, 5), without(B)),
        **dict.fromkeys(range(5, 9), ALL),
        **dict.fromkeys(range(9, 17), without(D)),  # gone after a day; the stranger is never listed
        **dict.fromkeys(range(17, 19), without(D, E)),  # three days after the first commit that nobody could run
        19: without(D),
        20: without(D, F),
        **dict.fromkeys(range(21, 25), without(D)),  # nothing moves while the listing is in doubt
        **dict.fromkeys(range(25, 31), renamed),  # and nothing while a person must look
    }
    for day in range(1, 31):
        if day in events:
            events[day]()
        assert month.run_day(day) == expected[day], f"day {day}"
