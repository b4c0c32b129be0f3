"""Where namespaces are not allowed: a process shuts itself off from files by Landlock, which needs no privilege.

https://docs.kernel.org/userspace-api/landlock.html (Linux 5.13; signals to others from 6.12). The network stays open.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from typing import Final

from outlast.cloud.enclosure.kernel import PR_SET_NO_NEW_PRIVS

SYS_CREATE_RULESET, SYS_ADD_RULE, SYS_RESTRICT_SELF = 444, 445, 446
VERSION_ASKED: Final = 1
PATH_BENEATH: Final = 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
REFER, TRUNCATE = 1 << 13, 1 << 14
FIRST_RIGHTS: Final = (1 << 13) - 1
ONLY_OF_FILES: Final = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
SCOPES: Final = 3
"""Abstract sockets and signals stay among those that are shut off together."""
SCOPES_SINCE, TRUNCATE_SINCE, REFER_SINCE = 6, 3, 2


def version() -> int:
    """The kernel's version of Landlock; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    call = ctypes.CDLL(None, use_errno=True).syscall
    return max(0, int(call(SYS_CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_ASKED)))


def shut_off(readable: Iterable[str], writable: Iterable[str]) -> None:
    """Find from now on, for good, only what lies at or below these paths; raises OSError where Landlock is missing."""
    known = version()
    if not known:
        raise OSError(0, "this kernel has no Landlock")
    rights = FIRST_RIGHTS | (REFER if known >= REFER_SINCE else 0) | (TRUNCATE if known >= TRUNCATE_SINCE else 0)
    attributes = struct.pack("QQQ", rights, 0, SCOPES) if known >= SCOPES_SINCE else struct.pack("Q", rights)
    libc = ctypes.CDLL(None, use_errno=True)
    rules = _checked(libc.syscall(SYS_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))
    try:
        for paths, allowed in ((readable, EXECUTE | READ_FILE | READ_DIR), (writable, rights)):
            for path in paths:
                _allow(libc, rules, path, allowed)
        _checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _checked(libc.syscall(SYS_RESTRICT_SELF, rules, 0))
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no leave
    try:
        allowed = rights if os.path.isdir(path) else rights & ONLY_OF_FILES
        _checked(libc.syscall(SYS_ADD_RULE, rules, PATH_BENEATH, struct.pack("=Qi", allowed, place), 0))
    finally:
        os.close(place)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
