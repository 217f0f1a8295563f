"""What the Hub told of a repo that was fetched, kept in a file: fetching and checking may be two programs.

The GitHub Action fetches with a network, and checks without one.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from audacitorch.facts import Repo, RepoFile
from audacitorch.repo.model_repo import TargetError


def write_facts(repo: Repo, path: Path) -> None:
    """Write what is known of ``repo`` to ``path`` as JSON.

    Raises:
        TargetError: the file can't be written.
    """
    told = {"source": repo.source, "id": repo.id, "revision": repo.revision}
    try:
        path.write_text(json.dumps({**told, "files": [asdict(file) for file in repo.files.values()]}), "utf-8")
    except OSError as error:
        raise TargetError(f"{path} can't be written: {error.strerror}") from error


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
        raise TargetError(f"{path} can't be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise TargetError(f"{path} is not what `audacitorch fetch --facts` writes") from error
