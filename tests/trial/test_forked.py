"""Workers forked from a parent: nothing of one model reaches the next, and each ends alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

torch = pytest.importorskip("torch")

from audacitorch.trial import forked  # noqa: E402
from audacitorch.trial.forked import WorkerParent  # noqa: E402
from audacitorch.trial.observations import FINISHED, TIMEOUT, Trial  # noqa: E402
from audacitorch.trial.plan import Plan, PlannedPass, standard_passes  # noqa: E402
from audacitorch.trial.process import Worker  # noqa: E402
from audacitorch.trial.protocol import Begin, LeftOut, TrialUnavailable  # noqa: E402
from audacitorch.trial.session import TrialSession  # noqa: E402
from audacitorch.trial.starters import torch_python, worker_starter  # noqa: E402

from . import modules  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(torch_python() is None, reason="Torch 1.9.0 is not here"),
]


@pytest.fixture
def parent() -> Iterator[WorkerParent]:
    started = WorkerParent(str(torch_python()))
    yield started
    started.close()


def saved(folder: Path, module: Any) -> Path:
    path = folder / f"{type(module).__name__}.pt"
    torch.jit.script(module.eval()).save(str(path))
    return path


def plan_for(model: Path, **changes: Any) -> Plan:
    plan = Plan(str(model), "waveform-to-waveform", 44100, False, passes=standard_passes(False), memory_bytes=2 << 30)
    return replace(plan, **changes)


def try_out(start: Any, model: Path, **changes: Any) -> Trial:
    with TrialSession(start, model) as session:
        return session.run(plan_for(model, **changes))


def begun(worker: Worker, plan: Plan) -> None:
    """Wait until a worker is in its first pass."""
    worker.begin(plan)
    assert any(isinstance(event, Begin) for event in worker.events())


def pid_of(parent: WorkerParent) -> int:
    assert parent.pid is not None
    return parent.pid


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def wait_until(condition: Any) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def comparable(trial: Trial) -> Any:
    """A trial without what is measured in seconds and bytes of the process."""
    passes = [replace(done, seconds=None, memory_bytes=None) for done in trial.passes]
    left: Any = {"passes": (), "seconds": None, "load_seconds": None, "peak_memory_bytes": None, "sandbox": {}}
    return replace(trial, **left, realtime_factor=None, realtime_factor_slowest=None), passes


@pytest.mark.parametrize("module", [modules.Booster, modules.Counts, modules.AlwaysRaises])
@pytest.mark.slow
def test_a_forked_worker_sees_what_a_fresh_one_sees(module: Any, parent: WorkerParent, tmp_path: Path) -> None:
    model = saved(tmp_path, module())
    first, second, fresh = (try_out(start, model) for start in (parent.fork, parent.fork, worker_starter("process")))
    assert comparable(first) == comparable(second) == comparable(fresh)
    assert {**first.sandbox, "rlimits": {}} == {**fresh.sandbox, "rlimits": {}}
    assert first.sandbox["threads_without_walls"] == 0
    assert first.sandbox["rlimits"]["AS"] == pytest.approx(fresh.sandbox["rlimits"]["AS"], rel=0.02)
    assert first.peak_memory_bytes == pytest.approx(fresh.peak_memory_bytes, rel=0.3)


def look(parent: WorkerParent, folder: Path, which: str) -> Dict[str, Any]:
    with parent.fork(str(folder), "model.pt") as worker:
        worker.begin(Plan(which, "", 44100, False))
        told = [event.what for event in worker.events() if isinstance(event, LeftOut)]
        assert worker.wait() == 0, worker.stderr
    seen: Dict[str, Any] = json.loads(told[0])
    return seen


def test_no_trace_of_a_model_reaches_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.trial.forked_pair import main; main()"
    command = [str(torch_python()), "-c", program]
    monkeypatch.setattr(forked, "program_command", lambda *_: command)
    parent = WorkerParent(str(torch_python()))
    try:
        before = look(parent, tmp_path, "look")
        traced = look(parent, tmp_path, "traces")
        after = look(parent, tmp_path, "look")
        memory = Path(f"/proc/{parent.pid}/environ").read_bytes()
    finally:
        parent.close()
    assert [name for name in before if traced[name] == before[name]] == []  # each kind of trace can be seen
    assert after == before
    assert before["environment"] == ["CUDA_VISIBLE_DEVICES", "LANG", "OMP_WAIT_POLICY", "PYTHONDONTWRITEBYTECODE"]
    assert len(before["descriptors"]) == 5  # its streams, the way out for events, and its own memory's account
    assert list(tmp_path.iterdir()) == []
    assert b"hf_secret" not in memory


def test_a_model_finds_no_state_of_the_model_before(parent: WorkerParent, tmp_path: Path) -> None:
    """The same file: its counters begin anew."""
    model = saved(tmp_path, modules.Counts())
    passes = (PlannedPass("length", "noise", 257),)
    outputs = [try_out(parent.fork, model, passes=passes).passes[0].output for _ in range(3)]
    assert outputs[0] == outputs[1] == outputs[2]


def test_the_parent_shares_no_memory_that_can_be_written(parent: WorkerParent, tmp_path: Path) -> None:
    with parent.fork(str(tmp_path), "model.pt") as worker:
        assert worker._process.pid != parent.pid
        assert [line for line in Path(f"/proc/{parent.pid}/maps").read_text().splitlines() if " rw-s " in line] == []
        assert len(os.listdir(f"/proc/{worker._process.pid}/task")) == 1


def test_every_thread_is_locked_in(parent: WorkerParent, tmp_path: Path) -> None:
    model = saved(tmp_path, modules.MultipliesForEver())
    with parent.fork(str(tmp_path), str(model)) as worker:
        begun(worker, plan_for(model))
        tasks = Path(f"/proc/{worker._process.pid}/task")
        wait_until(lambda: len(list(tasks.iterdir())) >= min(2, len(os.sched_getaffinity(0))))
        states = [(task / "status").read_text() for task in tasks.iterdir()]
    assert [state for state in states if "Seccomp:\t2" not in state or "NoNewPrivs:\t1" not in state] == []


def test_a_killed_worker_costs_its_own_model_only(parent: WorkerParent, tmp_path: Path) -> None:
    endless, good = saved(tmp_path, modules.EndlessLoop()), saved(tmp_path, modules.Booster())
    with parent.fork(str(tmp_path), str(endless)) as one, TrialSession(parent.fork, good) as other:
        begun(one, plan_for(endless))
        os.kill(one._process.pid, signal.SIGKILL)
        assert list(one.events()) == []
        assert one.wait() == -signal.SIGKILL
        assert other.run(plan_for(good)).ended == FINISHED
    before = parent.pid
    assert try_out(parent.fork, endless, seconds=2.0).ended == TIMEOUT
    assert try_out(parent.fork, good).ended == FINISHED
    assert parent.pid == before


def test_a_worker_is_gone_when_its_session_is(parent: WorkerParent, tmp_path: Path) -> None:
    with parent.fork(str(tmp_path), "model.pt") as worker:
        pid = worker._process.pid
        assert not has_ended(pid)
    assert has_ended(pid)


def test_a_parent_that_dies_is_replaced(parent: WorkerParent, tmp_path: Path) -> None:
    good = saved(tmp_path, modules.Booster())
    with TrialSession(parent.fork, good) as session:
        before, worker = pid_of(parent), session._worker._process.pid
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: has_ended(worker))
        assert session.run(plan_for(good)).ended == FINISHED
    assert parent.pid != before


def test_a_parent_is_replaced_after_many_workers(
    parent: WorkerParent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forked, "_WORKERS_PER_PARENT", 2)
    good = saved(tmp_path, modules.Booster())
    with parent.fork(str(tmp_path), str(good)) as first:
        before = pid_of(parent)
        with parent.fork(str(tmp_path), str(good)), parent.fork(str(tmp_path), str(good)) as third:
            assert parent.pid != before
            for worker in (first, third):  # the parent that had its time keeps the workers that it has
                begun(worker, plan_for(good))
    wait_until(lambda: has_ended(before))


def test_a_python_without_torch_is_told_of(tmp_path: Path) -> None:
    parent = WorkerParent("/bin/false")
    with pytest.raises(TrialUnavailable, match="has ended"):
        try_out(parent.fork, tmp_path / "model.pt")
    parent.close()
    with pytest.raises(TrialUnavailable, match="can be started"):
        WorkerParent("/nowhere/python").fork(str(tmp_path), "model.pt")


PROGRAM = """
import sys, time
from audacitorch.trial.forked import WorkerParent
parent = WorkerParent(sys.executable)
worker = parent.fork(sys.argv[1], "model.pt")
print(parent.pid, worker._process.pid, flush=True)
time.sleep(600)
"""


def test_nothing_outlives_the_program(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE) as program:
        pids = [int(number) for number in program.stdout.readline().split()]
        program.kill()
    assert len(pids) == 2
    wait_until(lambda: all(has_ended(pid) for pid in pids))
