"""The result of a check as one immutable value that round-trips through report.json."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Sequence, Tuple, Type

from audacitorch.findings import BECAUSE_OF, ERROR, SEVERITIES, WARNING, CouldNotRun, Finding, Skipped
from audacitorch.hosts import DEFAULT_HOST, HOSTS, TORCH_VERSION, Host, host_named
from audacitorch.report.facts_json import ERROR_LIMIT, OPERATOR_LIMIT, plain
from audacitorch.version import __version__

if TYPE_CHECKING:
    from audacitorch.hear.listening import Heard

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
    ``date`` is when the check was made, in UTC: ``2026-01-31T12:00:00Z``.
    """

    target: Target
    findings: Tuple[Finding, ...] = ()
    skipped: Tuple[Skipped, ...] = ()
    could_not_run: Tuple[CouldNotRun, ...] = ()
    ignored: Tuple[str, ...] = ()
    hosts_wanted: Tuple[Host, ...] = (DEFAULT_HOST,)
    strict: bool = False
    static: bool = False
    trial: Optional[Mapping[str, Any]] = None
    metadata: Optional[Mapping[str, Any]] = None
    archive: Optional[Mapping[str, Any]] = None
    date: str = ""
    tool: Mapping[str, Any] = field(
        default_factory=lambda: {"name": "audacitorch", "version": __version__, "torch": TORCH_VERSION}
    )

    #: What a page shows beside the facts, and report.json does not hold: sounds, and the lines that findings name.
    heard: Tuple[Heard, ...] = field(default=(), repr=False, compare=False)
    excerpts: Mapping[Tuple[str, int], str] = field(default_factory=dict, repr=False, compare=False)

    def count(self, severity: str, host: Optional[Host] = None) -> int:
        """How many findings have this severity, for one host or for any."""
        return sum(f.severity == severity and (host is None or host in f.hosts) for f in self.findings)

    def blocks(self, finding: Finding, host: Host) -> bool:
        """Whether this finding keeps the model from passing on ``host``; a strict check counts warnings too."""
        return host in finding.hosts and (finding.severity == ERROR or (self.strict and finding.severity == WARNING))

    @property
    def findings_in_order(self) -> Tuple[Finding, ...]:
        """The findings as people should meet them.

        First come those that block a wanted host; then the severest, those for most hosts, causes before what comes
        of them, and last by place.
        """
        causes = {finding.details.get(BECAUSE_OF) for finding in self.findings}

        def order(finding: Finding) -> Tuple[Any, ...]:
            blocks = any(self.blocks(finding, host) for host in self.hosts_wanted)
            severity, *place = finding.sort_key
            return (not blocks, severity, -len(finding.hosts), finding.rule not in causes, *place)

        return tuple(sorted(self.findings, key=order))

    def host_verdict(self, host: Host) -> str:
        """``pass``, ``fail`` or ``unknown`` for one host."""
        if any(self.blocks(finding, host) for finding in self.findings):
            return FAIL
        return UNKNOWN if self.could_not_run else PASS

    @property
    def hosts(self) -> Dict[Host, str]:
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
            "tool": plain(self.tool),
            "date": self.date,
            "target": asdict(self.target),
            "verdict": self.verdict,
            "hosts": {host.name: verdict for host, verdict in self.hosts.items()},
            "hosts_wanted": [host.name for host in self.hosts_wanted],
            "strict": self.strict,
            "static": self.static,
            "findings": [_finding_to_json(f) for f in self.findings],
            "skipped": [asdict(s) for s in self.skipped],
            "could_not_run": [asdict(c) for c in self.could_not_run],
            "ignored": list(self.ignored),
            "trial": _facts_to_json(self.trial),
            "metadata": _facts_to_json(self.metadata),
            "archive": _facts_to_json(self.archive),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Report:
        """The report that :meth:`to_json` wrote. Verdicts are computed again, unknown fields passed over.

        Raises:
            ValueError: the report was written by a later version of this tool, or holds an unknown severity or host.
            KeyError: a required field is missing.
        """
        if data["schema_version"] > SCHEMA_VERSION:
            raise ValueError(f"report has schema version {data['schema_version']}, this tool reads {SCHEMA_VERSION}")
        return cls(
            target=Target(**_known(Target, data["target"])),
            findings=tuple(_finding_from_json(f) for f in data["findings"]),
            skipped=tuple(Skipped(**_known(Skipped, s)) for s in data["skipped"]),
            could_not_run=tuple(CouldNotRun(**_known(CouldNotRun, c)) for c in data["could_not_run"]),
            ignored=tuple(data["ignored"]),
            hosts_wanted=_hosts_from_json(data["hosts_wanted"]),
            strict=data["strict"],
            static=data["static"],
            trial=data["trial"],
            metadata=data["metadata"],
            archive=data["archive"],
            date=str(data.get("date", "")),
            tool=data["tool"],
        )


def _known(kind: Type[Any], data: Mapping[str, Any]) -> Dict[str, Any]:
    names = {known.name for known in fields(kind)}
    return {name: value for name, value in data.items() if name in names}


def _facts_to_json(facts: Optional[Mapping[str, Any]]) -> Optional[Dict[str, Any]]:
    shown: Optional[Dict[str, Any]] = plain(facts, text_limit=ERROR_LIMIT, item_limit=OPERATOR_LIMIT, depth=10)
    return shown


def _finding_to_json(finding: Finding) -> Dict[str, Any]:
    named = {**vars(finding), "hosts": [host.name for host in finding.hosts]}
    shown: Dict[str, Any] = plain(named, text_limit=ERROR_LIMIT, depth=8)
    return shown


def _hosts_from_json(names: Sequence[str]) -> Tuple[Host, ...]:
    return tuple(host_named(name) for name in names)


def _finding_from_json(data: Mapping[str, Any]) -> Finding:
    finding = Finding(**{**_known(Finding, data), "hosts": _hosts_from_json(data["hosts"])})
    if finding.severity not in SEVERITIES:
        raise ValueError(f"report holds the unknown severity {finding.severity!r}")
    return finding
