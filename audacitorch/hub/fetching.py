"""A model repo from the Hub to a folder: the files that a check needs, at one commit, each verified by its hash."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Callable, ContextManager, Dict, List, Mapping, Optional, Union

from audacitorch.facts import Repo, RepoFile
from audacitorch.hub.client import DEFAULT_REVISION, Hub
from audacitorch.hub.details import RepoDetails
from audacitorch.hub.errors import LocalStorageError, printable

#: Told a file's name, its bytes so far, and its size.
Progress = Callable[[str, int, int], None]

#: What a check looks at, with the most bytes that it takes of each. A larger file stays on the Hub: its size alone
#: is the finding.
WANTED: Mapping[str, int] = {"metadata.json": 1 << 24, "README.md": 1 << 24, "model.pt": (1 << 31) - 1}


def fetch(
    repo_id: str,
    revision: Optional[str],
    folder: Union[str, Path],
    token: Union[str, bool, None] = None,
    *,
    hub: Optional[Hub] = None,
    progress: Optional[Progress] = None,
) -> Repo:
    """Download metadata.json, README.md and model.pt of ``repo_id`` into ``folder``: seven requests for all three.

    ``revision`` (None: main) is resolved to a commit once, and the files are those of that commit. A file that is
    already there with the right content is kept, one with other content is replaced, an interrupted download goes on
    from where it was, and several processes may fetch into the same folder. A file beyond its bound in
    :data:`WANTED` is described and not downloaded.

    Args:
        token: as for :class:`Hub`; not used where ``hub`` is given.

    Raises:
        TargetUnreadable: this caller can't have the repo, the revision or one of the files.
        HubUnreachable: the Hub did not answer, or what it gave is damaged.
        LocalStorageError: the folder can't be written, has no room, or holds one of the files that the repo lacks.
    """
    from audacitorch.hub.download import download

    opened: ContextManager[Hub] = Hub(token=token) if hub is None else nullcontext(hub)
    with opened as source:
        details = source.repo_details(repo_id, revision or DEFAULT_REVISION)
        names = [name for name, limit in WANTED.items() if name in details.files and details.files[name].size <= limit]
        target = _prepare(Path(folder), names, details)
        sha256s = {name: download(source, details, name, target, progress) for name in names}
    return Repo("hub", details.id, details.sha, _facts(details, sha256s))


def _prepare(folder: Path, names: List[str], details: RepoDetails) -> Path:
    """Make the folder; whatever else it holds, the files that a check reads must be this repo's."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalStorageError(f"{folder} can't be made: {printable(str(error))}") from error
    for name in WANTED:
        if name not in names and (folder / name).exists():
            raise LocalStorageError(f"{folder} holds a {name} that is not from {details.id}: take another folder")
    return folder


def _facts(details: RepoDetails, sha256s: Dict[str, str]) -> Dict[str, RepoFile]:
    files = [details.files[name] for name in WANTED if name in details.files]
    return {
        file.name: RepoFile(file.name, file.size, file.lfs, file.sha256 or sha256s.get(file.name)) for file in files
    }
