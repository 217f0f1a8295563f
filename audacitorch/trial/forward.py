"""Blocks through a model, inside the worker: the trial's test signals, and real audio. Imports torch alone."""

from __future__ import annotations

import ctypes
import json
import math
import time
from typing import Any, BinaryIO

import torch
from torch import Tensor

from audacitorch.hosts import host_named
from audacitorch.hosts.audio import prepare_block, restore_block
from audacitorch.trial import measure
from audacitorch.trial.plan import Plan
from audacitorch.trial.protocol import Block, EventWriter, TensorForm, describe_failure

SIGNALS = ("noise", "silence", "tone", "impulse", "full-scale")
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
            seconds = torch.arange(samples, dtype=torch.float64).div(self._track_rate)
            return seconds.mul(2 * math.pi * TONE_HZ).sin().mul(0.5).float().repeat(channels, 1)
        if signal == "impulse":
            block = torch.zeros(channels, samples)
            block[:, samples // 2] = 1.0
            return block
        if signal == "full-scale":  # equal channels that touch ±1.0: the sum that the host makes of them touches ±2.0
            return torch.sign(self._noise[:1, :samples]).repeat(channels, 1)
        raise ValueError(f"no signal is called {signal!r}; there are {', '.join(SIGNALS)}")


def prepare(plan: Plan, block: Tensor) -> Tensor:
    """A track's block as the host hands it to the model."""
    rates = plan.track_rate, plan.sample_rate
    return prepare_block(block, *rates, plan.multichannel, host_named(plan.host), plan.effect_type)


def render_blocks(model: Any, plan: Plan, events: EventWriter, blocks: BinaryIO) -> None:
    """Answer every block on ``blocks`` with a ``block`` event, failures included, until they end.

    Each comes as a JSON line ``{"channels": c, "samples": n}`` and ``4·c·n`` bytes of 32-bit float, channel by
    channel; an empty line ends them. No file is ever longer in memory than one block.
    """
    for line in iter(blocks.readline, b"\n"):
        if not line:
            return
        shape = json.loads(line)
        data = blocks.read(4 * shape["channels"] * shape["samples"])
        storage = torch.FloatStorage.from_buffer(data, byte_order="native")  # type: ignore[attr-defined]
        events.emit(_rendered(model, plan, torch.FloatTensor(storage).reshape(shape["channels"], shape["samples"])))


def _rendered(model: Any, plan: Plan, block: Tensor) -> Block:
    block = prepare(plan, block)
    start = time.perf_counter()
    try:
        with torch.no_grad():
            output = model(block)
        seconds = time.perf_counter() - start
        described = measure.describe_output(output, block.shape[1], plan.sample_rate)
        tensors = measure.tensors_of(output)
        if isinstance(output, Tensor) and output.dim() == 2 and output.dtype == torch.float32:
            tensors = (restore_block(output, plan.sample_rate, plan.track_rate),)
        payloads = tuple(_bytes_of(tensor) for tensor in tensors)
    except Exception as error:
        return Block(time.perf_counter() - start, failure=describe_failure(error))
    forms = tuple(TensorForm(str(tensor.dtype).replace("torch.", ""), tuple(tensor.shape)) for tensor in tensors)
    return Block(seconds, output=described, tensors=forms, payloads=payloads)


def _bytes_of(tensor: Tensor) -> bytes:
    contiguous = tensor.detach().contiguous()
    return ctypes.string_at(contiguous.data_ptr(), contiguous.numel() * contiguous.element_size())
