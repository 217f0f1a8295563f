"""A published model that ends Torch 1.9.0: its backport loads there, sandboxed, and hears what it always heard."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from audacitorch.backport import backport
from audacitorch.trial.observations import FINISHED
from audacitorch.trial.plan import Plan
from audacitorch.trial.session import TrialSession
from audacitorch.trial.starters import torch_python, worker_starter
from tests.archive.zips import silero
from tests.backport.signals import numbers

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(torch_python() is None, reason="Torch 1.9.0 is not here"),
]

#: What PyTorch 2.13.0 computed from silero-vad's own file for the same blocks, one after the other: 512 samples of
#: noise at 16 kHz, then 512 of a buzz at 125 Hz twice, then 256 of noise at 8 kHz.
PROBABILITIES = (0.0032373, 0.3231506, 0.1722983, 0.004033)
#: Loads the model as a worker does, locked down, and never in this process.
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from audacitorch.trial import sandbox
from audacitorch.trial.worker import _readable
blocks = json.load(sys.stdin)
sandbox.put_up_walls(_readable(sys.argv[2]))
import torch
model = torch.jit.load(sys.argv[2])
with torch.no_grad():
    print(json.dumps([model(torch.tensor([block]), rate).item() for rate, block in blocks]))
"""


def blocks() -> Any:
    buzz = [0.5 * (1.0 - 2.0 * ((n % 128) / 128.0)) for n in range(1024)]
    quiet = [0.5 * one for one in numbers(512)]
    return [(16000, quiet), (16000, buzz[:512]), (16000, buzz[512:]), (8000, quiet[:256])]


@pytest.fixture(scope="module")
def backported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("silero") / "model.pt"
    result = backport(silero(), output)
    assert result.remaining == ()
    assert result.done["prim::RaiseException: without cls"] == 13
    assert result.done["aten::pad: a function that is now in the archive"] == 3
    return output


def test_a_published_model_that_ended_the_process_loads_in_the_worker(backported: Path) -> None:
    plan = Plan(str(backported), "waveform-to-waveform", 16000, False, task="load", seconds=60.0)
    with TrialSession(worker_starter("process"), backported) as session:
        trial = session.run(plan)
    assert (trial.ended, trial.load_failure, trial.native_message) == (FINISHED, None, "")


@pytest.mark.slow
def test_a_published_model_gives_the_probabilities_that_it_gave(backported: Path) -> None:
    import json

    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, root, str(backported)],
        input=json.dumps(blocks()), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == pytest.approx(PROBABILITIES, abs=1e-5)
