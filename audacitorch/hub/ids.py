"""Repo ids as people write them: ``author/name`` or ``author/name@revision``."""

from __future__ import annotations

import re
from typing import Optional, Tuple

from audacitorch.hub.errors import InvalidRepoId, printable

_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
_ID = re.compile(rf"{_NAME}/{_NAME}", re.ASCII)
_LONGEST_ID = 96
_LONGEST_REVISION = 255
_REVISION_FORBIDS = re.compile(r"[\s\x00-\x1f\x7f~^:?*\[\\]|\.\.|@\{|//|^[/.-]|[/.]$")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def parse_repo_id(text: str) -> Tuple[str, Optional[str]]:
    """The id and the revision (None where none is given) in ``author/name[@revision]``.

    Raises:
        InvalidRepoId: the Hub can have no such id, or git no such revision.
    """
    repo_id, at, revision = text.partition("@")
    if not _ID.fullmatch(repo_id) or "--" in repo_id or ".." in repo_id or repo_id.endswith(".git"):
        raise InvalidRepoId(f'"{printable(text)}" is not a repo id: write author/name or author/name@revision')
    if len(repo_id) > _LONGEST_ID:
        raise InvalidRepoId(f"a repo id has at most {_LONGEST_ID} characters: {printable(repo_id)}")
    if at and (not revision or len(revision) > _LONGEST_REVISION or _REVISION_FORBIDS.search(revision)):
        raise InvalidRepoId(f'"{printable(revision)}" is no branch, tag or commit: write author/name@revision')
    return repo_id, revision or None


def is_commit(text: object) -> bool:
    """Whether ``text`` is a full commit hash, which never moves."""
    return isinstance(text, str) and _COMMIT.fullmatch(text) is not None
