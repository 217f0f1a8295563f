"""Triage: what the Hub and the check say, as a state; a failure of ours is never the contributor's."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, List

import pytest

from audacitorch.findings import CouldNotRun
from audacitorch.github.tracker import Issue
from audacitorch.hosts import ALPHA
from audacitorch.hub import Hub
from audacitorch.request import COULD_NOT_CHECK, NEEDS_CHANGES, NEEDS_INFO, READY
from audacitorch.request.triage import CheckFailed, CheckTimeout, Triage, _run, checker
from audacitorch.trial.observations import Trial
from tests.hub import LocalHub
from tests.request.conftest import GOOD, report_on

EXAMPLES = Path(__file__).parents[2] / "examples"
FORM = "### Repo ID\n\n{}\n\n### What does your model do?\n\nx\n"


def asked(repo: str) -> Issue:
    return Issue(7, "Built-in Model Request: x", FORM.format(repo), "ann", ("model-contrib",))


def test_a_model_that_passes_is_ready_at_its_commit(triage: Triage, models: LocalHub, checks: List[Any]) -> None:
    decision = triage.decide(asked(GOOD))
    assert (decision.state, decision.repo_id, decision.revision) == (READY, GOOD, models.find(GOOD).head.oid)
    assert decision.labels == {"add": [READY], "remove": []}
    assert [step["command"] for step in decision.next] == ["/accept", "/decline REASON", "/recheck"]
    assert [facts.id for facts in checks] == [GOOD]


@pytest.mark.torch
@pytest.mark.slow
def test_the_verdict_of_the_builds_that_read_the_list_counts(tmp_path: Path) -> None:
    from audacitorch.facts import Repo, RepoFile

    folder = tmp_path / "repo"
    shutil.copytree(EXAMPLES / "booster-net", folder)
    files = {path.name: RepoFile(path.name, path.stat().st_size, True) for path in folder.iterdir()}
    report = checker("process")(folder, Repo("hub", GOOD, "ab" * 20, files))
    assert (report.hosts_wanted, report.target.id, report.trial and report.trial.ended) == ((ALPHA,), GOOD, "finished")


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


def test_a_hub_that_refuses_connections_is_our_failure(triage: Triage) -> None:
    with Hub("http://127.0.0.1:9", token=False, tries=1) as hub:
        decision = replace(triage, hub=hub).decide(asked(GOOD))
    assert (decision.state, decision.reason.kind) == (COULD_NOT_CHECK, "hub")


def test_a_check_that_could_not_be_made_is_our_failure(triage: Triage) -> None:
    failed = (CouldNotRun("trial", "no engine"),)
    made = replace(triage, check=lambda folder, repo: report_on(repo, (ALPHA,), could_not_run=failed))
    decision = made.decide(asked(GOOD))
    assert (decision.state, decision.reason) == (COULD_NOT_CHECK, None)
    assert decision.report.could_not_run == failed


@pytest.mark.parametrize("changes", [{"static": True}, {"trial": None}, {"trial": Trial("skipped")}])
def test_a_model_that_did_not_run_is_never_ready(changes: Any, triage: Triage) -> None:
    made = replace(triage, check=lambda folder, repo: report_on(repo, (ALPHA,), **changes))
    assert made.decide(asked(GOOD)).state == COULD_NOT_CHECK


@pytest.mark.parametrize("error", [KeyError("x"), MemoryError(), RecursionError("deep"), OSError(28, "No space left")])
def test_a_mistake_of_ours_is_our_failure(error: Exception, triage: Triage) -> None:
    def check(*_: Any) -> Any:
        raise error

    decision = replace(triage, check=check).decide(asked(GOOD))
    assert (decision.state, decision.reason.kind) == (COULD_NOT_CHECK, "internal")
    assert type(error).__name__ in decision.reason.about[0]


def test_a_repo_that_outlives_its_time_costs_its_own_decision(triage: Triage, models: LocalHub) -> None:
    hanging = [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(600)"]

    def check(folder: Path, repo: Any) -> Any:
        if repo.id == "hugggof/moved":
            with (folder.parent / "log").open("wb") as log:
                _run(hanging, log.fileno(), 1.0)
        return triage.check(folder, repo)

    bounded = replace(triage, check=check)
    late = bounded.decide(asked("hugggof/moved"))
    assert (late.state, late.reason.kind, late.repo_id) == (COULD_NOT_CHECK, "too-long", "hugggof/moved")
    assert bounded.decide(asked(GOOD)).state == READY


@pytest.mark.slow
def test_what_a_check_started_is_ended_with_it(tmp_path: Path) -> None:
    grandchild = (
        "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)"
    )
    waits = (
        "import signal, time, sys; sys.stdout.flush(); signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    )
    with (tmp_path / "log").open("wb") as log, pytest.raises(CheckTimeout):
        _run([sys.executable, "-c", f"{grandchild}; {waits}"], log.fileno(), 2.0)
    (pid,) = (tmp_path / "log").read_text().split()
    state = Path(f"/proc/{pid}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_check_without_a_report_says_what_it_said(tmp_path: Path) -> None:
    from audacitorch.facts import Repo

    with pytest.raises(CheckFailed, match="invalid choice"):
        checker("no-such-sandbox")(tmp_path / "repo", Repo("hub", GOOD, "ab" * 20))


def test_a_model_of_2_gigabytes_is_not_fetched(triage: Triage, models: LocalHub) -> None:
    models.add_repo("ann/huge", {"metadata.json": b"{}", "model.pt": b"PK"}, lfs=["model.pt"])
    models.find("ann/huge").head.files["model.pt"].size = 1 << 31
    models.take_log()
    triage.decide(asked("ann/huge"))
    assert not [entry for entry in models.take_log() if "model.pt" in entry.target or "objects" in entry.target]
