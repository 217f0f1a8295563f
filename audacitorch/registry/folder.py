"""The registry's folder: where its files are, which record has which path, reading and writing them."""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, ContextManager, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from audacitorch.http import one_line
from audacitorch.registry import RegistryError, canonical, locked, read_json, write
from audacitorch.registry.model_record import ModelRecord
from audacitorch.registry.record_schema import LaterSchema, NotARecord

#: What the name of a record that could not be read ends with.
BROKEN = ".broken"
#: Files about the last run, which change at each: git ignores them.
VOLATILE = ("looks.json", "untested.json")
#: Characters of a model's sounds.
LONGEST_SOUNDS = 2 << 20
_UNFINISHED_SECONDS = 3600.0
#: Names that Windows keeps for devices, whatever ending they have.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


class Unreadable(NamedTuple):
    """A file below ``models/`` that is not a record; ``later`` if a later version of this tool wrote it."""

    place: str
    why: str
    later: bool

    def __str__(self) -> str:
        return f"models/{self.place} can't be read and is skipped: {self.why}."


class RegistryFolder:
    """``models/`` with a record a repo, ``builtin.yml``, ``models.json`` and what belongs to them.

    Raises:
        RegistryError: there is no such folder.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise RegistryError(f"There is no registry in {path}.")
        self.path = path
        self.models = path / "models"
        self.builtin = path / "builtin.yml"
        self.builtin_state = path / "builtin-state.json"
        self.list = path / "models.json"
        self.stats = path / "stats.json"
        self.missing = path / "missing.json"
        self.untested = path / "untested.json"
        self.looks = path / "looks.json"
        self.notice = path / "notice.txt"
        self.sounds = path / "sounds"
        #: Files that are no records, filled by :meth:`records`.
        self.unreadable: List[Unreadable] = []

    def place(self, repo_id: str, key: str = "") -> str:
        """The path of a record below ``models/``; with ``key`` the one of a repo whose name another has taken.

        It is good on every file system: ``~`` is in no repo's name, and keeps devices' names apart.
        """
        author, _, name = repo_id.partition("/")
        parts = [part + "~" if _RESERVED.fullmatch(part.partition(".")[0]) else part for part in (author, name)]
        return f"{parts[0]}/{parts[1]}{f'~{key}' if key else ''}.json"

    def records(self) -> Iterator[Tuple[str, ModelRecord]]:
        """Every record with its path below ``models/``, one at a time and in order.

        What can't be read is passed over, and named in :attr:`unreadable`.
        """
        self.unreadable.clear()
        for author in sorted(path for path in self.models.glob("*") if path.is_dir()):
            for path in sorted(author.glob("*.json")):
                place = f"{author.name}/{path.name}"
                record = self.read(place)
                if record is not None:
                    yield place, record

    def read(self, place: str) -> Optional[ModelRecord]:
        """The record at a path below ``models/``; None if there is none, or one that can't be read."""
        path = self.models / place
        try:
            if not path.is_file():
                if path.exists():
                    raise NotARecord("it is not a file")
                return None
            return ModelRecord.from_json(json.loads(path.read_bytes()))
        except (OSError, ValueError, RecursionError) as error:
            self.unreadable.append(Unreadable(place, one_line(str(error)), isinstance(error, LaterSchema)))
            return None

    def find(self, repo_id: str) -> Optional[ModelRecord]:
        """The record of the repo that has this name now."""
        record = self.read(self.place(repo_id))
        return record if record is not None and record.id == repo_id else None

    def kept_aside(self) -> List[str]:
        """Files below ``models/`` that could not be read and wait for a person, by their names."""
        return sorted(path.relative_to(self.models).as_posix() for path in self.models.glob(f"*/*{BROKEN}*"))

    def keep_aside(self, place: str) -> str:
        """Rename what lies at ``place`` and can't be used, so that nothing of it is lost; its new name.

        Raises:
            RegistryError: that is not possible.
        """
        names = (f"{place}{BROKEN}{number or ''}" for number in count())
        free = next(name for name in names if not (self.models / name).exists())
        self.move(place, free)
        return free

    def move(self, place: str, other: str) -> None:
        """Move what lies at ``place``, in one step.

        Raises:
            RegistryError: that is not possible.
        """
        try:
            (self.models / other).parent.mkdir(parents=True, exist_ok=True)
            os.replace(self.models / place, self.models / other)
        except OSError as error:
            raise RegistryError(f"{self.models / place} can't be moved: {error.strerror or error}.") from error

    def write(self, place: str, record: ModelRecord) -> bool:
        """Have ``record`` at ``place``; False where nothing had to be written."""
        return write(self.models / place, record_text(record))

    def keep_sounds(self, key: str, content: Mapping[str, str], sounds: Any) -> None:
        """Keep the sounds of a trial of ``content`` as the text that they are: only the catalogue decodes them.

        No sounds at all are kept as well, so that nobody looks for them again; None says that nobody did.
        """
        if isinstance(sounds, str) and len(sounds) <= LONGEST_SOUNDS:
            write(self.sounds / f"{key}.json", canonical({"content": content, "page": sounds}))

    def sounds_of(self, record: ModelRecord) -> Optional[str]:
        """The sounds of what a record describes, as JSON; None where nobody has looked for them."""
        try:
            kept = read_json(self.sounds / f"{record.key}.json", {})
        except RegistryError:
            return None
        page = kept.get("page")
        return page if kept.get("content") == record.content and isinstance(page, str) else None

    def remove(self, place: str) -> None:
        """Delete the record at ``place``, if it is there."""
        (self.models / place).unlink(missing_ok=True)

    def ignore_volatile(self) -> None:
        """Have git ignore what changes at each run, unless somebody has said what it is to ignore here."""
        ignored = self.path / ".gitignore"
        if not ignored.exists():
            write(ignored, "".join(f"{name}\n" for name in ("# What changes at each run.", *VOLATILE, "*.tmp")))

    def sweep_up(self) -> None:
        """Remove files that were being written when a run was ended, an hour ago or more."""
        for path in self.path.rglob(".*.tmp"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _UNFINISHED_SECONDS:
                    path.unlink()

    def refreshing(self) -> ContextManager[Optional[int]]:
        """Held by a refresh: a second one waits for it."""
        return locked(self.path, "another refresh")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Held while one record is read, changed and written, so that a refresh and trials may go on at once."""
        self.models.mkdir(exist_ok=True)
        with locked(self.models):
            yield


def record_text(record: ModelRecord) -> str:
    """The record as it lies in its file."""
    return canonical(record.to_json())


def default_folder() -> Path:
    """The ``registry/`` of the checkout in which the program was started, else of the one that it belongs to."""
    here, checkout = Path("registry"), Path(__file__).resolve().parents[2] / "registry"
    return here if (here / "builtin.yml").is_file() or not checkout.is_dir() else checkout
