"""Which endpoint answers which request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Callable, List, Optional, Pattern, Tuple
from urllib.parse import unquote

from tests.hub import api, files, upload, xet
from tests.hub.messages import Answer, Request, error, redirect
from tests.hub.repos import HubRepo

if TYPE_CHECKING:
    from tests.hub.local import LocalHub

_ID = r"(?P<id>[^/]+/[^/]+)"
_MODEL = rf"/api/models/{_ID}"
_REVISION = r"(?P<revision>[^/]+)"

PLAIN, REPO, COMMIT, WRITE = "plain", "repo", "commit", "write"
Route = Tuple[str, str, Pattern[str], str, Callable[..., Answer]]

_ROUTES: List[Route] = [
    (side, method, re.compile(pattern), needs, endpoint)
    for side, method, pattern, needs, endpoint in (
        ("hub", "GET", r"/api/models", PLAIN, api.listing),
        ("hub", "GET", r"/api/whoami-v2", PLAIN, api.whoami),
        ("hub", "POST", r"/api/repos/create", PLAIN, upload.create),
        ("hub", "POST", r"/api/validate-yaml", PLAIN, upload.validate_yaml),
        ("hub", "GET", r"/api/agent-harnesses", PLAIN, xet.harnesses),
        ("hub", "GET", rf"{_MODEL}/xet-write-token/{_REVISION}", WRITE, xet.write_token),
        ("hub", "GET", _MODEL, COMMIT, api.info),
        ("hub", "GET", rf"{_MODEL}/revision/{_REVISION}", COMMIT, api.info),
        ("hub", "GET", rf"{_MODEL}/tree/{_REVISION}(?:/(?P<path>.+))?", COMMIT, api.tree),
        ("hub", "POST", rf"{_MODEL}/paths-info/{_REVISION}", COMMIT, api.paths_info),
        ("hub", "GET", rf"{_MODEL}/refs", REPO, api.refs),
        ("hub", "GET", rf"{_MODEL}/commits/{_REVISION}", COMMIT, api.commits),
        ("hub", "POST", rf"{_MODEL}/preupload/{_REVISION}", WRITE, upload.preupload),
        ("hub", "POST", rf"{_MODEL}/commit/{_REVISION}", WRITE, upload.commit),
        ("hub", "POST", rf"/{_ID}\.git/info/lfs/objects/batch", WRITE, upload.lfs_batch),
        ("hub", "POST", rf"/{_ID}\.git/info/lfs/objects/verify", WRITE, upload.lfs_verify),
        (
            "hub",
            "GET|HEAD",
            rf"/api/resolve-cache/models/{_ID}/{_REVISION}/(?P<path>.+)",
            COMMIT,
            files.resolve_cache,
        ),
        ("hub", "GET|HEAD", rf"/{_ID}/resolve/{_REVISION}/(?P<path>.+)", COMMIT, files.resolve),
        ("hub", "GET|HEAD", rf"/{_ID}/raw/{_REVISION}/(?P<path>.+)", COMMIT, files.raw),
        ("cdn", "GET|HEAD", r"/objects/(?P<sha256>[0-9a-f]{64})", PLAIN, files.cdn),
        ("cdn", "GET", r"/v1/chunks/[\w-]+/(?P<hash>[0-9a-f]{64})", PLAIN, xet.no_chunk),
        ("cdn", "POST", r"/v1/xorbs/[\w-]+/(?P<hash>[0-9a-f]{64})", PLAIN, xet.put_xorb),
        ("cdn", "POST", r"/v1/xorb-grants/[\w-]+/(?P<hash>[0-9a-f]{64})", PLAIN, xet.older),
        ("cdn", "POST", r"/v2/shards", PLAIN, xet.older),
        ("cdn", "POST", r"/v1/shards", PLAIN, xet.put_shard),
        ("cdn", "POST", r"/v1/telemetry", PLAIN, xet.telemetry),
        ("cdn", "PUT", r"/uploads/(?P<sha256>[0-9a-f]{64})", PLAIN, upload.put),
    )
]


def answer(hub: LocalHub, request: Request) -> Optional[Answer]:
    """The answer of the endpoint that the request is for, None where there is none."""
    for side, methods, pattern, needs, endpoint in _ROUTES:
        found = pattern.fullmatch(request.path)
        if side == request.side and request.method in methods.split("|") and found:
            parts = found.groupdict()
            if needs == PLAIN:
                return endpoint(hub, request, *parts.values())
            return _in_repo(hub, request, needs, endpoint, parts)
    return None


def _in_repo(hub: LocalHub, request: Request, needs: str, endpoint: Callable[..., Answer], parts: Any) -> Answer:
    repo_id = unquote(parts["id"])
    repo = hub.find(repo_id)
    if repo is None or not hub.may_see(request, repo):
        return _elsewhere(hub, request, repo_id, repo)
    if needs == WRITE:
        if not hub.may_write(request, repo):
            return error(401 if hub.caller(request) is None else 403, f"You can't write to {repo.id}")
        return endpoint(hub, request, repo)
    if needs == REPO:
        return endpoint(hub, request, repo)
    revision = unquote(parts.get("revision") or "main")
    commit = repo.at(revision)
    if commit is None:
        return error(404, f"Invalid rev id: {revision}", "RevisionNotFound")
    return endpoint(hub, request, repo, commit, *([parts["path"]] if "path" in parts else []))


def _elsewhere(hub: LocalHub, request: Request, repo_id: str, repo: Optional[HubRepo]) -> Answer:
    """What is said of a repo that is not there under this name, or that this caller may not know of."""
    moved = hub.moved_to(repo_id)
    if repo is None and moved is not None:
        return redirect(307, request.target.replace(repo_id, moved, 1))
    if hub.caller(request) is None:
        return error(401, "Invalid username or password.")
    return error(404, "Repository not found", "RepoNotFound")
