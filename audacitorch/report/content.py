"""What a report tells a human, whatever the page: the first line, what to heed, and the findings in groups.

Everything here is text as it came, hostile or not: a renderer escapes it in its own way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, List, Sequence, Tuple

from audacitorch.findings import ALPHA, ERROR, HOSTS, SEVERITIES, SPEC, WARNING, Finding
from audacitorch.report.escape import shorten
from audacitorch.report.model import FAIL, PASS, UNKNOWN, Report

HOST_NAMES = {SPEC: "Audacity's first builds (spec)", ALPHA: "the 3.2 alphas (audacity-3.2-alpha)"}
MENUS = {
    "waveform-to-waveform": 'the Effect menu, under "Deep Learning Effect"',
    "waveform-to-labels": 'the Analyze menu, under "Deep Learning Analyzer"',
}
#: How a trial ends in which no forward pass was tried.
NOT_RUN = ("refused", "skipped")
SECTION_TITLES = {"error": "Errors", "warning": "Warnings", "note": "Notes"}

_LONGEST_NAME = 200
_LINE_BREAK = re.compile(r"[\r\n]+")


@dataclass(frozen=True)
class Group:
    """Findings of one rule that weigh the same, for the same hosts; ``hint`` is the one they share."""

    rule: str
    severity: str
    hosts: Tuple[str, ...]
    findings: Tuple[Finding, ...]

    @property
    def hint(self) -> str:
        hints = {finding.hint for finding in self.findings}
        return hints.pop() if len(hints) == 1 else ""

    @property
    def only_for(self) -> str:
        """The hosts for whom it speaks, where not for all."""
        return "" if set(self.hosts) >= set(HOSTS) else ", ".join(self.hosts)


def was_run(report: Report) -> bool:
    """Whether the model was loaded at all."""
    return not report.static and report.trial is not None and report.trial.get("ended") not in NOT_RUN


def name(report: Report) -> str:
    """What the report calls its target."""
    return shorten(report.target.id or "this model", _LONGEST_NAME)


def headline(report: Report) -> str:
    """One sentence for anybody: the verdict, and the hosts that run the model."""
    said = {
        verdict: [host for host, found in report.hosts.items() if found == verdict] for verdict in (PASS, FAIL, UNKNOWN)
    }
    broken = [host for host in said[FAIL] if report.count(ERROR, host)]
    refused = [host for host in said[FAIL] if host not in broken]
    clauses = []
    if said[PASS] and was_run(report):
        clauses.append(f"runs in {_hosts(report, said[PASS], ' and in ')}")
    elif said[PASS]:
        clauses.append(f"was not run, and shows nothing that would keep it from {_hosts(report, said[PASS], ' or ')}")
    if refused:
        clauses.append(f"has warnings, which a strict check refuses, for {_hosts(report, refused, ' and ')}")
    if broken:
        clauses.append(f"does not run in {_hosts(report, broken, ' nor in ')}")
    if said[UNKNOWN]:
        clauses.append(f"could not be checked for {_hosts(report, said[UNKNOWN], ' and ')}")
    return f"{report.verdict.upper()}: {name(report)} {', but '.join(clauses)}."


def _hosts(report: Report, hosts: Sequence[str], between: str) -> str:
    return between.join(HOST_NAMES[host] + _aside(report, host) for host in hosts)


def _aside(report: Report, host: str) -> str:
    """What labelers need to be told about a host: class probabilities and class indices are read by one each."""
    errors = [f.rule for f in report.findings if f.severity == ERROR and host in f.hosts]
    warnings = [f.rule for f in report.findings if f.severity == WARNING and host in f.hosts]
    if host == ALPHA and set(errors) == {"label-format"}:
        return ", which its class probabilities end"
    if host == SPEC and "label-format" in warnings and not errors:
        return ", where it always shows the first label,"
    return ""


def menu(report: Report) -> str:
    """Where Audacity lists the model; empty where its metadata doesn't say."""
    effect_type = (report.metadata or {}).get("effect_type")
    shown = MENUS.get(effect_type) if isinstance(effect_type, str) else None
    return f"Audacity lists it in {shown}." if shown else ""


def notices(report: Report) -> List[str]:
    """What the reader of this verdict must know about how it came about."""
    said = []
    if report.could_not_run:
        said.append("Some of the check could not be made. That is our fault or this machine's, not the author's.")
    if report.static:
        said.append("This was a static check: the model was not run, and may still fail when it is.")
    elif not was_run(report):
        reason = str((report.trial or {}).get("reason") or "")
        said.append(f"The model was not run: {reason}." if reason else "The model was not run.")
    if report.strict:
        said.append("The check was strict: warnings count as errors.")
    if report.ignored:
        said.append(f"Ignored, as asked: {', '.join(report.ignored)}.")
    if report.hosts_wanted != (SPEC,) and report.hosts_wanted:
        said.append(f"The verdict is for {' and '.join(report.hosts_wanted)}.")
    return said


def counts(report: Report) -> str:
    """How many of which: "2 errors, 1 note", or that there is nothing to mend."""
    found = [(report.count(severity), severity) for severity in SEVERITIES]
    said = [f"{number:,} {severity}{'s' if number != 1 else ''}" for number, severity in found if number]
    return ", ".join(said) or "nothing to mend"


def level(report: Report, finding: Finding) -> str:
    """How much a finding weighs for the hosts that were asked for: an error for another host alone is a warning."""
    if any(report.blocks(finding, host) for host in report.hosts_wanted):
        return ERROR
    return WARNING if finding.severity == ERROR else finding.severity


def groups(report: Report) -> List[Group]:
    """The findings in order, gathered by rule, severity and hosts."""
    gathered: Dict[Tuple[str, str, Tuple[str, ...]], List[Finding]] = {}
    for finding in report.findings_in_order:
        gathered.setdefault((finding.rule, finding.severity, finding.hosts), []).append(finding)
    return [Group(*key, tuple(findings)) for key, findings in gathered.items()]


def sections(report: Report) -> List[Tuple[str, List[Group]]]:
    """Groups by severity, the severest first; severities that nothing has are left out."""
    found = groups(report)
    return [(s, [g for g in found if g.severity == s]) for s in SEVERITIES if any(g.severity == s for g in found)]


def place(finding: Finding) -> str:
    """``file:line``, as editors and terminals make links of it."""
    return ":".join(str(part) for part in (finding.file, finding.line) if part)


def first_line(finding: Finding) -> str:
    """The message's first line."""
    return _LINE_BREAK.split(finding.message.strip("\r\n"), maxsplit=1)[0]


def evidence(report: Report, finding: Finding) -> str:
    """What stands behind a finding and is not in its first line: the whole error, or the process's last words."""
    _, *rest = _LINE_BREAK.split(finding.message.strip("\r\n"), maxsplit=1)
    candidates = [finding.details.get("error"), *rest]
    if finding.rule == "aborts-host":
        trial = report.trial or {}
        candidates += [trial.get("hidden_error"), finding.details.get("native_message"), trial.get("native_message")]
    first = first_line(finding)
    told = (text.strip() for text in candidates if isinstance(text, str))
    return next((text for text in told if text and text not in first), "")


def reasons_skipped(report: Report) -> List[Tuple[str, Tuple[str, ...]]]:
    """Why rules did not apply, each reason once, with the rules."""
    by_reason: Dict[str, List[str]] = {}
    for skipped in sorted(report.skipped, key=lambda s: (s.reason, s.rule)):
        by_reason.setdefault(skipped.reason, []).append(skipped.rule)
    return [(reason, tuple(rules)) for reason, rules in by_reason.items()]
