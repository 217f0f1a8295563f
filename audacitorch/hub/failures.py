"""What can go wrong with the Hub, sorted by whose fault it is: ``exit_status`` is what the command line ends with.

Errors below :class:`TargetUnreadable` (2) speak about the repo that was asked for; all others (3) say that the check
could not be made, and never count against a model.
"""

from __future__ import annotations

from typing import Any, Mapping, Optional

from audacitorch.errors import AudacitorchError
from audacitorch.http import one_line


class HubError(AudacitorchError, OSError):
    """Any failure to get something from the Hub: an ``OSError``, as a remote file is read like any other."""

    exit_status = 3


class HubUnreachable(HubError):
    """The Hub did not answer, or not with what it was asked for. Says nothing about the repo."""


class BodyCut(HubUnreachable):
    """An answer began well and did not arrive whole: asking again may help."""


class RateLimited(HubUnreachable):
    """The Hub asks for a longer wait than the caller accepts."""


class IncompleteListing(HubUnreachable):
    """The listing ended before its end: what it gave is true, what it lacks may exist all the same."""


class DamagedDownload(HubUnreachable):
    """The bytes that arrived are not the ones that the Hub announced, or changed while they were read."""


class RangesRefused(HubUnreachable):
    """The server does not serve a part of a file."""


class RangeLimit(HubUnreachable):
    """A file needs more requests or bytes than its reader may spend."""


class LocalStorageError(HubError):
    """What arrived can't be written here."""


class TargetUnreadable(HubError):
    """The Hub answered: this caller can't read that target."""

    exit_status = 2


class InvalidRepoId(TargetUnreadable, ValueError):
    """The text is not ``author/name[@revision]``."""


class RepoNotFound(TargetUnreadable):
    """The repo does not exist, or is private to others: the Hub does not tell these apart."""


class RevisionNotFound(TargetUnreadable):
    """The repo has no such branch, tag or commit."""


class FileNotFound(TargetUnreadable):
    """The repo has no such file at this revision."""


class AccessDenied(TargetUnreadable):
    """The Hub refuses this caller."""


class GatedRepo(AccessDenied):
    """The repo's files are given to people whom its author has let in."""


class DisabledRepo(TargetUnreadable):
    """The Hub has shut this repo."""


class FileTooLarge(TargetUnreadable):
    """A file is larger than its reader takes."""


_BY_CODE = {
    "RepoNotFound": RepoNotFound,
    "RevisionNotFound": RevisionNotFound,
    "EntryNotFound": FileNotFound,
    "GatedRepo": GatedRepo,
}
_SENTENCES = {
    RepoNotFound: "The Hub has no model repo {what} that this caller may see",
    RevisionNotFound: "The Hub has no such revision: {what}",
    FileNotFound: "The repo has no such file: {what}",
    GatedRepo: "The repo is gated, its author must let you in first: {what}",
    DisabledRepo: "The Hub has disabled this repo: {what}",
    AccessDenied: "The Hub refuses access to {what}",
}


def error_for(status: int, headers: Mapping[str, str], what: str, *, is_file: bool) -> HubError:
    """The error that the Hub's answer ``status`` with ``headers`` stands for.

    Args:
        what: what was asked for, in words of ours: ``author/name``.
        is_file: whether a file was asked for, which is what a 404 without an error code then means.
    """
    said = one_line(headers.get("X-Error-Message", ""))
    kind: Optional[Any] = _BY_CODE.get(headers.get("X-Error-Code", ""))
    if kind is None and said.startswith("Access to this resource is disabled"):
        kind = DisabledRepo
    if kind is None and status in (404, 410):
        kind = FileNotFound if is_file else RepoNotFound
    if kind is None and status == 401:
        kind = RepoNotFound  # what an anonymous caller is told about a repo that is not there
    if kind is None and status == 403:
        kind = AccessDenied
    answer = f" (status {status}{', ' + said if said else ''})"
    if kind is not None:
        found: HubError = kind(f"{_SENTENCES[kind].format(what=what)}{answer}.")
        return found
    if status == 429:
        return RateLimited(f"The Hub's rate limit is used up: {what}{answer}.")
    if status == 416:
        return DamagedDownload(f"The file is shorter than the Hub announced: {what}{answer}.")
    return HubUnreachable(f"The Hub could not answer for {what}{answer}.")
