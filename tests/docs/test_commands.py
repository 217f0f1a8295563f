"""Every command in README and docs runs, on local servers, and ends as it should."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.commands import LANGUAGES, blocks, commands, page_name, pages
from tests.docs.differences import LEFT_OUT, REPLACED, STATUSES
from tests.docs.follow import follow
from tests.docs.world import GIVEN, IN_A_CHECKOUT, StaleEnvironment

PAGES = [page for page in pages() if commands(page)]


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_the_commands_of_a_page_run_in_order(page: Path) -> None:
    try:
        steps = list(follow(page))
    except StaleEnvironment as error:
        pytest.skip(str(error))
    for step in steps:
        assert not step.failed, f"{page_name(page)}:{step.command.line}: {step.command.text}\n{step.output}"


@pytest.mark.parametrize("page", pages(), ids=page_name)
def test_every_block_says_what_it_is(page: Path) -> None:
    assert [(block.line, block.language) for block in blocks(page) if block.language not in LANGUAGES] == []


def test_every_exception_is_for_a_command_that_is_shown() -> None:
    shown = [command.text for page in pages() for command in commands(page)]
    patterns = [*(rule.pattern for rule in REPLACED), *(rule.pattern for rule in LEFT_OUT)]
    assert [pattern for pattern in patterns if not any(re.search(pattern, text) for text in shown)] == []
    assert [text for text in STATUSES if text not in shown] == []
    assert {*GIVEN, *IN_A_CHECKOUT} <= {page_name(page) for page in PAGES}
