"""The rules in words: docs/rules.md, and what ``audacitorch rules`` prints. Made from the rules themselves."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Dict, List, Mapping

from audacitorch.errors import AudacitorchError
from audacitorch.hosts import HOSTS, Host
from audacitorch.rules import Rule, all_rules

#: Where docs/rules.md is read; a rule's name is its anchor there.
RULES_URL = "https://github.com/audacitorch/action/blob/main/docs/rules.md"

_INTRODUCTION = """\
# Rules

What `audacitorch check` looks at. This file is made from the rules themselves; a test fails when it is stale.
An error keeps a model from passing on that host, a warning does so in a strict check, a note never.
Hosts: {hosts}.
"""


class UnknownRule(AudacitorchError, LookupError):
    """No rule has this name; the message says which names are near."""

    exit_status = 2


def help_url(name: str) -> str:
    """Where the rule called ``name`` is explained."""
    return f"{RULES_URL}#{name}"


def severity_text(severity: Mapping[Host, str]) -> str:
    """``error``, or a severity for each host: ``spec: fine, audacity-3.2-alpha: error``."""
    if len(set(severity.values())) == 1:
        return next(iter(severity.values()))
    return ", ".join(f"{host}: {level}" for host, level in severity.items())


def rules_markdown() -> str:
    """docs/rules.md: a table of all rules, then a section for each, by family."""
    by_family: Dict[str, List[Rule]] = {}
    for rule in sorted(all_rules().values(), key=lambda r: (r.family, r.name)):
        by_family.setdefault(rule.family, []).append(rule)
    hosts = "; ".join(f"`{host}` is {host.summary}" for host in HOSTS)
    parts = [_INTRODUCTION.format(hosts=hosts)]
    for family, rules in by_family.items():
        lines = [f"| [`{rule.name}`](#{rule.name}) | {severity_text(rule.severity)} | {rule.title} |" for rule in rules]
        parts.append(
            "\n".join([f"**{family}**\n", "| rule | severity | what is right |", "| --- | --- | --- |", *lines])
        )
    for rules in by_family.values():
        parts.extend(_section(rule) for rule in rules)
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _section(rule: Rule) -> str:
    lines = [
        f"## {rule.name}",
        "",
        f"**{rule.title}**",
        "",
        rule.reason,
        "",
        f"*What to do:* {rule.hint}",
        "",
        f"- Severity: {severity_text(rule.severity)}",
        f"- Family: {rule.family}",
        f"- Decided {'without running the model' if rule.static else 'by running the model'}",
    ]
    if rule.after:
        lines.append("- Waits for: " + ", ".join(f"[`{name}`](#{name})" for name in rule.after))
    return "\n".join(lines)


def rules_list() -> str:
    """Every rule in a line: name, severity, title."""
    rules = sorted(all_rules().values(), key=lambda r: (r.family, r.name))
    width = max((len(rule.name) for rule in rules), default=0)
    return "".join(f"{rule.name:{width}}  {rule.title} ({severity_text(rule.severity)})\n" for rule in rules)


def rule_text(name: str) -> str:
    """One rule explained.

    Raises:
        UnknownRule: there is no such rule; says which are near.
    """
    from textwrap import fill

    rules = all_rules()
    if name not in rules:
        wanted = name.strip().lower().replace("_", "-")
        near = (
            get_close_matches(wanted, rules, n=3, cutoff=0.5) or [rule for rule in sorted(rules) if wanted in rule][:3]
        )
        raise UnknownRule(
            f"no rule is called {name!a}" + (f"; did you mean {' or '.join(near)}?" if near and wanted else "")
        )
    rule = rules[name]
    paragraphs = [rule.title, rule.reason, f"What to do: {rule.hint}"]
    facts = [f"Severity: {severity_text(rule.severity)}", f"Family: {rule.family}"]
    if rule.after:
        facts.append(f"Waits for: {', '.join(rule.after)}")
    return "\n\n".join([rule.name, *(fill(p, 80, break_long_words=False) for p in paragraphs), "\n".join(facts)]) + "\n"
