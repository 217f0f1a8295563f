"""Jobs: what is to be tested, in which order, and how one job is done.

There is one for each content that this version of the tool has not run yet. Doing it downloads the model at its
revision, checks it and deletes it again; that runs in a process of its own.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from audacitorch.facts import METADATA, MODEL
from audacitorch.hosts import HOSTS
from audacitorch.registry import RegistryError, owned
from audacitorch.registry.builtin import read_builtin
from audacitorch.registry.builtin_list import builtin_keys
from audacitorch.registry.folder import LONGEST_SOUNDS, RegistryFolder
from audacitorch.registry.model_record import ModelRecord, blocking
from audacitorch.registry.record_schema import STATUSES
from audacitorch.version import __version__

if TYPE_CHECKING:
    from audacitorch.report.model import Report

_SHARD = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")

#: Clips whose sounds are kept, of those that a report plays; a record's folder is kept in git, so they are small.
_KEPT_CLIPS = 1

Content = Tuple[str, str]


@dataclass(frozen=True)
class Job:
    """One model to run: the repo to take it from, and what its files must be.

    ``size`` is what has to be downloaded; ``sounds`` says whether the catalogue lacks what it sounds like.
    """

    id: str
    key: str
    revision: str
    content: Content
    size: int
    sounds: bool = False


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
            raise ValueError(f"{text} is not a part: write K/N, with K from 1 to N.")
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


def plan(folder: RegistryFolder, sounds: bool = False) -> List[Job]:
    """The jobs to do: built-in models first, then one of each author in turn, so that nobody holds up the others.

    Of an author's models the largest comes first. With ``sounds``, built-in models that were run and whose sounds were
    not kept are run again.
    """
    done: Set[Content] = set()
    jobs: Dict[Content, Job] = {}
    keys, names = _builtins(folder)
    first: Set[Content] = set()
    for _, record in folder.records():
        if not testable(record):
            continue
        content = content_of(record)
        listed = record.key in keys or record.id in names
        lacking = sounds and listed and folder.sounds_of(record) is None
        if listed:
            first.add(content)
        if tested(record):
            done.add(content)
        if lacking or (not tested(record) and (content not in jobs or content in first)):
            size = sum(record.files[name]["size"] or 0 for name in (MODEL, METADATA))
            jobs[content] = Job(record.id, record.key, str(record.revision), content, size, lacking)
    waiting = (job for content, job in jobs.items() if job.sounds or content not in done)
    left = sorted(waiting, key=lambda job: (-job.size, job.id))
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
        raise RegistryError("A matrix has at least one part.")
    count = min(most, -(-len(waiting) // each))
    shards = [Shard(number, count) for number in range(1, count + 1)]
    return {"shard": [f"{shard.number}/{shard.of}" for shard in shards if any(map(shard.takes, waiting))]}


@dataclass(frozen=True)
class Setting:
    """How jobs are done.

    ``timeout_seconds`` is the limit of a download and of a trial; ``cache`` is the folder for downloads in progress, on
    the machine that does the job. Unless ``forked``, each model has a process that imports Torch for itself.
    """

    endpoint: Optional[str]
    cache: str
    sandbox: str = "auto"
    timeout_seconds: float = 300.0
    memory_bytes: int = 8 << 30
    forked: bool = True

    @property
    def job_seconds(self) -> float:
        """How long a job may take: its download and its trial each have their limit, reading the files has the rest."""
        return 2 * self.timeout_seconds + 60.0

    def folder(self, job: Job) -> Path:
        """Where a job's files lie: the same folder when it is tried again, so that its download goes on."""
        name = f"{self.endpoint} {job.key} {job.revision}"
        return Path(self.cache, hashlib.sha256(name.encode()).hexdigest()[:32])


def do(job: Job, setting: Setting) -> Dict[str, Any]:
    """The job's result as JSON: ``report``, or ``error`` if nothing can be said about the model.

    With ``refused`` the Hub does not let this caller read what it listed. The files stay only if the download failed,
    for the next time. They are locked meanwhile, as another run may have the same job.
    """
    folder = setting.folder(job)
    with owned(folder):
        return _do(job, setting, folder)


def _do(job: Job, setting: Setting, folder: Path) -> Dict[str, Any]:
    from audacitorch.check import Options, check
    from audacitorch.hosts import HOSTS
    from audacitorch.hub import Hub, fetch
    from audacitorch.hub.failures import HubError, TargetUnreadable
    from audacitorch.repo.model_repo import FolderRepo, TargetError
    from audacitorch.trial.starters import worker_starter

    try:
        with Hub(setting.endpoint) as hub:
            facts = fetch(job.id, job.revision, folder, hub=hub, seconds=setting.timeout_seconds)
    except TargetUnreadable as error:
        return {**failed(job, str(error)), "refused": True}
    except HubError as error:
        return failed(job, str(error))
    options = Options(
        hosts=HOSTS,
        timeout_seconds=setting.timeout_seconds,
        memory_bytes=setting.memory_bytes,
        sounds=job.sounds,
    )
    try:
        model = facts.files.get(MODEL)
        if model is None or model.sha256 is None or (model.lfs and model.sha256 != job.content[0]):
            return failed(job, "the Hub gave another model.pt than the one that was recorded")
        report = check(FolderRepo(folder, facts), options, worker_starter(setting.sandbox, many=setting.forked))
    except TargetError as error:
        return failed(job, str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {**head_of(job), "report": report.to_json(), **({"sounds": _sounds(report)} if job.sounds else {})}


def _sounds(report: Report) -> str:
    """The first clips and what the model made of them, as JSON that only the catalogue decodes; empty without any."""
    from audacitorch.hear.page_data import dumps, small

    heard = [small(one) for one in report.heard[:_KEPT_CLIPS] if not one.failure]
    kept = dumps(heard, {}) if heard else ""
    return kept if len(kept) <= LONGEST_SOUNDS else ""


def head_of(job: Job) -> Dict[str, Any]:
    """What a job's result says of the job: what was asked."""
    content = {"model": job.content[0], "metadata": job.content[1]}
    return {"schema_version": 1, "id": job.id, "key": job.key, "revision": job.revision, "content": content}


def failed(job: Job, why: str) -> Dict[str, Any]:
    """The result of a job of which nothing can be said."""
    return {**head_of(job), "error": why}


def died(job: Job, why: str) -> Dict[str, Any]:
    """The result of a job whose process gave none."""
    return failed(job, f"the process that tested it ended: {why}")
