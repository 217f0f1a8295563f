"""What a fixture is made of: metadata.json, README.md and model.pt, all good but for the one thing that is not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Dict, Optional, Tuple, Union

from audacitorch.findings import ERROR, NOTE, WARNING
from audacitorch.hosts import ALPHA, HOSTS, SPEC, Host

EFFECT_FIELDS: Dict[str, Any] = {
    "sample_rate": 44100,
    "domains": ["music"],
    "domain_tags": ["music"],
    "short_description": "Makes it better.",
    "long_description": "Makes it better, and tells nobody how.",
    "tags": ["test"],
    "labels": ["better"],
    "effect_type": "waveform-to-waveform",
    "multichannel": False,
}
LABELER_FIELDS = {**EFFECT_FIELDS, "effect_type": "waveform-to-labels", "labels": ["cat", "dog"]}
README = b"---\ntags: audacity\n---\n"
#: Stands for a field that is taken away.
GONE = object()

#: Writes model.pt's bytes; None where there is none.
Model = Callable[[], bytes]


@dataclass(frozen=True)
class Expected:
    """A finding that a check must make: no other may come beside those that are named."""

    rule: str
    severity: str
    message: str
    hosts: Tuple[Host, ...] = HOSTS

    def to_json(self) -> Dict[str, Any]:
        return {
            "rule": self.rule,
            "severity": self.severity,
            "hosts": [host.name for host in self.hosts],
            "message": self.message,
        }


error = partial(Expected, severity=ERROR)
warning = partial(Expected, severity=WARNING)
note = partial(Expected, severity=NOTE)
for_spec = {"hosts": (SPEC,)}
for_alphas = {"hosts": (ALPHA,)}

#: Every labeler is wrong for one of the hosts, by no defect of its own.
PROBABILITIES = error("label-format", message="class probabilities", **for_alphas)
INDICES = warning("label-format", message="class indices", **for_spec)


@dataclass(frozen=True)
class Fixture:
    """A folder of tests/repos. ``runs`` where the model must run for the defect to show."""

    name: str
    expected: Tuple[Expected, ...]
    metadata: Optional[bytes]
    model: Union[Model, str, None] = None
    readme: Optional[bytes] = README
    runs: bool = False
    lfs: bool = True
    timeout: Optional[float] = None
    memory: Optional[int] = None

    def expect(self) -> Dict[str, Any]:
        """What ``expect.json`` holds."""
        options = {"static": not self.runs, "timeout_seconds": self.timeout, "memory_bytes": self.memory}
        return {
            **{key: value for key, value in options.items() if value is not None},
            "lfs": self.lfs,
            "findings": [expected.to_json() for expected in self.expected],
        }


def card(base: Dict[str, Any] = EFFECT_FIELDS, **changes: Any) -> bytes:
    """metadata.json with some fields changed, or GONE."""
    fields = {key: value for key, value in {**base, **changes}.items() if value is not GONE}
    return (json.dumps(fields, indent=2, ensure_ascii=False) + "\n").encode()
