"""A trial from orders to end: what the worker told, folded into one value."""

from __future__ import annotations

import re
import signal
import time
from dataclasses import fields
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Type, TypeVar

from audacitorch.trial.link import OutOfTime, TrialUnavailable, Worker
from audacitorch.trial.observations import (
    EXCEPTION,
    FINISHED,
    MEMORY,
    SIGNAL,
    TIMEOUT,
    Failure,
    Output,
    Pass,
    TensorFacts,
    TimestampFacts,
    Trial,
)
from audacitorch.trial.plan import WHOLE_BLOCK, Plan
from audacitorch.version import TORCH_VERSION

#: What a worker may take to start and to import torch, on a cold and busy machine; no model has run by then.
_START_SECONDS = 120.0
_LONGEST_NATIVE_MESSAGE = 4000
_SIGNS_OF_LACK = ("bad_alloc", "can't allocate memory", "Thread creation failed", "Cannot allocate memory")

Value = TypeVar("Value")


def run_trial(worker: Worker, plan: Plan, meanwhile: Callable[[], None] = lambda: None) -> Trial:
    """Give a started worker its orders, do something else ``meanwhile``, and observe it to its end.

    Raises:
        TrialUnavailable: the model was not run, or not in Torch 1.9.0; nothing can be said about it.
    """
    worker.begin(plan)
    meanwhile()
    worker.deadline = time.monotonic() + _START_SECONDS
    told: Dict[str, List[Dict[str, Any]]] = {}
    timed_out = False
    start = time.monotonic()
    try:
        for event, _ in worker.events():
            told.setdefault(event["event"], []).append(event)
            if event["event"] == "ready":
                check_version(event["torch"])
            elif event["event"] == "sandbox":
                start = time.monotonic()
                worker.deadline = start + plan.seconds
    except OutOfTime:
        timed_out = True
    status = worker.wait()
    if "sandbox" not in told:
        raise TrialUnavailable(f"the worker did not start: {_last_line(worker.stderr) or f'exit status {status}'}")
    return _fold(told, plan, worker, timed_out, time.monotonic() - start)


def check_version(found: str) -> None:
    """Refuse to judge a model by another PyTorch than the host's."""
    if found.split("+")[0] != TORCH_VERSION:
        raise TrialUnavailable(f"models must be run by Torch {TORCH_VERSION}, and this is Torch {found}")


def _fold(
    told: Mapping[str, List[Dict[str, Any]]], plan: Plan, worker: Worker, timed_out: bool, seconds: float
) -> Trial:
    """One value out of everything that was told, in whatever way the worker ended."""
    passes = [_pass(event) for event in told.get("pass", [])]
    begun = told.get("begin", [])
    load_failures = [_value(Failure, event["failure"]) for event in told.get("load-failed", [])]
    ended, signal_name, reason = _how_it_ended(told, worker, timed_out, plan)
    seam = _last(told, "seam")
    return Trial(
        ended=ended,
        stage="forward" if "loaded" in told else "load",
        signal=signal_name,
        reason=reason,
        sandbox=told["sandbox"][0]["sandbox"],
        torch=told["ready"][0]["torch"],
        load_seconds=_last(told, "loaded").get("seconds"),
        load_failure=load_failures[0] if load_failures else None,
        native_message=native_message(worker.stderr) if ended in (SIGNAL, MEMORY) else "",
        passes=tuple(passes),
        unfinished=_pass(begun[-1]) if len(begun) > len(passes) else None,
        left_out=tuple(f"{event['what']} ({event['why']})" for event in told.get("left-out", [])),
        minimum_samples=_last(told, "minimum").get("samples"),
        repeat_difference_db=_last(told, "repeat").get("db"),
        seam_db=seam.get("db"),
        seam_labels=seam.get("labels_across"),
        realtime_factor=_realtime_factor(passes, plan.sample_rate),
        peak_memory_bytes=_peak_memory(told, worker),
        seconds=seconds,
    )


def _peak_memory(told: Mapping[str, List[Dict[str, Any]]], worker: Worker) -> Optional[int]:
    """What the worker told last, or what the system says of one that could not tell."""
    if "done" not in told and worker.peak_memory_bytes is not None:
        return worker.peak_memory_bytes
    last = next(events[-1] for name in ("done", "loaded", "sandbox") for events in [told.get(name)] if events)
    peak: Optional[int] = last.get("peak_memory_bytes")
    return peak


def _how_it_ended(
    told: Mapping[str, List[Dict[str, Any]]], worker: Worker, timed_out: bool, plan: Plan
) -> Tuple[str, Optional[str], str]:
    """The trial's ``ended``, ``signal`` and ``reason``."""
    if timed_out:
        return TIMEOUT, None, f"not finished after {plan.seconds:g} s"
    if "load-failed" in told:
        return (MEMORY if told["load-failed"][0]["failure"]["memory"] else EXCEPTION), None, ""
    status = worker.wait()
    if "done" in told:
        return FINISHED, None, ""
    if any(sign in worker.stderr for sign in _SIGNS_OF_LACK):
        return MEMORY, None, f"more than {plan.memory_bytes >> 20} MiB were wanted"
    if status >= 0:
        raise TrialUnavailable(f"the worker failed: {_last_line(worker.stderr) or f'exit status {status}'}")
    if -status == signal.SIGKILL:
        return MEMORY, None, "ended by the system, as it does when memory runs out"
    return SIGNAL, signal.Signals(-status).name, ""


def _realtime_factor(passes: List[Pass], sample_rate: int) -> Optional[float]:
    """Seconds of computing for a second of audio, from the whole block, or the longest that worked."""
    timed = [p for p in passes if p.output is not None and p.seconds is not None and not p.first and p.samples]
    if not timed:
        return None
    typical = min(timed, key=lambda p: (abs(p.track_samples - WHOLE_BLOCK), p.seconds))
    return (typical.seconds or 0.0) * sample_rate / typical.samples


def native_message(stderr: str) -> str:
    """What the process wrote when it ended, without the stack of C++ frames."""
    kept = [line for line in stderr.splitlines() if not re.match(r"frame #\d+:|<omitting", line)]
    return "\n".join(kept).strip()[:_LONGEST_NATIVE_MESSAGE]


def _last(told: Mapping[str, List[Dict[str, Any]]], event: str) -> Dict[str, Any]:
    return told[event][-1] if event in told else {}


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def _value(kind: Type[Value], data: Mapping[str, Any]) -> Value:
    """A dataclass from the fields of an event that it knows; lists become tuples."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in data.items() if key in known})


def _pass(event: Mapping[str, Any]) -> Pass:
    output, failure = event.get("output"), event.get("failure")
    data = {key: value for key, value in event.items() if key not in ("output", "failure")}
    return _value(
        Pass,
        {
            **data,
            "output": None if output is None else _output(output),
            "failure": None if failure is None else _value(Failure, failure),
        },
    )


def _output(data: Mapping[str, Any]) -> Output:
    stamps = data.get("timestamps")
    return Output(
        kind=data["kind"],
        tensors=tuple(_value(TensorFacts, tensor) for tensor in data["tensors"]),
        timestamps=None if stamps is None else _value(TimestampFacts, stamps),
    )
