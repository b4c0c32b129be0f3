"""Where the engine keeps its bytes: one ordered map on SQLite3 Multiple Ciphers, committed in groups.

Writes are seen by reads at once through an overlay; a worker commits everything that has gathered, with one sync, and
then takes what gathered meanwhile. A lone write waits for no timer, an idle store wakes nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw

from outlast.cloud.effects import Disk
from outlast.cloud.engine.errors import Damaged, StorageUnavailable
from outlast.cloud.engine.merge import merged

Writes = dict[bytes, bytes | None]

CIPHER = "aegis"
PLAIN_HEADER = b"SQLite format 3\0"
PAGE_BYTES = 8192
READ_CACHE_KIB = 8192
WRITE_CACHE_KIB = 4096
CHUNK_ROWS = 64
FULL_RETRY_S = 1.0
PUT = "INSERT INTO item (k, v) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v"
DELETE = "DELETE FROM item WHERE k = ?"


class Store:
    """An ordered durable map. Used from the event loop that opened it; `submit` is atomic."""

    def __init__(self, path: Path, key: bytes, disk: Disk) -> None:
        self._writer = connect(path, key, WRITE_CACHE_KIB)
        self._writer.execute("CREATE TABLE IF NOT EXISTS item (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID")
        if disk.read(path, 0, 16).startswith(PLAIN_HEADER):
            raise Damaged(f"{path} is not encrypted")
        self._reader = connect(path, key, READ_CACHE_KIB)
        self._overlay: dict[bytes, tuple[int, bytes | None]] = {}
        self._gathered: list[Writes] = []
        self._applied = 0
        self._synced = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._failure: str | None = None
        self._busy = False
        self._on_failure: list[Callable[[], None]] = []
        self._worker = disk.worker("store")

    # ---- reads

    def get(self, key: bytes) -> bytes | None:
        """The value of `key`, or None. Raises Damaged when a checksum does not hold."""
        fresh = self._overlay.get(key)
        if fresh is not None:
            return fresh[1]
        try:
            for (value,) in self._reader.execute("SELECT v FROM item WHERE k = ?", (key,)):
                return bytes(value)
        except (apsw.CorruptError, apsw.NotADBError) as error:
            raise Damaged(f"the data file is damaged: {error}") from error
        return None

    def range(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with `start` <= key < `end`, in key order. Lazy: consume it without awaiting in between."""
        overlay = self._overlay
        if not overlay:
            return self._stored(start, end, reverse)
        keys = sorted((key for key in overlay if start <= key < end), reverse=reverse)
        if not keys:
            return self._stored(start, end, reverse)
        fresh = iter([(key, overlay[key][1]) for key in keys])
        return merged(fresh, self._stored(start, end, reverse), reverse)

    def _stored(self, start: bytes, end: bytes, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        # Whole chunks, so that no unfinished SELECT pins a snapshot.
        forward = "SELECT k, v FROM item WHERE k >= ? AND k < ? ORDER BY k LIMIT ?"
        backward = "SELECT k, v FROM item WHERE k >= ? AND k < ? ORDER BY k DESC LIMIT ?"
        rows = CHUNK_ROWS // 4
        while True:
            try:
                chunk = list(self._reader.execute(backward if reverse else forward, (start, end, rows)))
            except (apsw.CorruptError, apsw.NotADBError) as error:
                raise Damaged(f"the data file is damaged: {error}") from error
            yield from chunk
            if len(chunk) < rows:
                return
            if reverse:
                end = chunk[-1][0]
            else:
                start = chunk[-1][0] + b"\0"
            rows = CHUNK_ROWS * 4

    # ---- writes

    def check(self) -> None:
        """Raises StorageUnavailable when writes are refused."""
        if self._failure is not None:
            raise StorageUnavailable(self._failure)

    def submit(self, writes: Writes) -> None:
        """Apply `writes`: seen by reads from now on, durable when `settled` returns."""
        self.check()
        self._applied = number = self._applied + 1
        overlay = self._overlay
        for key, value in writes.items():
            overlay[key] = (number, value)
        self._gathered.append(writes)
        if not self._busy:
            self._start()

    @property
    def is_settled(self) -> bool:
        """Whether every applied write is durable."""
        return self._applied == self._synced

    async def settled(self) -> None:
        """Return when everything applied so far is durable; raises StorageUnavailable when it was lost instead."""
        if self._applied == self._synced:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((self._applied, future))
        await future

    def on_failure(self, callback: Callable[[], None]) -> None:
        """Call `callback` after applied writes were lost, so that memory built on them is rebuilt."""
        self._on_failure.append(callback)

    async def close(self) -> None:
        """Commit what is applied and close the files."""
        with contextlib.suppress(StorageUnavailable):
            await self.settled()
        self.abandon()

    def abandon(self) -> None:
        """Close the files; what is not durable yet is lost."""
        self._failure = self._failure or "the engine is closed"
        self._worker.close()
        self._reader.close()
        self._writer.close()

    def _start(self) -> None:
        batches, self._gathered = self._gathered, []
        self._busy = True
        self._worker.run(lambda: self._commit(batches), lambda error: self._ended(len(batches), error))

    def _commit(self, batches: list[Writes]) -> None:
        """On the worker: one transaction, one sync."""
        with self._writer:
            for writes in batches:
                puts = [(key, value) for key, value in writes.items() if value is not None]
                gone = [(key,) for key, value in writes.items() if value is None]
                if puts:
                    self._writer.executemany(PUT, puts)
                if gone:
                    self._writer.executemany(DELETE, gone)

    def _ended(self, n_batches: int, error: Exception | None) -> None:
        self._busy = False
        if error is not None:
            self._failed(error)
            return
        self._synced = synced = self._synced + n_batches
        if self._gathered:
            self._overlay = {key: entry for key, entry in self._overlay.items() if entry[0] > synced}
            self._start()
        else:
            self._overlay.clear()
        ready = [future for number, future in self._waiting if number <= synced]
        self._waiting = [entry for entry in self._waiting if entry[0] > synced]
        for future in ready:
            if not future.done():
                future.set_result(None)

    def _failed(self, error: Exception) -> None:
        """What was applied and not synced is gone; reads go on from what is durable."""
        full = isinstance(error, apsw.FullError) or (isinstance(error, OSError) and error.errno == errno.ENOSPC)
        self._failure = reason = f"writes are refused: {'the disk is full' if full else error}"
        self._gathered.clear()
        self._overlay.clear()
        self._synced = self._applied
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            if not future.done():
                future.set_exception(StorageUnavailable(reason))
        for callback in self._on_failure:
            callback()
        if full:
            asyncio.get_running_loop().call_later(FULL_RETRY_S, self._try_again)

    def _try_again(self) -> None:
        if self._failure is not None and "full" in self._failure:
            self._failure = None


def connect(path: Path, key: bytes, cache_kib: int) -> apsw.Connection:
    """An encrypted connection; raises Damaged when the cipher is not active or the file cannot be decrypted."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(5000)
    if connection.pragma("cipher", CIPHER) != CIPHER:
        raise Damaged("the SQLite library in use cannot encrypt (apsw-sqlite3mc is needed)")
    connection.execute(f"PRAGMA key = 'raw:{key.hex()}'")
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.pragma("journal_mode", "wal")
    except (apsw.NotADBError, apsw.CorruptError) as error:
        connection.close()
        raise Damaged(f"{path} is damaged: {error}") from error
    connection.pragma("synchronous", "full")
    connection.pragma("cache_size", -cache_kib)
    connection.pragma("temp_store", "memory")
    return connection
