"""Every place that says something about each host agrees with the values in audacitorch/hosts.

Schemas and texts that can't be made from the values are compared with them here: whoever adds a host is told what else
must say something about it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Iterator

import pytest

from audacitorch.cli import main
from audacitorch.hosts import DEFAULT_HOST, HOSTS, LIST_HOST, MENUS, TORCH_VERSION, Host, UnknownHost, host_named
from audacitorch.repo.metadata_file import properties
from audacitorch.report.rules_doc import rules_markdown
from audacitorch.rules import all_rules

ROOT = Path(__file__).parents[2]
DATA = ROOT / "audacitorch" / "data"
NAMES = [host.name for host in HOSTS]
#: Pages that explain what differs between the hosts.
PAGES = ("docs/host.md", "docs/metadata.md", "docs/action.md", "docs/rules.md")


def enums(schema: Any) -> Iterator[Any]:
    """Every list of values in a schema, and every list of required names, that speaks of a host."""
    if isinstance(schema, dict):
        for key in ("enum", "required"):
            if DEFAULT_HOST.name in schema.get(key, ()):
                yield schema[key]
        for value in schema.values():
            yield from enums(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from enums(value)


@pytest.mark.parametrize("name", ["report", "record"])
def test_schemas_name_every_host(name: str) -> None:
    found = list(enums(json.loads((DATA / f"{name}.schema.json").read_text("utf-8"))))
    assert len(found) >= 2
    assert all(values == NAMES for values in found)


def test_every_host_has_its_card_schema() -> None:
    assert sorted(json.loads((DATA / "metadata.schema.json").read_text("utf-8"))["$defs"]) == sorted(NAMES)


@pytest.mark.parametrize("host", HOSTS, ids=str)
def test_card_schemas_know_the_effect_types(host: Host) -> None:
    assert properties(host)["effect_type"]["enum"] == list(MENUS)


@pytest.mark.parametrize("page", PAGES)
def test_pages_name_every_host(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert [name for name in NAMES if f"`{name}`" not in text] == []


def test_docs_rules_md_is_made_from_these_hosts() -> None:
    assert (ROOT / "docs" / "rules.md").read_text("utf-8") == rules_markdown()


def test_the_action_offers_every_host() -> None:
    inputs = (ROOT / "action.yml").read_text("utf-8").partition("outputs:")[0]
    said = re.search(r"  host:\n    description: (.*)\n    default: (.*)\n", inputs)
    assert said is not None
    assert [name for name in (*NAMES, "all") if not re.search(rf"\b{re.escape(name)}\b", said.group(1))] == []
    assert said.group(2) == DEFAULT_HOST.name


def test_the_command_line_offers_every_host(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("check", "run"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        assert f"--host {{{','.join(NAMES)},all}}" in re.sub(r"\s+", " ", capsys.readouterr().out)


def test_every_rule_says_something_about_every_host() -> None:
    assert all(list(rule.severity) == list(HOSTS) for rule in all_rules().values())


def test_what_the_trial_runs_is_what_every_host_runs() -> None:
    """Another Torch needs a worker of its own: docs/development.md says what to do."""
    assert {host.torch for host in HOSTS} == {TORCH_VERSION}


def test_names_and_titles_are_unique_and_found() -> None:
    assert len({host.title for host in HOSTS}) == len({*NAMES}) == len(HOSTS)
    assert all(host_named(host.name) is host for host in HOSTS)
    assert {DEFAULT_HOST, LIST_HOST} <= set(HOSTS)
    with pytest.raises(UnknownHost, match="choose among spec, "):
        host_named("audacity")


def test_nothing_compares_a_host_with_one_of_them() -> None:
    compared = re.compile(r"\bhost(?:\.name)? (?:==|!=|is|in) \(?[\"'A-Z]")
    found = [
        f"{path.name}: {line.strip()}"
        for path in (ROOT / "audacitorch").rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if compared.search(line) and not re.search(r"HOSTS|host is None", line)
    ]
    assert found == []


def test_a_menu_is_named_once() -> None:
    told = [
        path.relative_to(ROOT).as_posix()
        for ending in ("py", "html")
        for path in (ROOT / "audacitorch").rglob(f"*.{ending}")
        if "Deep Learning Effect" in path.read_text("utf-8")
    ]
    assert told == ["audacitorch/hosts/__init__.py"]
