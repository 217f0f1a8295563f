"""A Hub with models of every fate, a GitHub with a repository, and a check that costs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, List

import pytest

from audacitorch.facts import Metadata, Repo
from audacitorch.findings import Finding
from audacitorch.github import GitHub
from audacitorch.hosts import ALPHA, HOSTS
from audacitorch.http import connections
from audacitorch.hub import Hub
from audacitorch.report.model import Report, Target
from audacitorch.request.triage import Triage
from audacitorch.trial.observations import Trial
from tests.github import LocalGitHub
from tests.hub import LocalHub

GOOD = "hugggof/vocal-separation"
REPOSITORY = "audacitorch/action"
TOKEN = "only-for-tests"
FIELDS = {
    "sample_rate": 44100,
    "effect_type": "waveform-to-waveform",
    "multichannel": True,
    "labels": ["vocals", "rest"],
    "short_description": "Separates vocals.",
}
TRIAL = Trial("finished", realtime_factor=0.05, minimum_samples=1)


def report_on(repo: Any, hosts: Any, **changes: Any) -> Report:
    """The report that a check of ``repo`` (the facts of a Hub repo) would make."""
    findings = (Finding("output-shape", "error", HOSTS, "one row too many", "Take one away.", "model.pt"),)
    made = {
        "findings": findings if repo.id.endswith("broken") or "model.pt" not in repo.files else (),
        "trial": TRIAL,
        "metadata": Metadata(fields=FIELDS),
        "hosts_wanted": tuple(hosts),
        **changes,
    }
    return Report(Target("hub", repo.id, repo.revision, "ab" * 32, 1_234_567), **made)


@pytest.fixture
def checks() -> List[Any]:
    """The repos that were checked, from their files' names alone."""
    made: List[Any] = []

    return made


@pytest.fixture
def models(local_hub: LocalHub) -> LocalHub:
    """A Hub with models of every fate."""
    files = {"model.pt": b"PK", "metadata.json": b"{}", "README.md": b"---\ntags: [audacity]\n---\n"}
    for repo_id in (GOOD, "hugggof/broken", "hugggof/speech-enhancer", "hugggof/moved"):
        local_hub.add_repo(repo_id, files, lfs=["model.pt"])
    local_hub.add_repo("hugggof/nothing-yet", {"README.md": b""})
    local_hub.add_repo("hugggof/gated", files, lfs=["model.pt"], gated="manual")
    local_hub.add_repo("hugggof/secret", files, lfs=["model.pt"], private=True)
    local_hub.commit("hugggof/moved", {"notes.txt": b"newer"})
    return local_hub


@pytest.fixture
def triage(models: LocalHub, checks: List[Any], waits: List[float], tmp_path: Path) -> Iterator[Triage]:
    """Triage on that Hub."""
    with Hub(models.url, token=False, timeouts=(2.0, 0.5), tries=2) as hub:

        def check(folder: Path, repo: Repo) -> Report:
            checks.append(repo)
            return report_on(repo, (ALPHA,))

        yield Triage(hub, check, tmp_path / "registry")


@pytest.fixture
def github() -> Iterator[LocalGitHub]:
    """A GitHub with one request; it must not have been asked for anything that it does not know."""
    files = {"registry/builtin.yml": "# by hand\n", "registry/models.json": "[]\n"}
    with LocalGitHub(REPOSITORY, files) as server:
        server.add_token(TOKEN, issues="write", contents="write", pull_requests="write")
        server.state.permissions.update(boss="admin", keeper="maintain", helper="triage", reader="read")
        server.state.add_issue("Built-in Model Request: vocals", f"### Repo ID\n\n{GOOD}\n", "ann", ("model-contrib",))
        yield server
        assert server.unexpected == []


@pytest.fixture
def github_waits(monkeypatch: pytest.MonkeyPatch) -> List[float]:
    """The seconds that our client waited for GitHub, which pass at once."""
    waited: List[float] = []
    monkeypatch.setattr(connections, "pause", waited.append)
    return waited


@pytest.fixture
def repository(github: LocalGitHub, github_waits: List[float]) -> Iterator[GitHub]:
    """Our client on that GitHub."""
    with GitHub(REPOSITORY, TOKEN, github.url, tries=3, timeouts=(2.0, 2.0)) as client:
        yield client
