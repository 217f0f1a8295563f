"""A registry in a folder and a Hub on loopback, and the small things that tests do with both."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from audacitorch.findings import Finding
from audacitorch.hosts import HOSTS, Host
from audacitorch.hub import Hub
from audacitorch.registry import testing
from audacitorch.registry.builtin_list import ListUpdate, curate
from audacitorch.registry.folder import VOLATILE, RegistryFolder
from audacitorch.registry.model_record import ModelRecord
from audacitorch.registry.refresh import Refreshed, refresh
from audacitorch.report.model import Report, Target
from audacitorch.trial.observations import Trial
from tests.hub import LocalHub

START = datetime(2024, 5, 1, 10, 0, tzinfo=timezone.utc)
EXAMPLE = Path(__file__).parents[2] / "examples" / "booster-net"
MODEL = (EXAMPLE / "model.pt").read_bytes()
METADATA = (EXAMPLE / "metadata.json").read_bytes()
SCHEMA = Path(__file__).parents[2] / "audacitorch" / "data" / "record.schema.json"

Tree = Dict[str, Tuple[bytes, int]]


def model_files(number: int = 0, **changes: Any) -> Dict[str, bytes]:
    """A good model's files; each number gives other bytes."""
    metadata = {**json.loads(METADATA), "long_description": f"model {number}", **changes}
    return {
        "README.md": b"---\ntags: [audacity]\n---\n",
        "metadata.json": json.dumps(metadata).encode(),
        "model.pt": MODEL,
    }


class World:
    """The registry, the Hub and our client."""

    def __init__(self, path: Path, hub: LocalHub, client: Hub) -> None:
        path.mkdir(exist_ok=True)
        self.folder = RegistryFolder(path)
        self.hub = hub
        self.client = client

    def add(self, repo_id: str, number: int = 0, files: Optional[Mapping[str, bytes]] = None, **how: Any) -> Any:
        """A tagged repo on the Hub."""
        chosen = model_files(number) if files is None else files
        return self.hub.add_repo(repo_id, chosen, lfs=("model.pt",), tags=("audacity",), **how)

    def commit(self, repo_id: str, files: Mapping[str, bytes]) -> str:
        """A commit on a repo's main; model.pt stays in LFS storage."""
        return self.hub.commit(repo_id, files, lfs=("model.pt",))

    def refresh(self, hours: float = 0, workers: int = 4, confirmed: bool = False) -> Refreshed:
        """Refresh, so many hours after the start."""
        return refresh(self.folder, self.client, START + timedelta(hours=hours), workers, confirmed=confirmed)

    def record(self, repo_id: str) -> ModelRecord:
        """The record of a repo, which must be there and valid."""
        record = self.folder.find(repo_id)
        assert record is not None, repo_id
        return record

    def status(self, repo_id: str) -> str:
        """A repo's status."""
        return self.record(repo_id).status

    def tree(self) -> Tree:
        """Every file with its bytes and the time when it was written, but those that are about the last run only."""
        files = sorted(path for path in self.folder.path.rglob("*") if path.is_file() and path.name not in VOLATILE)
        return {str(f.relative_to(self.folder.path)): (f.read_bytes(), f.stat().st_mtime_ns) for f in files}

    def contents(self) -> Dict[str, bytes]:
        """Every file with its bytes."""
        return {name: content for name, (content, _) in self.tree().items()}

    def requests(self) -> List[str]:
        """What the Hub was asked since the last call."""
        return [f"{logged.side} {logged.path}" for logged in self.hub.take_log()]

    def try_out(self, repo_id: str, *errors: str, hours: float = 0, hosts: Tuple[Host, ...] = HOSTS) -> ModelRecord:
        """Give a record the result of a trial, which found these errors."""
        return testing.apply(self.folder, self.result(repo_id, *errors, hosts=hosts), START + timedelta(hours=hours))

    def result(self, repo_id: str, *errors: str, hosts: Tuple[Host, ...] = HOSTS) -> Dict[str, Any]:
        """The result of a trial of what is there now."""
        record = self.record(repo_id)
        found = tuple(Finding(rule, "error", hosts, f"{rule} happened", file="model.pt") for rule in errors)
        trial = Trial("finished", realtime_factor=0.012345678)
        target = Target("hub", record.id, record.revision, "0" * 64, 1)
        report = Report(target, findings=found, hosts_wanted=HOSTS, trial=trial)
        head = {"schema_version": 1, "id": record.id, "key": record.key, "revision": record.revision}
        return {**head, "content": record.content, "report": report.to_json()}

    def list_builtin(self, *repo_ids: str) -> None:
        """Put repos on the built-in list by hand, at the revision that they have now."""
        lines = ["# kept by hand\n"]
        for number, repo_id in enumerate(repo_ids, 1):
            lines.append(
                f"- id: {repo_id}  # the {number}th\n  revision: {self.record(repo_id).revision}\n  request: {number}\n"
            )
        self.folder.builtin.write_text("".join(lines), encoding="utf-8")

    def curate(self, hours: float = 0, **how: Any) -> ListUpdate:
        """Make the built-in list."""
        return curate(self.folder, START + timedelta(hours=hours), **how)

    def listed(self) -> List[str]:
        """What Audacity downloads."""
        found: List[str] = json.loads(self.folder.list.read_text())
        return found
