"""What is to be tested: one job for each content that this version of the tool has not run yet."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Dict, Iterable, List, NamedTuple, Set, Tuple

from audacitorch.hosts import HOSTS
from audacitorch.registry.files import RegistryError
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.model_record import COMPATIBLE, INCOMPATIBLE, UNTESTED, ModelRecord, blocking
from audacitorch.version import __version__

_SHARD = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")
_TESTABLE = (UNTESTED, COMPATIBLE, INCOMPATIBLE)

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
    if record.status not in _TESTABLE or record.content is None or record.revision is None:
        return False
    findings = list((record.static or {}).get("findings", []))
    return not (record.static_holds and all(blocking(findings, host) for host in HOSTS))


def plan(folder: RegistryFolder) -> List[Job]:
    """The jobs to do, the largest first, so that none of them is left alone at the end."""
    done: Set[Content] = set()
    jobs: Dict[Content, Job] = {}
    for _, record in folder.records():
        if not testable(record):
            continue
        content = content_of(record)
        if tested(record):
            done.add(content)
        elif content not in jobs:
            size = sum(record.files[name]["size"] or 0 for name in ("model.pt", "metadata.json"))
            jobs[content] = Job(record.id, record.key, str(record.revision), content, size)
    left = [job for content, job in jobs.items() if content not in done]
    return sorted(left, key=lambda job: (-job.size, job.id))


def matrix(jobs: Iterable[Job], most: int, each: int = 8) -> Dict[str, List[str]]:
    """Shards for a workflow's matrix: at most ``most``, about ``each`` jobs in one, none of them empty."""
    waiting = list(jobs)
    if most < 1:
        raise RegistryError("a matrix has at least one part")
    count = min(most, -(-len(waiting) // each))
    shards = [Shard(number, count) for number in range(1, count + 1)]
    return {"shard": [f"{shard.number}/{shard.of}" for shard in shards if any(map(shard.takes, waiting))]}
