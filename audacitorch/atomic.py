"""Files written in one step: a reader, or a run that is stopped, sees the old file or the new one, never a part."""

from __future__ import annotations

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


def write(path: Path, content: Union[str, bytes]) -> bool:
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
