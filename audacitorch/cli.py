"""The command line: finds the subcommand, and turns what can go wrong into the documented exit status.

Exit status: 0 compatible, 1 problems found, 2 the call itself is wrong or the target can't be read, 3 the check could
not be made. A model's fault is never 3, and ours never 1.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import List, Optional

from audacitorch.version import TORCH_VERSION, __version__

COMMANDS = {
    "check": "check a model repo as Audacity would run it",
    "run": "what Audacity would make of this audio: tracks as WAV files, labels as a label track",
    "rules": "the rules, or one explained",
    "fetch": "bring a model repo from the Hub, at one revision",
}

USAGE_ERROR = 2
INTERRUPTED = 130


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the program with ``arguments`` (default: those of the process) and return its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        return _dispatch(words)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        status = getattr(error, "exit_status", None)
        if not isinstance(status, int):
            raise
        from audacitorch.report.escape import visible

        print(f"audacitorch: {visible(error)}", file=sys.stderr)
        return status


def _dispatch(words: List[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="audacitorch",
        description="Wrap, test and publish PyTorch audio models for Audacity.",
        epilog="Exit status: 0 compatible, 1 problems found, 2 wrong call or unreadable target, 3 no check was made.",
    )
    version = f"audacitorch {__version__} (for Torch {TORCH_VERSION})"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    named = next((word for word in words if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == named:
            module = importlib.import_module(f"audacitorch.commands.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    parsed = parser.parse_args(words)
    status: int = parsed.run(parsed)
    return status


if __name__ == "__main__":
    sys.exit(main())
