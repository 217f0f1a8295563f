"""Write tests/data/archives: small models as a newer PyTorch exports them. Run it with such a PyTorch (2.13 did).

python -m tests.data.make_archives
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from audacitorch.trial.session import copy_without_debug

HERE = Path(__file__).parent / "archives"


class Resampled(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest-exact")


class Spectrum(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stft(x, 16, 4, 16, torch.hann_window(16), return_complex=True).abs()


def main() -> None:
    attention = nn.TransformerEncoderLayer(4, 1, 4).eval()
    models = {
        "gru": torch.jit.script(nn.GRU(2, 2)),
        "linear": torch.jit.script(nn.Linear(2, 2)),
        "padding": torch.jit.script(nn.ReflectionPad1d(1)),
        "power-pool": torch.jit.script(nn.LPPool1d(2, 3)),
        "resampled": torch.jit.script(Resampled()),
        "spectrum": torch.jit.script(Spectrum()),
        "transformer": torch.jit.trace(attention, torch.rand(3, 1, 4), check_trace=False),
    }
    HERE.mkdir(exist_ok=True)
    for name, model in models.items():
        whole = HERE / f"{name}.whole"
        torch.jit.save(model, whole)
        copy_without_debug(whole, HERE / f"{name}.pt")  # debug members hold the paths of whoever exported
        whole.unlink()


if __name__ == "__main__":
    main()
