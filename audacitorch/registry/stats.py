"""Numbers that move without a commit, in one file, so that they rewrite no record."""

from __future__ import annotations

from typing import Any, Dict

from audacitorch.registry.files import canonical, read_json, write
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.sightings import ListedRepo


class Stats:
    """``stats.json``: likes and downloads by repo id."""

    def __init__(self, folder: RegistryFolder) -> None:
        self._path = folder.stats
        self._known: Dict[str, Any] = read_json(folder.stats, {})
        self._new: Dict[str, Any] = {}

    def put(self, listed: ListedRepo) -> None:
        """Take in what the listing says."""
        self._new[listed.id] = {"downloads": listed.downloads, "likes": listed.likes}

    def keep(self, repo_id: str) -> None:
        """A repo is not listed, and may be again in an hour: its numbers stay."""
        if repo_id in self._known:
            self._new[repo_id] = self._known[repo_id]

    def save(self, complete: bool) -> bool:
        """Write what changed; after a listing that was not complete, what it lacks is kept."""
        if not self._new:
            return False
        return write(self._path, canonical(self._new if complete else {**self._known, **self._new}))
