"""What a repo's files say, read in a process that can be ended; and findings as a record keeps them.

:func:`read_files` runs in that process: it has no network and no token, and asks for each part of model.pt.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Optional, Tuple, TypeVar, Union

from audacitorch.facts import Archive, Facts, Metadata, Repo, Unavailable
from audacitorch.files import RangedFile
from audacitorch.findings import CouldNotRun, Finding
from audacitorch.hub.failures import RangeLimit
from audacitorch.hub.ranges import BLOCK, TAIL
from audacitorch.hub.repos import HubFile
from audacitorch.registry.files import rounded, timestamp
from audacitorch.version import __version__

if TYPE_CHECKING:
    from audacitorch.registry.isolation import Ask

Fact = TypeVar("Fact")

#: What a few ranges of a file can show for certain.
_BELIEVED = ("torchscript", "lfs-pointer", "pickle", "torch-save", "zip-without-code")
#: Findings of one rule that a record keeps; an archive can be full of them.
MOST_ALIKE = 50
NO_TRIAL = Unavailable("the model was not run")
NO_CARD = Unavailable("the listing shows the tag, so README.md is not read")


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


def judgement(findings: Iterable[Finding], could_not_run: Iterable[CouldNotRun], moment: datetime) -> Dict[str, Any]:
    """Findings as a record keeps them, with who found them and when."""
    return {"tool": __version__, "date": timestamp(moment), **kept_findings(findings, could_not_run)}


def kept_findings(findings: Iterable[Finding], could_not_run: Iterable[CouldNotRun]) -> Dict[str, Any]:
    """Findings as JSON, in order and without too many that are alike."""
    from audacitorch.report.jsonfile import TEXT_LIMIT
    from audacitorch.report.model import Report, Target
    from audacitorch.safetext import shorten

    kept: List[Finding] = []
    alike: Counter[Tuple[str, str, Tuple[Any, ...]]] = Counter()
    for finding in sorted(findings, key=lambda finding: finding.sort_key):
        kind = (finding.rule, finding.severity, finding.hosts)
        alike[kind] += 1
        if alike[kind] <= MOST_ALIKE:
            kept.append(replace(finding, message=shorten(finding.message, TEXT_LIMIT)))
    report = Report(Target("hub"), findings=tuple(kept), could_not_run=tuple(could_not_run)).to_json()
    return {
        "findings": rounded(report["findings"]),
        "left_out": sum(alike.values()) - len(kept),
        "could_not_run": rounded(report["could_not_run"]),
    }
