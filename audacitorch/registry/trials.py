"""One job, done: the model downloaded at its revision, checked, and deleted again. Runs in a process of its own."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional

from audacitorch.registry.files import owned
from audacitorch.registry.jobs import Job


@dataclass(frozen=True)
class Setting:
    """How jobs are done.

    ``timeout_seconds`` is the limit of a download and of a trial; ``cache`` is the folder for downloads in progress, on
    the machine that does the job.
    """

    endpoint: Optional[str]
    cache: str
    sandbox: str = "auto"
    timeout_seconds: float = 300.0
    memory_bytes: int = 8 << 30

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
    from audacitorch.trial.session import worker_starter

    try:
        with Hub(setting.endpoint) as hub:
            facts = fetch(job.id, job.revision, folder, hub=hub, seconds=setting.timeout_seconds)
    except TargetUnreadable as error:
        return {**_failed(job, str(error)), "refused": True}
    except HubError as error:
        return _failed(job, str(error))
    options = Options(hosts=HOSTS, timeout_seconds=setting.timeout_seconds, memory_bytes=setting.memory_bytes)
    try:
        model = facts.files.get("model.pt")
        if model is None or model.sha256 is None or (model.lfs and model.sha256 != job.content[0]):
            return _failed(job, "the Hub gave another model.pt than the one that was recorded")
        report = check(FolderRepo(folder, facts), options, worker_starter(setting.sandbox))
    except TargetError as error:
        return _failed(job, str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {**_head(job), "report": report.to_json()}


def _head(job: Job) -> Dict[str, Any]:
    content = {"model": job.content[0], "metadata": job.content[1]}
    return {"schema_version": 1, "id": job.id, "key": job.key, "revision": job.revision, "content": content}


def _failed(job: Job, why: str) -> Dict[str, Any]:
    return {**_head(job), "error": why}


def died(job: Job, why: str) -> Dict[str, Any]:
    """The result of a job whose process gave none."""
    return _failed(job, f"the process that tested it ended: {why}")
