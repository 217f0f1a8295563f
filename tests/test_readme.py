"""README's example runs as written, and what README and docs name exists.

The commands in their blocks run in tests/docs; what is said here is for those within a sentence.
"""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from pathlib import Path
from typing import Any, Iterator, List

import pytest
from markdown_it import MarkdownIt

from audacitorch.cli import COMMANDS
from tests.docs.commands import commands as commands_of

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "examples" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: README is shown on package indexes, too, where relative links lead nowhere.
HERE = (
    "https://github.com/audacitorch/action/blob/main/",
    "https://raw.githubusercontent.com/audacitorch/action/main/",
)


@pytest.mark.torch
def test_the_example_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    code = "".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
    program = tmp_path / "example.py"  # scripting reads the source from a file
    program.write_text(code)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(program), "exec"), {"__name__": "example"})
    assert (tmp_path / "my-model" / "model.pt").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_linked_file_is_there(page: Any) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if link.startswith(HERE):
            link = next(link[len(base) :] for base in HERE if link.startswith(base))
            assert (ROOT / link).exists(), link
        elif "://" not in link:
            assert (page.parent / link).exists(), link


def test_readme_has_no_relative_link() -> None:
    assert [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", README) if "://" not in link] == []


def named_commands() -> Iterator[Any]:
    """Every call of the program within a sentence of README and docs, with its page."""
    for page in PAGES:
        for token in MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8")):
            for code in (child.content for child in token.children or () if child.type == "code_inline"):
                if code.startswith("audacitorch ") and not re.search("[@…]", code):  # part of a call, or a requirement
                    words = shlex.split(code)[1:]
                    yield pytest.param(words, id=f"{page.name}: {' '.join(words)}")


@pytest.mark.parametrize("words", named_commands())
def test_every_command_that_is_named_is_one_that_the_program_takes(words: List[str]) -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    for name in COMMANDS:
        if name == words[0]:
            importlib.import_module(f"audacitorch.commands.{name}_command").add_arguments(commands.add_parser(name))
    if len(words) > 1:  # else it names the command itself
        parser.parse_args(words)
    assert words[0] in COMMANDS


def test_readme_shows_every_command_for_contributors() -> None:
    shown = [command.text for command in commands_of(ROOT / "README.md")]
    for name in ("check", "fix", "run", "rules", "backport", "push"):
        assert any(text.startswith(f"audacitorch {name} ") for text in shown), name


def test_every_script_that_readme_shows_exists() -> None:
    for script in re.findall(r"(?<!/)scripts/[\w-]+", README):
        assert (ROOT / script).exists(), script
