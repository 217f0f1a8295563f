"""The command line: finds the subcommand, and turns what can go wrong into the documented exit status.

Exit status: 0 compatible, 1 problems found, 2 the call itself is wrong or the target can't be read, 3 the check could
not be made. A model's fault is never 3, and ours never 1.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import os
import signal
import sys
import threading
from types import FrameType
from typing import List, Optional, TextIO

from audacitorch.errors import AudacitorchError
from audacitorch.version import __version__

COMMANDS = {
    "check": "check a model repo as Audacity would run it",
    "run": "render audio as Audacity would: tracks as WAV files, labels as a label track",
    "rules": "list the rules, or explain one",
    "fetch": "download a model repo from the Hub, at one revision",
    "backport": "rewrite a TorchScript archive of a newer PyTorch for Torch 1.9.0",
    "new": "make a model repo to start from",
    "fix": "apply every remedy that a machine can apply to a model repo",
    "push": "check a model repo and upload it to the Hub",
    "registry": "index and test the models on the Hub that are tagged for Audacity; make the built-in list",
    "request": "check built-in requests, answer them, accept them into the list",
}

NO_CHECK = 3
INTERRUPTED = 130
#: Too many open files or processes, no memory: nothing that the program or the model did wrong.
_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)

#: Python's modules that Windows lacks; the sandbox is built on them.
_UNIX_MODULES = ("fcntl", "resource")
_NO_UNIX = (
    "Models run on Linux and macOS only. On Windows check without running the model (--static), or use the Windows "
    "Subsystem for Linux, where everything works."
)


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the program with ``arguments`` (default: those of the process) and return its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    sys.stdout = sys.stdout or _nowhere()  # None where the caller closed it: the exit status is wanted alone
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a terminal has no letter for is written as its number
            stream.reconfigure(errors="backslashreplace")
    _unwind_on_signals()
    try:
        return _dispatch(words)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _failed(error)


def _unwind_on_signals() -> None:
    """SIGTERM and SIGHUP end the program as an exit does: workers are ended and temporary folders removed."""

    def end(number: int, _: Optional[FrameType]) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one must not stop the cleaning up
        raise SystemExit(128 + number)

    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, end)


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


def _failed(error: Exception) -> int:
    """Say what went wrong. Errors that callers can do something about bring their exit status; others are our bugs."""
    from audacitorch.safetext import visible

    if isinstance(error, AudacitorchError):
        print(f"audacitorch: {visible(error)}", file=sys.stderr)
        return error.exit_status
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("audacitorch"):
        if error.name in _UNIX_MODULES:
            print(f"audacitorch: {_NO_UNIX}", file=sys.stderr)
            return NO_CHECK
        package = visible(error.name.partition(".")[0])
        print(f"audacitorch: this needs the package {package}, which is not installed here", file=sys.stderr)
        return NO_CHECK
    if isinstance(error, OSError) and error.errno in _OUT_OF_RESOURCES:
        print(f"audacitorch: this machine has run out of something: {visible(error.strerror)}", file=sys.stderr)
        return NO_CHECK
    import traceback

    for line in traceback.format_exc().splitlines():
        print(visible(line), file=sys.stderr)
    print("audacitorch: this is a bug of audacitorch, and says nothing about the model", file=sys.stderr)
    return NO_CHECK


class _Version(argparse.Action):
    """--version: the hosts, which name Torch, are imported for it alone, so that --help starts fast."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from audacitorch.hosts import TORCH_VERSION

        print(f"audacitorch {__version__} (for Torch {TORCH_VERSION})")
        parser.exit()


def _dispatch(words: List[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="audacitorch",
        description="Wrap, test and publish PyTorch audio models for Audacity.",
        epilog="Exit status: 0 compatible, 1 problems found, 2 wrong call or unreadable target, 3 no check was made.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    named = next((word for word in words if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == named:
            module = importlib.import_module(f"audacitorch.commands.{name}_command")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    parsed = parser.parse_args(words)
    status: int = parsed.run(parsed)
    return status


if __name__ == "__main__":
    sys.exit(main())
