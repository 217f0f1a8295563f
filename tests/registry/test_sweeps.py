"""Trials of many models: what is planned, where it runs, and that no result is lost with another."""

from __future__ import annotations

import os
import shutil
import signal
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, Dict, Iterator, List

import pytest

from audacitorch.registry import RegistryError, in_use, owned, testing
from audacitorch.registry.cluster import Cluster, SchedulerUnreachable, cluster_or_processes, shares
from audacitorch.registry.executors import Disk, Processes, Progress, sweep
from audacitorch.registry.isolation import Share, take
from audacitorch.registry.jobs import Job, Setting, Shard, do, matrix, plan
from audacitorch.registry.shard_results import save, saved
from audacitorch.registry.testing import merge, run_trials
from tests.registry.world import START, World, model_files


class Threads:
    """An engine without processes."""

    width = 2
    ahead = 0

    def executor(self, width: int) -> Executor:
        return ThreadPoolExecutor(width)

    def wrapped(self, work: Any) -> Any:
        return work

    def lost(self) -> None:
        return None

    def close(self) -> None:
        pass


def job(number: int, size: int = 10) -> Job:
    return Job(f"ann/effect-{number}", f"{number:024d}", "a" * 40, (f"{number:064d}", "b" * 40), size)


def named(job: Job) -> Dict[str, Any]:
    return {"id": job.id}


def fatal_for(victim: int, marks: str, job: Job) -> Dict[str, Any]:
    """Work that ends its process for one job; others take their time beside it."""
    Path(marks, job.key).touch()
    if job.key == f"{victim:024d}":
        time.sleep(0.2)
        os._exit(9)
    time.sleep(0.05)
    return {"id": job.id}


def raising(job: Job) -> Dict[str, Any]:
    raise RuntimeError("out of luck")


class TestPlan:
    def test_only_what_this_version_has_not_run_is_planned(self, world: World) -> None:
        for number in range(3):
            world.add(f"ann/effect-{number}", number)
        world.add("ann/idea", files={"README.md": b""})
        world.add("ann/broken", files={**model_files(9), "model.pt": b"PK"})
        world.refresh()
        world.try_out("ann/effect-1")
        assert [one.id for one in plan(world.folder)] == ["ann/effect-0", "ann/effect-2"]

    def test_another_version_of_the_tool_runs_everything_again(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.add("ann/effect")
        world.refresh()
        world.try_out("ann/effect")
        assert plan(world.folder) == []
        monkeypatch.setattr("audacitorch.registry.jobs.__version__", "99.0")
        assert [one.id for one in plan(world.folder)] == ["ann/effect"]

    def test_the_same_files_in_two_repos_are_run_once(self, world: World) -> None:
        world.add("ann/effect", 1)
        world.add("bob/copy", 1)
        world.refresh()
        assert [one.id for one in plan(world.folder)] == ["ann/effect"]
        world.try_out("ann/effect", "load-error")
        assert plan(world.folder) == []
        assert testing.share(world.folder, START) == 1
        assert world.status("bob/copy") == "incompatible"
        assert testing.share(world.folder, START) == 0

    def test_shards_share_the_jobs_out_and_leave_none(self) -> None:
        jobs = [job(number) for number in range(50)]
        taken = [one.id for number in (1, 2, 3) for one in jobs if Shard(number, 3).takes(one)]
        assert sorted(taken) == sorted(one.id for one in jobs)
        assert matrix(jobs, 4) == {"shard": ["1/4", "2/4", "3/4", "4/4"]}
        assert matrix(jobs[:3], 4) == {"shard": ["1/1"]}
        assert matrix([], 4) == {"shard": []}

    @pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/2", ""])
    def test_a_part_that_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="write K/N"):
            Shard.parse(text)


class TestSweep:
    def test_a_worker_that_dies_takes_no_other_result_with_it(self, tmp_path: Path) -> None:
        work = partial(fatal_for, 3, str(tmp_path))
        found = dict(sweep([job(number) for number in range(8)], work, Processes(2), Disk(1000)))
        failed = {one.id: result["error"] for one, result in found.items() if "error" in result}
        assert len(found) == 8
        assert list(failed) == ["ann/effect-3"]
        assert "the process that tested it ended" in failed["ann/effect-3"]

    def test_work_that_raises_fails_alone(self) -> None:
        found = [result for _, result in sweep([job(1), job(2)], raising, Threads(), Disk(1000))]
        assert ["RuntimeError: out of luck" in result["error"] for result in found] == [True, True]

    def test_downloads_in_progress_never_exceed_the_disk(self) -> None:
        now: List[int] = []
        most: List[int] = []

        def watched(one: Job) -> Dict[str, Any]:
            now.append(one.size)
            most.append(sum(now))
            time.sleep(0.01)
            now.remove(one.size)
            return {"id": one.id}

        jobs = [job(number, size) for number, size in enumerate([60, 60, 50, 30, 30, 20])]
        assert len(list(sweep(jobs, watched, Threads(), Disk(100)))) == 6
        assert max(most) <= 100

    def test_no_process_is_a_mistake_of_the_caller(self) -> None:
        with pytest.raises(RegistryError):
            cluster_or_processes("", 0)


class TestCores:
    def test_workers_on_one_machine_share_its_cores(self) -> None:
        workers = {"tcp://a:1": {"host": "a"}, "tcp://b:1": {"host": "b"}, "tcp://a:2": {"host": "a"}}
        assert shares(workers) == {"tcp://a:1": (0, 2), "tcp://a:2": (1, 2), "tcp://b:1": (0, 1)}

    @pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system binds nothing to cores")
    def test_two_shares_are_all_cores_and_bind_their_own_thread_only(self) -> None:
        before = os.sched_getaffinity(0)
        seen = set()

        def look(share: Share) -> None:
            take(share)
            seen.update(os.sched_getaffinity(0))

        for number in range(2):
            thread = Thread(target=look, args=(Share(number, 2),))
            thread.start()
            thread.join()
        assert (seen, os.sched_getaffinity(0)) == (before, before)


class TestResults:
    @pytest.fixture
    def one(self, world: World) -> World:
        world.add("ann/effect")
        world.refresh()
        return world

    def test_a_result_is_kept_and_merged_once(self, one: World, tmp_path: Path) -> None:
        save(tmp_path / "kept", one.result("ann/effect"))
        done = merge(one.folder, saved(tmp_path / "kept"), START)
        assert (done.statuses, done.exit_status) == ({"ann/effect": "compatible with both hosts"}, 0)
        before = one.tree()
        merge(one.folder, saved(tmp_path / "kept"), START)
        assert one.tree() == before

    def test_a_result_of_what_has_changed_since_is_not_applied(self, one: World) -> None:
        result = one.result("ann/effect")
        one.commit("ann/effect", model_files(3))
        one.refresh(hours=1)
        with pytest.raises(testing.NotApplied, match="has changed since"):
            testing.apply(one.folder, result, START)

    def test_a_trial_that_could_not_be_made_is_nobodys_fault(self, one: World) -> None:
        before = one.tree()
        result = one.result("ann/effect")
        result["report"]["could_not_run"] = [{"rule": "trial", "error": "no Torch 1.9.0 here"}]
        done = merge(one.folder, [result], START)
        assert done.failures == {"ann/effect": "no Torch 1.9.0 here"}
        assert done.exit_status == 3
        assert one.tree() == before

    @pytest.mark.parametrize(
        "change",
        [
            {"id": "../../etc/passwd"},
            {"id": "ann/unknown"},
            {"key": "another"},
            {"report": {}},
            {"report": []},
            {"revision": "f" * 40},
            {"content": {}},
        ],
    )
    def test_a_result_that_is_made_up_is_not_applied(self, one: World, change: Dict[str, Any]) -> None:
        before = one.tree()
        done = merge(one.folder, [{**one.result("ann/effect"), **change}], START)
        assert len(done.failures) == 1
        assert one.tree() == before

    def test_files_that_are_no_results_are_told(self, one: World, tmp_path: Path) -> None:
        kept = tmp_path / "kept"
        kept.mkdir()
        (kept / "x.json").write_text("[")
        (kept / "y.json").write_text("[]")
        assert len(merge(one.folder, saved(kept), START).failures) == 2


class TestDownloads:
    def setting(self, world: World, tmp_path: Path) -> Setting:
        return Setting(world.hub.url, str(tmp_path / "cache"), "process", 60.0)

    def test_a_download_that_is_damaged_is_no_result_and_is_kept_for_the_next_time(
        self, world: World, tmp_path: Path, waits: List[float]
    ) -> None:
        world.add("ann/effect")
        world.refresh()
        setting = self.setting(world, tmp_path)
        planned = plan(world.folder)[0]
        world.hub.fault("cut", side="cdn", times=None, at=1000)
        result = do(planned, setting)
        assert "cut off" in result["error"] or "ended after" in result["error"]
        assert list(setting.folder(planned).glob(".model.pt.*.part"))
        world.hub.faults.clear()
        world.hub.fault("wrong-hash", side="cdn", times=None)
        assert "not what the Hub announced" in do(planned, setting)["error"]

    def test_a_model_too_large_for_the_disk_is_told_and_others_go_on(self, world: World, tmp_path: Path) -> None:
        world.add("ann/effect")
        world.refresh()
        done = run_trials(world.folder, Threads(), self.setting(world, tmp_path), Disk(100), START)
        assert "bytes of disk" in done.failures["ann/effect"]
        assert world.status("ann/effect") == "untested"

    def test_two_runs_of_one_job_do_not_take_the_files_from_each_other(self, tmp_path: Path) -> None:
        folder = tmp_path / "cache" / ("1" * 32)
        order: List[str] = []

        def second() -> None:
            with owned(folder):
                order.append("second")
                assert folder.is_dir()

        other = Thread(target=second)
        with owned(folder):
            other.start()
            time.sleep(0.05)
            assert in_use(folder)
            order.append("first")
            shutil.rmtree(folder)
        other.join()
        assert order == ["first", "second"]
        assert not in_use(folder)

    @pytest.mark.torch
    def test_models_are_fetched_run_recorded_and_deleted(self, world: World, tmp_path: Path) -> None:
        world.add("ann/effect")
        world.refresh()
        setting = self.setting(world, tmp_path)
        (tmp_path / "cache" / ("0" * 32)).mkdir(parents=True)  # left by an earlier run
        done = run_trials(world.folder, Processes(1), setting, Disk(1 << 30), START)
        assert done.statuses == {"ann/effect": "compatible with both hosts"}
        assert list((tmp_path / "cache").iterdir()) == []
        trial = world.record("ann/effect").trial or {}
        assert (trial["ended"], trial["torch"]) == ("finished", "1.9.0")
        assert run_trials(world.folder, Processes(1), setting, Disk(1 << 30), START).statuses == {}


def named_once(folder: str, one: Job) -> Dict[str, Any]:
    """The first to come ends the worker of the cluster that it runs on."""
    try:
        Path(folder, "lost").mkdir()
    except FileExistsError:
        return {"id": one.id, "process": os.getpid()}
    worker = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[1])  # the server of processes
    os.kill(int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1]), signal.SIGKILL)
    time.sleep(60)
    return {}


class TestProgress:
    def test_what_is_left_is_reckoned_from_what_was_done(self, monkeypatch: pytest.MonkeyPatch) -> None:
        moments = iter([0.0, 0.5, 40.0, 86400.0])
        monkeypatch.setattr(time, "monotonic", lambda: next(moments))
        progress = Progress(40)
        assert progress.step() == "1 of 40, 2.0 a second, about 20 s left"
        assert progress.step() == "2 of 40, 3.0 a minute, about 13 min left"
        assert progress.step() == "3 of 40, 0.0 a minute, about 296.0 h left"


class TestCluster:
    @pytest.fixture
    def address(self) -> Iterator[str]:
        distributed = pytest.importorskip("distributed")
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, silence_logs=50
        ) as cluster:
            yield cluster.scheduler_address

    @pytest.mark.slow
    def test_a_dask_cluster_does_the_same_work(self, address: str) -> None:
        engine = cluster_or_processes(address, 1)
        try:
            found = list(sweep([job(number) for number in range(6)], named, engine, Disk(1000)))
        finally:
            engine.close()
        assert engine.width == 2
        assert sorted(result["id"] for _, result in found) == [f"ann/effect-{number}" for number in range(6)]

    @pytest.mark.slow
    def test_a_worker_keeps_its_process_and_another_takes_over_what_it_leaves(self, tmp_path: Path) -> None:
        distributed = pytest.importorskip("distributed")
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster:
            engine = cluster_or_processes(cluster.scheduler_address, 1)
            work = partial(named_once, str(tmp_path))
            try:
                found = [result for _, result in sweep([job(number) for number in range(12)], work, engine, Disk(1000))]
            finally:
                engine.close()
        assert sorted(result["id"] for result in found) == sorted(f"ann/effect-{number}" for number in range(12))
        assert len({result["process"] for result in found}) <= 4  # two at first, and in place of the lost one another

    def test_a_scheduler_that_does_not_answer_is_told(self) -> None:
        pytest.importorskip("distributed")
        with pytest.raises(SchedulerUnreachable, match="No Dask scheduler answers"):
            Cluster("tcp://127.0.0.1:9", 10.0, timeout=0.3)
