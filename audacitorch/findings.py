"""What a check has to say: hosts, severities, problems that rules return, findings that reports show."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Mapping, Optional, Tuple, Union

SPEC = "spec"
ALPHA = "audacity-3.2-alpha"
HOSTS = (SPEC, ALPHA)

ERROR = "error"
WARNING = "warning"
NOTE = "note"
#: Not a problem on this host: a rule may speak for one host alone.
FINE = "fine"
SEVERITIES = (ERROR, WARNING, NOTE)

#: One severity for every host, or one each.
Severity = Union[str, Mapping[str, str]]


@dataclass(frozen=True)
class Problem:
    """What a rule found. The rule's own severity and hint hold unless the problem brings its own."""

    message: str
    file: Optional[str] = None
    line: Optional[int] = None
    hint: Optional[str] = None
    severity: Optional[Severity] = None
    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Finding:
    """A problem as the report shows it: one severity, and the hosts for which it holds."""

    rule: str
    severity: str
    hosts: Tuple[str, ...]
    message: str
    hint: str = ""
    file: Optional[str] = None
    line: Optional[int] = None
    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def sort_key(self) -> Tuple[int, str, str, int, str, Tuple[str, ...], str]:
        """Severest first, then by place; the same list whatever order the rules ran in."""
        place = (self.file or "", self.rule, self.line or 0)
        return (SEVERITIES.index(self.severity), *place, self.message, self.hosts, self.hint)


@dataclass(frozen=True)
class Skipped:
    """A rule that did not apply to this target, and why."""

    rule: str
    reason: str


@dataclass(frozen=True)
class CouldNotRun:
    """A rule that raised: our fault, never the author's, and never a pass."""

    rule: str
    error: str


def severity_by_host(severity: Severity) -> Mapping[str, str]:
    """``severity`` spelt out for each host; a host that a mapping leaves out is fine with it."""
    if isinstance(severity, str):
        return dict.fromkeys(HOSTS, severity)
    return {host: severity.get(host, FINE) for host in HOSTS}
