"""What the pages tell to write works: under Torch 1.9.0, on blocks of every length."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest
import torch

from tests.docs.commands import ROOT, blocks
from tests.made import checked, repo

pytestmark = [pytest.mark.torch, pytest.mark.slow]


class Mask(torch.nn.Module):
    """Keeps what is loud in a spectrum (channels, bins, frames)."""

    def forward(self, magnitudes: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(magnitudes)


def test_the_wrapper_around_spectrograms_passes_a_check(tmp_path: Path) -> None:
    (text,) = (block.text for block in blocks(ROOT / "docs" / "how-to.md") if "class Denoiser" in block.text)
    program = tmp_path / "denoiser.py"  # scripting reads the source from a file
    program.write_text(f"import torch\nfrom audacitorch import WaveformToWaveformBase\n\n\n{text}", encoding="utf-8")
    names: Dict[str, Any] = {"__name__": "denoiser"}
    exec(compile(program.read_text("utf-8"), str(program), "exec"), names)
    report = checked(repo(tmp_path / "denoiser", names["Denoiser"](Mask())))
    assert (report.verdict, [f.rule for f in report.findings if f.severity != "note"]) == ("pass", [])
