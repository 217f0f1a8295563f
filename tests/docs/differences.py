"""Where a command does not run as it is printed, and why. Everything else of README and docs runs to the letter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Mapping, Optional, Tuple


@dataclass(frozen=True)
class Replaced:
    """A part of a command (a regular expression), and what the tests put there: ``{names}`` are the world's values."""

    pattern: str
    replacement: str
    reason: str


@dataclass(frozen=True)
class LeftOut:
    """A command (a regular expression) that does not run, at all or where something is missing."""

    pattern: str
    reason: str
    unless: str = ""


REPLACED: Tuple[Replaced, ...] = (
    Replaced(
        r"^python3(?:\.9)? -m venv venv$",
        r"\g<0> && cp '{path_file}' venv/lib/python3.9/site-packages && ln -s '{environment}/bin/hf' venv/bin",
        "Torch is a large download: the new environment sees what the tests' own has installed",
    ),
    Replaced(
        r"https://github\.com/audacitorch/action/archive/v1\.tar\.gz",
        r"file://{archive}",
        "this version is not on GitHub yet: the archive holds the checkout under test",
    ),
    Replaced(
        r"^git clone \S+ audacitorch$",
        r"\g<0> && ln -s '{environment}' audacitorch/.venv",
        "Torch is a large download: the clone gets an environment that scripts/setup has made before",
    ),
    Replaced(r"^scripts/test --fast", "scripts/test tests/test_cli_options.py", "the suite would run itself"),
    Replaced(r"hf auth login", 'hf auth login --token "$HF_TOKEN"', "it asks for the token on a terminal"),
    Replaced(
        r"ghcr\.io/audacitorch/action:v[\d.]+", "{image}", "the image of this version is built here, not downloaded"
    ),
    Replaced(
        r'^(uvx .*)"audacitorch\[torch\] @ (.*) check FOLDER$',
        r'\1"audacitorch @ \2 check FOLDER --static',
        "uv would download Torch into an environment of its own for this one command",
    ),
)

LEFT_OUT: Tuple[LeftOut, ...] = (
    LeftOut(
        r"audacitorch-dask|SCHEDULER",
        "makes a cluster of several machines; tests/registry/test_sweeps.py has one of processes on this machine",
    ),
    LeftOut(
        r"--verify-with ~/newer/bin/python",
        "needs the PyTorch that exported the model; tests/backport compares numbers",
    ),
    LeftOut(r"^docker |--sandbox container", "needs a Docker engine", unless="docker"),
    LeftOut(r"^uvx ", "uv is not installed", unless="uvx"),
    LeftOut(r"^pipx ", "pipx is not installed", unless="pipx"),
)

#: Commands that end otherwise than with 0, and why that is right.
STATUSES: Mapping[str, Tuple[int, str]] = {}


def left_out(command: str, has: Mapping[str, bool]) -> Optional[str]:
    """Why a command does not run here; None where it does."""
    for rule in LEFT_OUT:
        if re.search(rule.pattern, command) and not (rule.unless and has[rule.unless]):
            return rule.reason
    return None


def replaced(command: str, values: Mapping[str, str]) -> Tuple[str, Tuple[str, ...]]:
    """A command as the tests run it, and the reasons for what differs."""
    reasons = []
    for rule in REPLACED:
        if re.search(rule.pattern, command):
            replacement = rule.replacement
            for name, value in values.items():
                replacement = replacement.replace(f"{{{name}}}", value)
            command = re.sub(rule.pattern, replacement, command)
            reasons.append(rule.reason)
    return command, tuple(reasons)
