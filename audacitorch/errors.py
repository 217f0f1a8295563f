"""The base of every error that a caller can do something about."""

from __future__ import annotations


class AudacitorchError(Exception):
    """An error with a message for people and the exit status that the command line gives it.

    Exit status: 1 problems found, 2 the call itself is wrong or the target can't be read, 3 the check could not be
    made. An exception that is not of this class is a bug of audacitorch.
    """

    exit_status = 3
