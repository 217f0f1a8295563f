"""A limit for work in this process: reading strangers' bytes is linear, and this is the second line of defence."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Iterator, Optional, Type

from audacitorch.errors import AudacitorchError


class TimeLimitExceeded(AudacitorchError):
    """The work took longer than it may: nothing can be said about the model."""

    exit_status = 3


class _Expired(BaseException):
    """Raised inside the work; no handler for exceptions of the work's own catches it."""


@contextmanager
def time_limit(seconds: float, what: str) -> Iterator[None]:
    """Stop what is done inside after so many seconds, in whichever thread it runs.

    Python code is stopped at its next instruction, so one call into C must come to an end by itself.

    Raises:
        TimeLimitExceeded: the time was over; ``what`` names the work at the beginning of the message.
    """
    thread = threading.get_ident()
    lock, over, fired = threading.Lock(), False, False

    def expire() -> None:
        nonlocal fired
        with lock:
            if not over:
                fired = True
                _raise_in(thread, _Expired)

    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), expire)
    timer.daemon = True
    timer.start()
    try:
        try:
            yield
        finally:
            with lock:
                over = True
            timer.cancel()
            if fired:  # it may have come too late to be raised in the work
                _raise_in(thread, None)
    except _Expired:
        pass
    if fired:
        raise TimeLimitExceeded(f"{what} took longer than {seconds:g} s.")


def _raise_in(thread: int, exception: Optional[Type[BaseException]]) -> None:
    """Have ``exception`` raised in a thread at its next instruction; None takes back one that was not raised yet."""
    import ctypes  # a hundredth of a second, for what hardly ever happens

    raised = None if exception is None else ctypes.py_object(exception)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)
