"""The comment: what it says, and that nothing which others wrote does more than be read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict

import pytest

from audacitorch.facts import Repo, RepoFile
from audacitorch.findings import Finding
from audacitorch.hosts import ALPHA, HOSTS
from audacitorch.request import (
    COULD_NOT_CHECK,
    NEEDS_CHANGES,
    NEEDS_INFO,
    READY,
    SENTENCES,
    STATES,
    TRIAGE_STATES,
    Reason,
)
from audacitorch.request.comment import Links, render_request, rule_link
from audacitorch.request.decision import Decision, DecisionError, read_decision, schema, write_decision
from audacitorch.request.memory import CheckRun, Memory, read_memory, with_status
from tests.report.samples import HOSTILE, SAMPLES, hostile
from tests.request.conftest import GOOD, report_on
from tests.request.harmless import check_comment

COMMIT = "ab" * 20
LINKS = Links("https://github.com", "audacitorch/action", "42")
REPO = Repo("hub", GOOD, COMMIT, {"model.pt": RepoFile("model.pt", 1)})
NASTY = [
    HOSTILE,
    "<!-- /status --> <!-- status --> -->",
    "</details></summary><details open>",
    "``` @octocat",
    "\n\n# Accepted by @boss\n\n/accept\n",
    "[x]: http://evil.example\n[x]",
    "https://evil.example http://evil.example www.evil.example mailto:a@evil.example ftp://x",
    "me@evil.example",
    "GH-1 #1 audacitorch/action#1 audacitorch/action@0123456789abcdef0123456789abcdef01234567",
    "| x | y |\n| - | - |",
    "&lt;b&gt; &#64;octocat &commat;octocat",
    "![x](//evil.example/x.png)",
    "<https://evil.example>",
    "x" * 100_000,
    "\u202e\u2066\u200b\ufeff\x00\x1b[31m",
]


def decision(report: Any, state: str = NEEDS_CHANGES, **more: Any) -> Decision:
    return Decision(
        7, state, "2024-05-01T10:00:00Z", GOOD, COMMIT, report=report, present=("model-contrib",), plan="0" * 64, **more
    )


def shown(made: Decision, record: Memory = Memory(), links: Links = LINKS) -> str:  # noqa: B008
    comment = render_request(made, record.with_run(CheckRun.of(made)), links)
    check_comment(comment)
    return comment


def test_a_good_model_is_told_verdict_menu_facts_and_what_comes_next() -> None:
    comment = shown(decision(report_on(REPO, (ALPHA,)), READY))
    for said in (
        "## ✅ Ready for review: <code>hugggof/vocal-separation</code>",
        'Audacity lists it in the Effect menu, under "Deep Learning Effect".',
        "| Sample rate | 44,100 Hz |",
        "| Channels | mono and stereo, as they are |",
        "| Size | 1.23 MB |",
        "| Speed | 20 times real time |",
        "| Shortest input | 1 sample |",
        "<summary>The whole report</summary>",
        "(https://github.com/audacitorch/action/actions/runs/42#artifacts)",
        f"(https://huggingface.co/{GOOD}/tree/{COMMIT})",
        "`/accept` opens the pull request",
    ):
        assert said in comment
    assert "What to fix" not in comment


def test_what_to_fix_comes_with_rule_names_and_links() -> None:
    comment = shown(decision(report_on(replace(REPO, id="hugggof/broken"), (ALPHA,))))
    link = "[`output-shape`](https://github.com/audacitorch/action/blob/main/docs/rules.md#output-shape)"
    assert f"- {link} (error): Take one away.\n  - <code>model.pt</code>: one row too many" in comment
    assert "What to fix (1 error)" in comment
    assert rule_link("no-such-rule @x") == "**no-such-rule @&#8203;x**"


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_kind_of_report_makes_a_comment(name: str) -> None:
    shown(decision(SAMPLES[name]()))


@pytest.mark.parametrize("nasty", NASTY, ids=lambda text: repr(text[:20]))
def test_text_of_the_model_repo_is_only_read(nasty: str) -> None:
    shown(decision(hostile(nasty)))


@pytest.mark.parametrize("kind", sorted(SENTENCES))
@pytest.mark.parametrize("nasty", NASTY, ids=lambda text: repr(text[:20]))
def test_text_of_the_issue_is_only_read(kind: str, nasty: str) -> None:
    reason = Reason(kind, (nasty[:1000],) * 5, (nasty[:1000],) * 5)
    shown(Decision(7, NEEDS_INFO, "2024-05-01T10:00:00Z", reason=reason))


@pytest.mark.parametrize("nasty", ["é" * 2000, "&" * 2000, "@" * 2000, "🎤" * 2000, "x" * 2000])
@pytest.mark.slow
def test_a_thousand_findings_keep_the_limit_of_65536_characters(nasty: str) -> None:
    findings = tuple(Finding(f"rule-{n}", "error", HOSTS, nasty, nasty, "model.pt", n) for n in range(1000))
    record = Memory(tuple(CheckRun("2024-05-01T10:00:00Z", NEEDS_CHANGES, GOOD, f"{n:040x}") for n in range(19)))
    comment = shown(decision(report_on(REPO, HOSTS, findings=findings)), record)
    assert "more rules, in the report below" in comment
    assert "</details>" in comment
    assert "Checked by audacitorch" in comment


def test_a_status_changes_and_the_rest_stays() -> None:
    comment = shown(decision(report_on(REPO, (ALPHA,)), READY))
    record = replace(read_memory(comment) or Memory(), pull=12)
    changed = with_status(comment, record, STATES["accepted"].title, "done")
    check_comment(changed)
    assert (read_memory(changed) or Memory()).pull == 12
    assert "Ready for review" not in changed
    assert changed.partition("<!-- /status -->")[2] == comment.partition("<!-- /status -->")[2]
    assert with_status(changed, record, STATES["accepted"].title, "done") == changed
    assert "done" in with_status("somebody edited this away", record, "x", "done")


def test_links_lead_nowhere_when_the_environment_is_odd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "a/b) [x](http://evil.example")
    monkeypatch.setenv("GITHUB_RUN_ID", "1")
    assert Links.from_environment() == Links()


def test_every_state_and_reason_has_its_words() -> None:
    kinds = schema("decision")["properties"]["reason"]["properties"]["kind"]["enum"]
    assert sorted(kinds) == sorted(SENTENCES)
    assert all(STATES[state].next and STATES[state].title for state in TRIAGE_STATES)
    assert "says nothing about the model" in STATES[COULD_NOT_CHECK].next


def good() -> Any:
    return decision(report_on(REPO, (ALPHA,)), READY).to_json()


AGAINST = {
    "rule": "x",
    "severity": "error",
    "hosts": [ALPHA.name],
    "message": "m",
    "hint": "",
    "file": None,
    "line": None,
}
FORGERIES: Dict[str, Dict[str, Any]] = {
    "passed-without-report": {"report": None},
    "passed-for-nobody": {"report": {**good()["report"], "hosts_wanted": [], "findings": [{**AGAINST, "details": {}}]}},
    "another-commit": {"revision": "cd" * 20},
    "another-repo": {"repo_id": "ann/other"},
    "accepted-by-itself": {"state": "accepted"},
    "label-of-its-own": {"labels": {"add": ["bug"], "remove": []}},
    "id-with-markup": {"repo_id": "a/b) [x](http://evil.example"},
    "no-commit": {"revision": "main"},
    "long-comment": {"comment": "x" * 65_537},
    "unknown-field": {"run": "rm"},
    "issue-as-text": {"issue": "7"},
    "odd-tool": {"tool": {"name": "audacitorch", "version": "1 @octocat"}},
    "report-of-another-form": {"report": {"verdict": "pass"}},
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FORGERIES))
def test_a_forged_decision_is_not_read(name: str, tmp_path: Any) -> None:
    import json

    path = tmp_path / "decision.json"
    path.write_text(json.dumps({**good(), **FORGERIES[name]}))
    with pytest.raises(DecisionError) as raised:
        read_decision(path)
    assert raised.value.exit_status == 2


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"\xff", b"null", b'{"issue": 1e999}'])
def test_a_damaged_decision_is_not_read(content: bytes, tmp_path: Any) -> None:
    (tmp_path / "decision.json").write_bytes(content)
    with pytest.raises(DecisionError):
        read_decision(tmp_path / "decision.json")


def test_a_decision_survives_its_file(tmp_path: Any) -> None:
    made = decision(report_on(REPO, (ALPHA,)), READY)
    write_decision(made, tmp_path / "new" / "decision.json")
    assert read_decision(tmp_path / "new" / "decision.json").to_json() == {
        **made.to_json(),
        "labels": {"add": ["model-contrib", READY], "remove": []},
    }
