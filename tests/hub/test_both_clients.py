"""The local Hub, seen by the client that Python 3.9 has and by the newest, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any, Dict

import pytest

from tests.hub import LocalHub
from tests.hub.xet import TOKEN

TOUR = Path(__file__).with_name("client_tour.py")
NEWEST = Path(sys.prefix) / "tools" / "bin" / "python"
CLIENTS = {"the client of Python 3.9": Path(sys.executable), "the newest client": NEWEST}
#: Compresses well, with grouped bytes and without, and not at all.
CONTENT = b"PK" * 50_000 + bytes(range(256)) * 2_000 + b"".join(n.to_bytes(4, "little") for n in range(100_000))


def take_tour(python: Path, hub: LocalHub, folder: Path, **environment: str) -> Dict[str, Any]:
    """What the client saw."""
    if not python.exists():
        pytest.skip("scripts/setup --dev has not installed the newest client")
    (folder / "new").mkdir()
    (folder / "new" / "model.pt").write_bytes(CONTENT + Random(0).randbytes(100_000))
    (folder / "new" / "README.md").write_text("---\ntags: [audacity]\n---\n", encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    around = {"HF_HOME": str(folder / "home"), "HF_HUB_DISABLE_TELEMETRY": "1", "HF_ENDPOINT": hub.url}
    done = subprocess.run(
        [str(python), str(TOUR), hub.url, "hf_ann", str(folder)],
        env={**kept, **around, **environment},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    seen: Dict[str, Any] = json.loads(done.stdout)
    return seen


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("xet", [True, False], ids=["with Xet", "without Xet"])
@pytest.mark.slow
def test_both_clients_list_read_and_upload(local_hub: LocalHub, tmp_path: Path, name: str, xet: bool) -> None:
    files = {"README.md": b"---\ntags: [audacity]\n---\n", "metadata.json": b"{}", "model.pt": b"PK34" * 5_000}
    local_hub.add_repo("ann/effect", files, lfs=["model.pt"])
    local_hub.add_repo("bob/other", files)
    local_hub.add_token("hf_ann", "ann", write=True)
    seen = take_tour(CLIENTS[name], local_hub, tmp_path, **({} if xet else {"HF_HUB_DISABLE_XET": "1"}))
    version = seen.pop("version")
    assert version == "1.8.0" if name == "the client of Python 3.9" else int(version.partition(".")[0]) >= 2
    assert seen == {
        "listed": ["ann/effect", "bob/other"],
        "info": {"README.md": 25, "metadata.json": 2, "model.pt": 20_000},
        "tree": ["README.md", "metadata.json", "model.pt"],
        "metadata.json": 2,
        "model.pt": 20_000,
        "range": "PK34",
        "committed": True,
        "uploaded": True,
        "missing": 401,
    }
    sent = {logged.path.split("/")[1] for logged in local_hub.take_log() if logged.method in ("PUT", "POST")}
    assert ("v1" in sent) == xet, "whether chunks went to Xet storage"
    assert ("uploads" in sent) != xet, "whether the file went to LFS storage"


def test_xet_storage_takes_its_own_token_only(local_hub: LocalHub) -> None:
    import requests

    for token, status in ((TOKEN, 404), ("another", 401)):
        answer = requests.get(
            f"{local_hub.cdn_url}/v1/chunks/default/{'0' * 64}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )
        assert answer.status_code == status
    assert local_hub.unexpected == ["a token was sent to the CDN: GET /v1/chunks/default/" + "0" * 64]
    local_hub.unexpected.clear()
