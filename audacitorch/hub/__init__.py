"""The HuggingFace Hub: list model repos, describe one, read from it or fetch it, verified by hash and bounded.

:class:`Hub` is the client, :func:`fetch` downloads a repo to a folder, and :mod:`audacitorch.hub.failures` holds all
that can go wrong, sorted by whose fault it is.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path
from typing import ContextManager, Dict, List, Mapping, Optional, Union

from audacitorch.facts import METADATA, MODEL, README, Repo, RepoFile
from audacitorch.http import one_line
from audacitorch.hub.api import DEFAULT_REVISION, Hub
from audacitorch.hub.download import Download, Progress
from audacitorch.hub.failures import HubError, HubUnreachable, LocalStorageError, TargetUnreadable
from audacitorch.hub.repos import HubFile, RepoDetails, parse_repo_id

__all__ = ["Hub", "HubError", "HubFile", "HubUnreachable", "RepoDetails", "TargetUnreadable", "fetch", "parse_repo_id"]

#: The files that a check reads, with the most bytes that it takes of each. A larger file stays on the Hub: its size
#: alone is the finding.
WANTED: Mapping[str, int] = {METADATA: 1 << 24, README: 1 << 24, MODEL: (1 << 31) - 1}


def fetch(
    repo_id: str,
    revision: Optional[str],
    folder: Union[str, Path],
    token: Union[str, bool, None] = None,
    *,
    hub: Optional[Hub] = None,
    progress: Optional[Progress] = None,
    seconds: Optional[float] = None,
) -> Repo:
    """Download metadata.json, README.md and model.pt of ``repo_id`` into ``folder``: seven requests for all three.

    ``revision`` (None: main) is resolved to a commit once, and the files are those of that commit. A file that is
    already there with the right content is kept, one with other content is replaced, an interrupted download is
    resumed, and several processes may fetch into the same folder. A file larger than its limit in :data:`WANTED` is
    described and not downloaded.

    Args:
        token: as for :class:`Hub`; not used if ``hub`` is given.
        seconds: the time for all of it; by default what the files take at 20,000 bytes a second, and two minutes each.

    Raises:
        TargetUnreadable: this caller may not read the repo, the revision or one of the files.
        HubUnreachable: the Hub did not answer, took too long, or what it gave is damaged.
        LocalStorageError: the folder can't be written, has no room, or holds one of the files that the repo lacks.
    """
    ends = None if seconds is None else time.monotonic() + seconds
    opened: ContextManager[Hub] = Hub(token=token) if hub is None else nullcontext(hub)
    with opened as source:
        details = source.repo_details(repo_id, revision or DEFAULT_REVISION)
        names = [name for name, limit in WANTED.items() if name in details.files and details.files[name].size <= limit]
        target = _prepare(Path(folder), names, details)
        sha256s = {
            name: Download(source, details, details.files[name], target / name, progress, ends).run() for name in names
        }
    return Repo("hub", details.id, details.sha, _facts(details, sha256s))


def _prepare(folder: Path, names: List[str], details: RepoDetails) -> Path:
    """Create the folder; whatever else it holds, the files that a check reads must be this repo's."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalStorageError(f"{folder} can't be created: {one_line(str(error))}.") from error
    for name in WANTED:
        if name not in names and (folder / name).exists():
            raise LocalStorageError(f"{folder} holds a {name} that is not from {details.id}: use another folder.")
    return folder


def _facts(details: RepoDetails, sha256s: Dict[str, str]) -> Dict[str, RepoFile]:
    files = [details.files[name] for name in WANTED if name in details.files]
    return {
        file.name: RepoFile(file.name, file.size, file.lfs, file.sha256 or sha256s.get(file.name)) for file in files
    }
