"""The options that several commands share, each defined once, with its checks."""

from __future__ import annotations

import argparse
import math

from audacitorch.hosts import DEFAULT_HOST, HOSTS
from audacitorch.trial.plan import DEFAULT_MEMORY_BYTES, DEFAULT_TIMEOUT_SECONDS

SANDBOXES = ("auto", "process", "container")

#: What --host says where every host's verdict is asked for.
ALL_HOSTS = "all"


def add_host_argument(parser: argparse.ArgumentParser, what: str, *more: str) -> None:
    """--host: one of the hosts, or of ``more``."""
    choices = (*(host.name for host in HOSTS), *more)
    parser.add_argument("--host", choices=choices, default=DEFAULT_HOST.name, help=f"{what} (default: %(default)s)")


def add_limit_arguments(parser: argparse.ArgumentParser) -> None:
    """--sandbox, --timeout and --memory."""
    parser.add_argument("--sandbox", choices=SANDBOXES, default="auto", help="where the model runs (default: auto)")
    parser.add_argument(
        "--timeout", type=_seconds, default=DEFAULT_TIMEOUT_SECONDS, metavar="S", help="default: %(default)g"
    )
    parser.add_argument(
        "--memory", type=_megabytes, default=DEFAULT_MEMORY_BYTES >> 20, metavar="MB", help="default: %(default)d"
    )


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not math.isfinite(value) or value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds above 0")
    return value


def _megabytes(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if not 0 < value < 1 << 30:
        raise argparse.ArgumentTypeError(f"{text} is no number of megabytes above 0")
    return value
