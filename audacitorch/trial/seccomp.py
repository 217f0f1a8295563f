"""The seccomp filter: the system calls that computing needs, on the machines that Torch 1.9.0 was built for.

Left out on purpose is everything that reaches another process, the network, another file's content or attributes,
or a privilege. Sources: the Linux kernel's unistd tables, linux/seccomp.h, linux/audit.h.
"""

from __future__ import annotations

import os
import struct
from typing import Dict, List, Optional, Sequence, Tuple

#: Name → number on x86_64 and on aarch64 (None where that machine has no such call).
NUMBERS: Dict[str, Tuple[Optional[int], Optional[int]]] = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "futex": (202, 98),
    "madvise": (28, 233),
    "mremap": (25, 216),
    "sched_yield": (24, 124),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "ioctl": (16, 29),
    "pread64": (17, 67),
    "readv": (19, 65),
    "writev": (20, 66),
    "access": (21, None),
    "faccessat": (269, 48),
    "select": (23, None),
    "pselect6": (270, 72),
    "poll": (7, None),
    "ppoll": (271, 73),
    "mincore": (27, 232),
    "dup": (32, 23),
    "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getppid": (110, 173),
    "getuid": (102, 174),
    "getgid": (104, 176),
    "geteuid": (107, 175),
    "getegid": (108, 177),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "uname": (63, 160),
    "fcntl": (72, 25),
    "getcwd": (79, 17),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getrlimit": (97, 163),
    "getrusage": (98, 165),
    "sysinfo": (99, 179),
    "times": (100, 153),
    "arch_prctl": (158, None),
    "sched_getaffinity": (204, 123),
    "sched_setaffinity": (203, 122),
    "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120),
    "getdents64": (217, 61),
    "set_tid_address": (218, 96),
    "set_robust_list": (273, 99),
    "get_robust_list": (274, 100),
    "getcpu": (309, 168),
    "getrandom": (318, 278),
    "membarrier": (324, 283),
    "statx": (332, 291),
    "rseq": (334, 293),
    "stat": (4, None),
    "lstat": (6, None),
    "newfstatat": (262, 79),
    "statfs": (137, 43),
    "fstatfs": (138, 44),
    "mlock": (149, 228),
    "munlock": (150, 229),
    "mbind": (237, 235),
    "get_mempolicy": (239, 236),
    "set_mempolicy": (238, 237),
    "restart_syscall": (219, 128),
    "fadvise64": (221, 223),
    "open": (2, None),
    "openat": (257, 56),
    "clone": (56, 220),
    "tgkill": (234, 131),
    "prlimit64": (302, 261),
    "prctl": (157, 167),
    "clone3": (435, 435),
    "openat2": (437, 437),
    "faccessat2": (439, 439),
}

#: Answered with "no such call", so that callers take the older call, which a filter can judge.
MISSING = ("clone3", "openat2", "faccessat2")

#: Decided by an argument: see :func:`call_filter`.
CONDITIONAL = ("open", "openat", "clone", "tgkill", "prlimit64", "prctl")

ALLOWED = tuple(name for name in NUMBERS if name not in MISSING + CONDITIONAL)

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_OPEN_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CLONE_THREAD = 0x00010000
_PR_SET_NAME = 15


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
