"""One repo costs one repo: whatever one does, the others are recorded and tested, and every wait has an end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from audacitorch.hub import Hub
from audacitorch.registry import examine, executors, testing
from audacitorch.registry.cluster import cluster_or_processes
from audacitorch.registry.executors import Disk, Processes, Stopped, sweep
from audacitorch.registry.isolation import ProcessEnded, Worker
from audacitorch.registry.jobs import Job, Setting
from audacitorch.registry.shard_results import saved
from audacitorch.registry.status import status
from audacitorch.registry.testing import merge, run_trials
from tests.hub import LocalHub
from tests.registry.bad_repos import hostile, slow_or_done
from tests.registry.test_sweeps import job
from tests.registry.world import START, World, model_files

ROOT = Path(__file__).parents[2]
#: Against hanging.
GENEROUS = 60.0


def nap(seconds: float) -> str:
    time.sleep(seconds)
    return "done"


def late(one: Job) -> Dict[str, Any]:
    time.sleep(600 if one.id.endswith("-3") else 0.01)
    return {"id": one.id}


class TestProcesses:
    def test_a_call_that_takes_too_long_is_ended_and_the_next_has_a_new_process(self) -> None:
        worker = Worker()
        with pytest.raises(ProcessEnded, match=r"longer than 0\.3 seconds"):
            worker.call(nap, 60.0, seconds=0.3)
        assert worker.call(nap, 0.0, seconds=GENEROUS) == "done"
        worker.end()

    def test_a_process_that_dies_says_how(self) -> None:
        worker = Worker()
        with pytest.raises(ProcessEnded, match="it ended with 3"):
            worker.call(os._exit, 3, seconds=GENEROUS)
        with pytest.raises(ProcessEnded, match="SIGKILL"):
            worker.call(_kill_myself, seconds=GENEROUS)
        worker.end()


def _kill_myself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class TestRefresh:
    @pytest.fixture
    def impatient(self, world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
        monkeypatch.setattr(examine, "read_files", hostile)
        monkeypatch.setattr(examine, "READING_SECONDS", 2.0)
        monkeypatch.setattr(examine, "REPO_SECONDS", 3.0)
        with Hub(world.hub.url, token=False, timeouts=(2.0, 0.5), tries=2, total_seconds=1.0) as client:
            world.client = client
            yield world

    def test_one_of_each_bad_kind_leaves_the_healthy_ones_written(self, impatient: World) -> None:
        world = impatient
        healthy = [f"healthy/effect-{number:02d}" for number in range(20)]
        for number, name in enumerate(healthy):
            world.add(name, number)
        bad = ["hang", "drip", "error", "hog", "memory", "exit", "huge", "bomb"]
        for number, kind in enumerate(bad):
            world.add(f"bad/{kind}" if kind != "huge" else "vast/huge", 100 + number)
        world.commit("vast/huge", {"metadata.json": b" " * 20_000_000})
        world.hub.find("bad/bomb").card = {"tags": ["audacity"], "license": [["x" * 1000] * 1000] * 20}
        world.hub.fault("stall", path="bad/hang", times=None, at=0, seconds=5.0)
        world.hub.fault("drip", path="bad/drip", times=None, seconds=0.2)
        world.hub.fault("server-error", path="bad/error", times=None)
        done = world.refresh(workers=8)
        assert done.exit_status == 3
        for name in healthy:
            assert world.status(name) == "untested"
            assert world.record(name).static_holds
        assert set(done.failed) <= {
            "bad/hang",
            "bad/drip",
            "bad/error",
            "bad/bomb",
            "bad/hog",
            "bad/memory",
            "bad/exit",
        }
        assert {"bad/hang", "bad/drip", "bad/error"} <= set(done.why)

    @pytest.mark.parametrize("kind", ["hog", "memory", "exit"])
    def test_files_that_stop_their_reader_are_left_to_the_trial_and_told(self, impatient: World, kind: str) -> None:
        world = impatient
        world.add(f"ann/{kind}", 1)
        world.refresh()
        record = world.record(f"ann/{kind}")
        assert (record.status, record.archive) == ("untested", None)
        assert record.metadata is not None
        assert "the process that read the files was stopped" in str(record.static)

    def test_what_was_done_is_written_while_another_still_hangs(self, impatient: World) -> None:
        world = impatient
        for number in range(5):
            world.add(f"ann/effect-{number}", number)
        world.add("bob/hog", 9)
        seen: List[int] = []
        forget = world.folder.write

        def watch(place: str, record: Any) -> bool:
            seen.append(len(list(world.folder.models.glob("ann/*.json"))))
            return forget(place, record)

        world.folder.write = watch  # type: ignore[method-assign]
        world.refresh()
        assert seen[-1] == 5  # the last to be written is the one that hung

    def test_an_author_whose_repos_all_fail_does_not_use_up_the_time_of_others(self, impatient: World) -> None:
        world = impatient
        for number in range(30):
            world.add(f"bad/effect-{number:02d}", number)
        world.add("zoe/effect", 50)
        world.hub.fault("server-error", path="bad/", times=None)
        done = world.refresh(workers=2)
        assert world.status("zoe/effect") == "untested"
        assert len(done.failed) == 30
        assert len(world.requests()) < 40


class TestSweeps:
    @pytest.mark.slow
    def test_a_deadline_keeps_what_was_done(self) -> None:
        found: List[str] = []
        running = sweep([job(number) for number in range(4)], late, Processes(2), Disk(1000), deadline=8.0)
        with pytest.raises(Stopped, match="The time is up: 1 models"):
            found.extend(result["id"] for _, result in running)
        assert sorted(found) == [f"ann/effect-{number}" for number in range(3)]

    @pytest.mark.slow
    def test_the_deadline_of_a_shard_keeps_its_results(
        self, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.add("ann/effect", 1)
        world.add("bob/wait", 2)
        world.refresh()
        monkeypatch.setattr(testing, "do", slow_or_done)
        world.hub.fault("forbidden", path="ann/effect", times=None)  # so that no Torch is needed
        setting = Setting(world.hub.url, str(tmp_path / "cache"), "process", 30.0)
        kept = tmp_path / "kept"
        done = run_trials(world.folder, Processes(2, 600.0), setting, Disk(1 << 30), START, keep=kept, deadline=8.0)
        assert "The time is up" in done.stopped
        assert done.exit_status == 3
        assert [result["id"] for result in saved(kept)] == ["ann/effect"]
        merge(world.folder, saved(kept), START)
        assert "ann/effect" in dict(status(world.folder).untested)

    def test_a_job_that_holds_the_interpreters_lock_is_ended(self) -> None:
        work = partial(slow_or_done, setting=Setting("http://127.0.0.1:9", "/nonexistent/x"))
        jobs = [Job("ann/hang", "1" * 24, "a" * 40, ("1" * 64, "2" * 64), 10)]
        ((_, result),) = sweep(jobs, work, Processes(1, 1.0), Disk(1000))
        assert "took longer than 1 seconds" in result["error"]

    def test_the_download_is_within_the_timeout(self, world: World, tmp_path: Path, local_hub: LocalHub) -> None:
        from audacitorch.registry.jobs import do, plan

        world.add("ann/effect")
        world.refresh()
        local_hub.fault("drip", side="cdn", times=None, seconds=0.2)
        result = do(plan(world.folder)[0], Setting(world.hub.url, str(tmp_path), "process", 1.0))
        assert "second" in result["error"] or "time for the download" in result["error"]
        assert "refused" not in result

    @pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
    @pytest.mark.skipif(sys.platform != "linux", reason="other systems tell a child nothing of its parent's end")
    @pytest.mark.slow
    def test_kill_leaves_no_processes(self, tmp_path: Path, how: signal.Signals) -> None:
        script = (
            "import time\nfrom audacitorch.registry.executors import Disk, Processes, sweep\n"
            "from tests.registry.test_sweeps import job\nfrom tests.registry.test_bad_repos import late\n"
            "if __name__ == '__main__':\n"
            "    jobs = [job(3), job(13), job(23)]\n    print('ready', flush=True)\n"
            "    list(sweep(jobs, late, Processes(3), Disk(1000)))\n"
        )
        path = tmp_path / "kill_me.py"
        path.write_text(script)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "AUDACITORCH_TEST_MARK": str(tmp_path)}
        process = subprocess.Popen([sys.executable, str(path)], env=environment, stdout=subprocess.PIPE, cwd=ROOT)
        assert process.stdout is not None
        process.stdout.readline()
        _wait(lambda: len(marked(tmp_path)) >= 4)
        process.send_signal(how)
        process.wait(GENEROUS)
        process.stdout.close()
        _wait(lambda: not marked(tmp_path))


def marked(mark: Path) -> List[int]:
    """Processes whose environment carries the mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"AUDACITORCH_TEST_MARK={mark}".encode() in (folder / "environ").read_bytes():
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
                found += [int(folder.name)] if state != "Z" else []
        except OSError:
            continue
    return found


def _wait(reached: Any) -> None:
    ends = time.monotonic() + GENEROUS
    while not reached():
        assert time.monotonic() < ends
        time.sleep(0.05)


class TestLostCluster:
    class Engine(Processes):
        """Processes that can be called lost."""

        why: str = ""

        def lost(self) -> Any:
            return self.why or None

    def test_an_engine_that_is_lost_is_told_waited_for_and_left(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(executors, "LOOK_SECONDS", 0.1)
        monkeypatch.setattr(executors, "LOST_SECONDS", 0.5)
        engine, said = self.Engine(1), []  # type: ignore[var-annotated]
        engine.why = "the Dask cluster has no worker left"
        with pytest.raises(Stopped, match="no worker left: 1 models were not tested; what was done is kept"):
            list(sweep([job(3)], late, engine, Disk(1000), said.append))
        assert said == ["the Dask cluster has no worker left: waiting 0 seconds for it to come back"]

    def test_an_engine_that_comes_back_goes_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(executors, "LOOK_SECONDS", 0.05)
        engine, said = self.Engine(1), []  # type: ignore[var-annotated]
        answers = iter(["it is away"])
        engine.lost = lambda: next(answers, None)  # type: ignore[method-assign]
        found = list(
            sweep([job(number) for number in range(3)], partial(slow_named, 0.3), engine, Disk(1000), said.append)
        )
        assert len(found) == 3
        assert said[1:] == ["the cluster is at work again"]

    @pytest.mark.slow
    @pytest.mark.parametrize("victim", ["workers", "scheduler"])
    def test_a_dask_cluster_that_loses_its_workers_or_its_scheduler(
        self, victim: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        distributed = pytest.importorskip("distributed")
        monkeypatch.setattr(executors, "LOOK_SECONDS", 0.5)
        monkeypatch.setattr(executors, "LOST_SECONDS", 2.0)
        said: List[str] = []
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, silence_logs=50
        )
        try:
            engine = cluster_or_processes(cluster.scheduler_address, 1, 600.0)
            running = sweep([job(number) for number in range(8)], late, engine, Disk(1000), said.append)
            found = [next(running)[1]["id"]]
            if victim == "workers":
                cluster.scale(0)
            else:
                with suppress(Exception):
                    cluster.close(timeout=5)
            with suppress(Stopped):
                found += [result["id"] for _, result in running if "error" not in result]
            assert said == [] or "waiting 2 seconds" in said[0]
            assert found
            engine.close()
        finally:  # one that is half closed may never say that it is
            with suppress(Exception):
                cluster.close(timeout=5)


def slow_named(seconds: float, one: Job) -> Dict[str, Any]:
    time.sleep(seconds)
    return {"id": one.id}


def test_metadata_of_a_model_are_the_same_whether_read_here_or_there(world: World) -> None:
    world.add("ann/effect", files=model_files(3))
    world.refresh()
    assert (world.record("ann/effect").metadata or {})["long_description"] == "model 3"
