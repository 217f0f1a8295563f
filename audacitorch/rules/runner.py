"""Running rules: in order of what waits for what, surviving each of them, skipping what can't be decided."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import BinaryIO, Dict, Iterable, Iterator, List, Mapping, Optional, Set

from audacitorch.facts import Facts, Unavailable
from audacitorch.findings import ERROR, FINE, CouldNotRun, Finding, Problem, Severity, Skipped, severity_by_host
from audacitorch.hosts import Host
from audacitorch.rules import NotApplicable, Rule, all_rules

#: Calls of which the author's line is looked up; a newer export may have thousands.
_MOST_ORIGINS = 200
#: What these rules find says that the archive's own words about itself can't be trusted.
_UNTRUSTED = ("unsafe-archive", "unusual-code", "not-torchscript")


@dataclass
class Outcome:
    """What the rules said so far: may be added to in several runs over facts that become more."""

    findings: List[Finding] = field(default_factory=list)
    skipped: List[Skipped] = field(default_factory=list)
    could_not_run: List[CouldNotRun] = field(default_factory=list)

    def has_error(self, rule: str) -> bool:
        """Whether a rule found an error, for any host."""
        return any(finding.rule == rule and finding.severity == ERROR for finding in self.findings)

    def undecided(self) -> Set[str]:
        """The rules that did not get to decide because they could not run."""
        return {failure.rule for failure in self.could_not_run}


def run_static_rules(facts: Facts, outcome: Outcome) -> None:
    """Run the rules that need no trial, for whoever has gathered a model's files as facts: a check, the registry."""
    run_rules([rule for rule in all_rules().values() if rule.static], facts, outcome)


def run_rules(rules: Iterable[Rule], facts: Facts, outcome: Outcome) -> None:
    """Run rules over facts, adding to ``outcome``; ``rules`` name those that they wait for before themselves."""
    for rule in rules:
        reason = _reason_to_skip(rule, facts, outcome)
        if reason is not None:
            outcome.skipped.append(Skipped(rule.name, reason))
            continue
        try:
            problems = list(rule.check(**{need: getattr(facts, need) for need in rule.needs}))
            findings = [finding for problem in problems for finding in _findings(rule, problem)]
        except NotApplicable as reason_of_its_own:
            outcome.skipped.append(Skipped(rule.name, str(reason_of_its_own)))
        except Exception as error:  # one rule's bug must not lose the others' findings
            outcome.could_not_run.append(CouldNotRun(rule.name, f"{type(error).__name__}: {error}"))
        else:
            outcome.findings.extend(findings)


def _reason_to_skip(rule: Rule, facts: Facts, outcome: Outcome) -> Optional[str]:
    for need in rule.needs:
        fact = getattr(facts, need)
        if isinstance(fact, Unavailable):
            return fact.reason
    for earlier in rule.after:
        if outcome.has_error(earlier):
            return f"{earlier} must pass first"
        if earlier in outcome.undecided():
            return f"{earlier} could not run"
    return None


def _findings(rule: Rule, problem: Problem) -> Iterator[Finding]:
    """A problem as findings: one for each severity that it has on some host."""
    for severity, hosts in _hosts_by_severity(problem.severity, rule.severity).items():
        yield Finding(
            rule=rule.name,
            severity=severity,
            hosts=tuple(hosts),
            message=problem.message,
            hint=rule.hint if problem.hint is None else problem.hint,
            file=problem.file,
            line=problem.line,
            details=dict(problem.details),
            origin=problem.origin,
        )


def _hosts_by_severity(own: Optional[Severity], default: Mapping[Host, str]) -> Dict[str, List[Host]]:
    by_host = default if own is None else severity_by_host(own)
    grouped: Dict[str, List[Host]] = {}
    for host, severity in by_host.items():
        if severity != FINE:
            grouped.setdefault(severity, []).append(host)
    return grouped


def with_origins(findings: List[Finding], model: BinaryIO, size: int) -> List[Finding]:
    """The findings, those about a line of the archive's code with the author's own line, where the archive knows it.

    ``model`` is model.pt, a file of ``size`` bytes.

    Raises:
        OSError: it can't be read.
    """
    found = [_told(finding) if finding.origin else finding for finding in findings]
    if any(finding.rule in _UNTRUSTED for finding in findings):
        return found
    asked = [index for index, finding in enumerate(found) if finding.details.get("member") and not finding.origin]
    if asked:
        from audacitorch.archive.origins import Origins

        origins = Origins(model, size)
        for number, index in enumerate(asked):
            details = found[index].details
            place = details["member"], details["member_line"], str(details.get("operator", ""))
            origin = origins.of(*place) if number < _MOST_ORIGINS else None
            found[index] = _told(replace(found[index], origin=origin))
    return found


def _told(finding: Finding) -> Finding:
    """The finding with a sentence that names the author's line, or the archive's where only that is known."""
    place, line = f"{finding.details.get('member')}:{finding.details.get('member_line')}", finding.origin
    if line is None and ("member" not in finding.details or place in finding.message):
        return finding
    named = str(line) if line is not None else f"{place}: `{finding.details.get('source')}`"
    return replace(finding, message=f"{finding.message} The line is {named}.")
