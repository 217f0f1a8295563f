"""Repos that a refresh missed, and since when: kept beside the records, so that none is rewritten for an hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Dict

from audacitorch.registry.files import canonical, moment_of, read_json, timestamp, write
from audacitorch.registry.folder import RegistryFolder

#: How long a repo must have been missing, in every refresh from the first to one at least so much later.
PATIENCE = timedelta(hours=24)


class Absences:
    """``missing.json``: by the Hub's key, since when a repo was not listed, or could not be read, and why."""

    def __init__(self, folder: RegistryFolder, moment: datetime) -> None:
        self._path = folder.missing
        self._moment = moment
        self._since: Dict[str, Dict[str, Any]] = read_json(folder.missing, {})

    def note(self, key: str, repo_id: str, why: str) -> bool:
        """Note that a repo is missing; True when it has been for long enough to say so."""
        entry = self._since.get(key)
        try:
            since = moment_of(entry["since"]) if entry else self._moment
        except (KeyError, TypeError, ValueError):
            since = self._moment
        self._since[key] = {"id": repo_id, "since": timestamp(since), "why": why}
        return self._moment - since >= PATIENCE

    def forget(self, key: str) -> None:
        """A repo is there, or is known to be gone."""
        self._since.pop(key, None)

    def save(self) -> bool:
        """Write what changed."""
        if not self._since and not self._path.exists():
            return False
        return write(self._path, canonical(self._since))
