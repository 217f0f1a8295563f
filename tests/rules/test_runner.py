"""The runner survives its rules, says why it skips, and verdicts do not depend on any order."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, Callable, Iterable, List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audacitorch.facts import Archive, Card, Facts, Metadata, Repo, Unavailable
from audacitorch.findings import ERROR, FINE, NOTE, WARNING, CouldNotRun, Finding, Problem, Skipped
from audacitorch.hosts import ALPHA, HOSTS, SPEC, Host
from audacitorch.report.model import FAIL, PASS, UNKNOWN, Report, Target
from audacitorch.rules import NotApplicable, Rule, all_rules, rule
from audacitorch.rules.runner import Outcome, run_rules

FACTS = Facts(
    Repo("folder"), Card(True, ("audacity",)), Metadata(), Archive("torchscript"), Unavailable("the model was not run")
)


def made(
    name: str,
    check: Callable[..., Iterable[Problem]],
    severity: Any = ERROR,
    needs: Tuple[str, ...] = ("repo",),
    after: Tuple[str, ...] = (),
) -> Rule:
    by_host = dict.fromkeys(HOSTS, severity) if isinstance(severity, str) else severity
    return Rule(name, "title", "reason.", "the rule's hint", by_host, needs, after, "test", check)


def finds(*problems: Problem) -> Callable[..., List[Problem]]:
    return lambda **facts: list(problems)


def raises(error: BaseException) -> Callable[..., List[Problem]]:
    def check(**facts: Any) -> List[Problem]:
        raise error

    return check


def outcome_of(*rules: Rule, facts: Facts = FACTS) -> Outcome:
    outcome = Outcome()
    run_rules(rules, facts, outcome)
    return outcome


def test_a_rule_that_raises_could_not_run_and_the_others_go_on() -> None:
    outcome = outcome_of(
        made("broken", raises(KeyError("boom"))), made("waits", finds(Problem("x")), after=("broken",)),
        made("goes-on", finds(Problem("found"))),
    )  # fmt: skip
    assert outcome.could_not_run == [CouldNotRun("broken", "KeyError: 'boom'")]
    assert outcome.skipped == [Skipped("waits", "broken could not run")]
    assert [finding.message for finding in outcome.findings] == ["found"]


def test_what_a_rule_found_before_it_raised_does_not_count() -> None:
    def check(repo: Repo) -> Iterable[Problem]:
        yield Problem("half")
        raise RuntimeError("then it broke")

    assert outcome_of(made("broken", check)).findings == []


THIRD = replace(ALPHA, name="third")


@pytest.mark.parametrize(
    ("severity", "message"),
    [
        ({SPEC: ERROR}, "says nothing about audacity-3.2-alpha"),
        ({}, "says nothing about spec, audacity-3.2-alpha"),
        ({SPEC: ERROR, ALPHA: FINE, THIRD: FINE}, "names third, which is not one of the hosts"),
        ({SPEC: ERROR, ALPHA: "fatal"}, "'fatal' is unknown"),
        ("fatal", "'fatal' is unknown"),
    ],
)
def test_a_severity_names_every_host_or_raises_where_it_is_made(severity: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Problem("x", severity=severity)
    with pytest.raises(ValueError, match=f"rule never-registered: .*{message}"):

        @rule(title="t", reason="r.", hint="h", severity=severity)
        def never_registered(repo: Repo) -> Iterable[Problem]:
            return []

    assert "never-registered" not in all_rules()


def test_a_problem_with_an_unknown_severity_is_our_fault() -> None:
    def check(repo: Repo) -> Iterable[Problem]:
        yield Problem("x", severity="fatal")

    outcome = outcome_of(made("odd", check))
    assert [failure.rule for failure in outcome.could_not_run] == ["odd"]


def test_a_rule_that_could_not_run_leaves_the_verdict_open_but_no_error_hidden() -> None:
    open_report = Report(Target("folder"), could_not_run=(CouldNotRun("broken", "boom"),))
    assert (open_report.verdict, open_report.exit_status) == (UNKNOWN, 3)
    error = Finding("found", ERROR, HOSTS, "x")
    assert replace(open_report, findings=(error,)).exit_status == 1


def test_keyboard_interrupts_go_through() -> None:
    with pytest.raises(KeyboardInterrupt):
        outcome_of(made("stopped", raises(KeyboardInterrupt())))


def test_a_rule_is_skipped_with_the_reason_why_its_fact_is_missing() -> None:
    outcome = outcome_of(made("of-a-trial", finds(Problem("x")), needs=("metadata", "trial")))
    assert outcome.skipped == [Skipped("of-a-trial", "the model was not run")]


def test_a_rule_that_does_not_apply_is_skipped_with_its_own_reason() -> None:
    outcome = outcome_of(made("not-here", raises(NotApplicable("this is not a labeler"))))
    assert outcome.skipped == [Skipped("not-here", "this is not a labeler")]
    assert outcome.could_not_run == []


@pytest.mark.parametrize(
    ("severity", "runs"), [(ERROR, False), (WARNING, True), (NOTE, True), ({SPEC: FINE, ALPHA: ERROR}, False)]
)
def test_a_rule_waits_for_errors_alone_of_any_host(severity: Any, runs: bool) -> None:
    first = made("first", finds(Problem("x")), severity)
    outcome = outcome_of(first, made("second", finds(Problem("y")), after=("first",)))
    assert ([f.rule for f in outcome.findings][1:] == ["second"]) == runs
    assert outcome.skipped == ([] if runs else [Skipped("second", "first must pass first")])


def test_a_rule_that_was_skipped_holds_nobody_up() -> None:
    skipped = made("first", raises(NotApplicable("no")))
    outcome = outcome_of(skipped, made("second", finds(Problem("y")), after=("first",)))
    assert [finding.rule for finding in outcome.findings] == ["second"]


def test_a_problem_is_one_finding_for_each_severity_that_hosts_give_it() -> None:
    outcome = outcome_of(made("both", finds(Problem("x", "metadata.json", 3)), {SPEC: WARNING, ALPHA: ERROR}))
    assert [(f.severity, f.hosts, f.hint, f.file, f.line) for f in outcome.findings] == [
        (WARNING, (SPEC,), "the rule's hint", "metadata.json", 3),
        (ERROR, (ALPHA,), "the rule's hint", "metadata.json", 3),
    ]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (NOTE, [(NOTE, HOSTS)]),
        ({SPEC: WARNING, ALPHA: FINE}, [(WARNING, (SPEC,))]),
        ({SPEC: FINE, ALPHA: FINE}, []),
        (None, [(ERROR, HOSTS)]),
    ],
)
def test_a_problems_own_severity_goes_before_the_rules(own: Any, expected: List[Any]) -> None:
    outcome = outcome_of(made("one", finds(Problem("x", severity=own, hint=""))))
    assert [(f.severity, f.hosts) for f in outcome.findings] == expected
    assert all(f.hint == "" for f in outcome.findings)


findings = st.builds(
    Finding,
    rule=st.sampled_from(["a", "b", "c"]),
    severity=st.sampled_from([ERROR, WARNING, NOTE]),
    hosts=st.sampled_from([HOSTS, (SPEC,), (ALPHA,)]),
    message=st.sampled_from(["one", "two"]),
    file=st.sampled_from([None, "model.pt"]),
    line=st.one_of(st.none(), st.integers(1, 3)),
)


@given(st.lists(findings, max_size=8), st.randoms(), st.booleans(), st.sampled_from([(SPEC,), (ALPHA,), HOSTS]))
def test_the_verdict_does_not_depend_on_the_order_of_findings(
    found: List[Finding], chance: random.Random, strict: bool, hosts: Tuple[Host, ...]
) -> None:
    shuffled = list(found)
    chance.shuffle(shuffled)
    one, other = (
        Report(Target("folder"), tuple(order), hosts_wanted=hosts, strict=strict) for order in (found, shuffled)
    )
    assert (one.verdict, one.hosts, one.exit_status) == (other.verdict, other.hosts, other.exit_status)
    assert sorted(one.findings, key=lambda f: f.sort_key) == sorted(other.findings, key=lambda f: f.sort_key)
    assert one.findings_in_order == other.findings_in_order


@given(st.lists(findings, max_size=8), findings, st.sampled_from([(SPEC,), (ALPHA,), HOSTS]), st.booleans())
def test_one_more_finding_never_makes_a_verdict_better(
    found: List[Finding], more: Finding, hosts: Tuple[Host, ...], strict: bool
) -> None:
    before = Report(Target("folder"), tuple(found), hosts_wanted=hosts, strict=strict)
    after = replace(before, findings=(*found, more))
    assert not (before.verdict == FAIL and after.verdict == PASS)
    if after.verdict == FAIL and before.verdict == PASS:
        assert more.severity == ERROR or (strict and more.severity == WARNING)


@given(st.randoms())
def test_findings_do_not_depend_on_the_order_of_rules(chance: random.Random) -> None:
    """Any order will do that has rules behind those that they wait for: here, three families."""
    chain = [
        made("a", finds(Problem("1"))),
        made("b", finds(Problem("2")), after=("a",)),
        made("c", finds(Problem("3")), WARNING),
        made("d", finds(Problem("4")), after=("c",)),
        made("e", raises(ValueError("no"))),
        made("f", finds(Problem("5")), after=("e",)),
    ]
    order: List[Rule] = []
    left = list(chain)
    while left:
        ready = [one for one in left if all(earlier in [o.name for o in order] for earlier in one.after)]
        order.append(chance.choice(ready))
        left.remove(order[-1])
    outcome, straight = outcome_of(*order), outcome_of(*chain)
    assert sorted(outcome.findings, key=lambda f: f.sort_key) == sorted(straight.findings, key=lambda f: f.sort_key)
    assert sorted(map(repr, outcome.skipped)) == sorted(map(repr, straight.skipped))
    assert outcome.could_not_run == straight.could_not_run


def _with(field: Optional[str]) -> Facts:
    return FACTS if field is None else replace(FACTS, **{field: Unavailable(f"no {field}")})  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize("field", [None, "card", "metadata", "archive"])
def test_the_real_rules_run_over_empty_facts_and_none_raises(field: Optional[str]) -> None:
    outcome = outcome_of(*all_rules().values(), facts=_with(field))
    assert outcome.could_not_run == []
