"""The result of a check as one immutable value that round-trips through report.json."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Dict, Mapping, Optional, Tuple

from audacitorch.findings import ERROR, HOSTS, SPEC, WARNING, CouldNotRun, Finding, Skipped
from audacitorch.version import TORCH_VERSION, __version__

SCHEMA_VERSION = 1

PASS = "pass"
FAIL = "fail"
#: Something kept us from deciding: never the author's fault, and never a pass.
UNKNOWN = "unknown"


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Target:
    """What was checked: a folder or a Hub repo, down to the bytes of its model.pt."""

    source: str
    id: Optional[str] = None
    revision: Optional[str] = None
    model_sha256: Optional[str] = None
    model_bytes: Optional[int] = None


@dataclass(frozen=True)
class Report:
    """Everything a check found. Verdicts are computed from the findings, in whatever order they came.

    ``hosts_wanted`` are the hosts that the overall verdict speaks for; every host has its own verdict all the same.
    ``trial``, ``metadata`` and ``archive`` are plain JSON values (None where there was nothing to describe).
    """

    target: Target
    findings: Tuple[Finding, ...] = ()
    skipped: Tuple[Skipped, ...] = ()
    could_not_run: Tuple[CouldNotRun, ...] = ()
    ignored: Tuple[str, ...] = ()
    hosts_wanted: Tuple[str, ...] = (SPEC,)
    strict: bool = False
    static: bool = False
    trial: Optional[Mapping[str, Any]] = None
    metadata: Optional[Mapping[str, Any]] = None
    archive: Optional[Mapping[str, Any]] = None
    tool: Mapping[str, Any] = field(
        default_factory=lambda: {"name": "audacitorch", "version": __version__, "torch": TORCH_VERSION}
    )

    def count(self, severity: str, host: Optional[str] = None) -> int:
        """How many findings have this severity, for one host or for any."""
        return sum(f.severity == severity and (host is None or host in f.hosts) for f in self.findings)

    def host_verdict(self, host: str) -> str:
        """``pass``, ``fail`` or ``unknown`` for one host."""
        blocking = (ERROR, WARNING) if self.strict else (ERROR,)
        if any(f.severity in blocking and host in f.hosts for f in self.findings):
            return FAIL
        return UNKNOWN if self.could_not_run else PASS

    @property
    def hosts(self) -> Dict[str, str]:
        """The verdict of every host."""
        return {host: self.host_verdict(host) for host in HOSTS}

    @property
    def verdict(self) -> str:
        """A pass when every wanted host passes."""
        verdicts = [self.host_verdict(host) for host in self.hosts_wanted]
        return FAIL if FAIL in verdicts else UNKNOWN if UNKNOWN in verdicts else PASS

    @property
    def exit_status(self) -> int:
        """0 compatible, 1 problems found, 3 the check could not be made."""
        return {PASS: 0, FAIL: 1, UNKNOWN: 3}[self.verdict]

    def to_json(self) -> Dict[str, Any]:
        """The report as plain JSON values, as report.schema.json describes them."""
        return {
            "schema_version": SCHEMA_VERSION,
            "tool": dict(self.tool),
            "target": asdict(self.target),
            "verdict": self.verdict,
            "hosts": self.hosts,
            "hosts_wanted": list(self.hosts_wanted),
            "strict": self.strict,
            "static": self.static,
            "findings": [_finding_to_json(f) for f in self.findings],
            "skipped": [asdict(s) for s in self.skipped],
            "could_not_run": [asdict(c) for c in self.could_not_run],
            "ignored": list(self.ignored),
            "trial": None if self.trial is None else dict(self.trial),
            "metadata": None if self.metadata is None else dict(self.metadata),
            "archive": None if self.archive is None else dict(self.archive),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Report:
        """The report that :meth:`to_json` wrote. Verdicts are computed again, never read.

        Raises:
            ValueError: the report was written by a later version of this tool.
            KeyError: a required field is missing.
        """
        if data["schema_version"] > SCHEMA_VERSION:
            raise ValueError(f"report has schema version {data['schema_version']}, this tool reads {SCHEMA_VERSION}")
        return cls(
            target=Target(**data["target"]),
            findings=tuple(Finding(**{**f, "hosts": tuple(f["hosts"])}) for f in data["findings"]),
            skipped=tuple(Skipped(**s) for s in data["skipped"]),
            could_not_run=tuple(CouldNotRun(**c) for c in data["could_not_run"]),
            ignored=tuple(data["ignored"]),
            hosts_wanted=tuple(data["hosts_wanted"]),
            strict=data["strict"],
            static=data["static"],
            trial=data["trial"],
            metadata=data["metadata"],
            archive=data["archive"],
            tool=data["tool"],
        )


def _finding_to_json(finding: Finding) -> Dict[str, Any]:
    return {**vars(finding), "hosts": list(finding.hosts), "details": dict(finding.details)}
