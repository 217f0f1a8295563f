"""Following a page: its commands in order, each as printed but for what :mod:`tests.docs.differences` states."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Optional, Tuple

from tests.docs.commands import Command, commands, page_name
from tests.docs.differences import STATUSES, left_out, replaced
from tests.docs.world import World, machine_has


@dataclass(frozen=True)
class Step:
    """A command and what became of it: ``status`` is None where it did not run, for ``reasons``."""

    command: Command
    reasons: Tuple[str, ...]
    status: Optional[int] = None
    output: str = ""

    @property
    def failed(self) -> bool:
        """Whether it ran, and ended otherwise than it should."""
        expected, _ = STATUSES.get(self.command.text, (0, ""))
        return self.status not in (None, expected)


def follow(page: Path) -> Iterator[Step]:
    """Run the commands of a page, up to the first that fails: what comes after it would fail because of it."""
    has = machine_has()
    with_image = has["docker"] and any(re.search(r"\bdocker\b|--sandbox container", c.text) for c in commands(page))
    with World(page_name(page), with_image) as world:
        for command in commands(page):
            reason = left_out(command.text, has)
            if reason is not None:
                yield Step(command, (reason,))
                continue
            text, reasons = replaced(command.text, world.values)
            done = world.run(text)
            step = Step(command, reasons, done.returncode, done.stdout + done.stderr)
            yield step
            if step.failed:
                return
