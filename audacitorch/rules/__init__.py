"""The rules: each one a pure function over facts, registered where it is written.

A rule is written once, in the module of its family::

    @rule(
        title="model.pt is there",
        reason="Audacity downloads model.pt from the repo's main revision.",
        hint="Export the model with audacitorch.utils.save_model.",
        severity=ERROR,
        after=("repo-id",),
    )
    def missing_file(repo: Repo) -> Iterator[Problem]: ...

Its name is the function's, with hyphens. Its parameters are the facts that it wants, by name; where one of them
is not available, or a rule named in ``after`` found an error, or it raises :class:`NotApplicable`, it is skipped and
the report says so.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import dataclass
from functools import cache
from typing import Callable, Dict, Iterable, Mapping, Tuple

from audacitorch.findings import Problem, Severity, severity_by_host
from audacitorch.hosts import Host

RuleFunction = Callable[..., Iterable[Problem]]

#: Facts that exist before a model runs, and the one that exists after.
STATIC_FACTS = ("repo", "card", "metadata", "archive")
TRIAL_FACT = "trial"


class NotApplicable(Exception):
    """Raised by a rule that has nothing to say about this target, with the reason as a clause."""


@dataclass(frozen=True)
class Rule:
    """One rule: what it says, for whom, and the function that decides."""

    name: str
    title: str
    reason: str
    hint: str
    severity: Mapping[Host, str]
    needs: Tuple[str, ...]
    after: Tuple[str, ...]
    family: str
    check: RuleFunction

    @property
    def static(self) -> bool:
        """Whether the rule can be decided without running the model."""
        return TRIAL_FACT not in self.needs


_registered: Dict[str, Rule] = {}


def rule(
    *, title: str, reason: str, hint: str, severity: Severity, after: Tuple[str, ...] = ()
) -> Callable[[RuleFunction], RuleFunction]:
    """Register the decorated function as a rule.

    Raises:
        ValueError: another rule has this name, a parameter names no fact, or the severity leaves a host out.
    """

    def register(function: RuleFunction) -> RuleFunction:
        name = function.__name__.replace("_", "-")
        needs = tuple(inspect.signature(function).parameters)
        unknown = [need for need in needs if need not in (*STATIC_FACTS, TRIAL_FACT)]
        if name in _registered or unknown:
            raise ValueError(f"rule {name}: " + (f"no fact is called {unknown[0]}" if unknown else "registered twice"))
        try:
            severities = severity_by_host(severity)
        except ValueError as error:
            raise ValueError(f"rule {name}: {error}") from error
        family = function.__module__.rpartition(".")[2]
        _registered[name] = Rule(name, title, reason, hint, severities, needs, after, family, function)
        return function

    return register


@cache
def all_rules() -> Mapping[str, Rule]:
    """Every rule by name, each after those that it waits for; modules of this package register themselves."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    ordered: Dict[str, Rule] = {}

    def place(name: str, above: Tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"rules wait for each other: {' → '.join((*above, name))}")
        if name not in ordered:
            for earlier in _registered[name].after:
                place(earlier, (*above, name))
            ordered[name] = _registered[name]

    for name in sorted(_registered):
        place(name, ())
    return ordered
