"""A room: a root folder of one's own in which only what was brought in can be found.

What is not brought in does not exist for the program: no home, no other program's files, no sockets of daemons. The
process is the first of a process namespace, so it sees no other and everything it starts ends with it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from outlast.cloud.enclosure import kernel

SYSTEM: Final = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store",
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime",
    "/etc/mime.types", "/etc/services", "/etc/protocols", "/etc/host.conf", "/etc/gai.conf", "/etc/os-release",
    "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ssl/cert.pem", "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted",
    "/etc/ca-certificates", "/etc/crypto-policies",
)  # fmt: skip
"""Programs, libraries and public settings: what is the same on every machine of its kind."""
DEVICES: Final = ("null", "zero", "full", "random", "urandom")
EMPTY: Final = "/var/empty"
ROOT_FLAGS: Final = kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV
PROC_FLAGS: Final = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
USER_NAMESPACES: Final = "/proc/sys/user/max_user_namespaces"
"""How many may be made below the reader's own; see namespaces(7). Written in a room, it says nothing about others."""
PID_MAX: Final = "/proc/sys/kernel/pid_max"
"""The first process number that is not given out; a setting of each process namespace since Linux 6.14."""
PID_MAX_OF_A_NAMESPACE: Final = (6, 14)
LOW_NUMBERS: Final = 300
"""Process numbers that the kernel passes over once it has begun again from the start."""
INODES_A_MB: Final = 64
"""One file for each 16 KiB, as file systems on disks are made."""
OPEN_FILES: Final = (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"))


@dataclass(frozen=True, slots=True)
class Room:
    """What is in a room besides the system's programs and libraries.

    `readable` are files and folders that are found at their own paths; `shown` are (source, path) at paths of the
    room, `stage` (source, path) likewise and writable; `places` are empty folders; `written` are (path, text) of small
    files; `closed` are folders that look empty wherever a readable folder would show them.
    """

    readable: tuple[str, ...] = ()
    shown: tuple[tuple[str, str], ...] = ()
    stage: tuple[tuple[str, str], ...] = ()
    places: tuple[str, ...] = ()
    written: tuple[tuple[str, str], ...] = ()
    closed: tuple[str, ...] = ()


def move_in(room: Room, at: str) -> None:
    """See nothing but the room from now on; `at` is an empty folder. Raises OSError.

    Wants mount and process namespaces of one's own, and the process to be in the latter.
    """
    at = os.path.realpath(at)
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("none", at, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755,size=1m")
    _bring(_outermost((*SYSTEM, *room.readable)), at)
    for folder in room.closed:
        _close(os.path.realpath(folder), at)
    _bring((path for path in room.readable if _is_below(path, room.closed)), at)
    _make_devices(at)
    for path in room.places:
        os.makedirs(f"{at}{path}", exist_ok=True)
    for path, text in room.written:
        _ready_parent(f"{at}{path}")
        Path(f"{at}{path}").write_text(text)
    for source, path in room.stage:
        _show(source, f"{at}{path}", writable=True)
    for source, path in room.shown:
        _show(source, f"{at}{path}", writable=False)
    kernel.change_root(at)
    kernel.mount("none", "/", None, ROOT_FLAGS)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one program takes: the MB that its `scratch` folder holds, and its `processes`, threads among them."""

    scratch: str
    scratch_mb: int
    processes: int


def settle(shown: Sequence[tuple[str, str, bool]], stage: str, kept: Iterable[str], bounds: Bounds) -> None:
    """In a mount namespace of its own, the first process of a process namespace: take a place in the room for good.

    `shown` are (source, path, writable), the sources below `stage`, which is closed afterwards; so is every way to
    change what is seen. `kept` are folders that stay to be seen, to read, where something writable is shown over them.
    /proc cannot be written: where root runs the world, its files would still be root's to the
    kernel (the machine's name, what it runs when a program crashes, its restart). Nor can a namespace of users be made
    inside, which would give privileges again. The scratch folder is new, empty, in memory, and gone with the last
    process. Raises OSError.
    """
    over = [bounds.scratch, *(path for _, path, writable in shown if writable)]
    held = {path: os.open(path, os.O_PATH) for path in _outermost(kept) if _is_below(path, over)}
    for source, path, writable in shown:
        kernel.bind(source, path)
        if not writable:
            kernel.mount("none", path, None, ROOT_FLAGS)
    mount_memory(bounds.scratch, bounds.scratch_mb)
    for path, descriptor in held.items():
        _show(f"/proc/self/fd/{descriptor}", path, writable=False)
        os.close(descriptor)
    kernel.bind(EMPTY, stage)
    kernel.mount("proc", "/proc", "proc", PROC_FLAGS)
    with suppress(OSError):  # a system without namespaces of users for users
        Path(USER_NAMESPACES).write_text("0")
    if counts_processes():
        Path(PID_MAX).write_text(str(bounds.processes + LOW_NUMBERS))
    kernel.mount("none", "/proc", None, ROOT_FLAGS | kernel.MS_NOEXEC)
    kernel.give_up_privileges()


def mount_memory(folder: str, size_mb: int) -> None:
    """Make the folder an empty one in memory that holds so much and no more. Raises OSError."""
    options = f"mode=700,size={size_mb}m,nr_inodes={size_mb * INODES_A_MB}"
    kernel.mount("none", folder, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)


def counts_processes() -> bool:
    """Whether a process namespace has a bound of its own; where it has none, the file is the whole machine's."""
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return found is not None and (int(found[1]), int(found[2])) >= PID_MAX_OF_A_NAMESPACE


def _outermost(paths: Iterable[str]) -> list[str]:
    """The paths without those that lie below others."""
    kept: list[str] = []
    for path in sorted({os.path.normpath(path) for path in paths if path.startswith("/")}):
        if not _is_below(path, kept):
            kept.append(path)
    return kept


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _bring(paths: Iterable[str], at: str) -> None:
    """Show each path at its own place; links stay links, and what they lead to is brought too where it is a file."""
    for path in paths:
        if not os.path.lexists(path) or (os.path.lexists(f"{at}{path}") and not os.path.isdir(f"{at}{path}")):
            continue
        if os.path.islink(path):
            _ready_parent(f"{at}{path}")
            os.symlink(os.readlink(path), f"{at}{path}")
            aim = os.path.realpath(path)
            if not os.path.lexists(f"{at}{aim}") and os.path.exists(aim):
                _show(aim, f"{at}{aim}", writable=False)
        else:
            _show(path, f"{at}{path}", writable=False)


def _close(folder: str, at: str) -> None:
    if os.path.isdir(f"{at}{folder}"):
        kernel.mount("none", f"{at}{folder}", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755,size=64k")


def _show(source: str, target: str, *, writable: bool) -> None:
    if stat.S_ISDIR(os.stat(source).st_mode):
        os.makedirs(target, exist_ok=True)
    else:
        _ready_parent(target)
        if not os.path.lexists(target):
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600))
    kernel.bind_all(source, target)
    if not writable:
        kernel.seal(target)


def _ready_parent(path: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)


def _make_devices(at: str) -> None:
    os.mkdir(f"{at}/dev")
    for name in DEVICES:
        Path(f"{at}/dev/{name}").touch()
        kernel.bind(f"/dev/{name}", f"{at}/dev/{name}")
    for name, aim in OPEN_FILES:
        os.symlink(aim, f"{at}/dev/{name}")
    os.mkdir(f"{at}/proc")
    kernel.mount("proc", f"{at}/proc", "proc", PROC_FLAGS)
    os.makedirs(f"{at}{EMPTY}")
