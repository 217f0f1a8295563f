"""Trials of real models in the real worker: what is seen, how it ended, and that nothing outside was touched."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from audacitorch.trial.child import ChildProcess  # noqa: E402
from audacitorch.trial.observations import EXCEPTION, FINISHED, MEMORY, TIMEOUT  # noqa: E402
from audacitorch.trial.plan import Plan, PlannedPass, standard_passes  # noqa: E402
from audacitorch.trial.process import Worker  # noqa: E402
from audacitorch.trial.protocol import TrialUnavailable  # noqa: E402
from audacitorch.trial.session import TrialSession, copy_without_debug  # noqa: E402
from audacitorch.trial.starters import torch_python, worker_starter  # noqa: E402

from . import modules  # noqa: E402

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(torch_python() is None, reason="Torch 1.9.0 is not here"),
]


def start(scratch: Any, model: Any) -> Any:
    return worker_starter("process", many=True)(scratch, model)


def running(command: Any) -> Any:
    def start_command(scratch: Any, model: Any) -> Any:
        return Worker(ChildProcess(command, scratch, {}))

    return start_command


def plan_for(model: Path, **changes: Any) -> Plan:
    multichannel = changes.get("multichannel", False)
    fields = {
        "model": str(model),
        "effect_type": "waveform-to-waveform",
        "sample_rate": 44100,
        "multichannel": multichannel,
        "passes": standard_passes(multichannel),
        "seconds": 60.0,
        "memory_bytes": 2 << 30,
        **changes,
    }
    return Plan(**fields)


@pytest.fixture
def saved(tmp_path: Path) -> Any:
    def save(module: Any) -> Any:
        path = tmp_path / "model.pt"
        torch.jit.script(module.eval()).save(str(path))
        return path

    return save


def try_out(model: Path, **changes: Any) -> Any:
    with TrialSession(start, model) as session:
        return session.run(plan_for(model, **changes))


def test_a_good_model_runs_every_planned_pass(saved: Any) -> None:
    trial = try_out(saved(modules.Booster()))
    assert trial.ended == FINISHED
    assert trial.torch.startswith("1.9.0")
    assert [done.failure for done in trial.passes] == [None] * len(trial.passes)
    assert {1, 2, 100, 257, 2048, 131072, 262144, 524288} <= {done.track_samples for done in trial.passes}
    assert {"noise", "silence", "tone", "impulse", "full-scale"} == {done.signal for done in trial.passes}
    assert [done.first for done in trial.passes] == [True] + [False] * (len(trial.passes) - 1)
    assert trial.minimum_samples == 1
    assert trial.repeat_difference_db is None
    assert trial.seam_db is None
    assert 0 < trial.realtime_factor < 1
    assert trial.peak_memory_bytes > 1 << 20
    assert trial.left_out == ()


def test_summed_stereo_reaches_two(saved: Any) -> None:
    trial = try_out(saved(modules.Booster()))
    summed = next(done for done in trial.passes if done.signal == "full-scale")
    assert (summed.channels, summed.track_channels) == (1, 2)
    facts = summed.output.tensors[0]
    assert (facts.minimum, facts.maximum) == (-4.0, 4.0)  # the booster doubles the sum's ±2.0


def test_blocks_are_resampled_as_the_host_does(saved: Any) -> None:
    trial = try_out(saved(modules.Booster()), sample_rate=16000)
    lengths = {done.track_samples: done.samples for done in trial.passes if done.purpose == "length"}
    assert lengths[262144] == 95109  # ceil(262144 * 160 / 441)
    assert lengths[1] == 1


def test_stereo_blocks_reach_a_multichannel_model(saved: Any) -> None:
    trial = try_out(saved(modules.NeedsMono()), multichannel=True)
    stereo = [done for done in trial.passes if done.channels == 2]
    assert stereo
    assert all("one channel only" in done.failure.message or done.failure.message for done in stereo)
    assert trial.minimum_samples == 1


@pytest.mark.parametrize("shortest", [2, 101, 2049])
def test_the_shortest_input_is_found_exactly(saved: Any, shortest: int) -> None:
    assert try_out(saved(modules.NeedsLength(shortest))).minimum_samples == shortest


def test_a_model_that_always_raises_is_not_tried_for_ever(saved: Any) -> None:
    trial = try_out(saved(modules.AlwaysRaises()))
    assert trial.ended == FINISHED
    assert trial.minimum_samples is None
    assert len(trial.passes) <= 9
    assert "reshape" in trial.passes[0].failure.message
    assert trial.left_out


def test_a_model_that_remembers_is_seen(saved: Any) -> None:
    assert try_out(saved(modules.Counts())).repeat_difference_db == pytest.approx(0.0, abs=0.1)


def test_a_long_filter_is_heard_at_the_seam(saved: Any) -> None:
    trial = try_out(saved(modules.Smooths()))
    assert -40 < trial.seam_db < 0


def test_labels_across_a_seam_are_counted(saved: Any) -> None:
    trial = try_out(saved(modules.Labels()), effect_type="waveform-to-labels", sample_rate=16000)
    assert trial.ended == FINISHED
    assert trial.seam_labels == 0
    assert trial.passes[0].output.timestamps.unordered == 0


def test_what_a_model_prints_is_no_event(saved: Any) -> None:
    trial = try_out(saved(modules.Prints()))
    assert trial.ended == FINISHED
    assert trial.seconds > 0


def test_a_model_that_returns_none_is_described(saved: Any) -> None:
    trial = try_out(saved(modules.ReturnsNothing()))
    assert {done.output.kind for done in trial.passes} == {"NoneType"}


def test_a_model_that_returns_no_channel_is_described(saved: Any) -> None:
    """Its latency was looked for in the first of none, and the check could not be made."""
    trial = try_out(saved(modules.ReturnsNoChannel()))
    assert trial.ended == FINISHED
    assert {output.tensors[0].shape[0] for done in trial.passes if (output := done.output) is not None} == {0}


def test_a_model_may_work_in_place(saved: Any) -> None:
    trial = try_out(saved(modules.WorksInPlace()))
    assert trial.repeat_difference_db is None
    assert trial.seam_db is None
    loudest = [done.output.tensors[0].maximum for done in trial.passes if done.signal == "noise"]
    assert max(loudest) < 1.01  # twice the noise's 0.5, however often it ran


def test_a_result_that_can_not_be_read_is_the_models_failure(saved: Any) -> None:
    trial = try_out(saved(modules.ReturnsMoreThanMemory()))
    assert trial.ended == FINISHED
    assert all(done.failure.memory for done in trial.passes)


def test_many_tensors_are_counted_and_not_described(saved: Any) -> None:
    trial = try_out(saved(modules.ReturnsManyTensors()), passes=(PlannedPass("length", "noise", 100),))
    assert trial.passes[0].output.kind == "tuple of 10 values"


def test_a_loop_ends_with_the_time_limit(saved: Any) -> None:
    start_time = time.monotonic()
    trial = try_out(saved(modules.EndlessLoop()), seconds=2.0)
    assert trial.ended == TIMEOUT
    assert trial.unfinished.purpose == "first"
    assert time.monotonic() - start_time < 30


@pytest.mark.slow
def test_memory_is_limited(saved: Any) -> None:
    trial = try_out(saved(modules.EatsMemory()), memory_bytes=512 << 20)
    assert trial.ended in (MEMORY, FINISHED)
    if trial.ended == FINISHED:
        assert trial.passes[0].failure.memory
    assert trial.peak_memory_bytes < 2 << 30


@pytest.mark.slow
def test_a_slow_model_is_run_no_more_than_its_budget_allows(saved: Any) -> None:
    trial = try_out(saved(modules.IsSlow()), seconds=6.0)
    assert trial.ended in (FINISHED, TIMEOUT)
    assert trial.ended == TIMEOUT or any("time limit" in left for left in trial.left_out)
    assert trial.passes


@pytest.mark.parametrize("module", [modules.WritesInForward, modules.MapsAFileForWriting, modules.WritesInSetstate])
def test_nothing_is_written(saved: Any, tmp_path: Path, module: Any) -> None:
    target = tmp_path / "elsewhere" / "written"
    target.parent.mkdir()
    model = saved(module(str(target)))
    for left in target.parent.iterdir():  # scripting itself may have run the code
        left.unlink()
    trial = try_out(model)
    assert list(target.parent.iterdir()) == []
    assert trial.ended in (FINISHED, EXCEPTION)


def test_no_other_file_is_read(saved: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"0123456789abcdef")
    trial = try_out(saved(modules.ReadsAFile(str(secret))))
    if trial.sandbox["landlock"] is None:
        pytest.skip("this kernel has no Landlock")
    assert all(done.failure is not None for done in trial.passes)


def test_a_broken_file_raises_and_its_message_is_kept(tmp_path: Path) -> None:
    model = tmp_path / "model.pt"
    model.write_bytes(b"PK\x03\x04 and then nothing")
    trial = try_out(model)
    assert trial.ended == EXCEPTION
    assert trial.stage == "load"
    assert "PytorchStreamReader" in trial.load_failure.message


def test_another_torch_is_refused(saved: Any) -> None:
    ready = '{"event": "ready", "torch": "2.13.0", "protocol": 2, "sandbox": {}}'
    command = [torch_python(), "-c", f"print({ready!r})"]
    model = saved(modules.Booster())
    with (
        TrialSession(running(command), model) as session,
        pytest.raises(TrialUnavailable, match=r"Torch 2\.13\.0"),
    ):
        session.run(plan_for(model))


def test_a_worker_that_can_not_start_is_our_failure(saved: Any, tmp_path: Path) -> None:
    with pytest.raises(TrialUnavailable, match="can't be started"):
        TrialSession(running(["/nowhere/python"]), tmp_path)
    model, command = saved(modules.Booster()), [torch_python(), "-c", "raise SystemExit('no')"]
    with (
        TrialSession(running(command), model) as it,
        pytest.raises(TrialUnavailable, match="no"),
    ):
        it.run(plan_for(model))


def test_the_worker_is_gone_after_the_session(tmp_path: Path) -> None:
    with TrialSession(start, tmp_path) as session:
        pid = session._worker._process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_worker_sees_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with TrialSession(start, tmp_path) as session:
        environment = Path(f"/proc/{session._worker._process.pid}/environ").read_bytes()
    assert b"hf_secret" not in environment


def test_a_copy_without_debug_members_still_loads(saved: Any, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pt"
    assert copy_without_debug(saved(modules.Booster()), copy)
    assert torch.jit.load(str(copy))(torch.ones(1, 4)).sum() == 8
    assert not copy_without_debug(copy, tmp_path / "again.pt")


def test_one_pass_alone_can_be_planned(saved: Any) -> None:
    trial = try_out(saved(modules.Booster()), passes=(PlannedPass("length", "tone", 1000),))
    assert [done.samples for done in trial.passes] == [1000]
    assert trial.minimum_samples is None


def test_a_stereo_block_of_one_sample_is_tried() -> None:
    assert 1 in {planned.samples for planned in standard_passes(True) if planned.channels == 2}
