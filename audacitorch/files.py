"""Files written in one step, so that nobody sees a part of one; and read-only files whose bytes come from elsewhere."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Iterator, Union

#: The ending of a file that is being written; a leading dot hides it, and git ignores it.
UNFINISHED = ".tmp"


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of ``path`` when the block ends well, and is deleted when it does not.

    The stream's ``name`` is the new file's path until then.

    Raises:
        OSError: the file can't be written; what was there is untouched.
    """
    handle, unfinished = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=UNFINISHED, dir=path.parent)
    try:
        os.close(handle)
        with open(unfinished, "wb") as stream:
            yield stream
        os.chmod(unfinished, 0o644)
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(unfinished)
        raise


def write_atomically(path: Path, content: Union[str, bytes]) -> bool:
    """Have ``content`` (text as UTF-8) at ``path``; False if it was there already and nothing was written.

    Raises:
        OSError: the file can't be written; what was there is untouched.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == data:
        return False
    with replacing(path) as stream:
        stream.write(data)
    return True


class RangedFile(io.RawIOBase, BinaryIO):
    """A read-only file of ``size`` bytes that can be moved about in. A subclass says where its bytes come from."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self._position = 0

    def _bytes(self, start: int, stop: int) -> bytes:
        """The bytes from ``start`` up to ``stop``, which lie within the file; fewer if there are no more."""
        raise NotImplementedError

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The position, in bytes from the start."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to ``offset``, which may lie behind the end.

        Raises:
            ValueError: it lies before the start.
        """
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError("seek before the start of the file")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Fill ``buffer`` from the position on; less than all of it at the end of the file."""
        stop = min(self._position + len(buffer), self.size)
        data = self._bytes(self._position, stop) if stop > self._position else b""
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
