"""Files: resolve with its redirects, resolve-cache, raw, and the CDN, with ranges."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Optional, Tuple
from urllib.parse import quote, unquote

from tests.hub.messages import Answer, Request, error, redirect
from tests.hub.repos import Blob, Commit, HubRepo

if TYPE_CHECKING:
    from tests.hub.local import LocalHub


def resolve(hub: LocalHub, request: Request, repo: HubRepo, commit: Commit, path: str) -> Answer:
    """``HEAD|GET /{id}/resolve/{revision}/{path}``: 302 to the CDN for LFS files, 307 to the cache for others."""
    name = unquote(path)
    told = {"X-Repo-Commit": commit.oid}
    if not hub.may_read(request, repo):
        return hub.refusal(request, repo)
    blob = commit.files.get(name)
    if blob is None:
        return error(404, "Entry not found", "EntryNotFound", told)
    told["X-Linked-ETag"] = f'"{blob.etag}"'
    if blob.lfs:
        told["X-Linked-Size"] = str(blob.size)
        return redirect(302, hub.cdn_link(blob), told)
    return redirect(307, f"/api/resolve-cache/models/{repo.id}/{commit.oid}/{quote(name)}?etag=%22{blob.oid}%22", told)


def resolve_cache(hub: LocalHub, request: Request, repo: HubRepo, commit: Commit, path: str) -> Answer:
    """Where :func:`resolve` sends readers of regular files."""
    blob = commit.files.get(unquote(path))
    if blob is None or not hub.may_read(request, repo):
        return error(404, "Entry not found", "EntryNotFound", {"X-Repo-Commit": commit.oid})
    answer = _content(request, blob, f'"{blob.oid}"')
    answer.headers["X-Repo-Commit"] = commit.oid
    if request.headers.get("If-None-Match") == f'"{blob.oid}"':
        return Answer(304, answer.headers)
    return answer


def raw(hub: LocalHub, request: Request, repo: HubRepo, commit: Commit, path: str) -> Answer:
    """``GET /{id}/raw/{revision}/{path}``: what git has, the pointer of an LFS file."""
    blob = commit.files.get(unquote(path))
    if blob is None:
        return error(404, "Entry not found", "EntryNotFound", {"X-Repo-Commit": commit.oid})
    return _content(request, Blob(blob.pointer) if blob.lfs else blob, f'"{blob.oid}"')


def cdn(hub: LocalHub, request: Request, sha256: str) -> Answer:
    """``GET`` of the CDN: a signed address, no header of the Hub, and an ETag that is the hash of something else."""
    blob = hub.blob(sha256)
    if blob is None or request.one("Signature") != hub.signature(sha256):
        return Answer(403, {"Content-Type": "application/xml"}, b"<Error><Code>AccessDenied</Code></Error>")
    return _content(request, blob, f'"{hashlib.sha256(b"xet" + sha256.encode()).hexdigest()}"')


def _content(request: Request, blob: Blob, etag: str) -> Answer:
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
    asked = request.headers.get("Range")
    if asked is None or request.method == "HEAD":
        return Answer(200, headers, blob)
    span = _span(asked, blob.size)
    if span is None:
        return Answer(416, {**headers, "Content-Range": f"bytes */{blob.size}"})
    start, stop = span
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{blob.size}"
    return Answer(206, headers, blob, start, stop)


def _span(asked: str, size: int) -> Optional[Tuple[int, int]]:
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", asked)
    if found is None or found.group(1) == found.group(2) == "":
        return None
    first, last = found.groups()
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    return (start, stop) if start < stop else None
