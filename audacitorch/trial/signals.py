"""The seeded test signals of a trial, inside the worker. Imports torch and nothing else."""

from __future__ import annotations

import math

import torch
from torch import Tensor

NAMES = ("noise", "silence", "tone", "impulse", "full-scale")
TONE_HZ = 440.0


class Signals:
    """Test signals of up to ``longest`` samples at a track's rate, in Hz; the same for the same seed.

    Noise is drawn once, and shorter blocks are its beginning, as a clip's blocks are.
    """

    def __init__(self, longest: int, track_rate: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self._noise: Tensor = torch.rand(2, longest, generator=generator).sub(0.5)
        self._track_rate = track_rate

    def block(self, signal: str, channels: int, samples: int) -> Tensor:
        """One block ``(channels, samples)``, float32, within ±1.0 (so that two channels sum to ±2.0 at most).

        Raises:
            ValueError: there is no signal of that name.
        """
        noise = self._noise[:channels, :samples]
        if signal == "noise":
            return noise.contiguous()
        if signal == "silence":
            return torch.zeros(channels, samples)
        if signal == "tone":
            time = torch.arange(samples, dtype=torch.float64).div(self._track_rate)
            return time.mul(2 * math.pi * TONE_HZ).sin().mul(0.5).float().repeat(channels, 1)
        if signal == "impulse":
            block = torch.zeros(channels, samples)
            block[:, samples // 2] = 1.0
            return block
        if signal == "full-scale":  # equal channels that touch ±1.0: the sum that the host makes of them touches ±2.0
            return torch.sign(self._noise[:1, :samples]).repeat(channels, 1)
        raise ValueError(f"no signal is called {signal!r}; there are {', '.join(NAMES)}")
