"""The walls around a stranger's model, put up by the worker itself before it has more than one thread.

Three independent walls: Landlock (no file but the few that are named can be opened), seccomp (of all system calls only
those that computing needs; files open for reading only, no sockets, no new processes, no signals to others) and, once
the plan is there, resource limits. What is in force is returned, for the report, and so is what the container of this
project's image forbids: nothing here takes anybody's word, it is read from the kernel.

Landlock and seccomp bind the calling thread and the threads that it starts later. Importing torch starts threads, so
the walls come before it; in a process that was forked from one with torch, the forking thread is the only one.

Sources: linux/landlock.h, linux/prctl.h.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import resource
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Optional

from audacitorch.trial.seccomp import call_filter

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2

_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_ADD_RULE = 445
_LANDLOCK_RESTRICT_SELF = 446
_LANDLOCK_VERSION_FLAG = 1
_LANDLOCK_RULE_PATH_BENEATH = 1
_LANDLOCK_EXECUTE, _LANDLOCK_READ_FILE, _LANDLOCK_READ_DIR = 1 << 0, 1 << 2, 1 << 3
#: How many file rights, and which network and scope rights, each ABI version knows.
_LANDLOCK_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_LANDLOCK_NEWEST_FILE_RIGHTS = 16

#: Set by this project's image: any other container is a machine like others.
CONTAINER_MARK = "AUDACITORCH_CONTAINER"


@dataclass(frozen=True)
class Limits:
    """What a worker may use: bytes of memory beyond what torch has taken already, open files, bytes of a file."""

    memory_bytes: int
    open_files: int = 256
    file_bytes: int = 0


def put_up_walls(readable: Optional[Iterable[str]]) -> Dict[str, Any]:
    """Put up every wall that this machine has; from here on only ``readable`` paths (and below) can be read.

    With None for ``readable``, no wall is put up, and the result says so.

    Call it before any thread is started: Landlock and seccomp bind the calling thread and those that it starts later.

    Returns:
        What is in force, for the report: ``kind``, ``new_session``, ``no_new_privileges``, ``landlock`` (ABI version
        or None), ``seccomp``, ``threads_without_walls``, ``network`` and ``files``.
    """
    kind = "none" if readable is None else "process"
    in_force: Dict[str, Any] = {"kind": kind, "new_session": os.getsid(0) == os.getpid()}
    privileges, landlock, seccomp, others = False, None, False, 0
    if readable is not None and sys.platform.startswith("linux"):
        others = len(os.listdir("/proc/self/task")) - 1
        libc = ctypes.CDLL(None, use_errno=True)
        privileges = libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        landlock = _restrict_files(libc, readable)
        seccomp = _restrict_calls(libc)
    return {
        **in_force,
        "no_new_privileges": privileges,
        "landlock": landlock,
        "seccomp": seccomp,
        "threads_without_walls": others,
        "network": "none" if seccomp else "open",
        "files": ("model and libraries, read only" if landlock else "all, read only") if seccomp else "open",
    }


def missing_walls(in_force: Mapping[str, Any]) -> List[str]:
    """What a stranger's model may not run without; our own container stands in for Landlock, as it has no files."""
    container = in_force.get("container")
    no_files = container is not None and container["read_only"] and not container["capabilities"]
    missing = [] if in_force["landlock"] or no_files else ["Landlock"]
    missing += [] if in_force["seccomp"] else ["seccomp"]
    return missing + (["walls around every thread"] if in_force["threads_without_walls"] else [])


def die_with_parent() -> None:
    """Have the kernel end this process when its parent goes, however it goes."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)


def set_limits(limits: Limits, gauge: MemoryGauge) -> Dict[str, int]:
    """Set resource limits for good, and return them by name. Memory counts on top of what is mapped now."""
    wanted = {
        "AS": gauge.read("VmSize") + limits.memory_bytes + (1 << 30),  # thread stacks and arenas are mapped, not used
        "DATA": gauge.read("VmData") + gauge.read("VmStk") + limits.memory_bytes,
        "FSIZE": limits.file_bytes,
        "NOFILE": limits.open_files,
        "CORE": 0,
    }
    in_force = {}
    for name, value in wanted.items():
        number = getattr(resource, f"RLIMIT_{name}")
        try:
            resource.setrlimit(number, (value, value))
        except (ValueError, OSError):  # a lower hard limit holds already, or this system has no such limit
            value = resource.getrlimit(number)[1]
        in_force[name] = value
    return in_force


class MemoryGauge:
    """This process's memory, Torch included, in bytes. Opened before the walls go up.

    The system's own account (``ru_maxrss``) begins with what the program held that started this one, so on Linux the
    process's status is read, which does not. A forked process is not charged for the pages of Torch's files that its
    parent has read (``torch_file_bytes``) until it reads them itself: what is missing of them is added, so that a model
    has the same figures in a forked process as in a fresh one.
    """

    def __init__(self, torch_file_bytes: int = 0) -> None:
        self._torch_file_bytes = torch_file_bytes
        try:
            self._status = os.open("/proc/self/status", os.O_RDONLY)
        except OSError:
            self._status = -1

    def read(self, name: str) -> int:
        """One of the sizes in ``/proc/self/status``; 0 where the system does not tell."""
        if self._status < 0:
            return 0
        found = re.search(rb"^%s:\s*(\d+) kB" % name.encode(), os.pread(self._status, 1 << 14, 0), re.MULTILINE)
        return int(found.group(1)) * 1024 if found else 0

    def held(self) -> int:
        """The memory held now; 0 where the system does not tell."""
        held = self.read("VmRSS")
        return held + self._uncharged() if held else 0

    def peak(self) -> int:
        """The most memory held so far."""
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return (self.read("VmHWM") or own) + self._uncharged()

    def _uncharged(self) -> int:
        return max(0, self._torch_file_bytes - self.read("RssFile")) if self._torch_file_bytes else 0


def _restrict_files(libc: Any, readable: Iterable[str]) -> Optional[int]:
    """Landlock: deny every file right but reading ``readable``; the ABI version in force, or None without Landlock."""
    version = libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_VERSION_FLAG)
    if version < 1:
        return None
    files = (1 << _LANDLOCK_FILE_RIGHTS.get(version, _LANDLOCK_NEWEST_FILE_RIGHTS)) - 1
    network, scopes = (3 if version >= 4 else 0), (3 if version >= 6 else 0)
    attributes = struct.pack("<QQQ", files, network, scopes)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = libc.syscall(_LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return None
    for path in readable:
        try:
            handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # not on this machine: nothing to allow
        rights = _LANDLOCK_READ_FILE | _LANDLOCK_EXECUTE
        if os.path.isdir(path):
            rights |= _LANDLOCK_READ_DIR
        beneath = struct.pack("<Qi", rights, handle)
        libc.syscall(_LANDLOCK_ADD_RULE, ruleset, _LANDLOCK_RULE_PATH_BENEATH, beneath, 0)
        os.close(handle)
    done: int = libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
    return version if done == 0 else None


def _restrict_calls(libc: Any) -> bool:
    """seccomp: allow what computing needs, answer everything else with EPERM. False where there is no seccomp."""
    program = call_filter(platform.machine(), os.getpid())
    if program is None:
        return False
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0) == 0)


def container_info() -> Dict[str, Any]:
    """``kind`` and ``container`` for the report, or nothing outside of this project's image.

    ``container`` holds ``network`` (``none`` or ``open``), ``read_only``, ``capabilities`` (how many),
    ``no_new_privileges``, ``user`` (its number) and the limits ``memory_bytes`` and ``processes`` (None: no limit).
    """
    if CONTAINER_MARK not in os.environ:
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
