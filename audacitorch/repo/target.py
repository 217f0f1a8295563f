"""TARGET of a command: a folder, or a Hub repo id `author/name[@revision]`, opened as a repo that can be checked."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Optional

from audacitorch.repo.model_repo import FolderRepo, TargetError
from audacitorch.repo.provenance import read_facts

_LOOKS_LIKE_AN_ID = re.compile(r"[\w.-]+/[\w.-]+(@.+)?")


@contextmanager
def opened_repo(target: str, endpoint: Optional[str] = None, facts: Optional[Path] = None) -> Iterator[FolderRepo]:
    """The target as a repo; what was fetched for it is gone afterwards.

    What exists here, or lies in a folder that does, is taken for a folder; anything else of the form ``author/name``
    is asked of the Hub.
    ``facts`` is the file in which `fetch` told where the folder is from.

    Raises:
        TargetError: it can't be read. Errors of :mod:`audacitorch.hub.failures` where the Hub was asked.
    """
    if not target:  # Path would take it for the working folder
        raise TargetError("TARGET is empty: name a folder, or a Hub repo id")
    folder = Path(target)
    if os.path.lexists(folder) or folder.parent.is_dir() or not _LOOKS_LIKE_AN_ID.fullmatch(target):
        yield FolderRepo(folder, read_facts(facts) if facts is not None else None)
        return
    with tempfile.TemporaryDirectory(prefix="audacitorch-") as scratch:
        yield fetched_repo(target, Path(scratch), endpoint)


def fetched_repo(target: str, folder: Path, endpoint: Optional[str] = None) -> FolderRepo:
    """A repo of the Hub, with the files that a check needs brought into ``folder``."""
    from audacitorch.hub import Hub, fetch, parse_repo_id
    from audacitorch.hub.failures import RepoNotFound

    repo_id, revision = parse_repo_id(target)
    try:
        return FolderRepo(folder, fetch(repo_id, revision, folder, hub=Hub(endpoint)))
    except RepoNotFound as error:
        raise TargetError(f"{target} is no folder here, and {error}") from error
