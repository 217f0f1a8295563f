"""What a report says to people, in whatever format: the first line, what to know about it, the findings in groups.

Everything here is text as it came, hostile or not: a renderer escapes it in its own way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Iterable, List, Tuple

from audacitorch.facts import METADATA, README
from audacitorch.findings import BECAUSE_OF, ERROR, SEVERITIES, WARNING, Finding
from audacitorch.hosts import DEFAULT_HOST, HOSTS, MENUS, Host
from audacitorch.repo.model_repo import FolderRepo, TargetError
from audacitorch.report.model import FAIL, PASS, UNKNOWN, Report
from audacitorch.safetext import shorten
from audacitorch.trial.observations import REFUSED, SKIPPED
from audacitorch.wording import plural, sentence

#: How a verdict is coloured, wherever it is shown. Green is for models that every host runs.
GREEN, AMBER, RED = "green", "amber", "red"
#: Rules whose errors end the host's process.
_CRASHING = ("aborts-host", "label-format")
SECTION_TITLES = {"error": "Errors", "warning": "Warnings", "note": "Notes"}

_LONGEST_NAME = 200
_MOST_FIELDS = 20
_LINE_BREAK = re.compile(r"[\r\n]+")
#: Bytes of a file that are read for its lines, characters of a line, and lines in all.
_MOST_BYTES, _LONGEST_LINE, _MOST_LINES = 1 << 20, 300, 1_000


@dataclass(frozen=True)
class Group:
    """Findings of one rule that weigh the same, for the same hosts; ``hint`` is the one they share."""

    rule: str
    severity: str
    hosts: Tuple[Host, ...]
    findings: Tuple[Finding, ...]

    @property
    def hint(self) -> str:
        if any(finding.rule != self.rule for finding in self.findings):
            return self.findings[0].hint  # of the cause, which comes first
        hints = {finding.hint for finding in self.findings}
        return hints.pop() if len(hints) == 1 else ""

    @property
    def only_for(self) -> str:
        """The hosts for whom it speaks, where not for all."""
        return "" if set(self.hosts) >= set(HOSTS) else ", ".join(map(str, self.hosts))


def was_run(report: Report) -> bool:
    """Whether the model was loaded at all."""
    return not report.static and report.trial is not None and report.trial.ended not in (REFUSED, SKIPPED)


def name(report: Report) -> str:
    """What the report calls its target."""
    return shorten(report.target.id or "this model", _LONGEST_NAME)


def headline(report: Report) -> str:
    """One sentence for anybody: every host's verdict, those that were asked for first, and which model it is.

    "PASS for the specification; CRASHES Audacity 3.2 alpha: booster-net."
    """
    clauses: Dict[str, List[str]] = {}
    for host in sorted(HOSTS, key=lambda host: _rank(report, host)):
        word = _word(report, host)
        clauses.setdefault(word, []).append(host.title + _aside(report, host))
    said = "; ".join(f"{word} {' and '.join(titles)}" for word, titles in clauses.items())
    not_run = "" if was_run(report) or report.verdict == UNKNOWN else " (not run)"
    open_ = " (run without a sandbox)" if report.trial and report.trial.sandbox.get("kind") == "none" else ""
    unavailable = next((f" {failed.error}" for failed in report.could_not_run if failed.rule == "trial"), "")
    return f"{said}: {name(report)}{not_run}{open_}.{unavailable}"


def _rank(report: Report, host: Host) -> Tuple[bool, bool]:
    """Hosts that were asked for come first, and of these the one that decides the verdict."""
    return host not in report.hosts_wanted, report.host_verdict(host) != report.verdict


def _word(report: Report, host: Host) -> str:
    verdict = report.host_verdict(host)
    if verdict == FAIL and host not in report.hosts_wanted and crashes(report, host):
        return "CRASHES"
    return f"{verdict.upper()} for"


def crashes(report: Report, host: Host) -> bool:
    """Whether the model ends the program, and with it the user's work, instead of showing an error."""
    errors = {f.rule for f in report.findings if f.severity == ERROR and host in f.hosts}
    return host.released and not errors.isdisjoint(_CRASHING)


def _aside(report: Report, host: Host) -> str:
    """What the verdict alone does not say of this host."""
    if report.host_verdict(host) == FAIL:
        if not report.count(ERROR, host):
            return " (warnings, in a strict check)"
        return ", which it crashes" if host in report.hosts_wanted and crashes(report, host) else ""
    indices = any(f.rule == "label-format" and host in f.hosts for f in report.findings)
    return " (which always shows the first label)" if indices else ""


def colour(report: Report) -> str:
    """``green`` where every host runs the model, ``red`` where one that was asked for does not, else ``amber``."""
    if report.verdict == FAIL:
        return RED
    return GREEN if set(report.hosts.values()) == {PASS} else AMBER


def identity(report: Report) -> List[str]:
    """Which model this is, beneath the headline: what it says of itself; then revision, exporter and date."""
    said = report.fields.get("short_description")
    producer = report.archive.producer if report.archive is not None else None
    facts = [
        f"revision {report.target.revision[:12]}" if report.target.revision else "",
        f"written by {producer}" if producer else "",
        f"checked {report.date[:10]}" if report.date else "",
    ]
    known = ", ".join(fact for fact in facts if fact)
    described = shorten(" ".join(said.split()), _LONGEST_NAME) if isinstance(said, str) else ""
    return [line for line in (described, sentence(known) if known else "") if line]


def menu(report: Report) -> str:
    """Where Audacity lists the model; empty where its metadata doesn't say."""
    effect_type = report.fields.get("effect_type")
    shown = MENUS.get(effect_type) if isinstance(effect_type, str) else None
    return f'Audacity lists it in the {shown.title} menu, under "{shown.entry}".' if shown else ""


def notices(report: Report) -> List[str]:
    """What the reader of this verdict must know about how it came about."""
    said = []
    if report.could_not_run:
        said.append("Some of the check could not be made. That is our fault or this machine's, not the author's.")
    if report.static:
        said.append("This was a static check: the model was not run, and may still fail when it is.")
    elif not was_run(report):
        reason = " ".join(report.trial.reason.split()) if report.trial is not None else ""
        said.append(sentence(f"The model was not run: {reason}" if reason else "The model was not run"))
    if report.strict:
        said.append("The check was strict: warnings count as errors.")
    if report.ignored:
        said.append(f"Ignored, as asked: {', '.join(report.ignored)}.")
    if report.hosts_wanted != (DEFAULT_HOST,) and report.hosts_wanted:
        said.append(f"The verdict is for {' and '.join(host.title for host in report.hosts_wanted)}.")
    return said


def counts(report: Report) -> str:
    """How many of which: "2 errors, 1 note", or that there is nothing to fix."""
    found = [(report.count(severity), severity) for severity in SEVERITIES]
    said = [plural(number, severity) for number, severity in found if number]
    return ", ".join(said) or "nothing to fix"


def level(report: Report, finding: Finding) -> str:
    """How much a finding weighs for the hosts that were asked for: an error for another host alone is a warning."""
    if any(report.blocks(finding, host) for host in report.hosts_wanted):
        return ERROR
    return WARNING if finding.severity == ERROR else finding.severity


def groups(report: Report) -> List[Group]:
    """The findings in order, by rule, severity and hosts; those with one cause are below the rule that found it."""
    gathered: Dict[Tuple[str, str, Tuple[Host, ...]], List[Finding]] = {}
    found = {finding.rule for finding in report.findings}
    for finding in report.findings_in_order:
        cause = finding.details.get(BECAUSE_OF)
        rule = str(cause) if cause in found else finding.rule
        gathered.setdefault((rule, finding.severity, finding.hosts), []).append(finding)
    return [Group(*key, tuple(findings)) for key, findings in gathered.items()]


def sections(report: Report) -> List[Tuple[str, List[Group]]]:
    """Groups by severity, the severest first; severities that nothing has are left out."""
    found = groups(report)
    return [(s, [g for g in found if g.severity == s]) for s in SEVERITIES if any(g.severity == s for g in found)]


def hidden(group: Group, shown: int) -> str:
    """What is said of the findings of a group beyond the first ``shown``: how many, and of which fields."""
    more = group.findings[shown:]
    fields = [f"`{finding.details.get('field')}`" for finding in more if finding.details.get("field")]
    named = f": {', '.join(fields)}" if len(fields) == len(more) <= _MOST_FIELDS else ""
    return f"and {len(more):,} more{named}" if more else ""


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
    if finding.rule == "aborts-host" and report.trial is not None:
        trial = report.trial
        candidates += [trial.hidden_error, finding.details.get("native_message"), trial.native_message]
    first = first_line(finding)
    told = (text.strip() for text in candidates if isinstance(text, str))
    return next((text for text in told if text and text not in first), "")


def reasons_skipped(report: Report) -> List[Tuple[str, Tuple[str, ...]]]:
    """Why rules did not apply, each reason once, with the rules."""
    by_reason: Dict[str, List[str]] = {}
    for skipped in sorted(report.skipped, key=lambda s: (s.reason, s.rule)):
        by_reason.setdefault(skipped.reason, []).append(skipped.rule)
    return [(reason, tuple(rules)) for reason, rules in by_reason.items()]


def excerpts(repo: FolderRepo, findings: Iterable[Finding]) -> Dict[Tuple[str, int], str]:
    """The lines of text files that findings name, by file and number from 1; blank and unreadable ones are left out."""
    wanted = {(found.file, found.line) for found in findings if found.file and found.line}
    shown: Dict[Tuple[str, int], str] = {}
    for name in (METADATA, README):
        numbers = sorted(line for file, line in wanted if file == name and line)[:_MOST_LINES]
        if not numbers or not repo.has(name):
            continue
        try:
            lines = repo.read(name, _MOST_BYTES).decode("utf-8", "replace").split("\n")
        except TargetError:
            continue
        shown.update({(name, number): lines[number - 1].strip() for number in numbers if number <= len(lines)})
    return {place: shorten(text, _LONGEST_LINE) for place, text in shown.items() if text}
