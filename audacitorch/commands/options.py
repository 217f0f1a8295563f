"""The options that several commands share, each defined once, with its checks."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any, Iterable, Optional

from audacitorch.hosts import DEFAULT_HOST, HOSTS
from audacitorch.trial.plan import DEFAULT_MEMORY_BYTES, DEFAULT_TIMEOUT_SECONDS
from audacitorch.trial.starters import SANDBOXES

#: What --host says where every host's verdict is asked for.
ALL_HOSTS = "all"
TARGET_HELP = "a folder, a Hub repo id (author/name[@revision]) or its page's address"


def add_target_argument(parser: argparse.ArgumentParser, many: bool = False) -> None:
    """The argument TARGET, or several, and --endpoint."""
    if many:
        parser.add_argument("targets", nargs="+", metavar="TARGET", help=f"{TARGET_HELP}; or a folder of such folders")
    else:
        parser.add_argument("target", metavar="TARGET", help=TARGET_HELP)
    add_endpoint_argument(parser)


def add_endpoint_argument(parser: argparse.ArgumentParser) -> None:
    """--endpoint."""
    parser.add_argument("--endpoint", metavar="URL", help="the Hub's address (default: HF_ENDPOINT, or huggingface.co)")


def add_registry_argument(parser: argparse.ArgumentParser) -> None:
    """--registry."""
    parser.add_argument(
        "--registry", type=Path, metavar="DIR", help="the registry's folder (default: the checkout's registry/)"
    )


def add_host_argument(parser: argparse.ArgumentParser, what: str, *more: str) -> None:
    """--host: one of the hosts, or of ``more``."""
    choices = (*(host.name for host in HOSTS), *more)
    parser.add_argument("--host", choices=choices, default=DEFAULT_HOST.name, help=f"{what} (default: %(default)s)")


def add_format_argument(parser: argparse.ArgumentParser, formats: Iterable[str]) -> None:
    """--format: one of ``formats``, the first by default."""
    choices = tuple(formats)
    parser.add_argument(
        "--format", choices=choices, default=choices[0], help="format of the output (default: %(default)s)"
    )


def add_jobs_argument(parser: argparse.ArgumentParser, default: int) -> None:
    """--jobs."""
    help_text = "models to run at once (default: %(default)s)"
    parser.add_argument("--jobs", type=positive_integer, default=default, metavar="N", help=help_text)


def add_sandbox_argument(parser: argparse.ArgumentParser) -> None:
    """--sandbox."""
    places = "; ".join(f"{name}: {sandbox.help}" for name, sandbox in SANDBOXES.items())
    help_text = f"where the model runs (default: %(default)s). {places}"
    parser.add_argument("--sandbox", choices=SANDBOXES, default="auto", help=help_text)


def add_limit_arguments(parser: argparse.ArgumentParser) -> None:
    """--sandbox, --timeout and --memory, of every command that runs a model.

    ``timeout`` has a default, ``download_seconds`` has none: a model of 2 GB may take long to come, and only who asks
    for a limit should meet one.
    """
    add_sandbox_argument(parser)
    seconds, megabytes = DEFAULT_TIMEOUT_SECONDS, DEFAULT_MEMORY_BYTES >> 20
    for_time = "time limit for one model; if given, for its download as well (default: %(default)g)"
    parser.add_argument(
        "--timeout", type=seconds_above_zero, action=_Timeout, default=seconds, metavar="S", help=for_time
    )
    parser.set_defaults(download_seconds=None)
    parser.add_argument(
        "--memory",
        type=positive_integer,
        default=megabytes,
        metavar="MB",
        help="memory limit for one model (default: %(default)d)",
    )


class _Timeout(argparse.Action):
    """--timeout, given: it bounds the download too."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any, *_: Any) -> None:
        namespace.timeout = namespace.download_seconds = value


def seconds_above_zero(text: str) -> float:
    """A finite number of seconds above 0."""
    value: Optional[float]
    try:
        value = float(text)
    except ValueError:
        value = None
    if value is None or not math.isfinite(value) or value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value


def positive_integer(text: str) -> int:
    """A whole number above 0, below 2^30."""
    value = int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else 0
    if not 0 < value < 1 << 30:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return value
