"""TARGET of a command: a folder, or a Hub repo id `author/name[@revision]`, opened as a repo that can be checked.

What the Hub says about a repo can be kept in a file, because fetching and checking may be two programs: the GitHub
Action fetches with a network, and checks without one.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Iterator, List, Optional

from audacitorch.facts import METADATA, MODEL, Repo, RepoFile
from audacitorch.repo.model_repo import FolderRepo, TargetError

#: A page of a repo on the Hub, as an address bar shows it.
_PAGE = re.compile(
    r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/([\w.-]+/[\w.-]+?)(?:/(?:tree|blob|resolve|commit)/([^/?#]+).*)?/?(?:[?#].*)?"
)
_LOOKS_LIKE_AN_ID = re.compile(r"[\w.-]+/[\w.-]+(@.+)?")


def from_page(target: str) -> str:
    """The repo id, with the revision where there is one, of the address of a repo's page; other targets unchanged."""
    page = _PAGE.fullmatch(target)
    if page is None:
        return target
    repo_id, revision = page.groups()
    return f"{repo_id}@{revision}" if revision else repo_id


def repos_below(target: str) -> List[str]:
    """The model repos in a folder of such folders, in order of their names; any other target alone."""
    folder = Path(target) if target else None
    try:
        if folder is None or not folder.is_dir() or _holds_model(folder):
            return [target]
        found = [str(below) for below in sorted(folder.iterdir()) if below.is_dir() and _holds_model(below)]
    except OSError:
        return [target]
    return found or [target]


def _holds_model(folder: Path) -> bool:
    return (folder / MODEL).exists() or (folder / METADATA).exists()


@contextmanager
def opened_repo(
    target: str, endpoint: Optional[str] = None, facts: Optional[Path] = None, seconds: Optional[float] = None
) -> Iterator[FolderRepo]:
    """The target as a repo; what was fetched for it is gone afterwards.

    What exists here, or lies in a folder that does, is taken for a folder; anything else of the form ``author/name``
    is asked of the Hub.
    ``facts`` is the file in which `fetch` told where the folder is from; ``seconds`` bounds a download.

    Raises:
        TargetError: it can't be read. Errors of :mod:`audacitorch.hub.failures` where the Hub was asked.
    """
    if not target:  # Path would take it for the working folder
        raise TargetError("TARGET is empty: name a folder, or a Hub repo id.")
    target = from_page(target)
    folder = Path(target)
    if os.path.lexists(folder) or folder.parent.is_dir() or not _LOOKS_LIKE_AN_ID.fullmatch(target):
        yield FolderRepo(folder, read_facts(facts) if facts is not None else None)
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="audacitorch-") as scratch:
        yield fetched_repo(target, Path(scratch), endpoint, seconds)


def fetched_repo(
    target: str, folder: Path, endpoint: Optional[str] = None, seconds: Optional[float] = None
) -> FolderRepo:
    """A repo of the Hub, with the files that a check needs brought into ``folder``, in at most so many seconds."""
    from audacitorch.hub import Hub, fetch, parse_repo_id
    from audacitorch.hub.failures import AccessDenied, RepoNotFound

    repo_id, revision = parse_repo_id(target)
    try:
        return FolderRepo(folder, fetch(repo_id, revision, folder, hub=Hub(endpoint), seconds=seconds))
    except (RepoNotFound, AccessDenied) as error:
        there = "" if isinstance(error, AccessDenied) else f"{target} is not a folder here. "
        raise TargetError(f"{there}{error}{_token_hint()}") from error


def _token_hint() -> str:
    """What lets a private repo be read, where no token was given."""
    from audacitorch.hub.api import token_from

    if token_from(None) is not None:
        return ""
    return " If it is private, set HF_TOKEN to a token that may read it."


def write_facts(repo: Repo, path: Path) -> None:
    """Write what is known of ``repo`` to ``path`` as JSON.

    Raises:
        TargetError: the file can't be written.
    """
    told = {"source": repo.source, "id": repo.id, "revision": repo.revision}
    try:
        path.write_text(json.dumps({**told, "files": [asdict(file) for file in repo.files.values()]}), "utf-8")
    except OSError as error:
        raise TargetError(f"{path} can't be written: {error.strerror}.") from error


def read_facts(path: Path) -> Repo:
    """What :func:`write_facts` wrote.

    Raises:
        TargetError: the file can't be read, or holds something else.
    """
    try:
        told = json.loads(path.read_text("utf-8"))
        files = {file["name"]: RepoFile(**file) for file in told["files"]}
        return Repo(told["source"], told["id"], told["revision"], files)
    except OSError as error:
        raise TargetError(f"{path} can't be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise TargetError(f"{path} is not what `audacitorch fetch --facts` writes.") from error
