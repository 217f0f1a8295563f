"""The Hub's JSON endpoints that read: listing, info, tree, paths-info, refs, commits, whoami."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Tuple
from urllib.parse import parse_qs, unquote, urlencode

from tests.hub.messages import Answer, Request, as_json, error
from tests.hub.repos import Blob, Commit, HubRepo

if TYPE_CHECKING:
    from tests.hub.local import LocalHub

# fmt: off
LISTING_EXPANDS = frozenset((
    "author", "cardData", "config", "createdAt", "disabled", "downloads", "downloadsAllTime", "evalResults", "gated",
    "gguf", "inference", "inferenceProviderMapping", "lastModified", "library_name", "likes", "mask_token",
    "model-index", "pipeline_tag", "private", "resourceGroup", "safetensors", "sha", "siblings", "spaces", "tags",
    "transformersInfo", "trendingScore", "widgetData",
))
# fmt: on
INFO_EXPANDS = LISTING_EXPANDS | {"baseModels", "childrenModelCount", "usedStorage"}
_SHORT = ("modelId", "likes", "downloads", "tags", "private", "createdAt", "pipeline_tag", "library_name")
_FULL = (*_SHORT, "sha", "lastModified", "siblings", "author", "gated")
_INFO = (*_FULL, "cardData", "disabled", "config", "spaces", "usedStorage")
_LARGEST_PAGE = 1000


def describe(repo: HubRepo, commit: Commit, fields: Tuple[str, ...], *, blobs: bool = False) -> Dict[str, Any]:
    """A repo as the Hub shows it; fields that it does not know are left out."""
    card = repo.card if isinstance(repo.card, dict) else {}
    known: Dict[str, Any] = {
        "modelId": repo.id,
        "author": repo.author,
        "sha": commit.oid,
        "lastModified": commit.date,
        "createdAt": repo.commits[0].date,
        "private": repo.private,
        "gated": repo.gated,
        "disabled": repo.disabled,
        "downloads": repo.downloads,
        "likes": repo.likes,
        "tags": repo.all_tags,
        "cardData": repo.card,
        "pipeline_tag": card.get("pipeline_tag"),
        "library_name": card.get("library_name"),
        "config": {},
        "spaces": [],
        "usedStorage": sum(blob.size for blob in commit.files.values()) if "usedStorage" in fields else 0,
        "siblings": [_sibling(name, blob, blobs) for name, blob in commit.files.items()]
        if "siblings" in fields
        else [],
    }
    shown = {name: known[name] for name in fields if known.get(name) is not None}
    return {"_id": repo.key, "id": repo.id, **shown}


def _sibling(name: str, blob: Blob, blobs: bool) -> Dict[str, Any]:
    if not blobs:
        return {"rfilename": name}
    return {"rfilename": name, "size": blob.size, "blobId": blob.oid, **_lfs(blob, "sha256")}


def _lfs(blob: Blob, hash_name: str) -> Dict[str, Any]:
    if not blob.lfs:
        return {}
    return {"lfs": {hash_name: blob.sha256, "size": blob.size, "pointerSize": len(blob.pointer)}}


def listing(hub: LocalHub, request: Request) -> Answer:
    """``GET /api/models``."""
    expand = tuple(request.query.get("expand", ()))
    if any(name not in LISTING_EXPANDS for name in expand):
        return error(400, f'"expand" must be one of {", ".join(sorted(LISTING_EXPANDS))}')
    fields = expand or (_FULL if request.flag("full") else _SHORT)
    if request.flag("cardData") and not expand:
        fields = (*fields, "cardData")
    limit = min(int(request.one("limit", str(_LARGEST_PAGE))), _LARGEST_PAGE)
    start = int(base64.urlsafe_b64decode(request.one("cursor", "MA==")))
    wanted = set(request.query.get("filter", ()))
    page: List[Dict[str, Any]] = []
    for place, repo in hub.repos_from(start, wanted):
        if not _matches(repo, request, wanted) or (repo.private and not hub.may_read(request, repo)):
            continue
        if len(page) == limit:
            return as_json(page, headers={"Link": _link(request, cursor=_encode(place))})
        page.append(describe(repo, repo.head, fields))
    return as_json(page)


def _matches(repo: HubRepo, request: Request, wanted: set[str]) -> bool:
    if not wanted <= set(repo.all_tags):
        return False
    author, search = request.one("author"), request.one("search").lower()
    return (not author or repo.author == author) and (not search or search in repo.id.lower())


def _encode(place: int) -> str:
    return base64.urlsafe_b64encode(str(place).encode()).decode()


def _link(request: Request, **change: str) -> str:
    query = {**parse_qs(request.target.partition("?")[2]), **change}
    return f'<{request.base}{request.path}?{urlencode(query, doseq=True)}>; rel="next"'


def info(hub: LocalHub, request: Request, repo: HubRepo, commit: Commit) -> Answer:
    """``GET /api/models/{id}`` and ``/revision/{revision}``."""
    expand = tuple(request.query.get("expand", ()))
    if any(name not in INFO_EXPANDS for name in expand):
        return error(400, f'"expand" must be one of {", ".join(sorted(INFO_EXPANDS))}')
    return as_json(describe(repo, commit, expand or _INFO, blobs=request.flag("blobs")))


def tree(hub: LocalHub, request: Request, repo: HubRepo, commit: Commit, folder: Optional[str]) -> Answer:
    """``GET .../tree/{revision}[/{path}]``."""
    expand = request.flag("expand")
    entries = list(_entries(commit, unquote(folder or ""), request.flag("recursive"), expand))
    if folder and not entries:
        return error(404, f"{folder} does not exist", "EntryNotFound", {"X-Repo-Commit": commit.oid})
    limit, start = 50 if expand else 1000, int(base64.urlsafe_b64decode(request.one("cursor", "MA==")))
    more = {"Link": _link(request, cursor=_encode(start + limit))} if len(entries) > start + limit else {}
    return as_json(entries[start : start + limit], headers=more)


def _entries(commit: Commit, folder: str, recursive: bool, expand: bool) -> Iterator[Dict[str, Any]]:
    prefix = f"{folder}/" if folder else ""
    folders = set()
    for name, blob in commit.files.items():
        if not name.startswith(prefix):
            continue
        parts = name[len(prefix) :].split("/")
        for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
            above = prefix + "/".join(parts[:depth])
            if above not in folders:
                folders.add(above)
                oid = hashlib.sha1(above.encode()).hexdigest()
                yield {"type": "directory", "oid": oid, "size": 0, "path": above, **_last(commit, expand)}
        if recursive or len(parts) == 1:
            yield {**_entry(name, blob), **_last(commit, expand)}


def _entry(name: str, blob: Blob) -> Dict[str, Any]:
    return {"type": "file", "oid": blob.oid, "size": blob.size, "path": name, **_lfs(blob, "oid")}


def _last(commit: Commit, expand: bool) -> Dict[str, Any]:
    return {"lastCommit": {"id": commit.oid, "title": commit.title, "date": commit.date}} if expand else {}


def paths_info(hub: LocalHub, request: Request, repo: HubRepo, commit: Commit) -> Answer:
    """``POST .../paths-info/{revision}``, form or JSON; what is not there is left out."""
    if "json" in request.headers.get("Content-Type", ""):
        paths = request.json()["paths"]
    else:
        paths = parse_qs(request.body.decode()).get("paths", [])
    if len(paths) > 1000:
        return error(413, "too many paths")
    return as_json([_entry(path, commit.files[path]) for path in paths if path in commit.files])


def refs(hub: LocalHub, request: Request, repo: HubRepo) -> Answer:
    """``GET .../refs``."""
    branches = [{"name": n, "ref": f"refs/heads/{n}", "targetCommit": oid} for n, oid in repo.branches.items()]
    asked: Dict[str, Any] = {"pullRequests": []} if request.flag("include_prs") else {}
    return as_json({"branches": branches, "tags": [], "converts": [], **asked})


def commits(hub: LocalHub, request: Request, repo: HubRepo, commit: Commit) -> Answer:
    """``GET .../commits/{revision}``."""
    if not hub.may_read(request, repo):
        return hub.refusal(request, repo)
    known = repo.commits[: repo.commits.index(commit) + 1][::-1]
    page, size = int(request.one("p", "0")), 50
    headers = {"X-Total-Count": str(len(known))}
    if len(known) > (page + 1) * size:
        headers["Link"] = _link(request, p=str(page + 1))
    shown = [
        {"id": c.oid, "title": c.title, "message": "", "authors": [{"user": repo.author}], "date": c.date}
        for c in known[page * size : (page + 1) * size]
    ]
    return as_json(shown, headers=headers)


def whoami(hub: LocalHub, request: Request) -> Answer:
    """``GET /api/whoami-v2``."""
    caller = hub.caller(request)
    if caller is None:
        return error(401, "Invalid username or password.")
    role = "write" if caller.write else "read"
    token = {"accessToken": {"displayName": "tests", "role": role}}
    return as_json({"type": "user", "name": caller.user, "orgs": [{"name": o} for o in caller.orgs], "auth": token})
