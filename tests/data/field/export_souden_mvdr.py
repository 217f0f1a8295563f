"""Writes souden-mvdr.pt and what it computes: torchaudio's beamformer as an effect, exported by a newer PyTorch.

Run it with PyTorch 2.13.0 and torchaudio 2.11.0, from this folder. Debug members are left out: they name the folders
of the machine that wrote them.
"""

import io
import zipfile

import numpy as np
import torch
import torchaudio


class Beamformer(torch.nn.Module):
    """The louder of two channels, by SoudenMVDR, whose reference channel is a ``Union[int, Tensor]``."""

    window: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.mvdr = torchaudio.transforms.SoudenMVDR()
        self.register_buffer("window", torch.hann_window(256))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n = x.shape[1]
        if x.shape[0] == 1:
            x = torch.cat([x, 0.5 * x])
        x = torch.nn.functional.pad(x, (0, 512))
        spec = torch.stft(x, 256, 64, window=self.window, return_complex=True)
        speech = torch.einsum("cft,dft->fcd", spec, spec.conj()) + torch.eye(2)
        noise = torch.eye(2, dtype=spec.dtype).expand(spec.shape[1], 2, 2) * 1.0
        out = self.mvdr(spec, speech, noise, 0)
        return torch.istft(out, 256, 64, window=self.window, length=n + 512).unsqueeze(0)[:, :n]


torch.manual_seed(0)
model, x = torch.jit.script(Beamformer().eval()), torch.randn(1, 1000)
written = io.BytesIO()
torch.jit.save(model, written)
with zipfile.ZipFile(written) as source, zipfile.ZipFile("souden-mvdr.pt", "w", zipfile.ZIP_DEFLATED) as target:
    for name in source.namelist():
        if not name.endswith(".debug_pkl"):
            target.writestr(zipfile.ZipInfo(name), source.read(name), zipfile.ZIP_DEFLATED)
np.savez_compressed("souden-mvdr.npz", given=x.numpy(), expected=model(x).numpy())
