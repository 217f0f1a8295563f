"""The registry: every model repo on the Hub with the tag ``audacity``, indexed and tested, and the built-in list.

:mod:`~audacitorch.registry.refresh` compares the Hub's listing with the records, :mod:`~audacitorch.registry.testing`
runs what changed, :mod:`~audacitorch.registry.builtin_list` makes the list that Audacity downloads. Here is what all of
them need: files in one form, written in one step and only when they change, and locks that leave no file.
"""

from __future__ import annotations

import json
import math
import os
import sys
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional

from audacitorch.errors import AudacitorchError
from audacitorch.files import write_atomically
from audacitorch.http import one_line

try:
    import fcntl
except ImportError:  # Windows: files are still written in one step, so that the later of two runs wins whole
    fcntl = None  # type: ignore[assignment]

#: Measured figures are kept to this many significant digits: more of them are noise.
_DIGITS = 6


class RegistryError(AudacitorchError):
    """The registry's folder can't be read or written, or holds what a person must fix."""

    exit_status = 2


def now() -> datetime:
    """The time of a run: UTC, whole seconds."""
    return datetime.now(timezone.utc).replace(microsecond=0)


def timestamp(moment: datetime) -> str:
    """A moment as records write it: ``2024-05-01T10:00:00Z``."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(text: str) -> datetime:
    """The moment that :func:`timestamp` wrote.

    Raises:
        ValueError: it did not write this.
    """
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)


def rounded(value: Any) -> Any:
    """``value`` with its floats in few digits, the same on every machine; None for what is no number."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return value


def canonical(value: Any) -> str:
    """``value`` as JSON in the one form that the registry writes: sorted keys, ASCII, a line for each item."""
    return (
        json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False).replace("\x7f", "\\u007f")
        + "\n"
    )


def write(path: Path, text: str) -> bool:
    """Have ``text`` in ``path``, in one step; False if it was there already and nothing was written.

    Raises:
        RegistryError: it can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_atomically(path, text)
    except OSError as error:
        raise RegistryError(f"{path} can't be written: {one_line(error.strerror or str(error))}.") from error


def read_json(path: Path, default: Any, hint: str = "repair it, or take it from git") -> Any:
    """What a JSON file of the registry holds; ``default`` if there is no such file.

    Raises:
        RegistryError: it can't be read, or is of another kind than ``default``; ``hint`` says what to do.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return default
    except (OSError, ValueError, RecursionError) as error:
        raise RegistryError(f"{path} can't be read ({one_line(str(error))}): {hint}.") from error
    if not isinstance(value, type(default)):
        kind = "object" if isinstance(default, dict) else "array"
        raise RegistryError(f"{path} should hold a JSON {kind}: {hint}.")
    return value


@contextmanager
def locked(folder: Path, waiting_for: str = "") -> Iterator[Optional[int]]:
    """Hold ``folder``, which must exist, against other processes; nothing is written for it.

    Yields the handle that holds it, None on a system without locks.

    Where somebody else holds it, says so (``waiting_for``) and waits.
    """
    if fcntl is None:
        yield None
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting_for:
                print(f"audacitorch: waiting for {waiting_for} in {folder}", file=sys.stderr)
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            pass  # a file system without locks: writes in one step are what is left
        yield handle
    finally:
        os.close(handle)


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Make ``folder``, and have it alone until it is left; whoever had it before may have deleted it meanwhile."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder) as handle:
            try:
                ours = handle is None or os.path.samestat(os.fstat(handle), folder.stat())
            except FileNotFoundError:
                ours = False
            if ours:
                yield
                return


def in_use(folder: Path) -> bool:
    """Whether another process holds ``folder``."""
    if fcntl is None:
        return False
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
