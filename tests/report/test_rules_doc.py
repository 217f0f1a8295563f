"""The rules in words, made from the rules."""

from __future__ import annotations

import re

import pytest

from audacitorch.findings import ERROR, FINE
from audacitorch.hosts import ALPHA, SPEC
from audacitorch.report import rules_doc
from audacitorch.report.rules_doc import UnknownRule, rule_text, rules_list, rules_markdown
from audacitorch.rules import Rule


@pytest.fixture(autouse=True)
def two_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [
        Rule("load-error", "It loads", "Why.", "Do so.", {SPEC: ERROR, ALPHA: ERROR}, ("trial",), (), "trial", list),
        Rule(
            "slow-start",
            "It starts",
            "As.",
            "Go.",
            {SPEC: FINE, ALPHA: ERROR},
            ("repo",),
            ("load-error",),
            "repo",
            list,
        ),
    ]
    monkeypatch.setattr(rules_doc, "all_rules", lambda: {rule.name: rule for rule in rules})


def test_every_rule_has_a_section_that_its_links_lead_to() -> None:
    page = rules_markdown()
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert headings == ["slow-start", "load-error"]
    assert set(re.findall(r"\(#([^)]*)\)", page)) == set(headings)
    assert "spec: fine, audacity-3.2-alpha: error" in page
    assert "*What to do:* Do so." in page


def test_a_rule_is_explained() -> None:
    assert rule_text("slow-start").startswith(
        "slow-start\n\nIt starts\n\nAs.\n\nWhat to do: Go.\n\nSeverity: spec: fine"
    )
    assert rules_list().splitlines()[1] == "load-error  It loads (error)"


@pytest.mark.parametrize(
    ("asked", "said"), [("load_eror", "mean load-error"), ("start", "slow-start"), ("\x1b[31m", r"\\x1b")]
)
def test_an_unknown_rule_names_the_nearest(asked: str, said: str) -> None:
    with pytest.raises(UnknownRule, match=said):
        rule_text(asked)


def test_an_empty_name_suggests_nothing() -> None:
    with pytest.raises(UnknownRule, match=r"^no rule is called ''$"):
        rule_text("")
