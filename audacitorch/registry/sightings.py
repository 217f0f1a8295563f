"""What the Hub's listing says of one repo, taken out of JSON that a stranger may have shaped."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Tuple

from audacitorch.http import one_line
from audacitorch.hub.failures import InvalidRepoId
from audacitorch.hub.repos import is_commit, parse_repo_id, repo_id_fault

#: File names kept of a repo that is no model: enough to see which one was meant to be model.pt.
MOST_NAMES = 50
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LONGEST_LICENCE = 100
_WANTED = ("model.pt", "metadata.json", "README.md")


class NotUnderstood(ValueError):
    """An entry of the listing that speaks of no repo that there could be."""


@dataclass(frozen=True)
class ListedRepo:
    """A repo as it is listed. ``names`` are its files, at most :data:`MOST_NAMES`; None where they are not told."""

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
    def may_be_model(self) -> bool:
        """Whether both files that a model needs are there, for all that is known."""
        return self.names is None or ("model.pt" in self.names and "metadata.json" in self.names)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> ListedRepo:
        """An entry of ``/api/models``, of which nothing but a string ``id`` is certain.

        Raises:
            NotUnderstood: its id, key or commit can't be one.
        """
        identifier, key, sha = entry["id"], entry.get("_id"), entry.get("sha")
        fault = repo_id_fault(identifier)
        try:
            parse_repo_id(identifier)
        except InvalidRepoId as error:
            fault = fault or str(error)
        if fault is not None:
            raise NotUnderstood(fault)
        if key is not None and not (isinstance(key, str) and _KEY.fullmatch(key)):
            raise NotUnderstood(f"{identifier} has an odd _id: {one_line(repr(key))}")
        if not is_commit(sha):
            raise NotUnderstood(f"{identifier} is listed without its commit")
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
