"""The few system calls that the standard library lacks. Linux only; each raises OSError."""

from __future__ import annotations

import ctypes
import fcntl
import functools
import os
import socket
import struct
import sys
from typing import Final

CLONE_NEWNS: Final = 0x0002_0000
CLONE_NEWIPC: Final = 0x0800_0000
CLONE_NEWUSER: Final = 0x1000_0000
CLONE_NEWPID: Final = 0x2000_0000
CLONE_NEWNET: Final = 0x4000_0000
MS_RDONLY: Final = 1
MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_NOEXEC: Final = 8
MS_REMOUNT: Final = 32
MS_BIND: Final = 4096
MS_REC: Final = 16_384
MS_PRIVATE: Final = 1 << 18
MNT_DETACH: Final = 2
PR_CAPBSET_READ: Final = 23
PR_CAPBSET_DROP: Final = 24
PR_SET_NO_NEW_PRIVS: Final = 38
AT_FDCWD: Final = -100
AT_RECURSIVE: Final = 0x8000
SYS_MOUNT_SETATTR: Final = 442
"""The same number on every architecture, as for all calls since Linux 5.1; the others are in the C library."""
CAPABILITY_HEADER: Final = struct.pack("Ii", 0x2008_0522, 0)
SIOCGIFFLAGS: Final = 0x8913
SIOCSIFFLAGS: Final = 0x8914
SIOCSIFADDR: Final = 0x8916
SIOCSIFNETMASK: Final = 0x891C
IFF_UP: Final = 1
INSIDE_ADDRESS: Final = "169.254.76.1"
INTERFACE_REQUEST: Final = struct.Struct("16sh14x")
ADDRESS_REQUEST: Final = struct.Struct("16sHH4s16x")


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the namespaces that `flags` name for fresh ones."""
    if sys.platform != "linux":
        raise OSError(0, "namespaces need Linux")
    _check(_libc().unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """Mount `source` on `target`."""
    result = _libc().mount(
        source.encode(),
        target.encode(),
        None if kind is None else kind.encode(),
        ctypes.c_ulong(flags),
        None if options is None else options.encode(),
    )
    _check(result, f"mount {target}")


def bind(source: str, target: str) -> None:
    """Let `target` show what `source` is."""
    mount(source, target, None, MS_BIND)


def bind_all(source: str, target: str) -> None:
    """Let `target` show what `source` is, with what is mounted below it."""
    mount(source, target, None, MS_BIND | MS_REC)


def seal(target: str) -> None:
    """Make the mount at `target`, and those below it, read-only, without set-user-id programs."""
    attributes = struct.pack("QQQQ", MS_RDONLY | MS_NOSUID, 0, 0, 0)
    call = _libc().syscall
    path = target.encode()
    _check(call(SYS_MOUNT_SETATTR, AT_FDCWD, path, AT_RECURSIVE, attributes, len(attributes)), f"seal {target}")


def change_root(folder: str) -> None:
    """Make the mount at `folder` the root, and let go of the old one."""
    libc = _libc()
    os.chdir(folder)
    _check(libc.pivot_root(b".", b"."), "pivot_root")
    _check(libc.umount2(b".", MNT_DETACH), "umount")
    os.chdir("/")


def join(descriptor: int, kind: int) -> None:
    """Go back into a namespace that a descriptor of /proc/self/ns names."""
    _check(_libc().setns(descriptor, kind), "setns")


def give_up_privileges() -> None:
    """Have no capability from now on, and never get one by running a program."""
    libc = _libc()
    number = 0
    while libc.prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0:
        _check(libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0), "prctl")
        number += 1
    _check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    _check(libc.capset(CAPABILITY_HEADER, bytes(24)), "capset")


def become_own_root(uid: int, gid: int, inside: tuple[int, int] | None = None) -> None:
    """After entering a user namespace: be who one was (or `inside`), with all capabilities until the next exec."""
    seen = (uid, gid) if inside is None else inside
    maps = (("setgroups", "deny"), ("uid_map", f"{seen[0]} {uid} 1"), ("gid_map", f"{seen[1]} {gid} 1"))
    for name, text in maps:
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def raise_loopback() -> None:
    """Bring the loopback interface of a new network namespace up, with an address of its own besides 127.0.0.1.

    Without that one, resolvers that look for "the kinds of address this machine has" find none (getaddrinfo(3),
    AI_ADDRCONFIG) and resolve nothing.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = INTERFACE_REQUEST.pack(b"lo", 0)
        _, flags = INTERFACE_REQUEST.unpack(fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, INTERFACE_REQUEST.pack(b"lo", flags | IFF_UP))
        for call, address in ((SIOCSIFADDR, INSIDE_ADDRESS), (SIOCSIFNETMASK, "255.255.255.255")):
            fcntl.ioctl(any_socket, call, ADDRESS_REQUEST.pack(b"lo:1", socket.AF_INET, 0, socket.inet_aton(address)))
