"""One file from the Hub to disk: resumed where it was interrupted, verified, and put in its place in one step."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Callable, Iterator, Optional

from audacitorch.http import TOTAL_SECONDS, Answer, one_line
from audacitorch.hub.failures import BodyCut, DamagedDownload, HubError, HubUnreachable, LocalStorageError
from audacitorch.hub.repos import HubFile, RepoDetails

if TYPE_CHECKING:
    from audacitorch.hub.api import Hub

try:
    import fcntl
except ImportError:  # Windows: every process then has a partial file of its own
    fcntl = None  # type: ignore[assignment]

#: Called with a file's name, its bytes so far, and its size.
Progress = Callable[[str, int, int], None]

#: Bytes a second: a download that is slower on average is given up, or one that sends a byte now and then had no end.
SLOWEST_RATE = 20_000
_CHUNK = 1 << 16
_TRIES = 10


class _Content:
    """The size and the hashes of a file's bytes so far."""

    def __init__(self, file: HubFile) -> None:
        self._file = file
        self.restart()

    def restart(self) -> None:
        self.size = 0
        self._check = self._file.hasher()
        self._sha256 = hashlib.sha256()

    def update(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._check.update(chunk)
        self._sha256.update(chunk)

    def update_from(self, stream: BinaryIO) -> None:
        """Read what the stream holds, up to one byte more than the file has."""
        while self.size <= self._file.size:
            chunk = stream.read(min(_CHUNK, self._file.size + 1 - self.size))
            if not chunk:
                break
            self.update(chunk)

    @property
    def complete(self) -> bool:
        return self.size == self._file.size and self._check.hexdigest() == self._file.digest

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()


@dataclass
class Download:
    """One file on its way to ``target``, until ``ends`` on the monotonic clock if that is given."""

    hub: Hub
    details: RepoDetails
    file: HubFile
    target: Path
    progress: Optional[Progress]
    ends: Optional[float]

    @property
    def what(self) -> str:
        return f"{self.details.id}@{self.details.sha}/{self.file.name}"

    def run(self) -> str:
        """Have the file in its place, and return the sha256 of its content. No request if it is there already.

        Raises:
            DamagedDownload: twice, what arrived was not what the Hub announced.
            LocalStorageError: it can't be written.
            HubError: it is not available.
        """
        try:
            present = self.present()
            if present is not None:
                return present
            with self.partial() as stream:
                present = self.present()  # another process may have downloaded it while we waited
                if present is not None:
                    os.unlink(stream.name)
                    return present
                content = _Content(self.file)
                content.update_from(stream)
                self.receive(stream, content)
                _put(stream, self.target)
            return content.sha256
        except HubError:
            raise
        except OSError as error:
            raise LocalStorageError(f"{self.target} can't be written: {one_line(str(error))}.") from error

    def present(self) -> Optional[str]:
        """The sha256 of the file in its place; None if it is not there, or is another one."""
        if not self.target.is_file() or self.target.stat().st_size != self.file.size:
            return None
        content = _Content(self.file)
        with self.target.open("rb") as stream:
            content.update_from(stream)
        return content.sha256 if content.complete else None

    @contextmanager
    def partial(self) -> Iterator[BinaryIO]:
        """The unfinished file beside the target, for this process alone; it stays if the download fails."""
        own = "" if fcntl else f".{os.getpid()}"
        path = self.target.with_name(f".{self.target.name}.{self.file.digest[:16]}{own}.part")
        while True:
            with open(path, "r+b", opener=_create) as stream:
                self.lock(stream)
                if not _is_at(path, stream):
                    continue  # the process that had it before us has finished it
                yield stream
            return

    def lock(self, stream: BinaryIO) -> None:
        """Wait until no other process downloads this file; its own time is limited, and so is ours."""
        if not fcntl:
            return None
        while True:
            try:
                return fcntl.flock(stream.fileno(), fcntl.LOCK_EX | (0 if self.ends is None else fcntl.LOCK_NB))
            except BlockingIOError:
                self.seconds(0)
                time.sleep(0.05)

    def seconds(self, size: int) -> float:
        """The time that ``size`` bytes may take.

        Raises:
            HubUnreachable: the time for all of it is up.
        """
        allowed = TOTAL_SECONDS + size / SLOWEST_RATE
        if self.ends is None:
            return allowed
        left = self.ends - time.monotonic()
        if left <= 0:
            raise HubUnreachable(f"The time for the download is up: {self.what}.")
        return min(left, allowed)

    def receive(self, stream: BinaryIO, content: _Content) -> None:
        """Download the rest of the file; a broken connection is resumed, damaged content is downloaded once more."""
        if content.size >= self.file.size and not content.complete:
            _restart(stream, content)
        if shutil.disk_usage(os.path.dirname(stream.name)).free < self.file.size - content.size:
            room = f"there is no room for the {self.file.size} bytes of {self.details.id}/{self.file.name}"
            raise LocalStorageError(room)
        damaged = False
        for tries in range(_TRIES):
            try:
                if not content.complete:
                    self.append(stream, content)
                if not content.complete:
                    raise DamagedDownload(f"{self.what} is not what the Hub announced: its hash differs.")
                return
            except DamagedDownload:
                _restart(stream, content)
                if damaged:
                    os.unlink(stream.name)
                    raise
                damaged = True
            except BodyCut:
                if tries + 1 == _TRIES:
                    raise
                self.hub.pause(tries)

    def append(self, stream: BinaryIO, content: _Content) -> None:
        """Write what is missing after what is there."""
        first = content.size or None
        url = self.hub.file_url(self.details.id, self.details.sha, self.file.name)
        seconds = self.seconds(self.file.size - content.size)
        with self.hub.open(url, self.what, first=first, seconds=seconds) as answer:
            self.hub.check_commit(answer, self.details.sha, self.what)
            if first is not None and not self.continues(answer, first):
                _restart(stream, content)
            for chunk in answer.chunks():
                if content.size + len(chunk) > self.file.size:
                    raise DamagedDownload(f"{self.what} has more bytes than the Hub announced.")
                stream.write(chunk)
                content.update(chunk)
                if self.progress:
                    self.progress(self.file.name, content.size, self.file.size)
        if content.size < self.file.size:
            raise BodyCut(f"{self.what} ended after {content.size} of {self.file.size} bytes.")

    def continues(self, answer: Answer, first: int) -> bool:
        """Whether the answer is the rest of the file rather than all of it."""
        if answer.response.status_code != 206:
            return False
        rest = f"bytes {first}-{self.file.size - 1}/{self.file.size}"
        if answer.response.headers.get("Content-Range") != rest:
            raise DamagedDownload(f"The server gave another part of {self.what} than the one that was asked for.")
        return True


def _is_at(path: Path, stream: BinaryIO) -> bool:
    """Whether the open file is still the one of this name; asked in one step, for the name may go at any time."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _create(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)


def _restart(stream: BinaryIO, content: _Content) -> None:
    stream.seek(0)
    stream.truncate()
    content.restart()


def _put(stream: BinaryIO, target: Path) -> None:
    stream.flush()
    if not fcntl:
        stream.close()  # Windows does not move an open file
    os.replace(stream.name, target)
