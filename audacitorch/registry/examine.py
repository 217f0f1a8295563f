"""A repo that changed, looked at without its weights: sizes and hashes, metadata, the archive's code."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple, TypeVar, Union

from audacitorch.facts import Archive, Facts, Metadata, Repo, RepoFile, Unavailable
from audacitorch.findings import CouldNotRun, Finding
from audacitorch.hub import Hub, HubFile, RepoDetails
from audacitorch.hub.failures import DamagedDownload, HubError, RangeLimit, RangesRefused, TargetUnreadable
from audacitorch.registry.files import rounded, timestamp
from audacitorch.registry.model_record import UNREACHABLE, ModelRecord
from audacitorch.registry.sightings import ListedRepo
from audacitorch.rules.runner import Outcome
from audacitorch.version import __version__

Fact = TypeVar("Fact")

MODEL, METADATA, README = "model.pt", "metadata.json", "README.md"
#: What a few ranges of a file can show for certain.
_BELIEVED = ("torchscript", "lfs-pointer", "pickle", "torch-save", "zip-without-code")
#: Findings of one rule that a record keeps; an archive can be full of them.
MOST_ALIKE = 50
#: Files of a repo that a record keeps; those that Audacity reads come first.
MOST_FILES = 200
#: What reading an archive's code may cost: two requests for the first range, one for each other. An archive that
#: needs more is judged when it is downloaded for its trial.
MOST_REQUESTS = 8
_NO_TRIAL = Unavailable("the model was not run")
_NO_CARD = Unavailable("the listing shows the tag, so README.md is not read")


@dataclass(frozen=True)
class Refused:
    """The Hub lists a repo and says that nobody, or not everybody, may read it."""

    reason: str


def examine(
    hub: Hub, listed: ListedRepo, known: Optional[ModelRecord], moment: datetime
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
        details = hub.repo_details(listed.id, listed.sha)
        files = {name: _file(details.files[name]) for name in _kept(details.files)}
        if MODEL not in files or METADATA not in files:
            return _not_a_model(listed, details.files, moment)
        record = replace(_new(listed), files=files)
        if known is not None and known.static_holds and _same(known, record):
            return replace(record, metadata=known.metadata, archive=known.archive, static=known.static)
        outcome = Outcome()
        return _judged(record, _facts(hub, details, outcome), outcome, moment)
    except TargetUnreadable as error:
        return Refused(str(error))


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
    facts = Facts(repo, _NO_CARD, missing, missing, _NO_TRIAL)
    return _judged(replace(_new(listed), files=described), facts, Outcome(), moment)


def _kept(names: Iterable[str]) -> List[str]:
    ordered = sorted(names, key=lambda name: (name not in (MODEL, METADATA, README), name))
    return [name for name in ordered[:MOST_FILES] if len(name) <= 300]


def _file(file: Optional[HubFile]) -> Dict[str, Any]:
    if file is None:
        return {"size": None, "git_sha1": None, "sha256": None}
    return {"size": file.size, "git_sha1": file.git_sha1, "sha256": file.sha256}


def _same(known: ModelRecord, record: ModelRecord) -> bool:
    return all(known.files.get(name) == record.files[name] for name in (MODEL, METADATA))


def _facts(hub: Hub, details: RepoDetails, outcome: Outcome) -> Facts:
    """What the files tell; the model's weights are not touched."""
    from audacitorch.repo.metadata_file import read_metadata

    files = {name: RepoFile(name, file.size, file.lfs, file.sha256) for name, file in details.files.items()}
    written = _metadata(hub, details)
    return Facts(
        repo=Repo("hub", details.id, details.sha, files),
        card=_NO_CARD,
        metadata=_collected("metadata", lambda: read_metadata(written), outcome),
        archive=_collected("archive", lambda: _archive(hub, details), outcome),
        trial=_NO_TRIAL,
    )


def _collected(name: str, collect: Callable[[], Fact], outcome: Outcome) -> Union[Fact, Unavailable]:
    """What a reader found; one that raises is our fault, and its rules are skipped."""
    try:
        return collect()
    except (HubError, MemoryError):
        raise
    except Exception as error:
        outcome.could_not_run.append(CouldNotRun(name, f"{type(error).__name__}: {error}"))
        return Unavailable(f"the {name} could not be read")


def _archive(hub: Hub, details: RepoDetails) -> Union[Archive, Unavailable]:
    """model.pt by its ranges, as far as they can be believed.

    No hash covers a range. A small file is whole after one of them and has its own hash; in a larger one, members that
    are read have checksums, and what looks damaged or dangerous is for the trial, which has all of the file, to say.
    """
    from audacitorch.archive import read_archive
    from audacitorch.hub.ranges import TAIL, RangeFile

    file = details.files[MODEL]
    try:
        with RangeFile(hub, details.id, details.sha, file, max_requests=MOST_REQUESTS) as model:
            archive = read_archive(model, file.size)
            if file.size <= TAIL:
                model.seek(0)
                if not file.fits(model.read(file.size)):
                    raise DamagedDownload(f"{details.id}/{MODEL} is not what the Hub announced: its hash differs")
                return archive
    except (RangeLimit, RangesRefused) as error:
        return Unavailable(f"model.pt can't be judged before it is downloaded: {error}")
    unreadable = any(problem.kind in ("unreadable", "version") for problem in archive.code_problems)
    if archive.kind not in _BELIEVED or archive.unsafe or unreadable:
        return Unavailable("model.pt looks damaged or odd, which is judged when it is downloaded")
    return archive


def _metadata(hub: Hub, details: RepoDetails) -> bytes:
    from audacitorch.repo.metadata_file import MAX_BYTES

    file = details.files[METADATA]
    if file.size > MAX_BYTES:
        return bytes(MAX_BYTES + 1)  # its size is all that a judgement takes of it
    return hub.read_file(details.id, details.sha, METADATA, limit=MAX_BYTES, expected=file)


def _judged(record: ModelRecord, facts: Facts, outcome: Outcome, moment: datetime) -> ModelRecord:
    from audacitorch.report.facts_json import archive_to_json, metadata_to_json
    from audacitorch.rules.runner import run_static_rules

    run_static_rules(facts, outcome)
    return replace(
        record,
        metadata=metadata_to_json(facts.metadata) if isinstance(facts.metadata, Metadata) else None,
        archive=archive_to_json(facts.archive) if isinstance(facts.archive, Archive) else None,
        static=judgement(outcome.findings, outcome.could_not_run, moment),
    )


def judgement(findings: Iterable[Finding], could_not_run: Iterable[CouldNotRun], moment: datetime) -> Dict[str, Any]:
    """Findings as a record keeps them, with who found them and when."""
    from audacitorch.report.escape import shorten
    from audacitorch.report.facts_json import TEXT_LIMIT
    from audacitorch.report.model import Report, Target

    kept: List[Finding] = []
    alike: Counter[Tuple[str, str, Tuple[str, ...]]] = Counter()
    for finding in sorted(findings, key=lambda finding: finding.sort_key):
        kind = (finding.rule, finding.severity, finding.hosts)
        alike[kind] += 1
        if alike[kind] <= MOST_ALIKE:
            kept.append(replace(finding, message=shorten(finding.message, TEXT_LIMIT)))
    report = Report(Target("hub"), findings=tuple(kept), could_not_run=tuple(could_not_run)).to_json()
    return {
        "tool": __version__,
        "date": timestamp(moment),
        "findings": rounded(report["findings"]),
        "left_out": sum(alike.values()) - len(kept),
        "could_not_run": rounded(report["could_not_run"]),
    }
