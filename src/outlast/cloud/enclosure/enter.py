"""Entering: this process, and all it starts, see the machine as a `View` says."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

from outlast.cloud.enclosure import kernel
from outlast.cloud.enclosure.view import NAME_CACHES, View, write_files


class Unable(Exception):
    """This system does not let the process have namespaces of its own; the text says why, in a few words."""


def enter(view: View, *, network: bool = False) -> None:
    """Take namespaces of one's own and see the machine as `view` says; raises Unable.

    With `network`, the network too is one's own: a loopback interface and nothing else. The process must have one
    thread. As another user than root it stays that user, in a user namespace. A process in which this failed half-way
    must end: ask `probe` first.
    """
    try:
        files = write_files(view)
        _unshare(kernel.CLONE_NEWNS | (kernel.CLONE_NEWNET if network else 0))
        kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
        if network:
            kernel.raise_loopback()
        for source, target in files:
            kernel.bind(source, os.path.realpath(target))
        _silence_caches(view.folder)
        _hide(view)
    except OSError as error:
        raise Unable(error.strerror or str(error)) from error


def _unshare(flags: int) -> None:
    """Leave the namespaces; by way of a user namespace where this user (or root in many containers) may not."""
    uid, gid = os.geteuid(), os.getegid()
    try:
        kernel.unshare(flags)
    except PermissionError:
        kernel.unshare(flags | kernel.CLONE_NEWUSER)
        kernel.become_own_root(uid, gid)


def _silence_caches(folder: str) -> None:
    empty = Path(folder) / "empty"
    empty.mkdir(mode=0o700, exist_ok=True)
    for cache in NAME_CACHES:
        if os.path.isdir(cache):
            kernel.bind(str(empty), cache)


def _hide(view: View) -> None:
    """Put empty folders over what is hidden, and back into them what is kept."""
    kept = {path: os.open(path, os.O_PATH) for path in view.kept}
    try:
        for folder in view.hidden:
            kernel.mount("none", folder, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=700,size=1m")
        for path, descriptor in kept.items():
            if any(path.startswith(f"{folder}/") for folder in view.hidden):
                _make_place(path, descriptor)
                kernel.bind(f"/proc/self/fd/{descriptor}", path)
        for folder in view.hidden:
            flags = kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV
            kernel.mount("none", folder, None, flags)
    finally:
        for descriptor in kept.values():
            os.close(descriptor)


def _make_place(path: str, descriptor: int) -> None:
    """Something at `path` of the same kind as what is to be seen there."""
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.makedirs(path, mode=0o700, exist_ok=True)
        return
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))


def probe(act: Callable[[], None]) -> str:
    """Try `act` in a child process; empty when it went well, otherwise why not."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            signal.alarm(10)
            reason = ""
            try:
                act()
            except Unable as unable:
                reason = str(unable) or "not allowed"
            except BaseException as error:
                reason = f"{type(error).__name__}: {error}"
            os.write(writer, b"=" + reason.encode()[:500])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as said:
        answer = said.read()
    os.waitpid(pid, 0)
    return answer[1:].decode(errors="replace") if answer else "the attempt ended without a word"
