"""What is to be tested: one job for each content that this version of the tool has not run yet, and in which order."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from typing import Dict, Iterable, List, NamedTuple, Set, Tuple

from audacitorch.hosts import HOSTS
from audacitorch.registry.builtin import read_builtin
from audacitorch.registry.builtin_list import builtin_keys
from audacitorch.registry.files import RegistryError
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.model_record import ModelRecord, blocking
from audacitorch.registry.statuses import STATUSES
from audacitorch.version import __version__

_SHARD = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")

Content = Tuple[str, str]


@dataclass(frozen=True)
class Job:
    """One model to run: the repo to take it from, and what its files must be. ``size`` is what has to be downloaded."""

    id: str
    key: str
    revision: str
    content: Content
    size: int


class Shard(NamedTuple):
    """The part ``number`` (from 1) of ``of``: what one job of a workflow's matrix does."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``K/N``.

        Raises:
            ValueError: there is no such part.
        """
        found = _SHARD.fullmatch(text)
        shard = cls(int(found.group(1)), int(found.group(2))) if found else cls(0, 0)
        if not 1 <= shard.number <= shard.of:
            raise ValueError(f"{text} is no part: write K/N, with K from 1 to N")
        return shard

    def takes(self, job: Job) -> bool:
        """Whether a job is in this part; every machine agrees, whatever else has been tested meanwhile."""
        place = int.from_bytes(hashlib.sha256("/".join(job.content).encode()).digest()[:8], "big")
        return place % self.of == self.number - 1


def content_of(record: ModelRecord) -> Content:
    """The hashes of model.pt and metadata.json, which the record must have."""
    hashes = record.content or {}
    return hashes["model"], hashes["metadata"]


def tested(record: ModelRecord) -> bool:
    """Whether this version of the tool has run what is there now."""
    trial = record.current_trial
    return trial is not None and trial["tool"] == __version__


def testable(record: ModelRecord) -> bool:
    """Whether there is a model that could run on some host."""
    if not STATUSES[record.status].testable or record.content is None or record.revision is None:
        return False
    findings = list((record.static or {}).get("findings", []))
    return not (record.static_holds and all(blocking(findings, host) for host in HOSTS))


def plan(folder: RegistryFolder) -> List[Job]:
    """The jobs to do: built-in models first, then one of each author in turn, so that nobody holds up the others.

    Of an author's models the largest comes first.
    """
    done: Set[Content] = set()
    jobs: Dict[Content, Job] = {}
    keys, names = _builtins(folder)
    first: Set[Content] = set()
    for _, record in folder.records():
        if not testable(record):
            continue
        content = content_of(record)
        if record.key in keys or record.id in names:
            first.add(content)
        if tested(record):
            done.add(content)
        elif content not in jobs or content in first:
            size = sum(record.files[name]["size"] or 0 for name in ("model.pt", "metadata.json"))
            jobs[content] = Job(record.id, record.key, str(record.revision), content, size)
    left = sorted((job for content, job in jobs.items() if content not in done), key=lambda job: (-job.size, job.id))
    turns: Counter[str] = Counter()
    order: Dict[Job, Tuple[bool, int]] = {}
    for job in left:
        author = job.id.partition("/")[0]
        order[job] = (job.content not in first, turns[author])
        turns[author] += 1
    return sorted(left, key=lambda job: order[job])


def _builtins(folder: RegistryFolder) -> Tuple[Set[str], Set[str]]:
    """Keys and names of the built-in models; none while ``builtin.yml`` can't be read, which others say."""
    try:
        found = builtin_keys(folder)
        return set(found), {entry.id for entry in read_builtin(folder.builtin)}
    except RegistryError:
        return set(), set()


def matrix(jobs: Iterable[Job], most: int, each: int = 8) -> Dict[str, List[str]]:
    """Shards for a workflow's matrix: at most ``most``, about ``each`` jobs in one, none of them empty."""
    waiting = list(jobs)
    if most < 1:
        raise RegistryError("a matrix has at least one part")
    count = min(most, -(-len(waiting) // each))
    shards = [Shard(number, count) for number in range(1, count + 1)]
    return {"shard": [f"{shard.number}/{shard.of}" for shard in shards if any(map(shard.takes, waiting))]}
