"""The rules that need no trial, for whoever has gathered a model's files as facts: a check, or the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audacitorch.facts import Facts
    from audacitorch.rules.runner import Outcome


def judge_static(facts: Facts, outcome: Outcome) -> None:
    """Add to ``outcome`` what the rules say that need no trial."""
    from audacitorch.rules import all_rules
    from audacitorch.rules.runner import run_rules

    run_rules([rule for rule in all_rules().values() if rule.static], facts, outcome)
