"""Real audio through a model, block by block, inside the worker. Imports torch and nothing else.

Blocks come on standard input, each as a JSON line ``{"channels": c, "samples": n}`` and ``4·c·n`` bytes of 32-bit
float, channel by channel; an empty line ends them. What the model made of each goes back as a ``block`` event with its
tensors' bytes behind it, so that no file is ever longer in memory than one block.
"""

from __future__ import annotations

import ctypes
import json
import time
from typing import Any, BinaryIO, Dict, List

import torch
from torch import Tensor

from audacitorch.hosts.audio import prepare_block, restore_block
from audacitorch.trial import measure
from audacitorch.trial.worker_io import EventWriter, describe_failure


def render_blocks(model: Any, plan: Dict[str, Any], events: EventWriter, blocks: BinaryIO) -> None:
    """Answer every block on ``blocks`` with a ``block`` event, failures included, until they end."""
    for line in iter(blocks.readline, b"\n"):
        if not line:
            return
        shape = json.loads(line)
        data = blocks.read(4 * shape["channels"] * shape["samples"])
        storage = torch.FloatStorage.from_buffer(data, byte_order="native")  # type: ignore[attr-defined]
        block = torch.FloatTensor(storage).reshape(shape["channels"], shape["samples"])
        _render_block(model, plan, events, block)


def _render_block(model: Any, plan: Dict[str, Any], events: EventWriter, block: Tensor) -> None:
    rates = plan["track_rate"], plan["sample_rate"]
    block = prepare_block(block, *rates, plan["multichannel"], plan["host"], plan["effect_type"])
    start = time.perf_counter()
    try:
        with torch.no_grad():
            output = model(block)
    except Exception as error:
        events.emit("block", seconds=time.perf_counter() - start, failure=describe_failure(error))
        return
    seconds = time.perf_counter() - start
    described = measure.describe_output(output, block.shape[1], plan["sample_rate"])
    tensors = measure.tensors_of(output)
    if isinstance(output, Tensor) and output.dim() == 2 and output.dtype == torch.float32:
        tensors = (restore_block(output, plan["sample_rate"], plan["track_rate"]),)
    sent: List[Dict[str, Any]] = [
        {"dtype": str(tensor.dtype).replace("torch.", ""), "shape": list(tensor.shape)} for tensor in tensors
    ]
    events.emit("block", payloads=[_bytes_of(t) for t in tensors], seconds=seconds, output=described, tensors=sent)


def _bytes_of(tensor: Tensor) -> bytes:
    contiguous = tensor.detach().contiguous()
    return ctypes.string_at(contiguous.data_ptr(), contiguous.numel() * contiguous.element_size())
