"""The walls around a stranger's model, put up by the worker itself between importing torch and loading the file.

Three independent walls, each as far as the kernel has it: resource limits, Landlock (no file but the few that are
named can be opened) and seccomp (of all system calls only those that computing needs; files open for reading only, no
sockets, no new processes, no signals to others). What is in force is returned, for the report.

Landlock and seccomp bind the calling thread and the threads that it starts later, so :func:`lock_down` refuses
nothing but warns the report when other threads exist already.

Sources: linux/landlock.h, linux/seccomp.h, linux/audit.h; system call numbers from the kernel's unistd tables.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

from audacitorch.trial.syscalls import ALLOWED, MISSING, NUMBERS

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
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

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_OPEN_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CLONE_THREAD = 0x00010000


@dataclass(frozen=True)
class Limits:
    """What a worker may use: bytes of memory beyond what torch has taken already, open files, bytes of a file."""

    memory_bytes: int
    open_files: int = 256
    file_bytes: int = 0


def lock_down(limits: Limits, readable: Iterable[str]) -> Dict[str, Any]:
    """Put up every wall that this machine has; from here on only ``readable`` paths (and below) can be read.

    Returns:
        What is in force: ``kind``, ``rlimits``, ``no_new_privileges``, ``landlock`` (ABI version or None),
        ``seccomp``, ``network`` and ``files``, for the report.
    """
    in_force: Dict[str, Any] = {"kind": "process", "new_session": os.getsid(0) == os.getpid()}
    in_force["rlimits"] = set_limits(limits)
    if not sys.platform.startswith("linux"):
        return {**in_force, "no_new_privileges": False, "landlock": None, "seccomp": False, **_reach(None, False)}
    libc = ctypes.CDLL(None, use_errno=True)
    privileges = libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    landlock = _restrict_files(libc, readable)
    seccomp = _restrict_calls(libc)
    return {
        **in_force,
        "no_new_privileges": privileges,
        "landlock": landlock,
        "seccomp": seccomp,
        **_reach(landlock, seccomp),
    }


def _reach(landlock: Optional[int], seccomp: bool) -> Dict[str, str]:
    """What a model can still reach, in words."""
    return {
        "network": "none" if seccomp else "open",
        "files": ("model and libraries, read only" if landlock else "all, read only") if seccomp else "open",
    }


def die_with_parent() -> None:
    """Have the kernel end this process when its parent goes, however it goes."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)


def set_limits(limits: Limits) -> Dict[str, int]:
    """Set resource limits for good, and return them by name. Memory counts on top of what is mapped now."""
    mapped, written = _mapped_bytes()
    wanted = {
        "AS": mapped + limits.memory_bytes + (1 << 30),  # thread stacks and arenas are mapped, not used
        "DATA": written + limits.memory_bytes,
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


def _mapped_bytes() -> Tuple[int, int]:
    """This process's address space and its writable private part, in bytes (0 where the system does not tell)."""
    try:
        with open("/proc/self/statm", "rb") as file:
            fields = file.read().split()
    except OSError:
        return 0, 0
    page = resource.getpagesize()
    return int(fields[0]) * page, int(fields[5]) * page


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


def call_filter(machine: str, pid: int) -> Optional[bytes]:
    """The seccomp program for a machine type as classic BPF, or None where its call numbers are not known here."""
    if machine not in _AUDIT_ARCH:
        return None
    column = list(_AUDIT_ARCH).index(machine)
    numbers = {name: number for name, row in NUMBERS.items() for number in [row[column]] if number is not None}
    code: List[bytes] = [
        _op(_LOAD, 4),
        _op(_JUMP_EQUAL, _AUDIT_ARCH[machine], 1, 0),
        _op(_RETURN, _KILL),
        _op(_LOAD, 0),
        _op(_JUMP_AT_LEAST, _X32_BIT, 0, 1),
        _op(_RETURN, _KILL),
    ]
    for name in ALLOWED:
        if name in numbers:
            code += [_op(_JUMP_EQUAL, numbers[name], 0, 1), _op(_RETURN, _ALLOW)]
    for name in MISSING:  # callers fall back to the older call, whose arguments a filter can read
        code += [_op(_JUMP_EQUAL, numbers[name], 0, 1), _op(_RETURN, _ERRNO | _ENOSYS)]
    code += _when(numbers.get("open"), argument=1, jump=(_JUMP_ANY_BIT, _OPEN_FOR_WRITING), allow=False)
    code += _when(numbers["openat"], argument=2, jump=(_JUMP_ANY_BIT, _OPEN_FOR_WRITING), allow=False)
    code += _when(numbers["clone"], argument=0, jump=(_JUMP_ANY_BIT, _CLONE_THREAD), allow=True)
    code += _when(numbers["tgkill"], argument=0, jump=(_JUMP_EQUAL, pid), allow=True)
    code += _when(numbers["prlimit64"], argument=0, jump=(_JUMP_EQUAL, 0), allow=True)
    code += _when(numbers["prctl"], argument=0, jump=(_JUMP_EQUAL, _PR_SET_NAME), allow=True)
    code.append(_op(_RETURN, _ERRNO | _EPERM))
    return b"".join(code)


def _op(code: int, operand: int, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, when_true, when_false, operand)


def _when(number: Optional[int], argument: int, jump: Sequence[int], allow: bool) -> List[bytes]:
    """Instructions that decide one call by the low word of one argument."""
    if number is None:
        return []
    yes, no = (_ALLOW, _ERRNO | _EPERM) if allow else (_ERRNO | _EPERM, _ALLOW)
    return [
        _op(_JUMP_EQUAL, number, 0, 4),
        _op(_LOAD, 16 + 8 * argument),
        _op(jump[0], jump[1], 0, 1),
        _op(_RETURN, yes),
        _op(_RETURN, no),
    ]
