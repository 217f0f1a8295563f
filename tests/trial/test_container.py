"""The container sandbox for real: the same results as in a process, walls that hold, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import List

import pytest

from audacitorch.trial import container
from audacitorch.trial.container import PARENT_LABEL, ContainerWorker
from audacitorch.trial.observations import FINISHED, MEMORY, SIGNAL, TIMEOUT, Trial
from audacitorch.trial.plan import Plan, PlannedPass, standard_passes
from audacitorch.trial.protocol import Ready, TrialUnavailable
from audacitorch.trial.session import TrialSession, run_trial
from audacitorch.trial.starters import worker_starter
from tests.image import ROOT, built_image, docker
from tests.test_repos import copy_of

pytestmark = [pytest.mark.docker, pytest.mark.slow]

REPOS = ROOT / "tests" / "repos"


@pytest.fixture(autouse=True)
def image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDACITORCH_IMAGE", built_image())


def plan_for(name: str, **changes: object) -> Plan:
    plan = Plan(str(REPOS / name / "model.pt"), "waveform-to-waveform", 48000, False, passes=standard_passes(False))
    return replace(plan, seconds=60.0, memory_bytes=2 << 30, **changes)  # type: ignore[arg-type]


def tried(plan: Plan, sandbox: str = "container") -> Trial:
    with TrialSession(worker_starter(sandbox), Path(plan.model)) as session:
        return session.run(plan)


def containers(parent: int = os.getpid()) -> List[str]:
    """Those that belong to a process, this one where no other is named."""
    return docker("ps", "--all", "--quiet", "--filter", f"label={PARENT_LABEL}={parent}").split()


def what_happened(trial: Trial) -> Trial:
    """A trial without what differs from run to run."""
    passes = tuple(replace(done, seconds=None, memory_bytes=None) for done in trial.passes)
    return replace(
        trial,
        passes=passes,
        unfinished=None if trial.unfinished is None else replace(trial.unfinished, seconds=None, memory_bytes=None),
        sandbox={},
        load_seconds=None,
        realtime_factor=None,
        realtime_factor_slowest=None,
        peak_memory_bytes=None,
        seconds=None,
        native_message=trial.native_message.partition("\n")[0],
    )


@pytest.mark.torch
@pytest.mark.parametrize(
    "name",
    ["good-effect", "always-raises", "newer-export-aborts-at-raise", "newer-operator", "good-labeler-of-indices"],
)
def test_results_are_those_of_the_process_sandbox(name: str) -> None:
    plan = plan_for(name)
    there, here = tried(plan), tried(plan, "process")
    assert what_happened(there) == what_happened(here)
    assert there.peak_memory_bytes is not None
    assert 0.5 < there.peak_memory_bytes / (here.peak_memory_bytes or 1) < 2


@pytest.mark.torch
def test_the_report_of_a_whole_check_says_which_sandbox_it_was(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "audacitorch", "check", str(copy_of("good-effect", tmp_path)), "--format", "json"]
    reports = []
    for sandbox in ("container", "process"):
        done = subprocess.run([*command, "--sandbox", sandbox], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        reports.append(json.loads(done.stdout))
    there, here = reports
    assert there["findings"] == here["findings"]
    assert (there["trial"]["sandbox"]["kind"], here["trial"]["sandbox"]["kind"]) == ("container", "process")


def test_every_wall_is_measured_from_inside() -> None:
    trial = tried(plan_for("good-effect"))
    assert trial.ended == FINISHED
    around = trial.sandbox["container"]
    assert around.pop("memory_bytes") == (2 << 30) + (2 << 30)
    assert around == {
        "network": "none",
        "read_only": True,
        "capabilities": 0,
        "no_new_privileges": True,
        "user": 10001,
        "processes": 512,
    }
    assert trial.sandbox["seccomp"] is True
    assert trial.sandbox["network"] == "none"


def test_an_abort_is_told_with_its_signal() -> None:
    trial = tried(plan_for("newer-export-aborts-at-raise"))
    assert (trial.ended, trial.signal) == (SIGNAL, "SIGABRT")
    assert trial.hidden_error
    assert containers() == []


def test_a_model_that_never_ends_is_ended_and_its_container_is_gone() -> None:
    trial = tried(replace(plan_for("endless-loop"), seconds=3.0))
    assert trial.ended == TIMEOUT
    assert containers() == []


def test_a_model_that_eats_memory_meets_the_limit() -> None:
    trial = tried(replace(plan_for("eats-memory"), memory_bytes=512 << 20))
    assert trial.ended == MEMORY or any(done.failure and done.failure.memory for done in trial.passes)
    assert containers() == []


def test_a_worker_without_orders_makes_no_container(tmp_path: Path) -> None:
    with ContainerWorker(str(tmp_path), "model.pt"):
        assert containers() == []


def test_a_model_that_only_its_owner_may_read_is_checked_all_the_same(tmp_path: Path) -> None:
    model = tmp_path / "model.pt"
    model.write_bytes((REPOS / "good-effect" / "model.pt").read_bytes())
    model.chmod(0o600)
    assert tried(replace(plan_for("good-effect"), model=str(model))).ended == FINISHED
    assert model.stat().st_mode & 0o777 == 0o600


def test_real_audio_goes_through_the_container(tmp_path: Path) -> None:
    import numpy
    import soundfile

    sound = tmp_path / "sound.wav"
    soundfile.write(sound, numpy.zeros(200_000, "float32"), 48000, subtype="FLOAT")
    command = [sys.executable, "-m", "audacitorch", "run", str(copy_of("good-effect", tmp_path)), str(sound)]
    done = subprocess.run([*command, "-o", str(tmp_path), "--sandbox", "container"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(soundfile.read(done.stdout.splitlines()[0])[0]) == 200_000
    assert containers() == []


PARENT = """
import sys
from pathlib import Path
from audacitorch.trial.plan import Plan, PlannedPass
from audacitorch.trial.session import TrialSession, run_trial
from audacitorch.trial.starters import worker_starter
plan = Plan(sys.argv[1], "waveform-to-waveform", 48000, False, seconds=120.0, memory_bytes=2 << 30,
            passes=(PlannedPass("length", "noise", 2048),))
with TrialSession(worker_starter("container"), Path(sys.argv[1])) as session:
    session.run(plan, lambda: print("running", flush=True))
"""


def test_no_container_outlives_a_parent_that_was_killed() -> None:
    model = str(REPOS / "endless-loop" / "model.pt")
    with subprocess.Popen([sys.executable, "-c", PARENT, model], stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"running\n"
        time.sleep(1.5)  # the model is running by now
        assert len(containers(parent.pid)) == 1
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    end = time.monotonic() + 10
    while containers(parent.pid) and time.monotonic() < end:
        time.sleep(0.1)
    assert containers(parent.pid) == []


def test_a_container_that_somebody_ends_is_nobodys_fault() -> None:
    plan = replace(plan_for("endless-loop"), passes=(PlannedPass("length", "noise", 2048),))
    with TrialSession(worker_starter("container"), Path(plan.model)) as session:
        worker = session._worker
        events = worker.events()
        worker.begin(plan)
        assert isinstance(next(events), Ready)
        docker("kill", *containers())
        list(events)
        with pytest.raises(TrialUnavailable, match="ended from outside"):
            worker.wait()


def test_an_engine_that_is_not_there_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(TrialUnavailable, match="No Docker engine answers"):
        ContainerWorker(str(tmp_path), "model.pt")


def test_an_image_that_is_not_there_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUDACITORCH_IMAGE", "127.0.0.1:9/nobody/nothing:v0")
    with pytest.raises(TrialUnavailable, match=r"can't be pulled .*docker build"):
        ContainerWorker(str(tmp_path), "model.pt")
    repo = copy_of("good-effect", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "audacitorch", "check", str(repo), "--sandbox", "container"], capture_output=True
    )
    assert done.returncode == 3


def test_an_image_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(container, "__version__", "0.0.1")
    with pytest.raises(TrialUnavailable, match=r"of audacitorch .*, expected 0\.0\.1"):
        ContainerWorker(str(tmp_path), "model.pt")


def test_a_worker_that_can_not_be_started_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(plan_for("good-effect"), memory_bytes=-(3 << 30))
    with TrialSession(worker_starter("container"), Path(plan.model)) as session:
        with pytest.raises(TrialUnavailable, match="memory"):
            run_trial(session._worker, plan)
