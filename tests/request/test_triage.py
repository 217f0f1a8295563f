"""Triage: what the Hub and the check say, as a state; a failure of ours is never the contributor's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import pytest

from audacitorch.findings import ALPHA, CouldNotRun
from audacitorch.hub import Hub
from audacitorch.request.events import Issue
from audacitorch.request.states import COULD_NOT_CHECK, NEEDS_CHANGES, NEEDS_INFO, READY
from audacitorch.request.triage import Triage
from tests.hub import LocalHub
from tests.request.conftest import GOOD, no_worker, report_on

FORM = "### Repo ID\n\n{}\n\n### What does your model do?\n\nx\n"


def asked(repo: str) -> Issue:
    return Issue(7, "Built-in Model Request: x", FORM.format(repo), "ann", ("model-contrib",))


def test_a_model_that_passes_is_ready_at_its_commit(triage: Triage, models: LocalHub, checks: List[Any]) -> None:
    decision = triage.decide(asked(GOOD))
    assert (decision.state, decision.repo_id, decision.revision) == (READY, GOOD, models.find(GOOD).head.oid)
    assert decision.labels == {"add": [READY], "remove": []}
    assert [step["command"] for step in decision.next] == ["/accept", "/decline REASON", "/recheck"]
    assert [facts.id for facts in checks] == [GOOD]


def test_the_verdict_of_the_builds_that_read_the_list_counts(triage: Triage, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: List[Any] = []

    def check(repo: Any, options: Any, start_worker: Any) -> Any:
        wanted.append(options.hosts)
        return report_on(repo.facts, options.hosts)

    monkeypatch.setattr("audacitorch.check.check", check)
    triage.decide(asked(GOOD))
    assert wanted == [(ALPHA,)]


def test_the_id_is_the_one_that_the_hub_has_now(triage: Triage, models: LocalHub) -> None:
    models.rename_repo(GOOD, "ann/vocals")
    assert triage.decide(asked(GOOD)).repo_id == "ann/vocals"


def test_only_what_is_main_can_be_listed(triage: Triage, models: LocalHub) -> None:
    old, new = (commit.oid for commit in models.find("hugggof/moved").commits)
    stale = triage.decide(asked(f"hugggof/moved@{old}"))
    assert (stale.state, stale.revision, stale.reason.kind, stale.reason.about[1]) == (
        NEEDS_CHANGES,
        old,
        "not-main",
        new,
    )
    for revision in (new, "main"):
        assert triage.decide(asked(f"hugggof/moved@{revision}")).state == READY


@pytest.mark.parametrize(
    ("kind", "options", "state", "reason"),
    [
        ("server-error", {}, COULD_NOT_CHECK, "hub"),
        ("rate-limit", {"t": 9999}, COULD_NOT_CHECK, "hub"),
        ("drop", {}, COULD_NOT_CHECK, "hub"),
        ("cut", {}, COULD_NOT_CHECK, "hub"),
        ("not-json", {}, COULD_NOT_CHECK, "hub"),
        ("json", {"value": {}}, COULD_NOT_CHECK, "hub"),
        ("repo-not-found", {}, NEEDS_INFO, "not-found"),
        ("revision-not-found", {}, NEEDS_INFO, "revision"),
        ("gated", {}, NEEDS_CHANGES, "gated"),
        ("forbidden", {}, NEEDS_CHANGES, "refused"),
        ("disabled", {}, NEEDS_CHANGES, "refused"),
    ],
)
def test_what_the_hub_answers_is_a_state(
    kind: str, options: Any, state: str, reason: str, triage: Triage, models: LocalHub
) -> None:
    models.fault(kind, path="/api/models/", times=None, **options)
    decision = triage.decide(asked(GOOD))
    assert (decision.state, decision.reason.kind, decision.report) == (state, reason, None)


@pytest.mark.parametrize("kind", ["wrong-hash", "wrong-size", "cut", "drop", "server-error"])
def test_a_damaged_download_is_our_failure(kind: str, triage: Triage, models: LocalHub) -> None:
    models.fault(kind, path="/objects/|/resolve/", times=None)
    assert triage.decide(asked(GOOD)).state == COULD_NOT_CHECK


def test_nobody_listening_is_our_failure(checks: List[Any], waits: List[float], tmp_path: Path) -> None:
    with Hub("http://127.0.0.1:9", token=False, tries=1) as hub:
        decision = Triage(hub, no_worker, tmp_path).decide(asked(GOOD))
    assert (decision.state, decision.reason.kind) == (COULD_NOT_CHECK, "hub")


def test_a_check_that_could_not_be_made_is_our_failure(triage: Triage, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = (CouldNotRun("trial", "no engine"),)
    monkeypatch.setattr(
        "audacitorch.check.check", lambda repo, options, *_: report_on(repo.facts, options.hosts, could_not_run=failed)
    )
    decision = triage.decide(asked(GOOD))
    assert (decision.state, decision.reason) == (COULD_NOT_CHECK, None)
    assert decision.report.could_not_run == failed


@pytest.mark.parametrize("error", [KeyError("x"), MemoryError(), RecursionError("deep"), OSError(28, "No space left")])
def test_a_mistake_of_ours_is_our_failure(error: Exception, triage: Triage, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(*_: Any) -> Any:
        raise error

    monkeypatch.setattr("audacitorch.check.check", check)
    decision = triage.decide(asked(GOOD))
    assert (decision.state, decision.reason.kind) == (COULD_NOT_CHECK, "internal")
    assert type(error).__name__ in decision.reason.about[0]
