"""A file on the Hub as a seekable file: ``zipfile`` reads a member of a 1 GB archive for a few hundred kilobytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Dict, Optional

from audacitorch.files import RangedFile
from audacitorch.http import Answer, host_of
from audacitorch.hub.failures import BodyCut, DamagedDownload, HubUnreachable, RangeLimit, RangesRefused

if TYPE_CHECKING:
    from audacitorch.hub.api import Hub
    from audacitorch.hub.repos import HubFile

BLOCK = 1 << 14
#: The end of a file, read first: it holds a zip's directory.
TAIL = 1 << 16
#: Reading onwards, each request takes twice as much as the last, up to this.
WIDEST = 1 << 19
MAX_REQUESTS = 64
MAX_BYTES = 1 << 25

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)", re.ASCII)


class RangeFile(RangedFile):
    """A file of ``size`` bytes, read in ranges that are kept in memory. For one thread at a time.

    Every answer must be the range that was asked for, of the same content as the others; the address on the CDN, to
    which the Hub redirects, is kept and asked directly until it expires.

    Attributes:
        requests: how many were made, redirects included.
        received: bytes of the file that arrived.
    """

    def __init__(
        self,
        hub: Hub,
        repo_id: str,
        revision: str,
        file: HubFile,
        *,
        max_requests: int = MAX_REQUESTS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        super().__init__(file.size)
        self.requests = 0
        self.received = 0
        self._hub = hub
        self._revision = revision
        self._what = f"{repo_id}@{revision}/{file.name}"
        self._home = hub.file_url(repo_id, revision, file.name)
        self._sha256 = file.sha256
        self._url = self._home
        self._tags: Dict[str, Optional[str]] = {}
        self._blocks: Dict[int, bytes] = {}
        self._width = TAIL
        self._ahead = self._block_count
        self._max_requests = max_requests
        self._max_bytes = max_bytes

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Fill ``buffer`` from the position on; less than all of it only at the end of the file.

        Raises:
            RangesRefused: the server gives the whole file or nothing.
            RangeLimit: the reader's requests or bytes are spent.
            DamagedDownload: the file is not the one that it was.
            HubError: any other reason why it can't be read.
        """
        return super().readinto(buffer)

    def _bytes(self, start: int, stop: int) -> bytes:
        if not self._blocks:
            self._fetch(max(self.size - TAIL, 0) // BLOCK, self._block_count)
        first, last = start // BLOCK, (stop - 1) // BLOCK
        for block in range(first, last + 1):
            if block not in self._blocks:
                self._fetch_from(block, last + 1)
        joined = b"".join(self._blocks[block] for block in range(first, last + 1))
        return joined[start - first * BLOCK : stop - first * BLOCK]

    def _fetch_from(self, block: int, until: int) -> None:
        """Fetch the block and what is likely to be asked for next, up to a block that is there already."""
        onwards = 0 <= block - self._ahead <= self._width // BLOCK
        self._width = min(self._width * 2, WIDEST) if onwards else TAIL
        end = min(max(until, block + self._width // BLOCK), self._block_count)
        self._ahead = next((other for other in range(block + 1, end) if other in self._blocks), end)
        self._fetch(block, self._ahead)

    @property
    def _block_count(self) -> int:
        return -(-self.size // BLOCK)

    def _fetch(self, first: int, stop: int) -> None:
        start, end = first * BLOCK, min(stop * BLOCK, self.size)
        if self.received + end - start > self._max_bytes:
            raise RangeLimit(f"More than {self._max_bytes} bytes of {self._what} would have to be read.")
        data = self._hub.again(lambda: self._range(start, end))
        for block in range(first, stop):
            self._blocks[block] = data[(block - first) * BLOCK : (block - first + 1) * BLOCK]

    def _range(self, start: int, end: int) -> bytes:
        with self._open(start, end) as answer:
            if answer.response.status_code != 206:
                raise RangesRefused(f"{self._what} can't be read in parts: the server ignores ranges.")
            self._check(answer, start, end)
            data = answer.read(end - start, self._what)
        self.received += len(data)
        if len(data) != end - start:
            raise BodyCut(f"A part of {self._what} did not arrive whole.")
        return data

    def _open(self, start: int, end: int) -> Answer:
        direct = self._url != self._home
        try:
            answer = self._ask(self._url, start, end)
        except HubUnreachable:
            if not direct:
                raise
            self._url = self._home  # the address on the CDN is good for an hour or so
            answer = self._ask(self._url, start, end)
        if not self._hub.is_ours(answer.url):
            self._url = answer.url
        return answer

    def _ask(self, url: str, start: int, end: int) -> Answer:
        if self.requests >= self._max_requests:
            raise RangeLimit(f"More than {self._max_requests} requests would be needed for {self._what}.")
        self.requests += 1
        answer = self._hub.open(url, self._what, first=start, last=end - 1)
        self.requests += len(answer.hops) - 1
        return answer

    def _check(self, answer: Answer, start: int, end: int) -> None:
        """Make sure that the answer is the range that was asked for, of the file that was asked for."""
        given = _CONTENT_RANGE.fullmatch(answer.response.headers.get("Content-Range", ""))
        if given is None or [int(number) for number in given.groups()] != [start, end - 1, self.size]:
            raise DamagedDownload(f"The server gave another part of {self._what}, or one of another file.")
        self._hub.check_commit(answer, self._revision, self._what)
        linked = answer.header("X-Linked-ETag")
        if self._sha256 and linked and linked.strip('W/"') != self._sha256:
            raise DamagedDownload(f"{self._what} is not what the Hub announced: its hash differs.")
        tag = answer.response.headers.get("ETag")
        if self._tags.setdefault(host_of(answer.url), tag) != tag:
            raise DamagedDownload(f"{self._what} changed while it was read.")
