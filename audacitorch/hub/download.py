"""One file from the Hub to disk: resumed where it was interrupted, verified, and put in its place in one step."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Iterator, Optional

from audacitorch.hub.answer import CHUNK, Answer, BodyCut
from audacitorch.hub.errors import DamagedDownload, HubError, LocalStorageError, printable

if TYPE_CHECKING:
    from audacitorch.hub.client import Hub
    from audacitorch.hub.details import HubFile, RepoDetails
    from audacitorch.hub.fetching import Progress

try:
    import fcntl
except ImportError:  # Windows: every process then has a partial file of its own
    fcntl = None  # type: ignore[assignment]

_TRIES = 10


class _Content:
    """What a file's bytes so far come to."""

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
        """Take in what the stream holds, up to one byte more than the file has."""
        while self.size <= self._file.size:
            chunk = stream.read(min(CHUNK, self._file.size + 1 - self.size))
            if not chunk:
                break
            self.update(chunk)

    @property
    def complete(self) -> bool:
        return self.size == self._file.size and self._check.hexdigest() == self._file.digest

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()


def download(hub: Hub, details: RepoDetails, name: str, folder: Path, progress: Optional[Progress] = None) -> str:
    """Have file ``name`` of the repo in ``folder``, and return the sha256 of its content. No request if it is there.

    ``name`` becomes a local path: it must be the caller's own word, never one of the Hub's.

    Raises:
        DamagedDownload: twice, what arrived was not what the Hub announced.
        LocalStorageError: it can't be written.
        HubError: it can't be had.
    """
    file, target = details.files[name], folder / name
    try:
        present = _present(target, file)
        if present is not None:
            return present
        with _partial(target, file) as stream:
            present = _present(target, file)  # another process may have brought it while we waited
            if present is not None:
                os.unlink(stream.name)
                return present
            content = _Content(file)
            content.update_from(stream)
            _receive(hub, details, file, stream, content, progress)
            _put(stream, target)
        return content.sha256
    except HubError:
        raise
    except OSError as error:
        raise LocalStorageError(f"{target} can't be written: {printable(str(error))}") from error


def _present(target: Path, file: HubFile) -> Optional[str]:
    """The sha256 of the file in its place, None where it is not there or another one."""
    if not target.is_file() or target.stat().st_size != file.size:
        return None
    content = _Content(file)
    with target.open("rb") as stream:
        content.update_from(stream)
    return content.sha256 if content.complete else None


@contextmanager
def _partial(target: Path, file: HubFile) -> Iterator[BinaryIO]:
    """The unfinished file beside the target, for this process alone; it stays where the download fails."""
    own = "" if fcntl else f".{os.getpid()}"
    path = target.with_name(f".{target.name}.{file.digest[:16]}{own}.part")
    while True:
        with open(path, "r+b", opener=_create) as stream:
            if fcntl:
                fcntl.flock(stream.fileno(), fcntl.LOCK_EX)
            if not _is_at(path, stream):
                continue  # whoever had it before us has finished it
            yield stream
        return


def _is_at(path: Path, stream: BinaryIO) -> bool:
    """Whether the open file is still the one of this name; asked in one step, for the name may go at any time."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _create(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)


def _receive(
    hub: Hub, details: RepoDetails, file: HubFile, stream: BinaryIO, content: _Content, progress: Optional[Progress]
) -> None:
    """Bring the rest of the file; a connection that breaks is taken up again, damaged content once."""
    if content.size >= file.size and not content.complete:
        _restart(stream, content)
    if shutil.disk_usage(os.path.dirname(stream.name)).free < file.size - content.size:
        raise LocalStorageError(f"there is no room for the {file.size} bytes of {details.id}/{file.name}")
    damaged = False
    for tries in range(_TRIES):
        try:
            if not content.complete:
                _append(hub, details, file, stream, content, progress)
            if not content.complete:
                raise DamagedDownload(f"{details.id}/{file.name} is not what the Hub announced: its hash differs")
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
            hub.pause(tries)


def _append(
    hub: Hub, details: RepoDetails, file: HubFile, stream: BinaryIO, content: _Content, progress: Optional[Progress]
) -> None:
    """Write what is missing behind what is there."""
    what = f"{details.id}@{details.sha}/{file.name}"
    first = content.size or None
    with hub.open(hub.file_url(details.id, details.sha, file.name), what, first=first) as answer:
        hub.check_commit(answer, details.sha, what)
        if first is not None and not _continues(answer, first, file, what):
            _restart(stream, content)
        for chunk in answer.chunks():
            if content.size + len(chunk) > file.size:
                raise DamagedDownload(f"{what} has more bytes than the Hub announced")
            stream.write(chunk)
            content.update(chunk)
            if progress:
                progress(file.name, content.size, file.size)
    if content.size < file.size:
        raise BodyCut(f"{what} ended after {content.size} of {file.size} bytes")


def _continues(answer: Answer, first: int, file: HubFile, what: str) -> bool:
    """Whether the answer is the rest of the file rather than all of it."""
    if answer.response.status_code != 206:
        return False
    if answer.response.headers.get("Content-Range") != f"bytes {first}-{file.size - 1}/{file.size}":
        raise DamagedDownload(f"the server gave another part of {what} than the one that was asked for")
    return True


def _restart(stream: BinaryIO, content: _Content) -> None:
    stream.seek(0)
    stream.truncate()
    content.restart()


def _put(stream: BinaryIO, target: Path) -> None:
    stream.flush()
    if not fcntl:
        stream.close()  # Windows moves no open file
    os.replace(stream.name, target)
