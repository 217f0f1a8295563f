"""Writing: create a repo, validate a card, preupload, LFS, commit."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Union

from tests.hub.messages import Answer, Request, as_json, error
from tests.hub.repos import Blob, Content, HubRepo

if TYPE_CHECKING:
    from tests.hub.local import LocalHub

_LARGEST_REGULAR = 10 << 20
_LFS_ENDINGS = (".pt", ".bin", ".zip", ".safetensors", ".wav")


def create(hub: LocalHub, request: Request) -> Answer:
    """``POST /api/repos/create``."""
    caller, asked = hub.caller(request), request.json()
    if caller is None or not caller.write:
        return error(401 if caller is None else 403, "You need a token with the right to write")
    author = asked.get("organization") or caller.user
    repo_id = f"{author}/{asked['name']}"
    answer = {"url": f"{request.base}/{repo_id}", "name": repo_id, "id": repo_id}
    if author != caller.user and author not in caller.orgs:
        return error(403, f"You don't have the rights to create a model under the namespace {author}")
    if hub.find(repo_id) is not None:
        return as_json({**answer, "error": "You already created this model repo"}, 409)
    hub.add_repo(repo_id, files={".gitattributes": b"*.pt filter=lfs\n"}, private=bool(asked.get("private")))
    return as_json(answer)


def validate_yaml(hub: LocalHub, request: Request) -> Answer:
    """``POST /api/validate-yaml``."""
    return as_json({"errors": [], "warnings": []})


def preupload(hub: LocalHub, request: Request, repo: HubRepo) -> Answer:
    """``POST .../preupload/{revision}``: which files belong into LFS."""
    told: List[Dict[str, Any]] = []
    for file in request.json()["files"]:
        large = file["size"] > _LARGEST_REGULAR or file["path"].endswith(_LFS_ENDINGS)
        known = repo.head.files.get(file["path"])
        entry = {"path": file["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
        told.append({**entry, "oid": known.oid} if known else entry)
    return as_json({"files": told})


def lfs_batch(hub: LocalHub, request: Request, repo: HubRepo) -> Answer:
    """``POST /{id}.git/info/lfs/objects/batch``: where to put what is not there yet."""
    asked = request.json()
    objects: List[Dict[str, Any]] = []
    if "xet" in asked.get("transfers", ()):  # the client goes on with Xet storage, and asks it what is there
        objects = [{"oid": wanted["oid"], "size": wanted["size"]} for wanted in asked["objects"]]
        return _lfs_answer({"transfer": "xet", "objects": objects})
    for wanted in asked["objects"]:
        entry = {"oid": wanted["oid"], "size": wanted["size"]}
        if hub.blob(wanted["oid"]) is None:
            verify = {"href": f"{request.base}/{repo.id}.git/info/lfs/objects/verify"}
            entry["actions"] = {"upload": {"href": hub.upload_link(wanted["oid"]), "header": {}}, "verify": verify}
        objects.append(entry)
    return _lfs_answer({"transfer": "basic", "objects": objects})


def _lfs_answer(value: Any) -> Answer:
    return Answer(200, {"Content-Type": "application/vnd.git-lfs+json"}, _dumps(value))


def put(hub: LocalHub, request: Request, sha256: str) -> Answer:
    """``PUT`` of an LFS object to the CDN."""
    blob = Blob(request.body, lfs=True)
    if request.one("Signature") != hub.signature(sha256) or blob.sha256 != sha256:
        return Answer(403, {}, b"<Error/>")
    hub.add_blob(blob)
    return Answer(200, {"ETag": f'"{sha256[:32]}"'})


def lfs_verify(hub: LocalHub, request: Request, repo: HubRepo) -> Answer:
    """``POST`` after the upload, with the token."""
    blob = hub.blob(request.json()["oid"])
    if blob is None or blob.size != request.json()["size"]:
        return error(404, "Object not found")
    return as_json({})


def commit(hub: LocalHub, request: Request, repo: HubRepo) -> Answer:
    """``POST .../commit/{revision}``: lines of JSON, a header and operations."""
    files: Dict[str, Union[Content, Blob]] = {}
    delete: List[str] = []
    title, parent = "Update", None
    for line in request.body.splitlines():
        operation = json.loads(line)
        key, value = operation["key"], operation["value"]
        if key == "header":
            title, parent = value["summary"], value.get("parentCommit")
        elif key == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif key == "lfsFile":
            blob: Optional[Blob] = hub.blob(value["oid"])
            if blob is None:
                return error(400, f"LFS pointer pointed to a file that does not exist: {value['oid']}")
            files[value["path"]] = blob
        elif key == "deletedFile":
            delete.append(value["path"])
        elif key == "deletedFolder":
            delete.extend(name for name in repo.head.files if name.startswith(value["path"].rstrip("/") + "/"))
        else:
            return error(400, f"unknown operation {key}")
    if parent not in (None, repo.head.oid):
        return error(412, "A commit has happened since. Please refresh and try again.")
    oid = hub.commit(repo.id, files, delete=delete, title=title)
    return as_json({"success": True, "commitOid": oid, "commitUrl": f"{request.base}/{repo.id}/commit/{oid}"})


def _dumps(value: Any) -> bytes:
    return json.dumps(value).encode()
