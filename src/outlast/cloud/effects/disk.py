"""The door to files: whole small files, append-only files, folders and locks."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

STEADY_SYNC_S = 0.01
GIVE_WAY_S = 0.003
QUICK_S = 0.0005
"""Jobs up to this long, as they lately were, hold up an event loop less than a change of threads and back."""
LATELY = 0.2
"""The share of the newest job in how long they lately were."""

Job = Callable[[], object]
Done = Callable[[Exception | None], None]


class Worker(Protocol):
    """Runs blocking jobs one after another, off the event loop."""

    def run(self, job: Job, done: Done) -> None:
        """Run `job`; then call `done(None)`, or `done(error)` with what it raised, on the event loop."""
        ...

    def close(self) -> None:
        """Wait for the jobs handed in, and stop."""
        ...


class Lock(Protocol):
    """A folder held by one process; released by `release` or by the death of the process."""

    def release(self) -> None:
        """Let another process have the folder."""
        ...


class AppendFile(Protocol):
    """A file that only grows; nobody else may write to it."""

    def append(self, data: bytes, ready_bytes: int = 0) -> None:
        """Write all of `data` at the end; raises OSError and may then have written a part of it.

        With `ready_bytes` the file grows by that many zeros more whenever it must grow, while there is room: a sync of
        what is appended into them need not wait for the file system's journal. They are part of the file's size.
        """
        ...

    def make_ready(self, n_bytes: int) -> None:
        """Grow by that many zeros for appends to come, synced; others then have the disk a moment. Raises OSError."""
        ...

    def cut(self, n_bytes: int) -> None:
        """Keep the first `n_bytes`, synced, and append behind them from now on; raises OSError."""
        ...

    def sync(self) -> None:
        """Return when everything appended so far would survive a loss of power; raises OSError."""
        ...

    def close(self) -> None:
        """Close without syncing."""
        ...


class Disk(Protocol):
    """Files of one Region. Every method may raise OSError. Files are readable by their owner only."""

    def make_folder(self, folder: Path) -> None:
        """Make `folder` and its parents if they are missing, and check that files can be made in it."""
        ...

    def lock(self, path: Path) -> Lock | None:
        """Take the lock file at `path` without waiting; None when another holder has it."""
        ...

    def exists(self, path: Path) -> bool:
        """Whether a file or folder is there."""
        ...

    def names(self, folder: Path) -> tuple[str, ...]:
        """The names in `folder`, sorted; empty when it does not exist."""
        ...

    def read(self, path: Path, offset: int = 0, n_bytes: int = -1) -> bytes:
        """Up to `n_bytes` from `offset` (all that follows when negative)."""
        ...

    def write(self, path: Path, data: bytes) -> None:
        """Replace the file at `path` by `data`, all or nothing, synced with its folder."""
        ...

    def append_to(self, path: Path) -> AppendFile:
        """Open `path` for appending, making it (synced into its folder) when it is missing."""
        ...

    def truncate(self, path: Path, n_bytes: int) -> None:
        """Cut the file to its first `n_bytes`, synced."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file; nothing happens when it is missing."""
        ...

    def size(self, path: Path) -> int:
        """The file's length in bytes."""
        ...

    def free_bytes(self, folder: Path) -> int:
        """Bytes that can still be written below `folder`."""
        ...

    def sync(self, path: Path) -> None:
        """Return when the file's contents would survive a loss of power; nothing happens when it is missing."""
        ...

    def sync_steadily(self, paths: tuple[Path, ...]) -> AbstractContextManager[Callable[[], float]]:
        """Meanwhile sync these files in small steps, so that no later sync finds much to do and holds up others.

        Call what it gives between pieces of work that nobody waits for: others have the disk for as many seconds as it
        returns.
        The files belong to a database in this process: their descriptors stay open until `release`, because closing
        one earlier would drop the database's own locks.
        """
        ...

    def release(self, path: Path) -> None:
        """The database has closed this file: descriptors kept for syncing it may go."""
        ...

    def worker(self, name: str) -> Worker:
        """A worker that answers on the running event loop."""
        ...

    def prompt_worker(self, name: str) -> Worker:
        """A worker whose jobs end in a sync. While syncs are quick it runs them in `run` itself, before that returns:

        to change threads then takes longer than to wait. Call `run` from nothing that `done` could disturb.
        """
        ...


class RealLock:
    """A lock held through an open descriptor."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class RealAppendFile:
    """An append-only file of the machine's file system."""

    __slots__ = ("_at", "_descriptor", "_grown")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._at = self._grown = os.fstat(descriptor).st_size

    def append(self, data: bytes, ready_bytes: int = 0) -> None:
        view = memoryview(data)
        if ready_bytes and self._at + len(view) > self._grown:
            written = os.pwritev(self._descriptor, (view, bytes(ready_bytes)), self._at)
            self._grown = self._at + written
            self._at += min(written, len(view))
            view = view[written:]
        while view:
            written = os.pwrite(self._descriptor, view, self._at)
            self._at += written
            view = view[written:]

    def make_ready(self, n_bytes: int) -> None:
        end = max(self._at, self._grown)
        self._grown = end + os.pwrite(self._descriptor, bytes(n_bytes), end)
        os.fdatasync(self._descriptor)
        _give_way()

    def cut(self, n_bytes: int) -> None:
        os.ftruncate(self._descriptor, n_bytes)
        self._at = self._grown = n_bytes
        os.fsync(self._descriptor)

    def sync(self) -> None:
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class RealWorker:
    """One thread, asleep while there is nothing to do."""

    __slots__ = ("_jobs", "_loop", "_thread")

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[tuple[Job, Done] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def run(self, job: Job, done: Done) -> None:
        self._jobs.put((job, done))

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (entry := self._jobs.get()) is not None:
            job, done = entry
            error: Exception | None = None
            try:
                job()
            except Exception as caught:
                error = caught
            with contextlib.suppress(RuntimeError):  # the loop may have been closed meanwhile
                self._loop.call_soon_threadsafe(done, error)


class PromptWorker:
    """See `Disk.prompt_worker`: a thread while jobs have lately been slow, or `patient` says so; else none."""

    __slots__ = ("_lately_s", "_patient", "_worker")

    def __init__(self, name: str, patient: Callable[[], bool]) -> None:
        self._worker = RealWorker(name)
        self._patient = patient
        self._lately_s = 0.0

    def run(self, job: Job, done: Done) -> None:
        if self._lately_s > QUICK_S or self._patient():
            self._worker.run(lambda: self._timed(job), done)
            return
        error: Exception | None = None
        try:
            self._timed(job)
        except Exception as caught:
            error = caught
        done(error)

    def _timed(self, job: Job) -> None:
        began_s = time.perf_counter()
        try:
            job()
        finally:
            self._lately_s += LATELY * (time.perf_counter() - began_s - self._lately_s)

    def close(self) -> None:
        self._worker.close()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _give_way() -> float:
    time.sleep(GIVE_WAY_S)
    return GIVE_WAY_S


_DESCRIPTORS: dict[Path, int] = {}


def _descriptor(path: Path) -> int:
    """A descriptor that stays open until `release`, opened again when the file was replaced."""
    known = _DESCRIPTORS.get(path)
    if known is not None and os.fstat(known).st_ino == path.stat().st_ino:
        return known
    _DESCRIPTORS[path] = descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    return descriptor


class RealDisk:
    """The machine's file system."""

    __slots__ = ()

    def make_folder(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))

    def lock(self, path: Path) -> Lock | None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return RealLock(descriptor)

    def exists(self, path: Path) -> bool:
        return path.exists()

    def names(self, folder: Path) -> tuple[str, ...]:
        try:
            return tuple(sorted(os.listdir(folder)))
        except FileNotFoundError:
            return ()

    def read(self, path: Path, offset: int = 0, n_bytes: int = -1) -> bytes:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(n_bytes)

    def write(self, path: Path, data: bytes) -> None:
        fresh = path.with_name(path.name + ".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        file = RealAppendFile(descriptor)
        try:
            file.append(data)
            os.fsync(descriptor)
        finally:
            file.close()
        fresh.replace(path)
        _sync_folder(path.parent)

    def append_to(self, path: Path) -> AppendFile:
        made = not path.exists()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if made:
            _sync_folder(path.parent)
        return RealAppendFile(descriptor)

    def truncate(self, path: Path, n_bytes: int) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, n_bytes)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()

    def size(self, path: Path) -> int:
        return path.stat().st_size

    def free_bytes(self, folder: Path) -> int:
        facts = os.statvfs(folder)
        return facts.f_bavail * facts.f_frsize

    def sync(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.fdatasync(_descriptor(path))

    @contextlib.contextmanager
    def sync_steadily(self, paths: tuple[Path, ...]) -> Iterator[Callable[[], float]]:
        over = threading.Event()

        def sync() -> None:
            while not over.wait(STEADY_SYNC_S):
                for path in paths:
                    with contextlib.suppress(OSError):  # the sync that counts comes later and tells
                        self.sync(path)

        pacer = threading.Thread(target=sync, name="pacer", daemon=True)
        pacer.start()
        try:
            yield _give_way
        finally:
            over.set()
            pacer.join()

    def release(self, path: Path) -> None:
        descriptor = _DESCRIPTORS.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)

    def worker(self, name: str) -> Worker:
        return RealWorker(name)

    def prompt_worker(self, name: str) -> Worker:
        return PromptWorker(name, lambda: False)
