"""A model repo in a folder: which of its files a check looks at, reading them within bounds, and its model's hash."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import BinaryIO, Dict, Iterator, Optional

from audacitorch.errors import AudacitorchError
from audacitorch.facts import METADATA, MODEL, README, Repo, RepoFile

#: Names listed from the top folder, to find what was probably meant by a missing file.
_MOST_NAMES = 2000
#: A static check promises half a second: it takes the hash of what can be read in a part of that.
_LARGEST_HASHED_STATICALLY = 64 << 20


class TargetError(AudacitorchError):
    """The target can't be read: there is no such folder, it is no folder, or it may not be read."""

    exit_status = 2


class FolderRepo:
    """A folder with model.pt, metadata.json and README.md, as a checkout or an export leaves it.

    Only regular files count (behind links too, as caches keep them): a pipe or a device is as good as missing.
    """

    def __init__(self, folder: Path, known: Optional[Repo] = None) -> None:
        """Look at ``folder``; ``known`` is what the Hub told of it, where it comes from there.

        Raises:
            TargetError: the folder can't be read.
        """
        self.folder = folder
        self.facts = known if known is not None else Repo(source="folder", files=_files_of(folder))

    def has(self, name: str) -> bool:
        """Whether the repo holds this file."""
        return name in self.facts.files

    def path(self, name: str) -> Path:
        """Where a file lies, links resolved: the sandbox allows reading this path and no other."""
        return (self.folder / name).resolve()

    def open(self, name: str) -> BinaryIO:
        """Open one of the repo's files.

        Raises:
            TargetError: it may not be read, or has gone.
        """
        try:
            return (self.folder / name).open("rb")
        except OSError as error:
            raise TargetError(f"{name} can't be read: {error.strerror}.") from error

    def read(self, name: str, limit: int) -> bytes:
        """The beginning of a file: at most one byte more than ``limit``, so that a longer one can be told."""
        with self.open(name) as file:
            try:
                return file.read(limit + 1)
            except OSError as error:
                raise TargetError(f"{name} can't be read: {error.strerror}.") from error


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


def _files_of(folder: Path) -> Dict[str, RepoFile]:
    try:
        if not folder.exists():
            raise TargetError(f"There is no folder {folder}.")
        if not folder.is_dir():
            raise TargetError(f"{folder} is a file: name the folder that holds model.pt and metadata.json.")
        return dict(_regular_files(folder, list(_lfs_patterns(folder))))
    except OSError as error:
        raise TargetError(f"{folder} can't be read: {error.strerror}.") from error


def _regular_files(folder: Path, lfs_patterns: list[str]) -> Iterator[tuple[str, RepoFile]]:
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            wanted = entry.name in (MODEL, METADATA, README)
            if count >= _MOST_NAMES and not wanted:
                continue
            try:
                status = entry.stat()
            except OSError:
                continue  # a link to nowhere
            if stat.S_ISREG(status.st_mode):
                lfs = any(fnmatch.fnmatchcase(entry.name, pattern) for pattern in lfs_patterns)
                yield entry.name, RepoFile(entry.name, status.st_size, lfs or None)


def _lfs_patterns(folder: Path) -> Iterator[str]:
    """The patterns by which Git LFS takes files of this folder, from it and from those above it in its checkout."""
    whole = folder.resolve()
    root = next((above for above in (whole, *whole.parents) if (above / ".git").exists()), whole)
    for place in (whole, *whole.parents):
        below = whole.relative_to(place).as_posix()
        for pattern in _patterns_in(place / ".gitattributes"):
            parent, slash, name = pattern.rpartition("/")
            if not slash or fnmatch.fnmatchcase(below, parent.lstrip("/").replace("**", "*") or "."):
                yield name
        if place == root:
            return


def _patterns_in(attributes: Path) -> Iterator[str]:
    """The patterns that a .gitattributes hands to Git LFS."""
    if not attributes.is_file():
        return
    with attributes.open("rb") as file:
        text = file.read(1 << 16).decode("utf-8", "replace")
    for line in text.splitlines():
        pattern, *values = line.split() or [""]
        if "filter=lfs" in values and not pattern.startswith("#"):
            yield pattern
