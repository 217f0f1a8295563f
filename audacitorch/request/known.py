"""Ids of models that are known, and the one that somebody probably meant."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Tuple

from audacitorch.hub import Hub, HubError

_LIKE_ENOUGH = 0.75
#: The most ids that one misspelt id is compared with, and so of the Hub's pages that are read for it.
MOST_COMPARED = 5_000
_MOST_SHOWN = 3
_LONGEST_COMPARED = 200


def known_ids(registry: Path, hub: Hub) -> Iterator[str]:
    """The ids of the registry's records, then what the Hub lists, as far as it can be had."""
    yield from _recorded(registry / "models")
    try:
        for entry in hub.list_models():
            yield str(entry["id"])
    except HubError:
        return  # a suggestion less


def _recorded(models: Path) -> Iterator[str]:
    try:
        authors = sorted(entry.name for entry in os.scandir(models) if entry.is_dir())
        for author in authors:
            for name in sorted(os.listdir(models / author)):
                if name.endswith(".json"):
                    yield f"{author}/{name[:-5]}".replace("~", "")
    except OSError:
        return


def nearest(asked: str, ids: Iterable[str]) -> Tuple[str, ...]:
    """The known ids that ``asked`` may be a misspelling of, the likeliest first.

    Compared in small letters: the whole id, or the name alone where no author was named or the name is the same.
    """
    wanted = asked.partition("@")[0].strip()[:_LONGEST_COMPARED].lower()
    by_id: Dict[str, str] = {}
    by_name: Dict[str, List[str]] = {}
    for repo_id in ids:
        by_id.setdefault(repo_id.lower(), repo_id)
        by_name.setdefault(repo_id.partition("/")[2].lower(), []).append(repo_id)
    author, slash, name = wanted.partition("/")
    name = name if slash else author
    found = [by_id[match] for match in get_close_matches(wanted, by_id, _MOST_SHOWN, _LIKE_ENOUGH)]
    found += by_name.get(name, [])
    if not slash:
        found += [repo_id for match in get_close_matches(name, by_name, 1, _LIKE_ENOUGH) for repo_id in by_name[match]]
    return tuple(dict.fromkeys(found))[:_MOST_SHOWN]
