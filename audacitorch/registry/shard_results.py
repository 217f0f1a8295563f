"""Results of trials as files: kept by the part of a sweep that made them, taken where the records are.

A part runs strangers' models, so nothing that it hands over is believed but its answers to what it was asked. What that
is comes from the plan of the refresh, which reaches the merge on a way that no part can change.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from audacitorch.files import UNFINISHED
from audacitorch.http import one_line
from audacitorch.registry import RegistryError, canonical, write
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.jobs import Job, Shard, failed, head_of, plan

#: What a part writes beside its results: the plan that it followed. No key of the Hub holds a full stop.
CLAIM = "shard.plan.json"
_LARGEST_RESULT = 64 << 20
#: Files that nobody asked for, which are named; the others are counted.
_MOST_NAMED = 20


@dataclass(frozen=True)
class Plan:
    """What a refresh left to do: the digest of the registry as it left it, and the parts in which the jobs are done.

    ``sounds`` says whether built-in models are run for their sounds as well.
    """

    index: str
    shards: Tuple[Shard, ...]
    sounds: bool = False

    @classmethod
    def of(cls, folder: RegistryFolder, parts: Iterable[str], sounds: bool = False) -> Plan:
        """The plan for the registry as it is now, in these parts."""
        return cls(index_digest(folder), tuple(map(Shard.parse, parts)), sounds)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that :meth:`to_json` wrote.

        Raises:
            RegistryError: it is not one.
        """
        try:
            data = json.loads(text)
            shards = tuple(map(Shard.parse, data["shard"]))
            index, sounds = data["index"], data.get("sounds") is True
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise RegistryError("PLAN is not what `audacitorch registry test --plan N --index` prints.") from error
        if not isinstance(index, str) or len(set(shards)) < len(shards) or len({shard.of for shard in shards}) > 1:
            raise RegistryError("PLAN is not what `audacitorch registry test --plan N --index` prints.")
        return cls(index, shards, sounds)

    def to_json(self) -> str:
        """The plan in one line; ``shard`` is the part of a workflow's matrix."""
        parts = [f"{shard.number}/{shard.of}" for shard in self.shards]
        return json.dumps({"index": self.index, "shard": parts, **({"sounds": True} if self.sounds else {})})


def index_digest(folder: RegistryFolder) -> str:
    """The sha256 of every file in the registry's folder with its name: the same wherever the folder is copied to.

    Raises:
        RegistryError: a file can't be read.
    """
    digest = hashlib.sha256()
    files = (path for path in folder.path.rglob("*") if path.is_file() and path.suffix != UNFINISHED)
    for name, path in sorted((path.relative_to(folder.path).as_posix(), path) for path in files):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RegistryError(f"{path} can't be read: {one_line(error.strerror or str(error))}.") from error
        digest.update(f"{name}\0{len(content)}\0".encode("utf-8", "surrogateescape") + content)
    return digest.hexdigest()


def claim(index: str, shard: Shard, jobs: Iterable[Job]) -> Dict[str, Any]:
    """What a part writes beside its results: which index it had, which part it is, and its jobs."""
    heads = sorted((head_of(job) for job in jobs), key=lambda head: str(head["key"]))
    return {"index": index, "shard": f"{shard.number}/{shard.of}", "jobs": heads}


def save(kept: Path, result: Mapping[str, Any]) -> None:
    """Keep a result as a file, to be merged where the records are."""
    write(kept / f"{result['key']}.json", canonical(result))


def save_claim(kept: Path, claimed: Mapping[str, Any]) -> None:
    """Write down beside the results which plan they follow."""
    write(kept / CLAIM, canonical(claimed))


def saved(kept: Path) -> Iterator[Mapping[str, Any]]:
    """The results that lie in a folder and in those below it, whoever made them: for people and their own machines.

    Raises:
        RegistryError: there is no such folder.
    """
    _require_folder(kept)
    for path in sorted(kept.rglob("*.json")):
        if path.name != CLAIM:
            yield _result(path) or {"id": path.name, "error": f"{path.name} holds no result."}


def planned_results(folder: RegistryFolder, kept: Path, planned: Plan) -> Iterator[Mapping[str, Any]]:
    """One result for each job of a plan: the answer of the very part that was asked, or why there is none.

    ``kept`` has a folder ``results-0``, ``results-1``, … for each part in the order of the plan: the names are given by
    whoever started the parts. What else lies there is passed over.

    Raises:
        RegistryError: the registry is not the one for which the plan was made; nothing was taken then.
    """
    _require_folder(kept)
    if index_digest(folder) != planned.index:
        raise RegistryError(f"{folder.path} is not as the refresh left it when it made the plan: nothing is merged.")
    everything = plan(folder, planned.sounds)
    for place, shard in enumerate(planned.shards):
        jobs = [job for job in everything if shard.takes(job)]
        yield from _results_of(kept / f"results-{place}", shard, jobs, claim(planned.index, shard, jobs))


def _results_of(place: Path, shard: Shard, jobs: List[Job], expected: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The answers of one part to what it was asked, and a line about whatever else it says."""
    part = f"part {shard.number}/{shard.of}"
    if place.is_symlink() or not place.is_dir():
        yield from (failed(job, f"There are no results of {part}.") for job in jobs)
        return
    claimed = _json(place / CLAIM)
    if claimed != expected:
        which = "brings no plan" if claimed is None else "followed another plan, or another index"
        yield from (failed(job, f"The results of {part} are not taken: it {which}.") for job in jobs)
        return
    for job in jobs:
        yield _answer(place / f"{job.key}.json", job) or failed(job, f"{part.capitalize()} gave no answer for it.")
    asked = {CLAIM, *(f"{job.key}.json" for job in jobs)}
    others = sorted(path.name for path in place.iterdir() if path.name not in asked)
    for name in others[:_MOST_NAMED]:
        yield {"id": f"{part}, {one_line(name)}", "error": f"{part.capitalize()} was not asked for this."}
    if len(others) > _MOST_NAMED:
        yield {"id": part, "error": f"It was not asked for {len(others) - _MOST_NAMED:,} more."}


def _answer(path: Path, job: Job) -> Optional[Mapping[str, Any]]:
    """The result in a file, if it is about this job and nothing else."""
    result = _result(path)
    head = head_of(job)
    return result if result is not None and {name: result.get(name) for name in head} == head else None


def _require_folder(kept: Path) -> None:
    if not kept.is_dir():
        raise RegistryError(f"There are no results in {kept}.")


def _result(path: Path) -> Optional[Mapping[str, Any]]:
    value = _json(path)
    head = {"id", "key", "revision", "content"}
    return value if isinstance(value, dict) and head <= set(value) else None


def _json(path: Path) -> Any:
    """The JSON value in a file that is no link, and not too large; None otherwise."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST_RESULT:
            return None
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
