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
    """How jobs are done; ``cache`` is where downloads lie while they are needed, on the machine that does them."""

    endpoint: Optional[str]
    cache: str
    sandbox: str = "auto"
    timeout_seconds: float = 300.0
    memory_bytes: int = 8 << 30

    def folder(self, job: Job) -> Path:
        """Where a job's files lie: the same folder when it is tried again, so that its download goes on."""
        name = f"{self.endpoint} {job.key} {job.revision}"
        return Path(self.cache, hashlib.sha256(name.encode()).hexdigest()[:32])


def do(job: Job, setting: Setting) -> Dict[str, Any]:
    """The job's result as JSON: ``report``, or ``error`` where nothing can be said about the model.

    The files stay only where the download failed, for the next time. Nobody else has them meanwhile: another run may
    have the same job.
    """
    folder = setting.folder(job)
    with owned(folder):
        return _do(job, setting, folder)


def _do(job: Job, setting: Setting, folder: Path) -> Dict[str, Any]:
    from audacitorch.check import Options, check
    from audacitorch.findings import HOSTS
    from audacitorch.hub import Hub, fetch
    from audacitorch.hub.failures import HubError
    from audacitorch.repo.model_repo import FolderRepo, TargetError
    from audacitorch.trial.session import worker_starter

    try:
        with Hub(setting.endpoint) as hub:
            facts = fetch(job.id, job.revision, folder, hub=hub)
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
    """The result of a job whose process did not live to give one."""
    return _failed(job, f"the process that tested it ended: {why}")
