"""Model repos as the local Hub keeps them: blobs with git's and LFS's own hashes, commits, branches, a card."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Callable, Collection, Dict, List, Mapping, Optional, Set, Tuple, Union

Content = Union[bytes, Path]
DATE = "2024-05-{day:02d}T10:00:00.000Z"
_CHUNK = 1 << 20


class Blob:
    """The content of a file, in memory or on disk; ``sha256`` may be given where nobody reads all of it."""

    def __init__(self, content: Content, lfs: bool = False, sha256: Optional[str] = None) -> None:
        self.content = content
        self.lfs = lfs
        self.size = len(content) if isinstance(content, bytes) else content.stat().st_size
        self._sha256 = sha256

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from ``start`` to ``stop``."""
        if isinstance(self.content, bytes):
            return self.content[start:stop]
        with self.content.open("rb") as file:
            file.seek(start)
            return file.read(stop - start)

    @cached_property
    def sha256(self) -> str:
        return self._sha256 or self._hash(hashlib.sha256())

    @cached_property
    def oid(self) -> str:
        """git's hash: of the content, or of the pointer where the content is in LFS."""
        if self.lfs:
            return git_sha1(self.pointer)
        return self._hash(hashlib.sha1(b"blob %d\0" % self.size))

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.oid

    @property
    def pointer(self) -> bytes:
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n"
        return text.encode()

    def _hash(self, hasher: Any) -> str:
        for start in range(0, self.size, _CHUNK):
            hasher.update(self.read(start, start + _CHUNK))
        return str(hasher.hexdigest())


def git_sha1(content: bytes) -> str:
    """What ``git hash-object`` says."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass(frozen=True)
class Commit:
    """Every file of a repo at one moment."""

    oid: str
    title: str
    files: Mapping[str, Blob]
    date: str


@dataclass
class HubRepo:
    """A model repo; ``key`` is the Hub's own id for it, which outlives a change of name."""

    id: str
    key: str
    tags: List[str] = field(default_factory=list)
    card: Optional[Any] = None
    private: bool = False
    gated: Union[bool, str] = False
    disabled: bool = False
    likes: int = 0
    downloads: int = 0
    granted: Set[str] = field(default_factory=set)
    commits: List[Commit] = field(default_factory=list)
    branches: Dict[str, str] = field(default_factory=dict)

    @property
    def author(self) -> str:
        return self.id.partition("/")[0]

    @property
    def head(self) -> Commit:
        return self.commits[-1]

    def at(self, revision: str) -> Optional[Commit]:
        """The commit that a branch, a tag, a full or a short hash names."""
        oid = self.branches.get(revision, revision)
        return next((commit for commit in self.commits if len(oid) >= 7 and commit.oid.startswith(oid)), None)

    def commit(
        self,
        files: Mapping[str, Union[Content, Blob]],
        *,
        lfs: Collection[str] = (),
        delete: Collection[str] = (),
        title: str = "Update",
        oid: Optional[str] = None,
    ) -> str:
        """Put ``files`` on main, and return the commit's hash."""
        kept = {} if not self.commits else {n: b for n, b in self.head.files.items() if n not in delete}
        kept.update({n: c if isinstance(c, Blob) else Blob(c, n in lfs) for n, c in files.items()})
        number = len(self.commits) + 1
        oid = oid or hashlib.sha1(f"{self.key} {number} {title} {sorted(kept)}".encode()).hexdigest()
        self.commits.append(Commit(oid, title, dict(sorted(kept.items())), DATE.format(day=min(number, 28))))
        self.branches["main"] = oid
        if "README.md" in files:
            self.card = front_matter(kept["README.md"]) if self.card is None or number > 1 else self.card
        return oid

    @property
    def all_tags(self) -> List[str]:
        """The tags given by hand, and those of the card."""
        tags = self.card.get("tags") if isinstance(self.card, dict) else None
        tags = [tags] if isinstance(tags, str) else tags  # as the specification writes it
        from_card = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
        return [*self.tags, *(tag for tag in from_card if tag not in self.tags)]


def front_matter(readme: Blob) -> Optional[Any]:
    """README.md's front matter as the Hub shows it; None where it has none or no YAML."""
    import yaml

    text = readme.read(0, min(readme.size, _CHUNK)).decode("utf-8", "replace")
    found = re.match(r"---\r?\n(.*?)\r?\n---", text, re.DOTALL)
    try:
        return yaml.safe_load(found.group(1)) if found else None
    except yaml.YAMLError:
        return None


@dataclass(frozen=True)
class ManyRepos:
    """Repos by the hundred thousand, each made when it is asked for."""

    count: int
    author: str
    tags: Tuple[str, ...]
    files: Callable[[int], Mapping[str, Content]]
    lfs: Tuple[str, ...]
    names: Tuple[str, ...]

    def id(self, number: int) -> str:
        return f"{self.author}/model-{number:07d}"

    def number(self, repo_id: str) -> Optional[int]:
        """The place of a repo among these, None where it is none of them."""
        found = re.fullmatch(re.escape(self.author) + r"/model-(\d{7})", repo_id)
        return int(found.group(1)) if found and int(found.group(1)) < self.count else None

    def repo(self, number: int, *, with_files: bool) -> HubRepo:
        """The repo; its files are empty where only their names are wanted."""
        repo_id = self.id(number)
        repo = HubRepo(repo_id, hashlib.md5(repo_id.encode()).hexdigest()[:24], tags=list(self.tags))
        oid = hashlib.sha1(repo_id.encode()).hexdigest()
        files: Mapping[str, Content] = self.files(number) if with_files else dict.fromkeys(self.names, b"")
        repo.commit(files, lfs=self.lfs, oid=oid)
        return repo
