"""Model repos made on the spot, for tests that need one that is in no folder of tests/repos."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Optional, Set, Tuple

from audacitorch.check import Options, check
from audacitorch.findings import ERROR
from audacitorch.hosts import Host
from audacitorch.repo.model_repo import FolderRepo
from audacitorch.report.model import Report
from audacitorch.trial.starters import worker_starter
from tests.repos_make.parts import EFFECT_FIELDS, README, card


def repo(folder: Path, module: Any, base: Optional[Dict[str, Any]] = None, **fields: Any) -> Path:
    """A whole model repo around a module that Torch 1.9.0 can script."""
    from tests.repos_make.archives import scripted

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.pt").write_bytes(scripted(module))
    (folder / "metadata.json").write_bytes(card(EFFECT_FIELDS if base is None else base, **fields))
    (folder / "README.md").write_bytes(README)
    (folder / ".gitattributes").write_text("*.pt filter=lfs -text\n", encoding="utf-8")
    return folder


def checked(folder: Path, **options: Any) -> Report:
    """The report on a folder, from the real worker unless ``static``."""
    return check(FolderRepo(folder), Options(**options), worker_starter(many=True))


def errors(report: Report) -> Set[str]:
    """The rules that found an error, for any host."""
    return {finding.rule for finding in report.findings if finding.severity == ERROR}


def weights(report: Report) -> Dict[str, Set[Tuple[str, Tuple[Host, ...]]]]:
    """Each rule's severities with their hosts."""
    found: Dict[str, Set[Tuple[str, Tuple[Host, ...]]]] = {}
    for finding in report.findings:
        found.setdefault(finding.rule, set()).add((finding.severity, finding.hosts))
    return found
