"""A record: what the registry knows of one model repo, as one small JSON file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from audacitorch.facts import METADATA, MODEL
from audacitorch.findings import ERROR, CouldNotRun, Finding
from audacitorch.hosts import HOSTS, LIST_HOST, MENUS, Host
from audacitorch.registry import rounded, timestamp
from audacitorch.registry.record_schema import (
    COMPATIBLE,
    GONE,
    INCOMPATIBLE,
    NOT_A_MODEL,
    PARTLY,
    SCHEMA_VERSION,
    STATUSES,
    UNREACHABLE,
    UNTESTED,
    compatible_with,
    require_record,
)
from audacitorch.report.model import FAIL, PASS, UNKNOWN
from audacitorch.version import __version__

#: Events that a record remembers; the oldest are forgotten.
MOST_EVENTS = 50
#: Findings of one rule that a record keeps; an archive can be full of them.
MOST_ALIKE = 50


@dataclass(frozen=True)
class ModelRecord:
    """One repo. ``key`` is the Hub's own for it and outlives a change of name; dates are UTC.

    ``files`` have ``size``, ``git_sha1`` and, in LFS storage, ``sha256``; None where only the name is known.
    ``static`` and ``trial`` have ``tool``, ``date``, ``findings`` and ``could_not_run``; a trial also ``content``,
    ``hosts``, ``revision`` and how the run ended.
    """

    id: str
    key: str
    revision: Optional[str]
    status: str = UNTESTED
    reason: str = ""
    first_seen: str = ""
    last_changed: str = ""
    gated: bool = False
    disabled: bool = False
    licence: Optional[str] = None
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    metadata: Optional[Mapping[str, Any]] = None
    archive: Optional[Mapping[str, Any]] = None
    static: Optional[Mapping[str, Any]] = None
    trial: Optional[Mapping[str, Any]] = None
    previous_ids: Tuple[str, ...] = ()
    history: Tuple[Mapping[str, Any], ...] = ()
    #: Fields that people added to the file: kept as they are.
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def content(self) -> Optional[Dict[str, str]]:
        """The hashes of the two files that decide how a model behaves; None where one of them is not known."""
        hashes = {}
        for name, key in ((MODEL, "model"), (METADATA, "metadata")):
            known = self.files.get(name) or {}
            digest = known.get("sha256") or known.get("git_sha1")
            if not digest:
                return None
            hashes[key] = digest
        return hashes

    @property
    def effect_type(self) -> Optional[str]:
        """What metadata.json says, where Audacity knows it."""
        value = (self.metadata or {}).get("effect_type")
        return value if isinstance(value, str) and value in MENUS else None

    @property
    def hosts(self) -> Dict[Host, str]:
        """Every host's verdict, from static findings and those of a trial of this content."""
        return {host: self._verdict(host) for host in HOSTS}

    def _verdict(self, host: Host) -> str:
        if blocking(self.findings, host):
            return FAIL
        trial = self.current_trial
        undecided = trial is None or self.static is None or trial["could_not_run"]
        return UNKNOWN if undecided else PASS

    @property
    def findings(self) -> List[Mapping[str, Any]]:
        """Static findings and, where the content is the one that was tried, the trial's."""
        parts = [part for part in (self.static, self.current_trial) if part]
        return [finding for part in parts for finding in part["findings"]]

    @property
    def current_trial(self) -> Optional[Mapping[str, Any]]:
        """The trial, where it was one of the files that are there now."""
        if self.trial is None or self.content is None or self.trial.get("content") != self.content:
            return None
        return self.trial

    @property
    def judged_status(self) -> str:
        """The status that files and findings give a repo which is there and can be read."""
        if MODEL not in self.files or METADATA not in self.files:
            return NOT_A_MODEL
        verdicts = set(self.hosts.values())
        return COMPATIBLE if PASS in verdicts else INCOMPATIBLE if verdicts == {FAIL} else UNTESTED

    @property
    def status_text(self) -> str:
        """The status as people read it: one that depends on the host names the hosts."""
        if self.status != COMPATIBLE:
            return self.status
        return compatible_with([host.title for host, verdict in self.hosts.items() if verdict == PASS], len(HOSTS))

    @property
    def mark(self) -> str:
        """The status as pages mark it: green is for every host only."""
        partly = self.status == COMPATIBLE and set(self.hosts.values()) != {PASS}
        return PARTLY if partly else STATUSES[self.status].mark

    @property
    def settled(self) -> bool:
        """Whether nothing more can be learnt from the Hub while it lists this revision."""
        if self.gated or self.disabled:
            return True
        return bool(self.revision and self.status not in (UNREACHABLE, GONE) and self.static_holds)

    @property
    def static_holds(self) -> bool:
        """Whether this version of the tool made the static findings, and could make all of them."""
        return self.static is not None and self.static["tool"] == __version__ and not self.static["could_not_run"]

    def judged(self) -> ModelRecord:
        """This record with the status and the reason that its findings give."""
        status = self.judged_status
        return replace(self, status=status, reason=self._reason(status))

    def _reason(self, status: str) -> str:
        if status == NOT_A_MODEL:
            missing = [name for name in (MODEL, METADATA) if name not in self.files]
            return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        if status != INCOMPATIBLE:
            return ""
        first = blocking(self.findings, LIST_HOST)[0]
        return reason_of(first)

    def to_json(self) -> Dict[str, Any]:
        """The record as record.schema.json describes it."""
        return {
            **self.extra,
            "schema_version": SCHEMA_VERSION,
            **{name: _plain(getattr(self, name)) for name in _STORED},
            "effect_type": self.effect_type,
            "menu": None if self.effect_type is None else str(MENUS[self.effect_type]),
            "hosts": {host.name: verdict for host, verdict in self.hosts.items()},
        }

    @classmethod
    def from_json(cls, data: Any) -> ModelRecord:
        """The record that :meth:`to_json` wrote; what is derived is derived again.

        Raises:
            NotARecord: this is not a record; LaterSchema: it is one of a later version.
        """
        require_record(data)
        stored = {name: data[name] for name in _STORED}
        lists = {name: tuple(data[name]) for name in ("previous_ids", "history")}
        extra = {name: value for name, value in data.items() if name not in _STORED and name not in _DERIVED}
        return cls(**{**stored, **lists, "extra": extra})


_STORED = [known.name for known in fields(ModelRecord) if known.name != "extra"]
_DERIVED = ("schema_version", "effect_type", "menu", "hosts")


def blocking(findings: List[Mapping[str, Any]], host: Host) -> List[Mapping[str, Any]]:
    """The findings that keep a model from running on ``host``."""
    return [finding for finding in findings if finding["severity"] == ERROR and host.name in finding["hosts"]]


def reason_of(finding: Mapping[str, Any]) -> str:
    """A finding in one line."""
    return f"{finding['rule']}: {finding['message']}".partition("\n")[0]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def judgement(findings: Iterable[Finding], could_not_run: Iterable[CouldNotRun], moment: datetime) -> Dict[str, Any]:
    """Findings as a record keeps them, with who found them and when."""
    return {"tool": __version__, "date": timestamp(moment), **kept_findings(findings, could_not_run)}


def kept_findings(findings: Iterable[Finding], could_not_run: Iterable[CouldNotRun]) -> Dict[str, Any]:
    """Findings as JSON, in order and without too many that are alike."""
    from audacitorch.report.jsonfile import TEXT_LIMIT
    from audacitorch.report.model import Report, Target
    from audacitorch.safetext import shorten

    kept: List[Finding] = []
    alike: Counter[Tuple[str, str, Tuple[Any, ...]]] = Counter()
    for finding in sorted(findings, key=lambda finding: finding.sort_key):
        kind = (finding.rule, finding.severity, finding.hosts)
        alike[kind] += 1
        if alike[kind] <= MOST_ALIKE:
            kept.append(replace(finding, message=shorten(finding.message, TEXT_LIMIT)))
    report = Report(Target("hub"), findings=tuple(kept), could_not_run=tuple(could_not_run)).to_json()
    return {
        "findings": rounded(report["findings"]),
        "left_out": sum(alike.values()) - len(kept),
        "could_not_run": rounded(report["could_not_run"]),
    }
