"""What a maintainer wants to know of a model at a glance, as rows of a table."""

from __future__ import annotations

import math
from typing import Any, List, Mapping, Optional, Tuple

from audacitorch.report.escape import markdown, markdown_code
from audacitorch.report.measured import size_text, speed_text
from audacitorch.request.decision import Decision

#: Where a model's page is, whatever mirror it was fetched from.
HUB = "https://huggingface.co"


def table(decision: Decision) -> str:
    """The facts as a Markdown table; empty where no report is."""
    report = decision.report
    if report is None:
        return ""
    metadata, trial = report.metadata or {}, report.trial or {}
    rows: List[Tuple[str, str]] = [
        ("Commit", _commit(decision)),
        ("Sample rate", _rate(metadata)),
        ("Channels", _channels(metadata)),
        ("Size", size_text(report.target.model_bytes)),
        ("Speed", _speed(trial)),
        ("Shortest input", _samples(trial)),
        ("Effect type", markdown(metadata.get("effect_type", ""), 60)),
        ("Labels", _labels(metadata)),
        ("Description", markdown(metadata.get("short_description", ""), 200)),
    ]
    lines = [f"| {label} | {value} |" for label, value in rows if value]
    return "\n".join(["### Facts", "", "| | |", "| --- | --- |", *lines])


def _commit(decision: Decision) -> str:
    """The examined commit, with its page on the Hub: id and commit are of the forms that the Hub gives them."""
    if decision.repo_id is None or decision.revision is None:
        return ""
    return f"[{markdown_code(decision.revision)}]({HUB}/{decision.repo_id}/tree/{decision.revision})"


def _rate(metadata: Mapping[str, Any]) -> str:
    rate = number(metadata.get("sample_rate"))
    return "" if rate is None else f"{rate:,.10g} Hz"


def _channels(metadata: Mapping[str, Any]) -> str:
    multichannel = metadata.get("multichannel")
    if multichannel is True:
        return "mono and stereo, as they are"
    return "mono; stereo is summed" if multichannel is False else ""


def _speed(trial: Mapping[str, Any]) -> str:
    factor = number(trial.get("realtime_factor"))
    return "" if factor is None else speed_text(factor)


def _samples(trial: Mapping[str, Any]) -> str:
    samples = number(trial.get("minimum_samples"))
    return "" if samples is None else f"{samples:,.0f} sample{'' if samples == 1 else 's'}"


def _labels(metadata: Mapping[str, Any]) -> str:
    labels = metadata.get("labels")
    if not isinstance(labels, (list, tuple)):
        return ""
    more = f", and {len(labels) - 12:,} more" if len(labels) > 12 else ""
    return ", ".join(markdown(label, 40) for label in labels[:12]) + more


def number(value: Any) -> Optional[float]:
    """``value`` where it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)
