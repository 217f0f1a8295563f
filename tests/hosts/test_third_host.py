"""A third host, added to a copy of this project: one value, one schema, and what speaks until the rest is done."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Set

import pytest

ROOT = Path(__file__).parents[2]
THIRD = "audacity-4-alpha"
VALUE = f'''THIRD = Host(name="{THIRD}", title="Audacity 4 alpha", summary="a host of this test")
HOSTS: Tuple[Host, ...] = (SPEC, ALPHA, THIRD)'''
#: Fixtures that the 3.2 alphas fail, each for a reason that lies in the host's values: its labels, its card schema.
FAILED_BY_THE_ALPHAS = ("good-labeler-of-probabilities", "domain-unknown", "domains-only")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package and of the pages that name hosts, with the third host's value and no more."""
    copy = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("audacitorch", "docs"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    shutil.copy(ROOT / "action.yml", copy)
    (copy / "tests" / "hosts").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "hosts" / "test_hosts_agree.py", copy / "tests" / "hosts")
    module = copy / "audacitorch" / "hosts" / "__init__.py"
    text, count = re.subn(r"HOSTS: Tuple\[Host, \.\.\.\] = \(SPEC, ALPHA\)", VALUE, module.read_text("utf-8"))
    assert count == 1
    module.write_text(text, "utf-8")
    return copy


def add_schema(project: Path) -> None:
    """The second step: the alphas' card schema, under the third host's name."""
    path = project / "audacitorch" / "data" / "metadata.schema.json"
    schema = json.loads(path.read_text("utf-8"))
    schema["$defs"][THIRD] = schema["$defs"]["audacity-3.2-alpha"]
    path.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", "utf-8")


def run(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A Python program with the copied package in place of this project's."""
    environment = {**os.environ, "PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=project, env=environment)


def failures(project: Path) -> Set[str]:
    """The tests of agreement that fail in the copy."""
    done = run(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header", "-rf", "tests")
    return set(re.findall(r"^(?:FAILED|ERROR) \S+?::(\w+(?:\[[^\]]+\])?)", done.stdout, re.MULTILINE))


def verdicts(project: Path, fixtures: List[Path]) -> Dict[str, Dict[str, str]]:
    program = (
        "import json, sys; from pathlib import Path; from audacitorch.check import Options, check; "
        "from audacitorch.hosts import HOSTS; from audacitorch.repo.model_repo import FolderRepo; "
        "from audacitorch.trial.starters import worker_starter; "
        "print(json.dumps({name: check(FolderRepo(Path(name)), Options(HOSTS, timeout_seconds=120), worker_starter())"
        ".to_json()['hosts'] for name in sys.argv[1:]}))"
    )
    done = run(project, "-c", program, *map(str, fixtures))
    assert done.returncode == 0, done.stderr
    found: Dict[str, Dict[str, str]] = json.loads(done.stdout)
    return found


def test_a_host_without_its_card_schema_lets_no_rule_be_registered(project: Path) -> None:
    done = run(project, "-c", "from audacitorch.rules import all_rules; all_rules()")
    assert f"KeyError: '{THIRD}'" in done.stderr


@pytest.mark.torch
@pytest.mark.slow
def test_each_place_speaks_until_it_says_something_about_a_third_host(project: Path) -> None:
    add_schema(project)
    assert {
        "test_schemas_name_every_host[report]",
        "test_schemas_name_every_host[record]",
        "test_pages_name_every_host[docs/host.md]",
        "test_pages_name_every_host[docs/metadata.md]",
        "test_pages_name_every_host[docs/action.md]",
        "test_pages_name_every_host[docs/rules.md]",
        "test_docs_rules_md_is_made_from_these_hosts",
        "test_the_action_offers_every_host",
    } == failures(project)

    found = verdicts(project, [ROOT / "tests" / "repos" / name for name in FAILED_BY_THE_ALPHAS])
    for hosts in found.values():
        assert hosts == {"spec": "pass", "audacity-3.2-alpha": "fail", THIRD: "fail"}
    plain = ROOT / "tests" / "repos" / "good-effect"
    assert set(verdicts(project, [plain])[str(plain)].values()) == {"pass"}
