"""One drill at a time: the world's folder is held while a drill changes something, and let go however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from outlast.ops.outcome import OpsError, RefusedError

NAME: Final = "drill.lock"


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold it for this process; the kernel lets it go when the process dies. Raises RefusedError when it is held."""
    descriptor = _open(path)
    try:
        if not _take(descriptor):
            raise RefusedError("A drill is being played on this world, or cleaned up after: one at a time.")
        yield
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether a drill is being played now."""
    if not path.exists():
        return False
    descriptor = _open(path)
    try:
        return not _take(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OpsError(f"{path} cannot be used: {error.strerror}.") from error


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
