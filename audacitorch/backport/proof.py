"""Does the result compute what the original does? Both run in a sandbox, each under its own PyTorch, on the same input.

The child (:func:`replay`) is started by its file's package alone: torch and the standard library are all that it needs.
It writes, for every input, one JSON line and the bytes of what the model gave, as 64-bit floats.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import subprocess
import sys
import tempfile
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from audacitorch.errors import AudacitorchError

#: Inputs: channels and samples. A second, a length that no power of two divides, one sample, and stereo.
INPUTS: Tuple[Tuple[int, int], ...] = ((1, 16_000), (1, 10_007), (2, 16_384), (1, 1), (2, 1))
#: What the greatest difference may be of the original's peak.
TOLERANCE = 1e-3
_SECONDS = 300.0
_MEMORY = 4 << 30
_ROOT = str(Path(__file__).resolve().parents[2])
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from audacitorch.backport.proof import replay; replay()"


class CanNotProve(AudacitorchError):
    """The original could not be run at all: no such Python, or one without PyTorch."""

    exit_status = 3


@dataclass(frozen=True)
class Given:
    """What a model gave for one input: the shapes of its tensors and all of their values, or its error's last line."""

    channels: int
    samples: int
    error: Optional[str] = None
    shapes: Tuple[Tuple[int, ...], ...] = ()
    values: Sequence[float] = ()


@dataclass(frozen=True)
class Run:
    """One model under one PyTorch: its version, why it did not load or how the process ended, and what it gave."""

    torch: str
    failure: str = ""
    given: Tuple[Given, ...] = ()

    @property
    def usable(self) -> int:
        """For how many inputs the model gave a result."""
        return sum(one.error is None for one in self.given)


@dataclass(frozen=True)
class Compared:
    """One input to both: the root mean square and the greatest of the differences, the original's peak, or a clause."""

    channels: int
    samples: int
    rms: float = 0.0
    greatest: float = 0.0
    peak: float = 0.0
    clause: str = ""
    lenient: bool = False  # only the original raises

    @property
    def agrees(self) -> bool:
        """Whether the result is as good as the original for this input."""
        return self.lenient or (not self.clause and self.greatest <= TOLERANCE * max(self.peak, 1e-6))


def run(model: Path, python: str) -> Run:
    """Run a model on seeded inputs under the PyTorch of ``python``, in the trial's sandbox.

    Raises:
        CanNotProve: the program could not be started, or it has no PyTorch.
    """
    from audacitorch.trial.child import worker_environment

    with tempfile.TemporaryDirectory(prefix="audacitorch-proof-") as home:
        command = [python, "-I", "-c", _PROGRAM, _ROOT, str(model.resolve())]
        try:
            done = subprocess.run(
                command, cwd=home, env=worker_environment(home), stdin=subprocess.DEVNULL, capture_output=True,
                timeout=_SECONDS, check=False, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise CanNotProve(f"{python} can't be started: {error.strerror or error}") from error
        except subprocess.TimeoutExpired:
            return Run("", f"it takes more than {_SECONDS:g} s")
    return _read(done.stdout, done.returncode, done.stderr.decode("utf-8", "replace"), python)


def _read(told: bytes, status: int, stderr: str, python: str) -> Run:
    version, failure, at = "", "", 0
    given: List[Given] = []
    while (end := told.find(b"\n", at)) >= 0:
        event = json.loads(told[at:end])
        at = end + 1
        version, failure = event.get("torch", version), event.get("failure", failure)
        if "channels" in event:
            values = array("d")
            values.frombytes(told[at : at + 8 * event["count"]])
            at += 8 * event["count"]
            shapes = tuple(tuple(shape) for shape in event["shapes"])
            given.append(Given(event["channels"], event["samples"], event["error"], shapes, values))
    if not version:
        last = (stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise CanNotProve(f"{python} could not import torch: {last}")
    if status and not failure:
        failure = f"the process ended by signal {-status}" if status < 0 else f"the process ended with status {status}"
    return Run(version, failure, tuple(given))


def compare(original: Run, result: Run) -> Iterator[Compared]:
    """Input by input; where both raise there is nothing to compare, and the clause is empty."""
    found = {(one.channels, one.samples): one for one in result.given}
    for one in original.given:
        other = found.get((one.channels, one.samples))
        if other is None:
            yield Compared(one.channels, one.samples, clause="the result gave nothing")
        elif one.error is not None or other.error is not None:
            if other.error is not None and one.error is None:
                yield Compared(one.channels, one.samples, clause=f"the result raises: {other.error}")
            elif one.error is not None and other.error is None:
                yield Compared(one.channels, one.samples, clause=f"only the original raises: {one.error}", lenient=True)
        elif one.shapes != other.shapes:
            yield Compared(one.channels, one.samples, clause=f"the shapes are {other.shapes}, not {one.shapes}")
        else:
            yield _compared(one, other)


def _compared(one: Given, other: Given) -> Compared:
    apart, peak, squares = 0.0, 0.0, 0.0
    for left, right in zip(one.values, other.values):
        if left == right or (math.isnan(left) and math.isnan(right)):
            difference = 0.0
        else:
            difference = abs(left - right)
            difference = math.inf if math.isnan(difference) else difference
        apart, squares = max(apart, difference), squares + difference * difference
        if math.isfinite(left):
            peak = max(peak, abs(left))
    rms = math.sqrt(squares / len(one.values)) if one.values else 0.0
    return Compared(one.channels, one.samples, rms, apart, peak)


def replay() -> None:
    """The child's program: load the model that the command line names, give it the inputs, write what comes out."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a model may print
    model = sys.argv[2]
    from audacitorch.trial import sandbox
    from audacitorch.trial.worker import _readable

    gauge = sandbox.MemoryGauge()
    in_force = sandbox.put_up_walls(_readable(model))
    import torch

    _emit(out, {"torch": torch.__version__})
    missing = sandbox.missing_walls(in_force)
    if missing:
        _emit(out, {"failure": f"this machine has no {' and no '.join(missing)} to lock a model in"})
        return
    sandbox.set_limits(sandbox.Limits(memory_bytes=_MEMORY), gauge)
    try:
        with torch.no_grad():
            loaded = torch.jit.load(model, map_location="cpu").eval()
    except Exception as error:
        _emit(out, {"failure": f"it does not load: {_last_line(error)}"})
        return
    for channels, samples in INPUTS:
        _pass(out, torch, loaded, channels, samples)
    out.flush()
    os._exit(0)


def _pass(out: Any, torch: Any, loaded: Any, channels: int, samples: int) -> None:
    event: Dict[str, Any] = {"channels": channels, "samples": samples, "error": None, "shapes": [], "count": 0}
    payload = b""
    try:
        with torch.no_grad():
            torch.manual_seed(0)
            tensors = list(_tensors(torch, loaded(_noise(torch, channels, samples))))
        event["shapes"] = [list(one.shape) for one in tensors]
        payload = b"".join(ctypes.string_at(one.data_ptr(), 8 * one.numel()) if one.numel() else b"" for one in tensors)
        event["count"] = len(payload) // 8
    except Exception as error:
        event["error"] = _last_line(error)
    _emit(out, event, payload)


def _noise(torch: Any, channels: int, samples: int) -> Any:
    """The same numbers between -1 and 1 under every PyTorch."""
    count = torch.arange(channels * samples, dtype=torch.int64)
    mixed = (count * 1103515245 + 12345) % 2147483648
    mixed = (mixed * 69069 + 1) % 2147483648
    return (mixed.to(torch.float64) / 1073741824 - 1).to(torch.float32).reshape(channels, samples)


def _tensors(torch: Any, output: Any) -> Iterator[Any]:
    if isinstance(output, torch.Tensor):
        if output.is_complex():
            output = torch.view_as_real(output.resolve_conj() if hasattr(output, "resolve_conj") else output)
        yield output.detach().to(torch.float64).contiguous()
    elif isinstance(output, dict):
        for value in output.values():
            yield from _tensors(torch, value)
    elif isinstance(output, (tuple, list)):
        for value in output:
            yield from _tensors(torch, value)
    elif isinstance(output, (bool, int, float)):
        yield torch.tensor(float(output), dtype=torch.float64)


def _emit(out: Any, event: Dict[str, Any], payload: bytes = b"") -> None:
    out.write(json.dumps(event).encode() + b"\n" + payload)
    out.flush()


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    errors = [line for line in lines if "Error: " in line]
    return (errors or lines or [repr(error)])[-1][:300]
