"""Meta-tests over the rules: nothing unnamed, unwired, unexplained or untried."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, List, Set, Tuple

import pytest

from audacitorch.findings import ERROR, FINE, NOTE, SEVERITIES, WARNING
from audacitorch.hosts import ALPHA, HOSTS, SPEC, Host, host_named
from audacitorch.report.rules_doc import rules_markdown
from audacitorch.rules import Rule, all_rules, rule
from tests.sentences import faults

ROOT = Path(__file__).parents[2]
REPOS = ROOT / "tests" / "repos"

#: The contract's table: each rule, and every severity by host that it may give. Ids are permanent.
BOTH_ERROR, BOTH_WARNING, BOTH_NOTE = ((ERROR, ERROR),), ((WARNING, WARNING),), ((NOTE, NOTE),)
ONE_HOST_ERROR = ((ERROR, ERROR), (ERROR, FINE), (FINE, ERROR))
CONTRACT: Dict[str, Tuple[Tuple[str, str], ...]] = {
    **dict.fromkeys(
        [
            "missing-file", "lfs-pointer", "not-torchscript", "unsafe-archive", "model-too-large",
            "file-format-too-new",
            "unknown-operator", "operator-arguments", "custom-operator", "file-access", "aborts-host", "load-error",
            "forward-error", "timeout", "out-of-memory", "output-type", "output-shape", "output-dtype",
            "output-not-finite", "label-index-out-of-range", "timestamps-order",
            "fails-on-stereo", "fails-on-mono", "hidden-code", "timestamps-unit",
            "metadata-json", "metadata-encoding", "repo-id",
        ],
        BOTH_ERROR,
    ),
    **dict.fromkeys(
        [f"metadata-field-{what}" for what in ("missing", "type", "range", "count", "value")], ONE_HOST_ERROR
    ),
    "metadata-field-length": ((ERROR, ERROR), (WARNING, FINE)),
    **dict.fromkeys(
        [
            "timestamps-range", "probabilities-range", "stateful", "slow", "card-tag-missing", "card-front-matter",
            "traced-length", "memory-grows", "duplicate-labels",
        ],
        BOTH_WARNING,
    ),
    **dict.fromkeys(
        ["silent-output", "dc-offset", "block-seams", "latency",
         "metadata-unknown-field", "placeholder-text"], BOTH_NOTE
    ),
    "clipping": ((NOTE, NOTE), (WARNING, WARNING)),  # a warning for a gain that is broken
    "output-labels-mismatch": ((ERROR, ERROR), (WARNING, WARNING)),
    "ignores-input": ((ERROR, ERROR), (WARNING, WARNING)),
    "output-length": ((ERROR, ERROR), (WARNING, WARNING)),
    "short-input": ((WARNING, WARNING), (ERROR, ERROR)),
    "label-format": ((WARNING, FINE), (FINE, ERROR)),
    "metadata-domain-unknown": ((WARNING, ERROR), (WARNING, FINE)),
    "not-in-lfs": ((WARNING, ERROR), (NOTE, NOTE)),
}  # fmt: skip

#: Rules whose failing fixture can't lie in a folder, with the test that holds it.
IN_MEMORY = {
    "model-too-large": "tests/test_check.py",  # 2 GiB
    "repo-id": "tests/rules/test_repo_rules.py",  # folders have no id
    "load-error": "tests/test_field_failures.py",
    "hidden-code": "tests/trial/test_hidden_code.py",  # the reader refuses what could hide code
}

RULES = list(all_rules().values())


def expectations() -> Dict[str, List[Dict[str, Any]]]:
    return {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))["findings"]
        for path in REPOS.glob("*/expect.json")
    }


def severities_in_fixtures() -> Dict[str, Set[Tuple[str, str]]]:
    """What each rule gave, host by host, over all fixtures."""
    given: Dict[str, Set[Tuple[str, str]]] = {}
    for findings in expectations().values():
        by_rule: Dict[str, Dict[Host, str]] = {}
        for finding in findings:
            for host in finding["hosts"]:
                by_rule.setdefault(finding["rule"], {})[host_named(host)] = finding["severity"]
        for name, hosts in by_rule.items():
            given.setdefault(name, set()).add((hosts.get(SPEC, FINE), hosts.get(ALPHA, FINE)))
    return given


@pytest.mark.parametrize("one", RULES, ids=lambda one: one.name)
def test_every_field_of_a_rule_is_filled(one: Rule) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", one.name)
    assert one.title
    assert one.title[-1] not in ".!"
    assert one.reason.endswith(".")
    assert one.hint.strip()
    assert "\n\n" not in one.hint
    assert set(one.severity) == set(HOSTS)
    assert set(one.severity.values()) <= {*SEVERITIES, FINE}
    assert any(level != FINE for level in one.severity.values())
    assert one.needs
    assert one.family == one.check.__module__.rpartition(".")[2]


def test_every_rule_of_the_contract_exists() -> None:
    assert set(CONTRACT) <= {one.name for one in RULES}


@pytest.mark.parametrize("name", sorted(CONTRACT))
def test_a_rules_own_severity_is_the_contracts(name: str) -> None:
    own = (all_rules()[name].severity[SPEC], all_rules()[name].severity[ALPHA])
    assert own in CONTRACT[name] or name == "label-format"


def test_label_format_weighs_by_form() -> None:
    assert all_rules()["label-format"].severity == {SPEC: WARNING, ALPHA: ERROR}


@pytest.mark.parametrize("name", sorted(CONTRACT))
def test_fixtures_give_the_contracts_severities_and_no_others(name: str) -> None:
    given = severities_in_fixtures().get(name, set())
    assert given <= set(CONTRACT[name])
    if len(CONTRACT[name]) == 2 and name not in ("not-in-lfs",):  # on the Hub, see tests/rules/test_repo_rules.py
        assert given == set(CONTRACT[name])


@pytest.mark.parametrize("one", RULES, ids=lambda one: one.name)
def test_every_rule_has_a_failing_fixture(one: Rule) -> None:
    if one.name in IN_MEMORY:
        assert one.name in (ROOT / IN_MEMORY[one.name]).read_text(encoding="utf-8")
    else:
        assert one.name in severities_in_fixtures()


def test_every_rule_has_a_passing_fixture() -> None:
    """Every good repo passes all rules: one ran of each kind, as static checks leave rules of trials aside."""
    good = [name for name, findings in expectations().items() if not findings]
    assert {"good-effect", "good-multichannel-effect"} <= set(good)
    labelers = {"good-labeler-of-probabilities", "good-labeler-of-indices"}
    for name in labelers:
        assert {finding["rule"] for finding in expectations()[name]} == {"label-format"}


def test_rules_wait_only_for_rules_that_there_are_and_come_after_them() -> None:
    names = list(all_rules())
    for one in RULES:
        for earlier in one.after:
            assert names.index(earlier) < names.index(one.name)
            assert all_rules()[earlier].static or not one.static


def test_docs_rules_md_is_fresh() -> None:
    """``audacitorch rules --markdown > docs/rules.md`` makes it fresh."""
    assert (ROOT / "docs" / "rules.md").read_text(encoding="utf-8") == rules_markdown()


def test_every_rule_that_the_specs_of_field_failures_name_exists() -> None:
    named = re.findall(r"`([a-z]+(?:-[a-z]+)+)`", (ROOT / "tests" / "test_field_failures.py").read_text("utf-8"))
    assert named
    assert set(named) <= set(all_rules())


def test_two_rules_of_one_name_are_refused() -> None:
    def missing_file(repo: Any) -> List[Any]:
        return []

    with pytest.raises(ValueError, match="missing-file: registered twice"):
        rule(title="t", reason="r.", hint="h", severity=ERROR)(missing_file)


def test_a_rule_that_wants_what_is_no_fact_is_refused() -> None:
    def reads_tea_leaves(leaves: Any) -> List[Any]:
        return []

    with pytest.raises(ValueError, match="no fact is called leaves"):
        rule(title="t", reason="r.", hint="h", severity=ERROR)(reads_tea_leaves)
    assert "reads-tea-leaves" not in all_rules()


def test_rules_that_wait_for_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import audacitorch.rules as registry

    def made(name: str, after: str) -> Rule:
        return Rule(name, "t", "r.", "h", dict.fromkeys(HOSTS, ERROR), ("repo",), (after,), "test", lambda repo: [])

    monkeypatch.setattr(registry, "_registered", {"a": made("a", "b"), "b": made("b", "a")})
    with pytest.raises(ValueError, match="wait for each other: a → b → a"):
        registry.all_rules.__wrapped__()


def test_no_rules_module_imports_torch() -> None:
    import subprocess
    import sys

    program = (
        "import sys; sys.modules['torch'] = None; from audacitorch.rules import all_rules; print(len(all_rules()))"
    )
    counted = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert int(counted) == len(RULES)


def test_reasons_and_hints_are_sentences_and_titles_are_not() -> None:
    rules = all_rules().values()
    said = [(rule.name, fault) for rule in rules for text in (rule.reason, rule.hint) for fault in faults(text)]
    assert said == []
    assert [rule.name for rule in rules if rule.title.endswith(".")] == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("the model raises.", "small letter"),
        ("The model raises", "no full stop"),
        ("The model raises..", "two full stops"),
        ("code/__torch__.py:3: the code uses cuda.", "small letter"),
    ],
)
def test_what_is_no_sentence_is_found(text: str, wrong: str) -> None:
    (fault,) = faults(text)
    assert wrong in fault
