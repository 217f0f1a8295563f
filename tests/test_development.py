"""docs/development.md, followed to the letter on a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import List

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "development.md").read_text("utf-8")


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def block(title: str, language: str) -> str:
    found = re.search(rf"^ *```{language}\n(.*?)^ *```", section(title), re.DOTALL | re.MULTILINE)
    assert found is not None
    return textwrap.dedent(found.group(1))


def run(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(project)}
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


def failed(project: Path, *tests: str) -> List[str]:
    done = run(project, "python", "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", *tests)
    return re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)


@pytest.mark.slow
def test_the_recipe_for_a_rule_works_as_it_is_written(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("audacitorch", "docs", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    registry = ("tests/rules/test_registry.py", "-k", "licence or docs_rules")

    (tmp_path / "audacitorch" / "rules" / "licence.py").write_text(block("Add a rule", "python"), "utf-8")
    missing = failed(tmp_path, *registry)
    assert any("test_every_rule_has_a_failing_fixture[licence-missing]" in name for name in missing)
    assert any("test_docs_rules_md_is_fresh" in name for name in missing)

    done = run(tmp_path, "sh", "-e", "-c", block("Add a rule", "sh"))
    assert done.returncode == 0, done.stderr
    assert failed(tmp_path, *registry) == []
    assert failed(tmp_path, "tests/test_repos.py", "-k", "no-licence") == []

    (tmp_path / "tests" / "repos" / "no-licence" / "expect.json").unlink()
    told = run(tmp_path, "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_repos.py").stdout
    assert "python -m tests.repos_make --expect no-licence" in told


def test_every_path_that_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:audacitorch|tests|scripts|docs)/[\w./-]+)`", PAGE)
    assert len(named) > 20
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_contributing_points_to_the_page() -> None:
    assert "docs/development.md" in (ROOT / "CONTRIBUTING.md").read_text("utf-8")
