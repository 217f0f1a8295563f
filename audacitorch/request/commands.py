"""What people say to the machine in comments: `/recheck`, `/accept`, `/decline REASON`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

RECHECK = "recheck"
ACCEPT = "accept"
DECLINE = "decline"

_COMMAND = re.compile(r" {0,3}/(recheck|accept|decline)(?:[ \t]+(.*))?", re.IGNORECASE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_LONGEST_REASON = 1000
_LONGEST_COMMENT = 65_536


@dataclass(frozen=True)
class Command:
    """A command and, for a refusal, its reason."""

    name: str
    reason: str = ""


def command_in(comment: str) -> Optional[Command]:
    """The first command of a comment: a line of its own, neither quoted nor code; None where there is none."""
    fence: Optional[str] = None
    lines = comment[:_LONGEST_COMMENT].splitlines()
    for number, line in enumerate(lines):
        found = _FENCE.match(line)
        if fence is not None:
            if found and found.group(1).startswith(fence):
                fence = None
        elif found:
            fence = found.group(1)
        else:
            command = _COMMAND.fullmatch(line.rstrip())
            if command:
                return _command(command.group(1).lower(), command.group(2) or "", lines[number + 1 :])
    return None


def _command(name: str, rest: str, following: list[str]) -> Command:
    if name != DECLINE:
        return Command(name)
    said = rest.strip() or " ".join(line.strip() for line in following).strip()
    return Command(name, said[:_LONGEST_REASON])
