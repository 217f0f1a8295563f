"""The report as SARIF 2.1.0, for GitHub's code scanning and for editors."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any, Dict, List, Mapping
from urllib.parse import quote

from audacitorch.findings import Finding
from audacitorch.report import content
from audacitorch.report.jsonfile import dumps
from audacitorch.report.model import UNKNOWN, Report
from audacitorch.report.rules_doc import help_url, severity_text
from audacitorch.rules import Rule, all_rules
from audacitorch.safetext import visible, visible_lines

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
#: GitHub keeps no more results of one run.
MOST_RESULTS = 5_000
#: Where a finding about the repo itself is shown: GitHub leaves out results that have no file.
_WHOLE_REPO = "metadata.json"


def render(report: Report, *, folder: str = "") -> str:
    """The report as a SARIF log; ``folder`` is the model repo's path below the root of the checkout."""
    return dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(report, folder)]})


def _run(report: Report, folder: str) -> Dict[str, Any]:
    findings = report.findings_in_order[:MOST_RESULTS]
    failed = [problem.rule for problem in report.could_not_run]
    names = sorted({finding.rule for finding in findings}.union(failed))
    index = {name: position for position, name in enumerate(names)}
    registered = all_rules()
    seen: Counter[str] = Counter()
    version = visible(report.tool.get("version", ""))
    return {
        "tool": {
            "driver": {
                "name": visible(report.tool.get("name", "")),
                "version": version,
                "informationUri": help_url("").rstrip("#"),
                "rules": [_rule(name, registered) for name in names],
            }
        },
        "invocations": [_invocation(report, index)],
        "results": [_result(report, finding, index, folder, seen) for finding in findings],
        "columnKind": "unicodeCodePoints",
        "properties": {
            "headline": visible(content.headline(report)),
            "model": [visible(line) for line in content.identity(report)],
            "verdict": report.verdict,
            "hosts": {host.name: verdict for host, verdict in report.hosts.items()},
            "findings": len(report.findings),
        },
    }


def _rule(name: str, registered: Mapping[str, Rule]) -> Dict[str, Any]:
    shown = visible(name)
    described = {"id": shown, "name": shown, "helpUri": help_url(quote(name, errors="replace"))}
    rule = registered.get(name)
    if rule is None:
        return {**described, "shortDescription": {"text": shown}}
    return {
        **described,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.reason},
        "help": {
            "text": f"{rule.reason}\n\n{rule.hint}",
            "markdown": f"{rule.reason}\n\n**What to do:** {rule.hint}\n\nSeverity: {severity_text(rule.severity)}",
        },
        "properties": {"tags": [rule.family]},
    }


def _invocation(report: Report, index: Mapping[str, int]) -> Dict[str, Any]:
    notifications = [
        {
            "level": "error",
            "message": {
                "text": f"{visible(failed.rule)} could not run: {chr(10).join(visible_lines(failed.error, 12))}"
            },
            "associatedRule": {"id": visible(failed.rule), "index": index[failed.rule]},
        }
        for failed in report.could_not_run
    ]
    invocation: Dict[str, Any] = {"executionSuccessful": report.verdict != UNKNOWN and not notifications}
    if notifications:
        invocation["toolExecutionNotifications"] = notifications
    return invocation


def _result(
    report: Report, finding: Finding, index: Mapping[str, int], folder: str, seen: Counter[str]
) -> Dict[str, Any]:
    shown = "\n".join(visible_lines(finding.message, 40, 8000)) or visible(finding.rule)
    text = "\n".join([shown, *visible_lines(finding.hint, 12)]) if finding.hint else shown
    identity = _identity(finding)
    seen[identity] += 1
    return {
        "ruleId": visible(finding.rule),
        "ruleIndex": index[finding.rule],
        "level": content.level(report, finding),
        "message": {"text": text},
        "locations": [_location(finding, folder)],
        "partialFingerprints": {"audacitorch/v1": f"{identity}:{seen[identity]}"},
        "properties": {"severity": finding.severity, "hosts": [host.name for host in finding.hosts]},
    }


def _location(finding: Finding, folder: str) -> Dict[str, Any]:
    path = "/".join(part for part in (folder.strip("/"), (finding.file or _WHOLE_REPO).lstrip("/")) if part)
    uri = quote(path, errors="replace")
    line = max(finding.line or 1, 1)
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": line}}}


def _identity(finding: Finding) -> str:
    """The same for the same finding after lines have moved."""
    parts: List[str] = [finding.rule, finding.file or "", finding.message]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:32]
