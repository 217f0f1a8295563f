"""Every option that several commands share is defined once: the same type, the same checks, wherever it is taken."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from audacitorch.cli import COMMANDS, main

SHARED = ("--timeout", "--memory", "--sandbox", "--registry", "--endpoint", "--format", "--host", "--jobs")
PACKAGE = Path(__file__).parents[1] / "audacitorch"


def parsers() -> Iterator[Tuple[str, argparse.ArgumentParser]]:
    """Every command and subcommand with its parser."""

    def below(name: str, parser: argparse.ArgumentParser) -> Iterator[Tuple[str, argparse.ArgumentParser]]:
        yield name, parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for inner, child in action.choices.items():
                    yield from below(f"{name} {inner}", child)

    for name in COMMANDS:
        parser = argparse.ArgumentParser()
        import_module(f"audacitorch.commands.{name}_command").add_arguments(parser)
        yield from below(name, parser)


def uses() -> Dict[str, List[Tuple[str, argparse.Action]]]:
    found: Dict[str, List[Tuple[str, argparse.Action]]] = {option: [] for option in SHARED}
    for name, parser in parsers():
        for action in parser._actions:
            for option in set(SHARED).intersection(action.option_strings):
                found[option].append((name, action))
    return found


@pytest.mark.parametrize("option", SHARED)
def test_a_shared_option_is_written_down_once(option: str) -> None:
    places = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if f'add_argument("{option}"' in "".join(path.read_text("utf-8").split())
    ]
    assert places == ["commands/options.py"]


@pytest.mark.parametrize("option", SHARED)
def test_a_shared_option_has_one_type_and_one_name_for_its_value(option: str) -> None:
    kinds = {(action.type, action.metavar) for _, action in uses()[option]}
    assert len(kinds) == 1, uses()[option]


def cases() -> List[Any]:
    wrong = {
        "--timeout": ("-1", "0", "nan", "inf", "x"),
        "--memory": ("-1", "0", "1.5", "x"),
        "--jobs": ("-1", "0", "x"),
    }
    return [
        pytest.param([*name.split(), f"{option}={value}"], option, id=f"{name} {option}={value}")
        for option, values in wrong.items()
        for name, _ in uses()[option]
        for value in values
    ]


@pytest.mark.parametrize(("words", "option"), cases())
def test_every_command_refuses_the_same_values(
    words: List[str], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert f"argument {option}: {words[-1].partition('=')[2]} is not a" in capsys.readouterr().err


def test_commands_are_verbs() -> None:
    verbs = "check run render list download rewrite make apply index upload look say test write put show tell do fetch"
    for name, summary in COMMANDS.items():
        assert summary.split()[0] in verbs.split(), (name, summary)
