"""What a check has to say: severities, problems that rules return, findings that reports show."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Mapping, Optional, Tuple, Union

from audacitorch.hosts import HOSTS, Host

ERROR = "error"
WARNING = "warning"
NOTE = "note"
#: A finding's detail that names the rule which found the cause; reports show the finding below that one.
BECAUSE_OF = "because_of"
#: Not a problem on this host. A rule that speaks for some hosts says so of the others.
FINE = "fine"
SEVERITIES = (ERROR, WARNING, NOTE)

#: One severity for every host, or one each; a mapping names every host.
Severity = Union[str, Mapping[Host, str]]


@dataclass(frozen=True)
class Origin:
    """A line of the author's own source code, from before the export; ``code`` is its text where that is known."""

    file: str
    line: int
    code: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" + (f": `{self.code}`" if self.code else "")


@dataclass(frozen=True)
class Problem:
    """What a rule found. The rule's own severity and hint hold unless the problem brings its own."""

    message: str
    file: Optional[str] = None
    line: Optional[int] = None
    hint: Optional[str] = None
    severity: Optional[Severity] = None
    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    origin: Optional[Origin] = None

    def __post_init__(self) -> None:
        if self.severity is not None:
            severity_by_host(self.severity)


@dataclass(frozen=True)
class Finding:
    """A problem as the report shows it: one severity, and the hosts for which it holds."""

    rule: str
    severity: str
    hosts: Tuple[Host, ...]
    message: str
    hint: str = ""
    file: Optional[str] = None
    line: Optional[int] = None
    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    origin: Optional[Origin] = None

    @property
    def sort_key(self) -> Tuple[int, str, str, int, str, Tuple[str, ...], str]:
        """Severest first, then by place; the same list whatever order the rules ran in."""
        place = (self.file or "", self.rule, self.line or 0)
        return (SEVERITIES.index(self.severity), *place, self.message, tuple(map(str, self.hosts)), self.hint)


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


def severity_by_host(severity: Severity) -> Mapping[Host, str]:
    """``severity`` spelled out for each host.

    Raises:
        ValueError: a mapping leaves a host out or names an unknown one, or a severity is unknown.
    """
    if isinstance(severity, str):
        severity = dict.fromkeys(HOSTS, severity)
    silent = [str(host) for host in HOSTS if host not in severity]
    if silent:
        raise ValueError(f"the severity says nothing about {', '.join(silent)}; FINE is named like any other")
    wrong = [str(host) for host in severity if host not in HOSTS]
    if wrong:
        raise ValueError(f"the severity names {', '.join(wrong)}, which is not one of the hosts")
    unknown = set(severity.values()) - {*SEVERITIES, FINE}
    if unknown:
        raise ValueError(f"the severity {unknown.pop()!r} is unknown")
    return {host: severity[host] for host in HOSTS}
