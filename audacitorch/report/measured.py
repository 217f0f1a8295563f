"""The facts of a report as rows of two: what was measured, and how much of it."""

from __future__ import annotations

import math
from typing import Any, Dict, List, Mapping, Optional, Tuple

from audacitorch.report.content import plural, reasons_skipped
from audacitorch.report.model import Report

Row = Tuple[str, str]

_ENDINGS = {
    "finished": "finished",
    "exception": "ended by an exception",
    "signal": "ended by a signal",
    "timeout": "stopped: it ran out of time",
    "memory": "stopped: it ran out of memory",
    "refused": "not run: refused",
    "skipped": "not run",
}
_SIZE_UNITS = ("bytes", "kB", "MB", "GB")
_MOST_LABELS = 12
_MOST_OPERATORS = 6


def rows(report: Report) -> List[Row]:
    """Every fact that there is, in an order that suits a reader; what nobody knows has no row."""
    found = [
        ("Target", _target(report)),
        ("Revision", report.target.revision or ""),
        ("Model", _model(report)),
        ("SHA-256", report.target.model_sha256 or ""),
        ("Archive", _archive(report.archive or {})),
        ("Operators", _operators(report.archive or {})),
        ("Audio", _audio(report.metadata or {})),
        ("Labels", _labels(report.metadata or {})),
        *_trial(report.trial or {}),
        *(("Skipped", f"{plural(len(names), 'rule')}: {reason}") for reason, names in reasons_skipped(report)),
        *(("Failed to run", f"{failed.rule}: {failed.error}") for failed in report.could_not_run),
        ("Checked by", _tool(report.tool)),
    ]
    return [(label, " ".join(value.split())) for label, value in found if value]


def _target(report: Report) -> str:
    where = {"hub": "on the Hub", "folder": "in a folder"}.get(report.target.source, report.target.source)
    return f"{report.target.id}, {where}" if report.target.id else where


def _model(report: Report) -> str:
    archive = report.archive or {}
    size = report.target.model_bytes if report.target.model_bytes is not None else _number(archive, "bytes")
    dtypes = archive.get("dtypes")
    parameters = _count(archive, "parameters", "parameter")
    if parameters and isinstance(dtypes, Mapping) and dtypes:
        parameters += f" ({', '.join(str(dtype) for dtype in dtypes)})"
    return _listed(size_text(size), parameters, _count(archive, "buffers", "buffer value"))


def _archive(archive: Mapping[str, Any]) -> str:
    kind = archive.get("kind")
    version = _number(archive, "format_version")
    return _listed(
        {"torchscript": "TorchScript", None: ""}.get(kind, f"{kind}: {archive.get('detail')}")
        if kind is None or isinstance(kind, str)
        else "",
        "" if version is None else f"format {version:g}",
        f"written by {archive['producer']}" if archive.get("producer") else "",
        f"root {archive['root_type']}" if archive.get("root_type") else "",
    )


def _operators(archive: Mapping[str, Any]) -> str:
    calls = archive.get("operators")
    if not isinstance(calls, Mapping) or not calls:
        return ""
    numbers: Dict[str, int] = {str(name): count for name, count in calls.items() if isinstance(count, int)}
    most = sorted(numbers, key=lambda name: (-numbers[name], name))[:_MOST_OPERATORS]
    shown = ", ".join(f"{name} × {numbers[name]:,}" for name in most)
    more = f", and {len(numbers) - len(most):,} more" if len(numbers) > len(most) else ""
    return f"{plural(sum(numbers.values()), 'call')} of {plural(len(numbers), 'operator')}: {shown}{more}"


def _audio(metadata: Mapping[str, Any]) -> str:
    rate = _number(metadata, "sample_rate")
    multichannel = metadata.get("multichannel")
    return _listed(
        "" if rate is None else f"{rate:,.10g} Hz",
        {True: "mono and stereo as they are", False: "channels summed to mono"}[multichannel]
        if isinstance(multichannel, bool)
        else "",
        str(metadata["effect_type"]) if isinstance(metadata.get("effect_type"), str) else "",
    )


def _labels(metadata: Mapping[str, Any]) -> str:
    labels = metadata.get("labels")
    if not isinstance(labels, (list, tuple)):
        return ""
    more = f", and {len(labels) - _MOST_LABELS:,} more" if len(labels) > _MOST_LABELS else ""
    return f"{len(labels):,}: {', '.join(str(label) for label in labels[:_MOST_LABELS])}{more}" if labels else "none"


def _trial(trial: Mapping[str, Any]) -> List[Row]:
    ended = str(trial.get("ended") or "")
    passes = trial.get("passes")
    left_out = trial.get("left_out")
    shortest = _number(trial, "minimum_samples")
    factor = _number(trial, "realtime_factor")
    return [
        ("Trial", _listed(_ENDINGS.get(ended, ended), str(trial.get("signal") or ""), _seconds(trial, "seconds"))),
        ("Passes", f"{len(passes):,}" if isinstance(passes, (list, tuple)) and passes else ""),
        ("Load", _seconds(trial, "load_seconds")),
        ("Speed", "" if factor is None else speed_text(factor)),
        ("Shortest input", "" if shortest is None else plural(int(shortest), "sample")),
        ("Block seams", _decibels(trial, "seam_db")),
        ("Repetition", _decibels(trial, "repeat_difference_db")),
        ("Peak memory", size_text(_number(trial, "peak_memory_bytes"))),
        ("Sandbox", sandbox_text(trial.get("sandbox"))),
        ("Left out", "; ".join(str(item) for item in left_out) if isinstance(left_out, (list, tuple)) else ""),
    ]


def passes(report: Report) -> List[Tuple[str, str, str, str]]:
    """Every forward pass in four cells: what for, the input, what came of it, seconds."""
    done = (report.trial or {}).get("passes")
    return [_pass(item) for item in done if isinstance(item, Mapping)] if isinstance(done, (list, tuple)) else []


def _pass(done: Mapping[str, Any]) -> Tuple[str, str, str, str]:
    given = done.get("input")
    given = given if isinstance(given, Mapping) else {}
    output, failure = done.get("output"), done.get("failure")
    came = ""
    if isinstance(failure, Mapping):
        came = f"{failure.get('type')}: {failure.get('message')}"
    elif isinstance(output, Mapping):
        tensors = output.get("tensors")
        shapes = [_tensor(tensor) for tensor in tensors] if isinstance(tensors, (list, tuple)) else []
        came = f"{output.get('kind')} {', '.join(shapes)}".strip()
    signal = _listed(str(done.get("purpose") or ""), str(done.get("signal") or ""))
    return signal, f"({given.get('channels')}, {given.get('samples')})", came, _seconds(done, "seconds")


def _tensor(tensor: object) -> str:
    if not isinstance(tensor, Mapping):
        return str(tensor)
    shape = tensor.get("shape")
    sizes = ", ".join(str(size) for size in shape) if isinstance(shape, (list, tuple)) else str(shape)
    return f"{tensor.get('dtype')} ({sizes})"


def _tool(tool: Mapping[str, Any]) -> str:
    torch = tool.get("torch")
    return f"{tool.get('name')} {tool.get('version')}" + (f", for Torch {torch}" if torch else "")


def sandbox_text(sandbox: object) -> str:
    """What was in force around the model, and what this machine could not give."""
    if not isinstance(sandbox, Mapping) or not sandbox:
        return ""
    parts = {str(key).replace("_", " "): value for key, value in sandbox.items()}
    missing = [key for key, value in parts.items() if value is None or value is False or value in ([], {}, ())]
    in_force = [_measure(key, value) for key, value in parts.items() if key not in missing]
    return "; ".join([*in_force, *([f"without {', '.join(missing)}"] if missing else [])])


def _measure(key: str, value: object) -> str:
    if value is True:
        return key
    if isinstance(value, Mapping):  # of limits the names say enough; of a container, what it allows
        limits = all(type(item) is int for item in value.values())
        return f"{key} ({', '.join(str(name) if limits else f'{name} {item}' for name, item in value.items())})"
    shown = ", ".join(str(item) for item in value) if isinstance(value, (list, tuple)) else str(value)
    return f"{key}: {shown}"


def size_text(size: Optional[float]) -> str:
    """A number of bytes in units of 1,000: ``1.2 MB``."""
    if size is None:
        return ""
    if size < 1000:
        return plural(int(size), "byte")
    power = min((len(f"{size:.0f}") - 1) // 3, 3)
    scaled = size / 1000**power
    return (f"{scaled:,.0f}" if scaled >= 1000 else f"{scaled:.3g}") + f" {_SIZE_UNITS[power]}"


def speed_text(factor: float) -> str:
    """A real-time factor, which is seconds of work for a second of audio, said as a speed."""
    if factor <= 0:
        return f"real-time factor {factor:g}"
    times = 1 / factor
    return f"{times:,.3g} times real time" if times < 1000 else f"{times:,.0f} times real time"


def _seconds(values: Mapping[str, Any], key: str) -> str:
    number = _number(values, key)
    return "" if number is None else f"{number * 1000:.3g} ms" if 0 < number < 0.9995 else f"{number:,.2f} s"


def _decibels(values: Mapping[str, Any], key: str) -> str:
    number = _number(values, key)
    return "" if number is None else f"{number:.1f} dB"


def _count(values: Mapping[str, Any], key: str, noun: str) -> str:
    number = _number(values, key)
    return "" if number is None else plural(int(number), noun)


def _number(values: Mapping[str, Any], key: str) -> Optional[float]:
    number = values.get(key)
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
        return None
    return number


def _listed(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
