"""The result of a check as one immutable value that round-trips through report.json."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple

from audacitorch.facts import decode
from audacitorch.findings import BECAUSE_OF, ERROR, WARNING, CouldNotRun, Finding, Skipped
from audacitorch.hosts import DEFAULT_HOST, HOSTS, TORCH_VERSION, Host
from audacitorch.report import jsonfile
from audacitorch.version import __version__

if TYPE_CHECKING:
    from audacitorch.facts import Archive, Metadata
    from audacitorch.hear.listening import Heard
    from audacitorch.trial.observations import Trial

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
    ``trial``, ``metadata`` and ``archive`` are the facts that were judged (None where there was nothing to judge);
    of an archive its :meth:`~audacitorch.facts.Archive.summary`.
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
    trial: Optional[Trial] = None
    metadata: Optional[Metadata] = None
    archive: Optional[Archive] = None
    date: str = ""
    tool: Mapping[str, Any] = field(
        default_factory=lambda: {"name": "audacitorch", "version": __version__, "torch": TORCH_VERSION}
    )

    #: What a page shows beside the facts, and report.json does not hold: sounds, and the lines that findings name.
    heard: Tuple[Heard, ...] = field(default=(), repr=False, compare=False)
    excerpts: Mapping[Tuple[str, int], str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def fields(self) -> Mapping[str, Any]:
        """The fields of metadata.json, as they are written; none where it could not be read."""
        return _empty() if self.metadata is None else self.metadata.fields

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
            "tool": jsonfile.plain(self.tool),
            "date": self.date,
            "target": asdict(self.target),
            "verdict": self.verdict,
            "hosts": {host.name: verdict for host, verdict in self.hosts.items()},
            "hosts_wanted": [host.name for host in self.hosts_wanted],
            "strict": self.strict,
            "static": self.static,
            "findings": [jsonfile.finding_to_json(finding) for finding in self.findings],
            "skipped": [asdict(skipped) for skipped in self.skipped],
            "could_not_run": [asdict(failed) for failed in self.could_not_run],
            "ignored": list(self.ignored),
            "trial": None if self.trial is None else jsonfile.trial_to_json(self.trial),
            "metadata": None if self.metadata is None else jsonfile.metadata_to_json(self.metadata),
            "archive": None if self.archive is None else jsonfile.archive_to_json(self.archive),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Report:
        """The report that :meth:`to_json` wrote, not held against the schema: unknown fields are ignored.

        Verdicts are computed again.

        Raises:
            ValueError: the report was written by a later version of this tool, holds an unknown severity or host, or a
                field has another type than it should.
            KeyError: a required field is missing.
        """
        if data["schema_version"] > SCHEMA_VERSION:
            raise ValueError(f"report has schema version {data['schema_version']}, this tool reads {SCHEMA_VERSION}")
        trial, archive = data["trial"], data["archive"]
        return cls(
            target=_read(Target, data, "target"),
            findings=tuple(jsonfile.finding_from_json(finding) for finding in data["findings"]),
            skipped=_read(Tuple[Skipped, ...], data, "skipped"),
            could_not_run=_read(Tuple[CouldNotRun, ...], data, "could_not_run"),
            ignored=_read(Tuple[str, ...], data, "ignored"),
            hosts_wanted=jsonfile.hosts_from_json(data["hosts_wanted"]),
            strict=_read(bool, data, "strict"),
            static=_read(bool, data, "static"),
            trial=None if trial is None else jsonfile.trial_from_json(trial),
            metadata=None if data["metadata"] is None else jsonfile.metadata_from_json(data["metadata"]),
            archive=None if archive is None else jsonfile.archive_from_json(archive),
            date=str(data.get("date", "")),
            tool=_read(Mapping[str, Any], data, "tool"),
        )

    @classmethod
    def validated(cls, data: Any) -> Report:
        """The report in ``data``, which may come from anybody: it is held against the schema first.

        Raises:
            ValueError: it is not a report that this version reads.
        """
        try:
            return cls.from_json(jsonfile.validated(data))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a report of audacitorch: {error}") from error

    @classmethod
    def load(cls, text: str) -> Report:
        """The report in the text of a report.json, which may come from anybody.

        Raises:
            ValueError: ``text`` is not JSON, or not a report that this version reads.
        """
        try:
            return cls.validated(json.loads(text))
        except RecursionError as error:
            raise ValueError("the JSON is nested too deep") from error


def _read(kind: Any, data: Mapping[str, Any], name: str) -> Any:
    return decode(kind, data[name], name, lenient=True)
