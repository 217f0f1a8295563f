"""Blocks through a model, inside the worker: the trial's test signals, and real audio. Imports torch alone."""

from __future__ import annotations

import ctypes
import json
import math
import time
from typing import Any, BinaryIO, Optional, Tuple

import torch
from torch import Tensor

from audacitorch.hosts import ANALYZER, host_named
from audacitorch.hosts.audio import prepare_block, restore_block
from audacitorch.trial.observations import Failure
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
            ValueError: the signal is unknown.
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
    return _prepared(plan, block, plan.track_rate)


def _prepared(plan: Plan, block: Tensor, rate: float) -> Tensor:
    host = host_named(plan.host)
    return prepare_block(block, rate, plan.sample_rate, plan.multichannel, host, plan.effect_type)


def render_blocks(model: Any, plan: Plan, events: EventWriter, blocks: BinaryIO) -> None:
    """Answer every block on ``blocks`` with a ``block`` event, failures included, until they end.

    Each comes as a JSON line ``{"channels": c, "samples": n, "start": s, "rate": r, "track": t}`` and ``4·c·n`` bytes
    of 32-bit float, channel by channel; ``start`` is the block's in seconds of its track, ``rate`` the track's in Hz.
    After a block on which the host gives up the track, what comes for a track of that number (not null) has the same
    answer, and does not reach the model. An empty line ends them. No file is ever longer in memory than one block.
    """
    given_up: Optional[int] = None
    answer = Block(0.0)
    for line in iter(blocks.readline, b"\n"):
        if not line:
            return
        header = json.loads(line)
        block = _read_block(blocks, header["channels"], header["samples"])
        if header["track"] is None or header["track"] != given_up:
            answer = _answer(model, plan, block, header["start"], header["rate"])
            given_up = header["track"] if answer.failure is not None and not answer.tensors else None
        events.emit(answer)


def _read_block(blocks: BinaryIO, channels: int, samples: int) -> Tensor:
    """The next ``channels`` × ``samples`` numbers, read into a tensor's own memory."""
    block = torch.empty(channels, samples)
    blocks.readinto(_memory_of(block))  # type: ignore[attr-defined]
    return block


def _answer(model: Any, plan: Plan, block: Tensor, start: float, rate: float) -> Block:
    """What becomes of one block."""
    started = time.perf_counter()
    try:
        tensors, failure = _rendered(model, plan, block, start, rate)
        tensors = tuple(tensor.detach().contiguous() for tensor in tensors)
        payloads = tuple(_memory_of(tensor) for tensor in tensors)
    except Exception as error:
        return Block(time.perf_counter() - started, describe_failure(error))
    forms = tuple(TensorForm(str(tensor.dtype).replace("torch.", ""), tuple(tensor.shape)) for tensor in tensors)
    return Block(time.perf_counter() - started, failure, forms, payloads)


def _rendered(
    model: Any, plan: Plan, block: Tensor, start: float, rate: float
) -> Tuple[Tuple[Tensor, ...], Optional[Failure]]:
    """What the host goes on with: an effect's channels at the track's rate, or an analyzer's two tensors.

    Where an effect's ``forward`` raises, the host takes zeros in place of its result, with the channels of its input.
    Any other exception ends the whole track there, and is raised.
    """
    prepared = _prepared(plan, block, rate)
    failure = None
    try:
        with torch.no_grad():
            output = model(prepared)
    except Exception as error:
        if plan.effect_type == ANALYZER:
            raise
        output, failure = torch.zeros_like(prepared), describe_failure(error)
    if plan.effect_type == ANALYZER:
        return _predictions(output, start), failure
    if not isinstance(output, Tensor):
        raise TypeError(f"an effect returns one tensor, got {type(output).__name__}")
    return (restore_block(output, plan.sample_rate, rate),), failure


def _predictions(output: Any, start: float) -> Tuple[Tensor, Tensor]:
    """An analyzer's two tensors, with the block's start added to the timestamps in place, as the host does it."""
    if not isinstance(output, tuple) or len(output) < 2 or not all(isinstance(item, Tensor) for item in output[:2]):
        raise TypeError(f"an analyzer returns a tuple of two tensors, got {type(output).__name__}")
    predictions, timestamps = output[0], output[1]
    timestamps += start
    return predictions, timestamps


def _memory_of(tensor: Tensor) -> memoryview:
    """The bytes of a contiguous tensor, without a copy."""
    if not tensor.numel():
        return memoryview(b"")
    memory = (ctypes.c_char * (tensor.numel() * tensor.element_size())).from_address(tensor.data_ptr())
    memory._tensor = tensor  # type: ignore[attr-defined]  # which is to live as long as the view does
    return memoryview(memory).cast("B")
