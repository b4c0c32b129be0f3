"""Where workers live: a network with the world and nothing else in it, and a root folder with nothing of the user's.

A template enters once; a worker then takes its own place for about a millisecond. What a function finds are the paths
of Lambda: its code in /var/task, its own /tmp, no one else's processes
(https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from outlast.cloud.enclosure import Unable, View, kernel, landlock
from outlast.cloud.enclosure.room import DEVICES, SYSTEM, Bounds, Room, mount_memory, move_in, settle
from outlast.cloud.enclosure.view import write_files
from outlast.cloud.enclosure.ways import Way, listen

TASK, SCRATCH, CACHE, STAGE = "/var/task", "/tmp", "/var/cache/python", "/stage"  # noqa: S108
AUTHORITY: Final = "/etc/ssl/world.pem"
"""Where the world's authority is found inside; the system's own bundles hold it too."""
USER: Final = (993, 990)
"""The ids that a function has on Lambda."""
USERS: Final = "root:x:0:0::/:/bin/sh\nsbx_user1051:x:993:990::/tmp:/bin/sh\n"
HOSTS: Final = "127.0.0.1 localhost\n::1 localhost\n"
MOST_PROCESSES: Final = 1024
"""Processes and threads of one environment: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""
CACHE_MB: Final = 256
"""Compiled code of all functions of a Region; what finds no room there is compiled at each cold start."""
MOST_WAYS: Final = 250
PUBLIC: Final = ("/proc", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/hosts", "/etc/passwd", "/etc/group")
"""What programs look for besides, where the machine's own root is seen."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What to make: `servers` answer for names, `authority` is the PEM file to trust (empty: none), `ways` lead out."""

    servers: tuple[str, ...]
    authority: str
    ways: tuple[Way, ...]
    closed: tuple[str, ...] = ()

    def text(self) -> str:
        """As `read` takes it."""
        ways = [(way.host, way.port, way.to_port, way.datagrams) for way in self.ways]
        return json.dumps([self.servers, self.authority, ways, self.closed])

    @classmethod
    def read(cls, text: str) -> Cell:
        """From the command line of a template."""
        servers, authority, ways, closed = json.loads(text)
        return cls(tuple(servers), authority, tuple(Way(*way) for way in ways), tuple(closed))


def libraries() -> tuple[str, ...]:
    """Where Python and its packages lie."""
    own = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    packages = {entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")}
    return tuple(path for path in sorted(own | packages) if path not in ("", "/") and os.path.isdir(path))


def shut_off(task: str, writable: tuple[str, ...], authority: str) -> bool:
    """Without an enclosure: find only what is public, one's own code and these folders; False where that fails too."""
    readable = (*SYSTEM, *PUBLIC, *libraries(), task, *((authority,) if authority else ()))
    try:
        landlock.shut_off(readable, (*writable, *(f"/dev/{name}" for name in DEVICES)))
    except OSError:
        return False
    return True


def lack() -> str:
    """What functions can do where there is no enclosure."""
    if landlock.version():
        return "their files are shut off by Landlock, but they reach the network"
    return "they can read your files and reach the network"


def room(cell: Cell, folder: str) -> Room:
    """The root folder for workers whose files are made in `folder`."""
    shown: list[tuple[str, str]] = []
    if cell.authority:
        view = View(cell.servers, cell.authority, f"{folder}/view", alone=True)
        shown = [*write_files(view), (cell.authority, AUTHORITY)]
    return Room(
        readable=libraries(),
        shown=tuple(shown),
        stage=((folder, STAGE),),
        places=(TASK, SCRATCH, CACHE),
        written=(("/etc/passwd", USERS), ("/etc/group", "root:x:0:\nsbx_user1051:x:990:\n"), ("/etc/hosts", HOSTS)),
        closed=cell.closed,
    )


def variables(cell: Cell, given: Mapping[str, str]) -> dict[str, str]:
    """A worker's variables: those that name the authority's file name it where it is found inside."""
    if not cell.authority:
        return dict(given)
    told = dict.fromkeys(View(cell.servers, cell.authority, "").variables(), AUTHORITY)
    return {**told, **{name: AUTHORITY if value == cell.authority else value for name, value in given.items()}}


def separate() -> None:
    """Take user, network and (for children) process namespaces of one's own; raises Unable."""
    uid, gid = os.geteuid(), os.getegid()
    try:
        kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNET | kernel.CLONE_NEWPID)
        kernel.become_own_root(uid, gid, USER)
        kernel.raise_loopback()
    except OSError as error:
        raise Unable(error.strerror or str(error)) from error


def enter(cell: Cell, folder: str) -> list[socket.socket]:
    """In a child of a process that separated: the sockets of the cell's ways; see the room. Raises Unable."""
    if len(cell.ways) > MOST_WAYS:
        raise Unable("the world has too many addresses")
    root = Path(folder) / "root"
    for each in (root, Path(folder) / "cache"):
        each.mkdir(mode=0o700, exist_ok=True)
    try:
        made = listen(cell.ways)
        kernel.unshare(kernel.CLONE_NEWNS)
        move_in(room(cell, folder), str(root))
        mount_memory(f"{STAGE}/cache", CACHE_MB)
    except OSError as error:
        raise Unable(error.strerror or str(error)) from error
    return made


class Births:
    """In a template that entered: makes the next child the first process of a namespace of its own."""

    def __init__(self) -> None:
        self._own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self) -> None:
        kernel.unshare(kernel.CLONE_NEWPID)

    def __exit__(self, *_: object) -> None:
        kernel.join(self._own, kernel.CLONE_NEWPID)


def take_place(shown: tuple[tuple[str, str, bool], ...], storage_mb: int) -> None:
    """In such a child: see what is one's own, and have no privilege left. Raises OSError."""
    for source, _, writable in shown:
        if writable:
            os.makedirs(source, mode=0o700, exist_ok=True)
    kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC)
    settle(shown, STAGE, libraries(), Bounds(SCRATCH, storage_mb, MOST_PROCESSES))


def places(folder: Path, code: str, ident: int) -> list[tuple[str, str, bool]]:
    """What one worker is shown of the stage; for one without a room, its scratch and cache folders are made."""
    scratch, cache = folder / "scratch" / str(ident), folder / "cache" / code
    for each in (scratch, cache):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    return [
        (f"{STAGE}/code/{code}", TASK, False),
        (f"{STAGE}/cache/{code}", CACHE, True),
    ]


def rehearse(cell: Cell, folder: str) -> None:
    """All of it with a worker that does nothing, in a process to be thrown away; raises Unable."""
    separate()
    _in_child(lambda: _rehearse_inside(cell, folder))


def _rehearse_inside(cell: Cell, folder: str) -> None:
    for each in enter(cell, folder):
        each.close()
    with Births():
        _in_child(lambda: take_place((), 1))


def _in_child(act: Any) -> None:
    """Run `act` in a child; raises Unable with what went wrong there."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)
        reason = ""
        try:
            act()
        except (Unable, OSError) as error:
            reason = str(error) or "not allowed"
        os.write(writer, b"=" + reason.encode()[:500])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as said:
        answer = said.read()
    os.waitpid(pid, 0)
    if answer != b"=":
        raise Unable(answer[1:].decode(errors="replace") or "the attempt ended without a word")
