"""The disk of a Region with the faults that the world may put on it: no space left, slow syncs."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import dataclass
from pathlib import Path

from outlast.cloud.effects import RealDisk
from outlast.cloud.effects.disk import AppendFile, PromptWorker, Worker


@dataclass(slots=True)
class DiskTrouble:
    """What is wrong with the disk now."""

    full: bool = False
    sync_delay_ms: float = 0.0


class _TroubledFile:
    """An append-only file that shares its disk's trouble."""

    __slots__ = ("_file", "_trouble")

    def __init__(self, file: AppendFile, trouble: DiskTrouble) -> None:
        self._file = file
        self._trouble = trouble

    def append(self, data: bytes, ready_bytes: int = 0) -> None:
        _check(self._trouble)
        self._file.append(data, ready_bytes)

    def make_ready(self, n_bytes: int) -> None:
        _check(self._trouble)
        self._file.make_ready(n_bytes)

    def cut(self, n_bytes: int) -> None:
        self._file.cut(n_bytes)

    def sync(self) -> None:
        if self._trouble.sync_delay_ms:
            time.sleep(self._trouble.sync_delay_ms / 1000)
        self._file.sync()

    def close(self) -> None:
        self._file.close()


def _check(trouble: DiskTrouble) -> None:
    if trouble.full:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class TroubledDisk(RealDisk):
    """The machine's file system, except for `trouble`. Slow syncs run in the engine's own thread, so they may sleep."""

    __slots__ = ("trouble",)

    def __init__(self) -> None:
        self.trouble = DiskTrouble()

    def write(self, path: Path, data: bytes) -> None:
        _check(self.trouble)
        super().write(path, data)

    def append_to(self, path: Path) -> AppendFile:
        return _TroubledFile(super().append_to(path), self.trouble)

    def prompt_worker(self, name: str) -> Worker:
        return PromptWorker(name, lambda: self.trouble.sync_delay_ms > 0)

    def free_bytes(self, folder: Path) -> int:
        return 0 if self.trouble.full else super().free_bytes(folder)
