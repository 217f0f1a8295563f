"""Model repos on the Hub: how their ids are written, all of them as a listing, one at one commit with its files."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Optional, Set, Tuple
from urllib.parse import urlencode, urljoin

from audacitorch.http import Answer, one_line
from audacitorch.hub.failures import HubError, HubUnreachable, IncompleteListing, InvalidRepoId
from audacitorch.safetext import visible

if TYPE_CHECKING:
    from hashlib import _Hash

    from audacitorch.http.transport import Transport

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?", re.ASCII)
_LONGEST_NAME = 96
_LONGEST_REVISION = 255
_REVISION_FORBIDS = re.compile(r"[\s\x00-\x1f\x7f~^:?*\[\\]|\.\.|@\{|//|^[/.-]|[/.]\Z")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

#: The largest page that the Hub gives.
PAGE_SIZE = 1000
#: What a refresh wants to know of every repo; ``_id`` and ``id`` always come.
FIELDS = (
    "author",
    "cardData",
    "createdAt",
    "disabled",
    "downloads",
    "gated",
    "lastModified",
    "library_name",
    "likes",
    "pipeline_tag",
    "private",
    "sha",
    "siblings",
    "tags",
)
_MOST_PAGES = 10_000


def parse_repo_id(text: str) -> Tuple[str, Optional[str]]:
    """The id and the revision (None if none is given) in ``author/name[@revision]``.

    Raises:
        InvalidRepoId: the Hub can have no such id, or git no such revision.
    """
    repo_id, at, revision = text.partition("@")
    fault = repo_id_fault(repo_id)
    if fault is not None:
        raise InvalidRepoId(f"{fault}: write author/name or author/name@revision.")
    if at and (not revision or len(revision) > _LONGEST_REVISION or _REVISION_FORBIDS.search(revision)):
        raise InvalidRepoId(f"{_quoted(revision)} is not a branch, tag or commit: write author/name@revision.")
    return repo_id, revision or None


def repo_id_fault(repo_id: str) -> Optional[str]:
    """Why the Hub can hold no repo with this id, as a sentence; None for an id that it could hold."""
    parts = repo_id.split("/")
    if len(parts) != 2 or not all(parts):
        return f"{_quoted(repo_id)} is not of the form author/name"
    for part, what in zip(parts, ("author", "name")):
        if len(part) > _LONGEST_NAME:
            return f"the {what} in {_quoted(repo_id)} has {len(part):,} characters, at most {_LONGEST_NAME} are allowed"
        if "--" in part or ".." in part:
            return f"the {what} {_quoted(part)} holds -- or .., which the Hub allows in no name"
        if not _NAME.fullmatch(part):
            return (
                f"the {what} {_quoted(part)} may hold letters, digits, _ . and -, and neither start nor end with . or -"
            )
    if parts[1].endswith(".git"):
        return f"the name {_quoted(parts[1])} must not end with .git"
    return None


def _quoted(text: str) -> str:
    return f'"{visible(text, 100)}"'


def is_commit(text: object) -> bool:
    """Whether ``text`` is a full commit hash, which never moves."""
    return isinstance(text, str) and _COMMIT.fullmatch(text) is not None


@dataclass(frozen=True)
class HubFile:
    """A file of a repo: ``git_sha1`` is git's hash of it, ``sha256`` is known for files in LFS storage only.

    For a file in LFS storage ``git_sha1`` belongs to its pointer, not to its content.
    """

    name: str
    size: int
    git_sha1: str
    sha256: Optional[str] = None

    @property
    def lfs(self) -> bool:
        """Whether the Hub keeps the file in LFS (or Xet) storage."""
        return self.sha256 is not None

    @property
    def digest(self) -> str:
        """The hash of the content in hexadecimal: sha256 in LFS storage, git's sha1 otherwise."""
        return self.sha256 or self.git_sha1

    def hasher(self) -> _Hash:
        """A hash object that ends at :attr:`digest` when it was fed the whole content."""
        if self.lfs:
            return hashlib.sha256()
        return hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)

    def fits(self, content: bytes) -> bool:
        """Whether this is the file's content."""
        hasher = self.hasher()
        hasher.update(content)
        return len(content) == self.size and hasher.hexdigest() == self.digest


@dataclass(frozen=True)
class RepoDetails:
    """A repo at one commit: its id as the Hub spells it now, and every file by name."""

    id: str
    sha: str
    files: Mapping[str, HubFile]
    gated: bool = False
    disabled: bool = False
    private: bool = False
    #: The Hub's own key of the repo, which outlives a change of name.
    key: Optional[str] = None

    @classmethod
    def from_json(cls, data: Any) -> RepoDetails:
        """The details in the Hub's answer to ``/api/models/{id}/revision/{revision}?blobs=true``.

        Raises:
            HubUnreachable: the answer is not of that shape.
        """
        if not isinstance(data, dict) or not isinstance(data.get("siblings"), list) or not is_commit(data.get("sha")):
            raise HubUnreachable("The Hub describes a repo without its commit or its files.")
        try:
            repo_id, _ = parse_repo_id(str(data.get("id")))
        except InvalidRepoId as error:
            raise HubUnreachable(f"The Hub describes a repo with an odd id: {error}") from error
        files: Dict[str, HubFile] = {}
        for sibling in data["siblings"]:
            file = _file_from_json(sibling)
            files[file.name] = file
        flags = {name: bool(data.get(name)) for name in ("gated", "disabled", "private")}
        key = data.get("_id")
        return cls(repo_id, data["sha"], files, **flags, key=key if isinstance(key, str) else None)


def _file_from_json(sibling: Any) -> HubFile:
    entry = sibling if isinstance(sibling, dict) else {}
    name, size, git_sha1, lfs = (entry.get(key) for key in ("rfilename", "size", "blobId", "lfs"))
    sha256 = None
    if isinstance(lfs, dict):
        sha256, size = lfs.get("sha256"), lfs.get("size", size)
    well_formed = isinstance(name, str) and isinstance(size, int) and size >= 0 and is_commit(git_sha1)
    if not well_formed or (lfs is not None and not (isinstance(sha256, str) and _SHA256.fullmatch(sha256))):
        raise HubUnreachable(f"The Hub describes a file without its size or hash: {one_line(str(name))}.")
    return HubFile(str(name), int(size or 0), str(git_sha1), sha256)


def list_models(transport: Transport, endpoint: str, tag: str, page_size: int = PAGE_SIZE) -> Iterator[Dict[str, Any]]:
    """Every model repo that carries ``tag``, as the Hub's own JSON objects: one request for ``page_size`` of them.

    Nothing is read out of the objects but a string ``id`` and ``_id``. A repo that is listed twice comes once, and
    shows that the listing moved while it was read. No repo at all is a complete listing: the caller knows whether
    that can be.

    Raises:
        HubUnreachable: the first page is not available.
        IncompleteListing: after the last repo that was read, when more may exist.
    """
    query = [("filter", tag), ("limit", str(page_size)), *(("expand", field) for field in FIELDS)]
    url: Optional[str] = f"{endpoint}/api/models?{urlencode(query)}"
    visited: Set[str] = set()
    seen: Set[str] = set()
    doubtful = 0
    while url is not None:
        visited.add(url)
        answer, entries = _page(transport, url, len(visited))
        before = len(seen)
        for entry in entries:
            key = _key(entry)
            if key is None or key in seen:
                doubtful += 1
            else:
                seen.add(key)
                yield entry
        following = _next(transport, answer)
        if following in visited or (len(seen) == before and (following or len(visited) > 1)):
            raise IncompleteListing(f"Page {len(visited)} of the Hub's listing holds nothing new.")
        if len(visited) == _MOST_PAGES:
            raise IncompleteListing(f"The Hub's listing has more than {_MOST_PAGES} pages.")
        url = following
    if doubtful:
        raise IncompleteListing(f"The Hub listed {doubtful} repos twice or without an id, so others may be left out.")


def _page(transport: Transport, url: str, number: int) -> Tuple[Answer, List[Any]]:
    """A page of the listing, and its entries."""
    try:
        answer, entries = transport.json(url, f"page {number} of the listing")
        if not isinstance(entries, list):
            raise HubUnreachable("The Hub's listing is not a list.")
    except HubError as error:
        if number > 1:
            raise IncompleteListing(f"Page {number} of the Hub's listing is missing: {error}") from error
        if isinstance(error, HubUnreachable):
            raise
        raise HubUnreachable(f"The Hub gives no listing: {error}") from error
    return answer, entries


def _next(transport: Transport, answer: Answer) -> Optional[str]:
    """Where the next page is; the end of the listing is said by no ``Link`` at all."""
    header = answer.response.headers.get("Link")
    if header is None:
        return None
    try:
        url: str = urljoin(answer.url, answer.response.links["next"]["url"])
    except (KeyError, ValueError) as error:
        if "next" not in header:
            return None
        raise IncompleteListing(f"The Hub's link to the next page can't be read: {one_line(header)}.") from error
    if not transport.is_ours(url):
        raise IncompleteListing(f"The Hub's link to the next page leads elsewhere: {one_line(url)}.")
    return url


def _key(entry: Any) -> Optional[str]:
    """What tells two repos apart: the Hub's own key, which outlives a change of name."""
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        return None
    key = entry.get("_id")
    return key if isinstance(key, str) else str(entry["id"])
