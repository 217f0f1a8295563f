"""examples/asteroid.ipynb, cell by cell, with small weights that Asteroid published in the same way."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from tests.hub import LocalHub

pytestmark = [pytest.mark.torch, pytest.mark.slow]

NOTEBOOK = Path(__file__).parents[2] / "examples" / "asteroid.ipynb"
#: The arguments of the published network, in its own file's words, and smaller.
WEIGHTS = """
import sys
import torch
from asteroid.models import ConvTasNet

arguments = dict(
    n_src=2, out_chan=None, n_blocks=2, n_repeats=2, bn_chan=8, hid_chan=16, skip_chan=8, conv_kernel_size=3,
    norm_type="gLN", mask_act="relu", in_chan=None, fb_name="free", kernel_size=32, n_filters=32, stride=16,
    sample_rate=16000,
)
torch.manual_seed(0)
network = ConvTasNet(**arguments)
torch.save({"model_name": "ConvTasNet", "state_dict": network.state_dict(), "model_args": arguments}, sys.argv[1])
"""


def cells() -> List[str]:
    """The cells of code."""
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def as_program() -> str:
    """The cells as one program: ``!`` is a shell's command, as in Jupyter; what ``%pip`` installs is here already."""
    text = "\n".join(cell for cell in cells() if not cell.startswith("%pip "))
    called = "__import__('subprocess').run({!r}, shell=True, check=True)"
    return re.sub(r"(?m)^!(.*)$", lambda line: called.format(line[1]), text)


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    around = {**os.environ, "PATH": path, "HF_HOME": str(folder / "hub"), **environment}
    done = subprocess.run(command, cwd=folder, env=around, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_notebook_runs_from_its_first_cell_to_its_last(tmp_path: Path, local_hub: LocalHub) -> None:
    (tmp_path / "weights.py").write_text(WEIGHTS, encoding="utf-8")
    run(tmp_path, sys.executable, "weights.py", "pytorch_model.bin")
    weights = {"pytorch_model.bin": (tmp_path / "pytorch_model.bin").read_bytes()}
    local_hub.add_repo("JorisCos/ConvTasNet_Libri2Mix_sepclean_16k", weights, lfs=["pytorch_model.bin"])
    (tmp_path / "notebook.py").write_text(as_program(), encoding="utf-8")
    done = run(tmp_path, sys.executable, "notebook.py", HF_ENDPOINT=local_hub.url)
    assert "PASS for the specification and Audacity 3.2 alpha" in done.stdout


def test_what_it_installs_is_what_it_was_run_with() -> None:
    locked = (NOTEBOOK.parents[1] / "requirements" / "models.in").read_text("utf-8")
    (install,) = (cell for cell in cells() if cell.startswith("%pip "))
    assert install.split()[-3:] == [line for line in locked.splitlines() if line.startswith(("asteroid", "scipy"))]


def test_it_is_kept_without_outputs() -> None:
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    assert [cell for cell in notebook["cells"] if cell.get("outputs") or cell.get("execution_count")] == []
