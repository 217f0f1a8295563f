"""What is around the worker's own walls: the container of this project's image, as it is measured from inside.

Nothing here takes anybody's word: what the container forbids is read from the kernel.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, Dict, Optional

#: Set by the image: any other container is a machine like others.
MARK = "AUDACITORCH_CONTAINER"


def container_around() -> Dict[str, Any]:
    """``kind`` and ``container`` for the report, or nothing outside of this project's image.

    ``container`` holds ``network`` (``none`` or ``open``), ``read_only``, ``capabilities`` (how many),
    ``no_new_privileges``, ``user`` (its number) and the limits ``memory_bytes`` and ``processes`` (None: no limit).
    """
    if MARK not in os.environ:
        return {}
    status = _status()
    described = {
        "network": _network(),
        "read_only": bool(os.statvfs("/").f_flag & os.ST_RDONLY),
        "capabilities": bin(int(status.get("CapBnd", "0"), 16)).count("1"),
        "no_new_privileges": status.get("NoNewPrivs") == "1",
        "user": os.getuid(),
        "memory_bytes": _limit("memory.max", "memory/memory.limit_in_bytes"),
        "processes": _limit("pids.max", "pids/pids.max"),
    }
    return {"kind": "container", "container": described}


def _status() -> Dict[str, str]:
    """This process as the kernel describes it."""
    with suppress(OSError), open("/proc/self/status", encoding="ascii", errors="replace") as file:
        return {key: value.strip() for key, _, value in (line.partition(":") for line in file)}
    return {}


def _network() -> str:
    """``none`` where there is no way out but back to this container."""
    try:
        interfaces = set(os.listdir("/sys/class/net"))
    except OSError:
        return "open"
    return "none" if interfaces <= {"lo"} else "open"


def _limit(*files: str) -> Optional[int]:
    """A limit of this control group, by the file's name in either version of control groups."""
    for name in files:
        with suppress(OSError, ValueError), open(f"/sys/fs/cgroup/{name}", encoding="ascii") as file:
            limit = int(file.read())
            return limit if limit < 1 << 60 else None
    return None
