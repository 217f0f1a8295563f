"""A repo that changed, looked at without its weights: sizes and hashes, metadata, the archive's code.

:func:`read_files` reads what strangers wrote. It runs in a process that can be ended, which has no network and no
token, and asks for each part of model.pt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, TypeVar, Union

from audacitorch.facts import METADATA, MODEL, README, Archive, Facts, Metadata, Repo, RepoFile, Unavailable
from audacitorch.files import RangedFile
from audacitorch.findings import CouldNotRun
from audacitorch.http import limited
from audacitorch.hub import Hub, HubFile, RepoDetails
from audacitorch.hub.failures import DamagedDownload, RangeLimit, RangesRefused, TargetUnreadable
from audacitorch.hub.ranges import BLOCK, TAIL, RangeFile
from audacitorch.registry import timestamp
from audacitorch.registry.isolation import Ask, ProcessEnded, Workers
from audacitorch.registry.model_record import ModelRecord, kept_findings
from audacitorch.registry.record_schema import UNREACHABLE
from audacitorch.registry.sightings import ListedRepo
from audacitorch.version import __version__

#: Files of a repo that a record keeps; those that Audacity reads come first.
MOST_FILES = 200
#: What reading an archive's code may cost: two requests for the first range, one for each other. An archive that
#: needs more is judged when it is downloaded for its trial.
MOST_REQUESTS = 8
#: Seconds for everything that is asked of the Hub about one repo, waits for rate limits not counted.
REPO_SECONDS = 180.0
#: Seconds for reading its files, network not counted. The largest archives that are known take less than two.
READING_SECONDS = 20.0
#: What a few ranges of a file can show for certain.
_BELIEVED = ("torchscript", "lfs-pointer", "pickle", "torch-save", "zip-without-code")
NO_TRIAL = Unavailable("the model was not run")
NO_CARD = Unavailable("the listing shows the tag, so README.md is not read")

Fact = TypeVar("Fact")


@dataclass(frozen=True)
class Refused:
    """The Hub lists a repo and says that nobody, or not everybody, may read it."""

    reason: str


def examine(
    hub: Hub, listed: ListedRepo, known: Optional[ModelRecord], moment: datetime, workers: Workers
) -> Union[ModelRecord, Refused]:
    """The record of a repo as it is now, judged without a trial; dates and history are the caller's.

    What is known already of the same two files, by the same version of this tool, is not read again. Requests: none
    for a repo that lacks a file or is closed to readers, else one, and where a file changed two for metadata.json and
    up to :data:`MOST_REQUESTS` for model.pt.

    Raises:
        HubError: the Hub could not answer, which says nothing about the repo.
    """
    if listed.gated or listed.disabled:
        return _closed(listed, known)
    if not listed.may_be_model:
        return _not_a_model(listed, dict.fromkeys(listed.names or (), None), moment)
    try:
        with limited(REPO_SECONDS):
            return _open(hub, listed, known, moment, workers)
    except TargetUnreadable as error:
        return Refused(str(error))


def _open(
    hub: Hub, listed: ListedRepo, known: Optional[ModelRecord], moment: datetime, workers: Workers
) -> ModelRecord:
    """The record of a repo whose files can be read."""
    details = hub.repo_details(listed.id, listed.sha)
    files = {name: _file(details.files[name]) for name in _kept(details.files)}
    if MODEL not in files or METADATA not in files:
        return _not_a_model(listed, details.files, moment)
    record = replace(_new(listed), files=files)
    if known is not None and known.static_holds and _same(known, record):
        return replace(record, metadata=known.metadata, archive=known.archive, static=known.static)
    return _read(hub, details, record, workers, moment)


def _new(listed: ListedRepo) -> ModelRecord:
    return ModelRecord(id=listed.id, key=listed.key, revision=listed.sha, licence=listed.licence)


def _closed(listed: ListedRepo, known: Optional[ModelRecord]) -> ModelRecord:
    why = (
        "the Hub has disabled it"
        if listed.disabled
        else "it is gated: Audacity, which asks without a token, can't read it"
    )
    kept = _new(listed) if known is None else replace(known, id=listed.id, revision=listed.sha, licence=listed.licence)
    return replace(kept, gated=listed.gated, disabled=listed.disabled, status=UNREACHABLE, reason=why)


def _not_a_model(listed: ListedRepo, files: Mapping[str, Optional[HubFile]], moment: datetime) -> ModelRecord:
    described = {name: _file(files[name]) for name in _kept(files)}
    repo = Repo("hub", listed.id, listed.sha, {name: RepoFile(name, 0) for name in described})
    missing = Unavailable("model.pt or metadata.json is missing")
    found = judge_files(Facts(repo, NO_CARD, missing, missing, NO_TRIAL))
    return _with_findings(replace(_new(listed), files=described), found, moment)


def _kept(names: Iterable[str]) -> List[str]:
    ordered = sorted(names, key=lambda name: (name not in (MODEL, METADATA, README), name))
    return [name for name in ordered[:MOST_FILES] if len(name) <= 300]


def _file(file: Optional[HubFile]) -> Dict[str, Any]:
    if file is None:
        return {"size": None, "git_sha1": None, "sha256": None}
    return {"size": file.size, "git_sha1": file.git_sha1, "sha256": file.sha256}


def _same(known: ModelRecord, record: ModelRecord) -> bool:
    return all(known.files.get(name) == record.files[name] for name in (MODEL, METADATA))


def _read(hub: Hub, details: RepoDetails, record: ModelRecord, workers: Workers, moment: datetime) -> ModelRecord:
    """The record with what its files say, read in a process that is ended if they hold it up."""
    file = details.files[MODEL]
    files = {name: RepoFile(name, file.size, file.lfs, file.sha256) for name, file in details.files.items()}
    written = _metadata(hub, details)
    reading = Reading(Repo("hub", details.id, details.sha, files), written, file)
    why: Optional[str] = None
    for attempt in (reading, replace(reading, model=None), replace(reading, model=None, metadata=None)):
        try:
            model = RangeFile(hub, details.id, details.sha, file, max_requests=MOST_REQUESTS)
            with model, workers.one() as worker:
                found = worker.call(read_files, attempt, seconds=READING_SECONDS, answer=partial(_range, model))
            break
        except ProcessEnded as error:
            why = why or f"the process that read the files was stopped: {error}"
    else:
        found = {"metadata": None, "archive": None, **kept_findings([], [])}
    if found.get("damaged"):
        raise DamagedDownload(f"{details.id}/{MODEL} is not what the Hub announced: its hash differs.")
    if why is not None:
        found["could_not_run"].append({"rule": "archive", "error": why})
    return _with_findings(record, found, moment)


def _range(model: RangeFile, question: Any) -> bytes:
    """A part of model.pt as the reading process asks for it: ``+`` and the bytes, or ``-`` and why there are none."""
    start, stop = question
    try:
        model.seek(start)
        return b"+" + model.read(stop - start)
    except (RangeLimit, RangesRefused) as error:
        return b"-" + str(error).encode()


def _metadata(hub: Hub, details: RepoDetails) -> bytes:
    from audacitorch.repo.metadata_file import MAX_BYTES

    file = details.files[METADATA]
    if file.size > MAX_BYTES:
        return bytes(MAX_BYTES + 1)  # its size is all that a judgement takes of it
    return hub.read_file(details.id, details.sha, METADATA, limit=MAX_BYTES, expected=file)


def _with_findings(record: ModelRecord, found: Mapping[str, Any], moment: datetime) -> ModelRecord:
    """The record with what :func:`read_files` found, by this version of the tool."""
    names = ("findings", "left_out", "could_not_run")
    static = {"tool": __version__, "date": timestamp(moment), **{name: found[name] for name in names}}
    return replace(record, metadata=found["metadata"], archive=found["archive"], static=static)


@dataclass(frozen=True)
class Reading:
    """What is to be read: metadata.json as it is, model.pt by asking for it; None for what must be left alone."""

    repo: Repo
    metadata: Optional[bytes]
    model: Optional[HubFile]


def read_files(reading: Reading, ask: Ask) -> Dict[str, Any]:
    """``metadata``, ``archive`` and findings as a record has them, as JSON; or ``damaged`` if the hash differs."""
    from audacitorch.repo.metadata_file import read_metadata

    failed: List[CouldNotRun] = []
    left_alone = Unavailable("reading it was stopped")
    written, file = reading.metadata, reading.model
    metadata: Union[Metadata, Unavailable] = left_alone
    archive: Union[Archive, Unavailable] = left_alone
    if written is not None:
        metadata = _collected("metadata", lambda: read_metadata(written), failed)
    try:
        if file is not None:
            archive = _collected("archive", lambda: _archive(file, ask), failed)
    except _Damaged:
        return {"damaged": True}
    return judge_files(Facts(reading.repo, NO_CARD, metadata, archive, NO_TRIAL), failed)


def judge_files(facts: Facts, failed: Iterable[CouldNotRun] = ()) -> Dict[str, Any]:
    """The facts as JSON, with what the rules say about them; ``failed`` are collectors that could not run."""
    from audacitorch.report.jsonfile import archive_to_json, metadata_to_json
    from audacitorch.rules.runner import Outcome, run_static_rules

    outcome = Outcome(could_not_run=list(failed))
    run_static_rules(facts, outcome)
    return {
        "metadata": metadata_to_json(facts.metadata) if isinstance(facts.metadata, Metadata) else None,
        "archive": archive_to_json(facts.archive) if isinstance(facts.archive, Archive) else None,
        **kept_findings(outcome.findings, outcome.could_not_run),
    }


class _Damaged(Exception):
    """The file's hash is not the one that the Hub announced."""


def _collected(name: str, collect: Callable[[], Fact], failed: List[CouldNotRun]) -> Union[Fact, Unavailable]:
    """What a reader found; if it raises, that is our fault, and its rules are skipped."""
    try:
        return collect()
    except (_Damaged, MemoryError, EOFError):
        raise
    except Exception as error:
        failed.append(CouldNotRun(name, f"{type(error).__name__}: {error}"))
        return Unavailable(f"the {name} could not be read")


def _archive(file: HubFile, ask: Ask) -> Union[Archive, Unavailable]:
    """model.pt by its ranges, as far as they can be believed.

    No hash covers a range. A small file is whole after one of them and has its own hash; in a larger one, members that
    are read have checksums, and what looks damaged or dangerous is for the trial, which has all of the file, to say.
    """
    from audacitorch.archive import read_archive

    model = _AskedFile(file.size, ask)
    try:
        archive = read_archive(model, file.size, every_header=file.size <= TAIL)
        if file.size <= TAIL:
            model.seek(0)
            if not file.fits(model.read(file.size)):
                raise _Damaged
            return archive
    except RangeLimit as error:
        return Unavailable(f"model.pt can't be judged before it is downloaded: {error}")
    unreadable = any(problem.kind in ("damaged", "version") for problem in archive.code_problems)
    if archive.kind not in _BELIEVED or archive.unsafe or unreadable:
        return Unavailable("model.pt looks damaged or odd, which is judged when it is downloaded")
    return archive


class _AskedFile(RangedFile):
    """model.pt, of which every block is asked for once."""

    def __init__(self, size: int, ask: Ask) -> None:
        super().__init__(size)
        self._ask = ask
        self._blocks: Dict[int, bytes] = {}

    def _bytes(self, start: int, stop: int) -> bytes:
        first, last = start // BLOCK, (stop - 1) // BLOCK
        if any(block not in self._blocks for block in range(first, last + 1)):
            self._fetch(first, last + 1)
        joined = b"".join(self._blocks[block] for block in range(first, last + 1))
        return joined[start - first * BLOCK : stop - first * BLOCK]

    def _fetch(self, first: int, stop: int) -> None:
        answer = self._ask([first * BLOCK, min(stop * BLOCK, self.size)])
        if answer[:1] != b"+":
            raise RangeLimit(answer[1:].decode())
        for block in range(first, stop):
            start = 1 + (block - first) * BLOCK
            self._blocks[block] = answer[start : start + BLOCK]
