"""README's example runs as written, and what README and docs name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from audacitorch.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "examples" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.torch
def test_the_example_runs_as_written(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    code = "".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
    program = tmp_path / "example.py"  # scripting reads the source from a file
    program.write_text(code)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(program), "exec"), {"__name__": "example"})
    assert (tmp_path / "my-model" / "model.pt").is_file()


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "specification.md"], ids=lambda page: page.name)
def test_every_linked_file_is_there(page):
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (page.parent / link).exists(), link


def test_every_command_that_readme_shows_exists():
    shown = set(re.findall(r"\.venv/bin/audacitorch (\w+)", README))
    assert shown
    assert shown <= set(COMMANDS)


def test_every_script_that_readme_shows_exists():
    for script in re.findall(r"scripts/[\w-]+", README):
        assert (ROOT / script).exists(), script
