"""What a refresh saw: each repo as the Hub lists it, what the listing lacked, and how complete the look was.

None of this lives in the records: a repo that vanishes for an hour, a like and the date of a look rewrite none.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from audacitorch.facts import METADATA, MODEL, README
from audacitorch.http import one_line
from audacitorch.hub.repos import is_commit, repo_id_fault
from audacitorch.registry import RegistryError, canonical, moment_of, read_json, timestamp, write
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.model_record import ModelRecord
from audacitorch.registry.record_schema import KEY

#: File names kept of a repo that is not a model: enough to see which one was meant to be model.pt.
MOST_NAMES = 50
#: How long a repo must have been missing, in every refresh from the first to one at least so much later.
PATIENCE = timedelta(hours=24)
#: A listing that lacks more than this share of the repos that were there, and at least so many, is in doubt.
DOUBTFUL_SHARE, DOUBTFUL_COUNT = 0.1, 5
#: What to do about a stats.json that can't be read.
STATS_HINT = "delete it, the next refresh makes it again"
#: Names that a look keeps of what the listing lacked.
_MOST_LACKING = 50
_LONGEST_LICENCE = 100
_WANTED = (MODEL, METADATA, README)


class NotUnderstood(ValueError):
    """An entry of the listing that can't be about a repo."""


@dataclass(frozen=True)
class ListedRepo:
    """A repo as it is listed. ``names`` are its files, at most :data:`MOST_NAMES`; None if it has none."""

    id: str
    key: str
    sha: str
    gated: bool
    disabled: bool
    licence: Optional[str]
    names: Optional[Tuple[str, ...]]
    likes: int
    downloads: int

    @property
    def author(self) -> str:
        """Whose repo it is."""
        return self.id.partition("/")[0]

    @property
    def may_be_model(self) -> bool:
        """Whether both files that a model needs are there, as far as is known."""
        return self.names is None or (MODEL in self.names and METADATA in self.names)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> ListedRepo:
        """An entry of ``/api/models``, of which nothing but a string ``id`` is certain.

        Raises:
            NotUnderstood: its id, key or commit can't be one.
        """
        identifier, key, sha = entry["id"], entry.get("_id"), entry.get("sha")
        fault = repo_id_fault(identifier)
        if fault is not None:
            raise NotUnderstood(fault)
        if key is not None and not (isinstance(key, str) and KEY.fullmatch(key)):
            raise NotUnderstood(f"{identifier} has an odd _id: {one_line(repr(key))}.")
        if not is_commit(sha):
            raise NotUnderstood(f"{identifier} is listed without its commit.")
        return cls(
            id=identifier,
            key=key or hashlib.sha1(identifier.encode(), usedforsecurity=False).hexdigest(),
            sha=str(sha),
            gated=bool(entry.get("gated")),
            disabled=bool(entry.get("disabled")),
            licence=_licence(entry),
            names=_names(entry.get("siblings")),
            likes=_count(entry.get("likes")),
            downloads=_count(entry.get("downloads")),
        )


def _names(siblings: Any) -> Optional[Tuple[str, ...]]:
    if not isinstance(siblings, list):
        return None
    found = [file.get("rfilename") for file in siblings if isinstance(file, dict)]
    names = sorted({name for name in found if isinstance(name, str)}, key=lambda name: (name not in _WANTED, name))
    return tuple(name[:300] for name in names[:MOST_NAMES])


def _licence(entry: Mapping[str, Any]) -> Optional[str]:
    """The card's licence, else the tag that the Hub makes of it."""
    card, tags = entry.get("cardData"), entry.get("tags")
    stated = card.get("license") if isinstance(card, dict) else None
    if isinstance(stated, list):
        stated = ", ".join(item for item in stated if isinstance(item, str))
    if not isinstance(stated, str) or not stated:
        told = tags if isinstance(tags, list) else []
        stated = next((tag[8:] for tag in told if isinstance(tag, str) and tag.startswith("license:")), None)
    return one_line(stated[:_LONGEST_LICENCE]) if stated else None


def _count(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 1 << 53 else 0


class Absences:
    """``missing.json``: by the Hub's key, since when a repo was not listed, or could not be read, and why."""

    def __init__(self, folder: RegistryFolder, moment: datetime) -> None:
        self._path = folder.missing
        self._moment = moment
        self._since: Dict[str, Any] = read_json(folder.missing, {})

    def note(self, key: str, repo_id: str, why: str) -> bool:
        """Note that a repo is missing; True when it has been for long enough to say so."""
        try:
            since = min(moment_of(self._since[key]["since"]), self._moment)
        except (KeyError, TypeError, ValueError):
            since = self._moment  # not missing before, or edited by hand
        self._since[key] = {"id": repo_id, "since": timestamp(since), "why": why}
        return self._moment - since >= PATIENCE

    def knows(self, key: str) -> bool:
        """Whether a repo was missing before."""
        return key in self._since

    def forget(self, key: str) -> None:
        """A repo is there, or is known to be gone."""
        self._since.pop(key, None)

    def save(self) -> bool:
        """Write what changed."""
        if not self._since and not self._path.exists():
            return False
        return write(self._path, canonical(self._since))


class Stats:
    """``stats.json``: likes and downloads by repo id."""

    def __init__(self, folder: RegistryFolder) -> None:
        self._path = folder.stats
        self._known: Dict[str, Any] = read_json(folder.stats, {}, STATS_HINT)
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


class Untested:
    """``untested.json``: by the Hub's key, what could not be tested, since when, and why; written as it happens."""

    def __init__(self, folder: RegistryFolder) -> None:
        self._path = folder.untested
        entries = read_json(folder.untested, {}, "delete it, the next test makes it again")
        self._entries: Dict[str, Dict[str, Any]] = {key: one for key, one in entries.items() if isinstance(one, dict)}

    def note(self, result: Mapping[str, Any], why: str, moment: datetime) -> None:
        """Write down why the model of a result was not tested; the folder must be held."""
        key = str(result.get("key"))
        if not KEY.fullmatch(key):
            return
        before = self._entries.get(key, {})
        since = before.get("since") if before.get("revision") == result.get("revision") else None
        self._entries[key] = {
            "id": str(result.get("id"))[:200],
            "revision": str(result.get("revision"))[:40],
            "since": since if isinstance(since, str) else timestamp(moment),
            "why": one_line(why),
            "refused": result.get("refused") is True,
        }
        write(self._path, canonical(self._entries))

    def forget(self, keys: Iterable[str]) -> None:
        """These were tested, or need not be any more; the folder must be held."""
        for key in list(keys):
            self._entries.pop(key, None)
        if self._path.exists():
            write(self._path, canonical(self._entries))

    def noted(self) -> List[str]:
        """The keys of what could not be tested."""
        return sorted(self._entries)

    def shown(self) -> List[Tuple[str, str]]:
        """Each repo with why and since when, for a person."""
        found = ((str(one.get("id")), str(one.get("why")), str(one.get("since"))) for one in self._entries.values())
        return sorted((repo_id, f"since {since}: {why}") for repo_id, why, since in found)

    def why(self, record: ModelRecord) -> Optional[str]:
        """Why what the record describes was not tested; None if nothing is known."""
        entry = self._entries.get(record.key)
        return str(entry.get("why")) if entry is not None and entry.get("revision") == record.revision else None

    def refused(self, record: ModelRecord) -> Optional[str]:
        """Why the Hub refused what it had listed; None if it did not."""
        entry = self._entries.get(record.key, {})
        return self.why(record) if entry.get("refused") is True else None


@dataclass
class Look:
    """One look at the Hub's listing, as ``looks.json`` keeps the last one. Git ignores that file.

    Attributes:
        date: when it was.
        last_complete: when the last look was that went through all of the listing; empty if none is known.
        listed: how many repos it had.
        lacking: how many repos it lacked that were there before, and the names of some of them.
        fault: why it is not complete, or in doubt; empty if it is.
        failed: repos that could not be looked at, with the reason.
    """

    date: str = ""
    last_complete: str = ""
    listed: int = 0
    lacking: int = 0
    lacking_names: List[str] = field(default_factory=list)
    fault: str = ""
    failed: Dict[str, str] = field(default_factory=dict)

    @classmethod
    def last(cls, folder: RegistryFolder) -> Look:
        """The last look; an empty one if the file is not there or can't be read, as nothing depends on it."""
        try:
            found = read_json(folder.looks, {})
            look = cls(**{name: found[name] for name in vars(cls()) if name in found})
        except RegistryError:
            return cls()
        alike = all(type(getattr(look, name)) is type(value) for name, value in vars(cls()).items())
        return look if alike else cls()

    def save(self, folder: RegistryFolder) -> None:
        """Make this the last look."""
        names, failed = sorted(self.lacking_names)[:_MOST_LACKING], dict(list(self.failed.items())[:_MOST_LACKING])
        folder.ignore_volatile()
        write(folder.looks, canonical({**vars(self), "lacking_names": names, "failed": failed}))


def in_doubt(lacking: int, there: int) -> bool:
    """Whether a listing lacks so many of the repos that were there that it is more likely to be cut than true."""
    return lacking >= DOUBTFUL_COUNT and lacking > DOUBTFUL_SHARE * there
