"""The local Hub as a program, and what the test suite promises about the machine that it runs on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Tuple

import pytest

from audacitorch.hub import Hub
from audacitorch.hub.failures import FileNotFound
from tests import needs
from tests.hub import LocalHub

ROOT = Path(__file__).parents[1]


def start(*options: str) -> Tuple[subprocess.Popen[str], str]:
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.hub", *options],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    return program, json.loads(program.stdout.readline())["url"]


def test_a_folder_of_repos_is_served_and_the_log_written(tmp_path: Path) -> None:
    repo = tmp_path / "repos" / "ann" / "effect"
    repo.mkdir(parents=True)
    (repo / "model.pt").write_bytes(b"PK")
    (repo / "README.md").write_text("---\ntags: [audacity]\n---\n")
    log = tmp_path / "log"
    fault = json.dumps({"kind": "server-error", "path": "/api/models/", "status": 502})
    program, url = start("--folder", str(tmp_path / "repos"), "--many", "3", "--fault", fault, "--log", str(log))
    with Hub(url, token=False) as client:
        listed = [entry["id"] for entry in client.list_models()]
        assert client.repo_details("ann/effect").files["model.pt"].lfs
        assert len(client.repo_details("many/model-0000002").files) == 3
    _, errors = program.communicate()
    assert (program.returncode, errors) == (0, "")
    assert listed == ["ann/effect", "many/model-0000000", "many/model-0000001", "many/model-0000002"]
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    assert [entry["status"] for entry in logged] == [200, 502, 200, 200]


def test_an_unknown_path_fails_the_program() -> None:
    import requests

    program, url = start()
    assert requests.get(url + "/api/nonsense", timeout=5).status_code == 404
    _, errors = program.communicate()
    assert program.returncode == 1
    assert "GET hub /api/nonsense" in errors


def test_an_unknown_path_is_kept_for_the_fixture_to_see() -> None:
    with LocalHub() as hub, Hub(hub.url, token=False) as client:
        with pytest.raises(FileNotFound):
            client.open(hub.url + "/api/nonsense", "nonsense")
        assert hub.unexpected == ["GET hub /api/nonsense"]


def test_a_fault_that_nobody_knows_is_a_mistake(local_hub: LocalHub) -> None:
    with pytest.raises(ValueError, match="no fault is called"):
        local_hub.fault("typo")


def test_what_is_missing_skips_a_test_and_fails_it_where_it_was_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(need: str) -> Any:
        return "no engine"

    monkeypatch.setattr(needs, "missing", absent)
    monkeypatch.delenv(needs.REQUIRE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no engine"):
        needs.require("docker")
    for promised in ("act, docker", "all"):
        monkeypatch.setenv(needs.REQUIRE, promised)
        with pytest.raises(pytest.fail.Exception, match="asks for docker"):
            needs.require("docker")
    monkeypatch.setattr(needs, "missing", lambda need: None)
    needs.require("docker")
