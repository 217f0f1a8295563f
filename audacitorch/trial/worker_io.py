"""How the worker tells what it saw: JSON lines, and tensors as raw bytes behind the line that announces them."""

from __future__ import annotations

import json
import os
import re
import resource
import sys
from typing import Any, BinaryIO, Dict, Sequence

LONGEST_MESSAGE = 20_000
_SIGNS_OF_LACK = ("can't allocate memory", "not enough memory", "bad_alloc", "Cannot allocate memory")


class EventWriter:
    """The way out of the sandbox: one JSON object a line, flushed at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def emit(self, event: str, *, payloads: Sequence[bytes] = (), **fields: Any) -> None:
        """Write one event, and behind it the bytes whose lengths it announces as ``payload_bytes``."""
        if payloads:
            fields["payload_bytes"] = [len(payload) for payload in payloads]
        line = json.dumps({"event": event, **fields}, allow_nan=False)
        self._file.write(line.encode() + b"\n")
        for payload in payloads:
            self._file.write(payload)
        self._file.flush()


def describe_failure(error: BaseException) -> Dict[str, Any]:
    """An exception as JSON, its middle cut out where it is very long."""
    message = str(error).encode("utf-8", "backslashreplace").decode()
    memory = isinstance(error, MemoryError) or any(sign in message for sign in _SIGNS_OF_LACK)
    if len(message) > LONGEST_MESSAGE:
        half = LONGEST_MESSAGE // 2
        message = f"{message[:half]}\n… {len(message) - 2 * half} characters …\n{message[-half:]}"
    return {"type": type(error).__name__, "message": message, "memory": memory}


class MemoryGauge:
    """The most memory that this process has held so far, Torch included.

    Opened before the walls go up. The system's own account (``ru_maxrss``) begins with what the program held that
    started this one, so on Linux the process's status is read, which does not.
    """

    def __init__(self) -> None:
        try:
            self._status = os.open("/proc/self/status", os.O_RDONLY)
        except OSError:
            self._status = -1

    def peak(self) -> int:
        """Bytes."""
        if self._status >= 0:
            found = re.search(rb"VmHWM:\s*(\d+) kB", os.pread(self._status, 1 << 14, 0))
            if found:
                return int(found.group(1)) * 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
