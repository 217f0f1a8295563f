"""The local Hub: repos, callers and faults behind two servers, one for the Hub and one for its CDN."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any, Callable, Collection, Dict, Iterator, List, Mapping, Optional, Set, Tuple, Union

from tests.hub import routes, xet
from tests.hub.access import Access
from tests.hub.faults import Fault, Faults
from tests.hub.messages import Answer, Logged, Request, error
from tests.hub.repos import Blob, Content, HubRepo, ManyRepos
from tests.hub.server import Side

_QUOTAS = {"api": 500, "resolvers": 3000}


class LocalHub(Access):
    """A Hub on loopback at :attr:`url`; its CDN has another host name, as the real one has.

    Args:
        bind: the address to listen on.
        port: the Hub's port; 0 for any.
        names: the host names of the Hub and of the CDN.
        latency: seconds added to each answer.
    """

    def __init__(
        self,
        *,
        bind: str = "127.0.0.1",
        port: int = 0,
        names: Tuple[str, str] = ("127.0.0.1", "localhost"),
        latency: float = 0.0,
    ) -> None:
        super().__init__()
        self.faults = Faults()
        self.unexpected: List[str] = []
        self._repos: Dict[str, HubRepo] = {}
        self._moved: Dict[str, str] = {}
        self._many: List[ManyRepos] = []
        self._blobs: Dict[str, Blob] = {}
        self._log: List[Logged] = []
        self.xorbs: Dict[str, List[bytes]] = {}
        self._asked = dict.fromkeys(_QUOTAS, 0)
        self._generation = 0
        self._lock = threading.RLock()
        self._hub = Side("hub", bind, port, names[0], self._respond, self._log)
        self._cdn = Side("cdn", bind, 0, names[1], self._respond, self._log)
        self.latency = latency

    # What a test sets up

    @property
    def url(self) -> str:
        """What ``HF_ENDPOINT`` should be."""
        return self._hub.url

    @property
    def cdn_url(self) -> str:
        """The address of the CDN, where Xet storage is too."""
        return self._cdn.url

    @property
    def latency(self) -> float:
        """Seconds added to each answer of both servers."""
        return self._hub.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._hub.latency = self._cdn.latency = seconds

    def add_repo(
        self,
        repo_id: str,
        files: Mapping[str, Union[Content, Blob]],
        *,
        lfs: Collection[str] = (),
        tags: Collection[str] = (),
        card: Optional[Any] = None,
        private: bool = False,
        gated: Union[bool, str] = False,
        disabled: bool = False,
    ) -> HubRepo:
        """A repo with one commit; its card is ``card``, else README.md's front matter."""
        with self._lock:
            key = hashlib.md5(f"{len(self._repos)} {len(self._moved)} {repo_id}".encode()).hexdigest()[:24]
            repo = HubRepo(repo_id, key, list(tags), card, private, gated, disabled)
            self._moved.pop(repo_id.lower(), None)
            self._repos[repo_id.lower()] = repo
            repo.commit(files, lfs=lfs, title="initial commit")
            self._keep(repo)
            return repo

    def add_many(
        self,
        count: int,
        files: Callable[[int], Mapping[str, Content]],
        *,
        author: str = "many",
        tags: Tuple[str, ...] = ("audacity",),
        names: Tuple[str, ...] = ("README.md", "metadata.json", "model.pt"),
        lfs: Tuple[str, ...] = ("model.pt",),
    ) -> ManyRepos:
        """``count`` repos ``author/model-0000000`` and so on, made one by one when they are asked for."""
        many = ManyRepos(count, author, tags, files, lfs, names)
        self._many.append(many)
        return many

    def commit(self, repo_id: str, files: Mapping[str, Union[Content, Blob]], **how: Any) -> str:
        """Put files on a repo's main; see :meth:`HubRepo.commit`."""
        with self._lock:
            repo = self._repos[repo_id.lower()]
            oid = repo.commit(files, **how)
            self._keep(repo)
            return oid

    def remove_repo(self, repo_id: str) -> HubRepo:
        """Delete a repo."""
        return self._repos.pop(repo_id.lower())

    def rename_repo(self, repo_id: str, new_id: str) -> None:
        """Give a repo another name; the old one redirects."""
        with self._lock:
            repo = self._repos.pop(repo_id.lower())
            repo.id = new_id
            self._repos[new_id.lower()] = repo
            self._moved[repo_id.lower()] = new_id

    def fault(
        self,
        kind: str,
        *,
        method: Optional[str] = None,
        path: Optional[str] = None,
        side: Optional[str] = None,
        times: Optional[int] = 1,
        after: int = 0,
        **options: Any,
    ) -> Fault:
        """Spoil ``times`` answers (None: all) to requests whose target matches the regular expression ``path``."""
        return self.faults.add(Fault(kind, method, path, side, times, after, options))

    def expire_links(self) -> None:
        """End the time of every CDN address that was given out."""
        self._generation += 1

    def take_log(self) -> List[Logged]:
        """The requests since the last call."""
        taken = self._log[:]
        del self._log[: len(taken)]
        return taken

    def close(self) -> None:
        """Stop both servers."""
        self._hub.close()
        self._cdn.close()

    def __enter__(self) -> LocalHub:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What the endpoints ask

    def find(self, repo_id: str) -> Optional[HubRepo]:
        """The repo of exactly this name."""
        repo = self._repos.get(repo_id.lower())
        if repo is not None:
            return repo if repo.id == repo_id else None
        for many in self._many:
            number = many.number(repo_id)
            if number is not None:
                found = many.repo(number, with_files=True)
                self._keep(found)
                return found
        return None

    def moved_to(self, repo_id: str) -> Optional[str]:
        """The name that a repo has now: it was renamed, or is spelt with other capitals."""
        repo = self._repos.get(repo_id.lower())
        return repo.id if repo else self._moved.get(repo_id.lower())

    def repos_from(self, place: int, tags: Set[str]) -> Iterator[Tuple[int, HubRepo]]:
        """Every repo from a place in the listing on, with its place."""
        yield from enumerate(list(self._repos.values())[place:], place)
        first = len(self._repos)
        for many in self._many:
            if tags <= set(many.tags):
                for number in range(max(place - first, 0), many.count):
                    yield first + number, many.repo(number, with_files=False)
            first += many.count

    def blob(self, sha256: str) -> Optional[Blob]:
        """The LFS object with this hash."""
        return self._blobs.get(sha256)

    def add_blob(self, blob: Blob) -> None:
        """Keep an LFS object."""
        self._blobs[blob.sha256] = blob

    def _keep(self, repo: HubRepo) -> None:
        for blob in repo.head.files.values():
            if blob.lfs:
                self.add_blob(blob)

    def signature(self, sha256: str) -> str:
        """What makes a CDN address good."""
        return hashlib.sha1(f"{self._generation} {sha256}".encode()).hexdigest()

    def cdn_link(self, blob: Blob) -> str:
        """The address of an LFS object, good for reading."""
        return f"{self._cdn.url}/objects/{blob.sha256}?Expires=9999999999&Signature={self.signature(blob.sha256)}"

    def upload_link(self, sha256: str) -> str:
        """The address of an LFS object, good for writing."""
        return f"{self._cdn.url}/uploads/{sha256}?Signature={self.signature(sha256)}"

    # What the servers call

    def _respond(self, request: Request) -> Answer:
        with self._lock:
            answer = self._answer(request)
            if request.side == "hub":
                answer.headers = {**self._rate_limit(request), **answer.headers}
            return self.faults.spoil(request, answer)

    def _answer(self, request: Request) -> Answer:
        sent = request.headers.get("Authorization")
        if request.side == "hub" and sent is not None and self.caller(request) is None:
            return error(401, "Invalid credentials in Authorization header")
        if request.side == "cdn" and sent is not None and sent != f"Bearer {xet.TOKEN}":
            self.unexpected.append(f"a token was sent to the CDN: {request.method} {request.path}")
        answer = routes.answer(self, request)
        if answer is None:
            self.unexpected.append(f"{request.method} {request.side} {request.target}")
            return error(404, "Sorry, we can't find the page you are looking for.")
        return answer

    def _rate_limit(self, request: Request) -> Dict[str, str]:
        bucket = "resolvers" if "/resolve" in request.path else "api"
        quota = _QUOTAS[bucket]
        self._asked[bucket] += 1
        left = max(quota - self._asked[bucket], 0)
        return {
            "RateLimit": f'"{bucket}";r={left};t=240',
            "RateLimit-Policy": f'"fixed window";"{bucket}";q={quota};w=300',
        }


def add_folder(hub: LocalHub, folder: Path, *, tags: Collection[str] = (), lfs_ending: str = ".pt") -> List[HubRepo]:
    """Add every repo in a folder ``author/name/files``; files with ``lfs_ending`` go to LFS storage."""
    added = []
    for place in sorted(path for path in folder.glob("*/*") if path.is_dir()):
        files = {str(f.relative_to(place)): f for f in sorted(place.rglob("*")) if f.is_file()}
        lfs = [name for name in files if name.endswith(lfs_ending)]
        added.append(hub.add_repo(f"{place.parent.name}/{place.name}", files, lfs=lfs, tags=tags))
    return added
