"""The sha256 of model.pt, which names the very bytes that a report is about."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from threading import Thread
from typing import Optional

from audacitorch.facts import MODEL
from audacitorch.repo.model_repo import FolderRepo, TargetError

#: A static check promises half a second: it takes the hash of what can be read in a part of that.
_LARGEST_HASHED_STATICALLY = 64 << 20


class Digest:
    """The sha256 of model.pt, taken in a thread while the worker computes."""

    def __init__(self, repo: FolderRepo, static: bool) -> None:
        self._value: Optional[str] = None
        self._thread: Optional[Thread] = None
        model = repo.facts.files.get(MODEL)
        if model is None:
            return
        self._value = model.sha256
        if self._value is None and not (static and model.size > _LARGEST_HASHED_STATICALLY):
            self._thread = Thread(target=self._compute, args=(repo,), daemon=True)
            self._thread.start()

    def _compute(self, repo: FolderRepo) -> None:
        digest = hashlib.sha256()
        with suppress(OSError, TargetError), repo.open(MODEL) as file:
            while True:
                chunk = file.read(1 << 20)
                if not chunk:
                    break
                digest.update(chunk)
            self._value = digest.hexdigest()

    def value(self) -> Optional[str]:
        """The hash in hexadecimal; None for a model that is missing, unreadable, or too large for a static check."""
        if self._thread is not None:
            self._thread.join()
        return self._value
