"""The options of every command that runs a model: where, for how long, with how much memory."""

from __future__ import annotations

import argparse
import math

from audacitorch.trial.plan import DEFAULT_MEMORY_BYTES, DEFAULT_TIMEOUT_SECONDS

SANDBOXES = ("auto", "process", "container")


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
