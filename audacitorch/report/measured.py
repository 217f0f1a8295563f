"""The facts of a report as rows of two: what was measured, and how much of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, List, Mapping, Optional, Tuple

from audacitorch.report.content import reasons_skipped
from audacitorch.report.model import Report
from audacitorch.wording import plural, size_text, speed_text

if TYPE_CHECKING:
    from audacitorch.facts import Archive
    from audacitorch.trial.observations import Pass, TensorFacts, Trial

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
_MOST_LABELS = 12
_MOST_OPERATORS = 6


def rows(report: Report) -> List[Row]:
    """Every fact that there is, in the order in which people read them; what is not known has no row."""
    found = [
        ("Target", _target(report)),
        ("Revision", report.target.revision or ""),
        ("Model", _model(report)),
        ("SHA-256", report.target.model_sha256 or ""),
        *([] if report.archive is None else _archive(report.archive)),
        ("Audio", _audio(report.fields)),
        ("Labels", _labels(report.fields)),
        *([] if report.trial is None else _trial(report.trial)),
        *(("Skipped", f"{plural(len(names), 'rule')}: {reason}") for reason, names in reasons_skipped(report)),
        *(("Failed to run", f"{failed.rule}: {failed.error}") for failed in report.could_not_run),
        ("Checked by", _tool(report.tool)),
    ]
    return [(label, " ".join(value.split())) for label, value in found if value]


def figures(report: Report) -> List[Row]:
    """The few numbers that people look for first."""
    rate = report.fields.get("sample_rate")
    latency = report.trial.latency_samples if report.trial is not None else None
    shown = dict(rows(report))
    found = [
        (label, shown.get(label, "")) for label in ("Speed", "Shortest input", "Peak memory", "Block seams", "Load")
    ]
    if latency is not None:
        after = f" ({1000 * latency / rate:.3g} ms)" if isinstance(rate, int) and rate > 0 else ""
        found.insert(2, ("Latency", f"{latency:,} samples{after}"))
    return [(label, value) for label, value in found if value]


def _target(report: Report) -> str:
    where = {"hub": "on the Hub", "folder": "in a folder"}.get(report.target.source, report.target.source)
    return f"{report.target.id}, {where}" if report.target.id else where


def _model(report: Report) -> str:
    archive = report.archive
    if archive is None:
        return size_text(report.target.model_bytes)
    size = archive.size if report.target.model_bytes is None else report.target.model_bytes
    parameters = _count(archive.parameters, "parameter")
    if parameters and archive.dtypes:
        parameters += f" ({', '.join(archive.dtypes)})"
    return _listed(size_text(size), parameters, _count(archive.buffers, "buffer value"))


def _archive(archive: Archive) -> List[Row]:
    version = archive.format_version
    kind = "TorchScript" if archive.kind == "torchscript" else f"{archive.kind}: {archive.detail}"
    described = _listed(
        kind,
        "" if version is None else f"format {version}",
        f"written by {archive.producer}" if archive.producer else "",
        f"root {archive.root_type}" if archive.root_type else "",
    )
    return [("Archive", described), ("Operators", _operators(archive.operators))]


def _operators(calls: Mapping[str, int]) -> str:
    if not calls:
        return ""
    most = sorted(calls, key=lambda name: (-calls[name], name))[:_MOST_OPERATORS]
    shown = ", ".join(f"{name} × {calls[name]:,}" for name in most)
    more = f", and {len(calls) - len(most):,} more" if len(calls) > len(most) else ""
    return f"{plural(sum(calls.values()), 'call')} of {plural(len(calls), 'operator')}: {shown}{more}"


def _audio(fields: Mapping[str, Any]) -> str:
    rate = number(fields.get("sample_rate"))
    multichannel = fields.get("multichannel")
    return _listed(
        "" if rate is None else f"{rate:,.10g} Hz",
        {True: "mono and stereo as they are", False: "channels summed to mono"}[multichannel]
        if isinstance(multichannel, bool)
        else "",
        str(fields["effect_type"]) if isinstance(fields.get("effect_type"), str) else "",
    )


def _labels(fields: Mapping[str, Any]) -> str:
    labels = fields.get("labels")
    if not isinstance(labels, (list, tuple)):
        return ""
    more = f", and {len(labels) - _MOST_LABELS:,} more" if len(labels) > _MOST_LABELS else ""
    return f"{len(labels):,}: {', '.join(str(label) for label in labels[:_MOST_LABELS])}{more}" if labels else "none"


def _trial(trial: Trial) -> List[Row]:
    ended = _ENDINGS.get(trial.ended, trial.ended)
    return [
        ("Trial", _listed(ended, trial.signal or "", _seconds(trial.seconds))),
        ("Passes", f"{len(trial.passes):,}" if trial.passes else ""),
        ("Load", _seconds(trial.load_seconds)),
        ("Speed", "" if trial.realtime_factor is None else speed_text(trial.realtime_factor)),
        ("Shortest input", _count(trial.minimum_samples, "sample")),
        ("Block seams", _decibels(trial.seam_db)),
        ("Repetition", _decibels(trial.repeat_difference_db)),
        ("Peak memory", size_text(trial.peak_memory_bytes)),
        ("Sandbox", sandbox_text(trial.sandbox)),
        ("Left out", "; ".join(trial.left_out)),
    ]


def passes(report: Report) -> List[Tuple[str, str, str, str]]:
    """Every forward pass in four cells: what for, the input, what came of it, seconds."""
    return [] if report.trial is None else [_pass(done) for done in report.trial.passes]


def _pass(done: Pass) -> Tuple[str, str, str, str]:
    came = ""
    if done.failure is not None:
        came = f"{done.failure.type}: {done.failure.message}"
    elif done.output is not None:
        came = f"{done.output.kind} {', '.join(map(_tensor, done.output.tensors))}".strip()
    return _listed(done.purpose, done.signal), f"({done.channels}, {done.samples})", came, _seconds(done.seconds)


def _tensor(tensor: TensorFacts) -> str:
    return f"{tensor.dtype} ({', '.join(map(str, tensor.shape))})"


def _tool(tool: Mapping[str, Any]) -> str:
    torch = tool.get("torch")
    return f"{tool.get('name')} {tool.get('version')}" + (f", for Torch {torch}" if torch else "")


def sandbox_text(sandbox: Mapping[str, Any]) -> str:
    """What was in force around the model, and what this machine could not give; empty where nothing was run."""
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


def _seconds(seconds: Optional[float]) -> str:
    if seconds is None:
        return ""
    return f"{seconds * 1000:.3g} ms" if 0 < seconds < 0.9995 else f"{seconds:,.2f} s"


def _decibels(level: Optional[float]) -> str:
    return "" if level is None else f"{level:.1f} dB"


def _count(count: Optional[int], noun: str) -> str:
    return "" if count is None else plural(count, noun)


def number(value: object) -> Optional[float]:
    """``value`` where it is a number that a float can hold; None for everything else that JSON may hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        return None
    return value


def _listed(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
