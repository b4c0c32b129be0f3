"""The disk's twin: jobs run in virtual time, on the loop; what is not synced can be lost; faults on demand."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from outlast.cloud.effects import Entropy, RealDisk
from outlast.cloud.effects.disk import AppendFile, Done, Job


class SimulatedWorker:
    """Runs jobs one after another, each some virtual time after it was handed in; a dead worker runs none."""

    def __init__(self, delay_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._delay_s = delay_s
        self._free_at_s = 0.0
        self.dead = False

    def run(self, job: Job, done: Done) -> None:
        self._free_at_s = max(self._free_at_s, self._loop.time()) + self._delay_s
        self._loop.call_at(self._free_at_s, self._work, job, done)

    def close(self) -> None:
        self.dead = True

    def _work(self, job: Job, done: Done) -> None:
        if self.dead:
            return
        error: Exception | None = None
        try:
            job()
        except Exception as caught:
            error = caught
        done(error)


@dataclass(slots=True)
class DiskFaults:
    """What goes wrong next on appended files.

    `full`: appends write a part of their data, then raise ENOSPC. `failing_syncs`: syncs raise EIO. `hold_syncs`:
    syncs do nothing, so that a loss of power loses what they should have kept.
    """

    full: bool = False
    failing_syncs: bool = False
    hold_syncs: bool = False


class SimulatedFile:
    """An append-only file that remembers what a loss of power would leave."""

    __slots__ = ("_disk", "_file", "end", "path", "synced")

    def __init__(self, disk: SimulatedDisk, path: Path, file: AppendFile) -> None:
        self._disk = disk
        self._file = file
        self.path = path
        self.synced = self.end = path.stat().st_size

    def append(self, data: bytes, ready_bytes: int = 0) -> None:
        self._disk.files[self.path] = self
        if self._disk.faults.full:
            half = data[: len(data) // 2]
            self._file.append(half)
            self.end += len(half)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._file.append(data, ready_bytes)
        self.end += len(data)

    def make_ready(self, n_bytes: int) -> None:
        if self._disk.faults.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.truncate(self.path, self.path.stat().st_size + n_bytes)

    def cut(self, n_bytes: int) -> None:
        self._file.cut(n_bytes)
        self.end = n_bytes
        self.synced = min(self.synced, n_bytes)

    def sync(self) -> None:
        if self._disk.faults.failing_syncs:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if not self._disk.faults.hold_syncs:
            self.synced = self.end

    def close(self) -> None:
        self._file.close()


class SimulatedDisk(RealDisk):
    """Files in a temporary folder of the machine, written in virtual time."""

    __slots__ = ("delay_s", "faults", "files")

    def __init__(self, delay_s: float = 0.0003) -> None:
        self.delay_s = delay_s
        self.faults = DiskFaults()
        self.files: dict[Path, SimulatedFile] = {}

    def append_to(self, path: Path) -> AppendFile:
        return SimulatedFile(self, path, super().append_to(path))

    def worker(self, name: str) -> SimulatedWorker:
        return SimulatedWorker(self.delay_s)

    def prompt_worker(self, name: str) -> SimulatedWorker:
        return SimulatedWorker(self.delay_s)

    @contextmanager
    def sync_steadily(self, paths: tuple[Path, ...]) -> Iterator[Callable[[], float]]:
        yield lambda: 0.0

    def lose_power(self, entropy: Entropy) -> None:
        """What was appended and not synced is lost, but for a torn piece of it, perhaps with wrong bytes.

        Zeros that were made ready behind it are still there, or not.
        """
        for file in self.files.values():
            if not file.path.exists():
                continue
            size = file.path.stat().st_size
            keep = file.synced + int((file.end - file.synced + 1) * entropy.uniform())
            os.truncate(file.path, keep)
            if size > file.end and entropy.uniform() < 0.5:
                os.truncate(file.path, size)
            if keep > file.synced and entropy.uniform() < 0.5:
                at = file.synced + int((keep - file.synced) * entropy.uniform())
                flip(file.path, at)


def flip(path: Path, at: int) -> None:
    """Turn one bit over."""
    with path.open("r+b") as file:
        file.seek(at)
        old = file.read(1)
        file.seek(at)
        file.write(bytes((old[0] ^ 0x10,)))
