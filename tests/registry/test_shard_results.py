"""Results of parts of a sweep: each part is believed for what it was asked, and for nothing else."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from audacitorch.registry import RegistryError
from audacitorch.registry.jobs import Job, Shard, plan
from audacitorch.registry.shard_results import CLAIM, Plan, claim, index_digest, planned_results, save, save_claim
from audacitorch.registry.testing import Tested, merge
from tests.registry.world import START, World

PARTS = 2


class Sweep:
    """A refresh that planned two parts, and the results of both as an honest run leaves them."""

    def __init__(self, world: World, kept: Path) -> None:
        self.world, self.kept = world, kept
        for number in range(6):
            world.add(f"ann/effect-{number}", number)
        world.refresh()
        world.try_out("ann/effect-5")
        self.plan = Plan.of(world.folder, [f"{number}/{PARTS}" for number in range(1, PARTS + 1)])
        for place, shard in enumerate(self.plan.shards):
            jobs = self.jobs(place)
            assert jobs
            save_claim(self.part(place), claim(self.plan.index, shard, jobs))
            for job in jobs:
                save(self.part(place), world.result(job.id))

    def part(self, place: int) -> Path:
        return self.kept / f"results-{place}"

    def jobs(self, place: int) -> List[Job]:
        return [job for job in plan(self.world.folder) if self.plan.shards[place].takes(job)]

    def change(self, path: Path, change: Callable[[Any], None]) -> None:
        value = json.loads(path.read_bytes())
        change(value)
        path.write_text(json.dumps(value))

    def merge(self) -> Tested:
        planned = Plan.from_json(self.plan.to_json())
        return merge(self.world.folder, planned_results(self.world.folder, self.kept, planned), START)

    def untested(self) -> List[str]:
        return sorted(name for name in (f"ann/effect-{n}" for n in range(6)) if self.world.status(name) == "untested")


@pytest.fixture
def swept(world: World, tmp_path: Path) -> Sweep:
    return Sweep(world, tmp_path / "kept")


def failing(model: Dict[str, Any]) -> None:
    """What an attacker would have a result say."""
    finding = {"rule": "load-error", "severity": "error", "hosts": ["spec", "audacity-3.2-alpha"], "message": "no"}
    model["report"]["findings"] = [finding]


def test_honest_parts_are_merged_whole(swept: Sweep) -> None:
    done = swept.merge()
    assert (done.failures, done.exit_status, len(done.statuses)) == ({}, 0, 5)
    assert swept.untested() == []


def test_a_part_that_answers_for_the_model_of_another_part_changes_nothing(swept: Sweep) -> None:
    victim = swept.jobs(1)[0]
    stolen = swept.part(0) / f"{victim.key}.json"
    shutil.copy(swept.part(1) / stolen.name, stolen)
    swept.change(stolen, failing)
    (swept.part(1) / stolen.name).unlink()  # the part that was asked did not get to it
    done = swept.merge()
    assert done.failures[victim.id] == "Part 2/2 gave no answer for it."
    assert "Part 1/2 was not asked for this." in done.failures.values()
    assert swept.untested() == [victim.id]
    assert done.exit_status == 3


def test_a_part_that_answers_faster_than_the_part_that_was_asked_is_not_heard(swept: Sweep) -> None:
    victim = swept.jobs(1)[0]
    stolen = swept.part(0) / f"{victim.key}.json"
    shutil.copy(swept.part(1) / stolen.name, stolen)
    swept.change(stolen, failing)
    swept.merge()
    assert swept.world.status(victim.id) == "compatible"


def test_a_part_that_calls_itself_another_part_is_not_heard(swept: Sweep) -> None:
    shutil.copy(swept.part(1) / CLAIM, swept.part(0) / CLAIM)
    done = swept.merge()
    assert {done.failures[job.id] for job in swept.jobs(0)} == {
        "The results of part 1/2 are not taken: it followed another plan, or another index."
    }
    assert swept.jobs(1) == []


def test_a_part_that_answers_twice_for_one_model_is_heard_once(swept: Sweep) -> None:
    job = swept.jobs(0)[0]
    again = swept.part(0) / "again.json"
    shutil.copy(swept.part(0) / f"{job.key}.json", again)
    swept.change(again, failing)
    done = swept.merge()
    assert swept.world.status(job.id) == "compatible"
    assert done.failures == {"part 1/2, again.json": "Part 1/2 was not asked for this."}


def test_a_part_that_answers_for_a_model_of_no_plan_changes_nothing(swept: Sweep) -> None:
    result = swept.world.result("ann/effect-5")  # tested before, so nobody was asked
    failing(result)
    save(swept.part(0), result)
    before = swept.world.record("ann/effect-5")
    assert "Part 1/2 was not asked for this." in swept.merge().failures.values()
    assert swept.world.record("ann/effect-5") == before


def test_a_part_that_had_an_older_index_is_not_heard(swept: Sweep) -> None:
    swept.change(swept.part(1) / CLAIM, lambda claimed: claimed.update(index="0" * 64))
    done = swept.merge()
    assert sorted(done.failures) == swept.untested() == sorted(job.id for job in swept.jobs(1))


@pytest.mark.parametrize("forged", ["more", "fewer", "another", "absent", "list", "cut"])
def test_a_part_with_a_forged_plan_is_not_heard(swept: Sweep, forged: str) -> None:
    path, mine, others = swept.part(0) / CLAIM, swept.jobs(0), swept.jobs(1)
    shard = swept.plan.shards[0]
    texts = {
        "more": json.dumps(claim(swept.plan.index, shard, [*mine, *others])),
        "fewer": json.dumps(claim(swept.plan.index, shard, mine[1:])),
        "another": json.dumps(claim(swept.plan.index, Shard(1, 1), [*mine, *others])),
        "list": "[]",
        "cut": path.read_text()[:-20],
    }
    path.unlink()
    if forged in texts:
        path.write_text(texts[forged])
    for job in others:
        shutil.copy(swept.part(1) / f"{job.key}.json", swept.part(0) / f"{job.key}.json")
    done = swept.merge()
    assert sorted(done.failures) == swept.untested() == sorted(job.id for job in mine)


def test_a_part_that_swaps_the_index_stops_the_merge(swept: Sweep) -> None:
    swept.world.folder.builtin.write_text("- id: mallory/model\n  revision: " + "a" * 40 + "\n")
    before = swept.world.tree()
    with pytest.raises(RegistryError, match="nothing is merged"):
        swept.merge()
    assert swept.world.tree() == before


@pytest.mark.parametrize("how", ["added", "emptied", "moved", "hidden"])
def test_every_change_of_the_index_is_another_index(swept: Sweep, how: str) -> None:
    models, place = swept.world.folder.models, "ann/effect-0.json"
    before = index_digest(swept.world.folder)
    if how == "added":
        shutil.copy(models / place, models / "ann" / "other.json")
    elif how == "emptied":
        (models / place).write_bytes(b"")
    elif how == "moved":
        os.rename(models / place, models / "ann" / "effect-9.json")
    else:
        (swept.world.folder.path / ".gitattributes").write_text("*.json -text\n")
    assert index_digest(swept.world.folder) != before


def test_a_copy_of_the_index_is_the_same_index(swept: Sweep, tmp_path: Path) -> None:
    from audacitorch.registry.folder import RegistryFolder

    shutil.copytree(swept.world.folder.path, tmp_path / "copy")
    (tmp_path / "copy" / ".half.json.x.tmp").write_bytes(b"{")
    assert index_digest(RegistryFolder(tmp_path / "copy")) == swept.plan.index


@pytest.mark.parametrize("field", ["id", "key", "revision", "content"])
def test_an_answer_about_something_else_under_the_name_of_a_job_is_none(swept: Sweep, field: str) -> None:
    job, other = swept.jobs(0)[0], swept.jobs(1)[0]
    swept.change(
        swept.part(0) / f"{job.key}.json", lambda result: result.update({field: swept.world.result(other.id)[field]})
    )
    if field == "revision" and job.revision == other.revision:
        pytest.skip("both have one commit")
    assert swept.merge().failures == {job.id: "Part 1/2 gave no answer for it."}


def test_links_in_results_are_not_followed(swept: Sweep, tmp_path: Path) -> None:
    job = swept.jobs(0)[0]
    answer = swept.part(0) / f"{job.key}.json"
    os.rename(answer, tmp_path / "elsewhere.json")
    answer.symlink_to(tmp_path / "elsewhere.json")
    os.rename(swept.part(1), tmp_path / "other-part")
    swept.part(1).symlink_to(tmp_path / "other-part")
    done = swept.merge()
    assert sorted(done.failures) == sorted([job.id, *(job.id for job in swept.jobs(1))])


def test_a_part_that_is_missing_costs_its_own_models(swept: Sweep) -> None:
    shutil.rmtree(swept.part(0))
    done = swept.merge()
    assert set(done.failures.values()) == {"There are no results of part 1/2."}
    assert swept.untested() == sorted(done.failures)
    assert done.exit_status == 3


def test_a_flood_of_files_that_nobody_asked_for_are_counted(swept: Sweep) -> None:
    for number in range(200):
        (swept.part(0) / f"x{number}.json").write_text("{}")
    done = swept.merge()
    assert done.failures["part 1/2"] == "It was not asked for 180 more."
    assert len(done.failures) == 21


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"index": "", "shard": ["1/2", "1/2"]}',
        '{"index": 1, "shard": []}',
        '{"index": "a", "shard": ["1/2", "1/3"]}',
    ],
)
def test_a_plan_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RegistryError, match="PLAN is not"):
        Plan.from_json(text)
