"""What a user does with huggingface_hub, as a program: run by both the oldest client we support and the newest.

``client_tour.py ENDPOINT TOKEN FOLDER`` prints what it saw as JSON. It imports nothing but the client.
"""

import json
import sys
from pathlib import Path
from typing import Any, Dict

from huggingface_hub import HfApi, HfFileSystem, __version__
from huggingface_hub.errors import HfHubHTTPError


def main(endpoint: str, token: str, folder: Path) -> Dict[str, Any]:
    """List, info, download, read a range, upload, and ask for what is not there."""
    api = HfApi(endpoint=endpoint, token=token)
    seen: Dict[str, Any] = {"version": __version__}
    seen["listed"] = [model.id for model in api.list_models(filter="audacity", full=True)]
    info = api.model_info("ann/effect", files_metadata=True)
    seen["info"] = {one.rfilename: one.size for one in info.siblings or []}
    seen["tree"] = sorted(one.path for one in api.list_repo_tree("ann/effect", recursive=True))
    for name in ("metadata.json", "model.pt"):
        path = api.hf_hub_download("ann/effect", name, cache_dir=str(folder / "cache"))
        seen[name] = len(Path(path).read_bytes())
    files = HfFileSystem(endpoint=endpoint, token=token, skip_instance_cache=True)
    with files.open("ann/effect/model.pt", "rb", block_size=4096) as file:
        file.seek(5000)
        seen["range"] = file.read(4).decode("ascii")
    done = api.upload_folder(repo_id="ann/effect", folder_path=str(folder / "new"), commit_message="new")
    seen["committed"] = str(done.oid) == api.model_info("ann/effect").sha
    new = api.hf_hub_download("ann/effect", "model.pt", cache_dir=str(folder / "cache"), force_download=True)
    seen["uploaded"] = Path(new).read_bytes() == (folder / "new" / "model.pt").read_bytes()
    try:
        HfApi(endpoint=endpoint, token=False).model_info("ann/nothing")
    except HfHubHTTPError as error:
        seen["missing"] = error.response.status_code
    return seen


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
