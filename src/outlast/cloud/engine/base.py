"""The base: one SQLite3 Multiple Ciphers file that memory tables are written to, in key order, off the commit path.

Every page is encrypted and authenticated (AEGIS-256). One connection reads, on the event loop; another writes, on a
worker. The base never holds what the log has not made durable, and the log keeps everything that the base has not.
"""

from __future__ import annotations

import contextlib
import errno
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import apsw

from outlast.cloud.effects import Disk
from outlast.cloud.engine.errors import Damaged, StorageUnavailable, Unwritable, is_full
from outlast.cloud.engine.memtable import MemTable

CIPHER = "aegis"
PLAIN_HEADER = b"SQLite format 3\0"
PAGE_BYTES = 16384
READ_CACHE_KIB = 16384
WRITE_CACHE_KIB = 4096
FEW_ROWS = 16
LATELY_BYTES = 12 * 1024 * 1024
ASKED_BYTES = 400
"""What it takes to remember a question, its answer's bytes aside."""
PUT_ROWS = 64
TRANSACTION_ROWS = 1024
TRANSACTION_BYTES = 2 * 1024 * 1024
LOG_ROOM_BYTES = 2 * 1024 * 1024
"""What a flush leaves free for the commit log: on a disk that is almost full, writes go on rather than the flush."""
ROOM_BYTES = 64 * 1024
FLUSHED_KEY = b"\x00flushed"
CLOCK_KEY = b"\x00clock"
GET = "SELECT v FROM item WHERE k = ?"
FORWARD = "SELECT k, v FROM item WHERE k >= ? AND k < ? ORDER BY k LIMIT ?"
BACKWARD = "SELECT k, v FROM item WHERE k >= ? AND k < ? ORDER BY k DESC LIMIT ?"
DELETE = "DELETE FROM item WHERE k = ?"
DAMAGE = (apsw.CorruptError, apsw.NotADBError)


class Base:
    """The ordered map below the memory tables."""

    def __init__(self, folder: Path, keys: dict[int, bytes], disk: Disk) -> None:
        self.path = folder / "items.db"
        self._wal = folder / "items.db-wal"
        self._disk = disk
        self.stopping = False
        self.is_urgent: Callable[[], bool] = lambda: False
        """Does somebody wait for the flush that goes on? Asked on the worker."""
        self.gave_way_s = 0.0
        """How long the last flush has waited for others."""
        self._reached = 0, 0  # the last commit of the table written last, and how many of its parts are in the file
        if not disk.exists(self.path):
            disk.append_to(self.path).close()  # made by the disk door, so that only the owner may read it
        try:
            self.key_number, self._reader = open_with_one_of(self.path, keys)
            self._key = keys[self.key_number]
            self._reader.execute("CREATE TABLE IF NOT EXISTS item (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID")
        except DAMAGE as error:
            raise Damaged(f"{self.path} is damaged: {error}") from error
        except apsw.Error as error:  # it wants a little room even to read: an index of its log, in a file
            why = "the disk is full" if disk.free_bytes(folder) < ROOM_BYTES else str(error)
            raise Unwritable(f"{self.path} cannot be opened: {why}") from error
        if disk.read(self.path, 0, 16).startswith(PLAIN_HEADER):
            raise Damaged(f"{self.path} is not encrypted")
        self._get = self._reader.cursor().execute
        self._lately: OrderedDict[tuple[bytes, bytes, int, bool], list[tuple[bytes, bytes]]] = OrderedDict()
        self._lately_bytes = 0
        flushed = self.get(FLUSHED_KEY)
        self.begun = flushed is not None
        """Was there ever a log beside it?"""
        self.flushed = int.from_bytes(flushed or b"", "big")
        self.stamp = int.from_bytes(self.get(CLOCK_KEY) or b"", "big")

    def get(self, key: bytes) -> bytes | None:
        """The value of `key`, or None. Raises Damaged or StorageUnavailable."""
        try:
            rows: list[Any] = self._get(GET, (key,)).fetchall()
        except apsw.Error as error:
            raise self._unreadable(error) from error
        return cast(bytes, rows[0][0]) if rows else None

    def rows(self, start: bytes, end: bytes, limit: int, reverse: bool) -> list[tuple[bytes, bytes]]:
        """Up to `limit` pairs with `start` <= key < `end`: the first, or in reverse order the last. Never change them.

        A few rows asked for lately are remembered: call `forget` after a flush. While one goes on they may be older
        than the file; the table that is flushed covers it. Raises Damaged or StorageUnavailable.
        """
        if limit > FEW_ROWS:
            return self._read(start, end, limit, reverse)
        asked = (start, end, limit, reverse)
        found = self._lately.get(asked)
        if found is not None:
            self._lately.move_to_end(asked)
            return found
        found = self._read(start, end, limit, reverse)
        size = _size(found)
        if size <= LATELY_BYTES // 16:
            self._lately[asked] = found
            self._lately_bytes += size
            while self._lately_bytes > LATELY_BYTES:
                self._lately_bytes -= _size(self._lately.popitem(last=False)[1])
        return found

    def forget(self) -> None:
        """What was read before a flush ended is out of date."""
        self._lately.clear()
        self._lately_bytes = 0

    def rest(self) -> None:
        """Give back what is held to read faster: remembered rows and cached pages. They come back as they are asked."""
        self.forget()
        with contextlib.suppress(apsw.Error):
            self._reader.pragma("shrink_memory")

    def _read(self, start: bytes, end: bytes, limit: int, reverse: bool) -> list[tuple[bytes, bytes]]:
        try:
            rows = self._get(BACKWARD if reverse else FORWARD, (start, end, limit)).fetchall()
        except apsw.Error as error:
            raise self._unreadable(error) from error
        return cast(list[tuple[bytes, bytes]], rows)

    def _unreadable(self, error: apsw.Error) -> Exception:
        if isinstance(error, DAMAGE):
            return Damaged(f"{self.path} is damaged: {error}")
        return StorageUnavailable(f"{self.path} cannot be read: {error}")

    def begin(self) -> None:
        """Note that there is a log from now on. Raises apsw.Error."""
        if not self.begun:
            self._reader.execute(put_statement(1), (FLUSHED_KEY, (0).to_bytes(8, "big")))
            self.begun = True

    def flush(self, table: MemTable) -> None:
        """Write a memory table, whose every commit is durable in the log; durable itself on return. May block.

        It takes its time, unless it is urgent: written at once it would hold up the syncs of every commit meanwhile.
        It goes on only while the disk has room for it and for the log. Raises apsw.Error or OSError; the table can be
        written again, and what was written of it is passed over then.
        """
        wal = self._wal
        writer = connect(self.path, self._key, WRITE_CACHE_KIB)
        self.gave_way_s = 0.0
        try:
            with self._disk.sync_steadily((self.path, wal)) as give_way:
                entries = table.ordered()
                for number, part in enumerate(_slices(entries)):
                    if self._reached[0] == table.last and number < self._reached[1]:
                        continue
                    self._check_room(part)
                    with writer:
                        self._write_rows(writer, part, give_way)
                    self._reached = table.last, number + 1
                    writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                with writer:
                    numbers = ((FLUSHED_KEY, table.last), (CLOCK_KEY, table.stamp))
                    self._write_rows(writer, [(key, number.to_bytes(8, "big")) for key, number in numbers], give_way)
                self._disk.sync(wal)
                writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except (OSError, apsw.FullError) as error:
            if is_full(error):
                with contextlib.suppress(apsw.Error):  # what it took and could not use is the log's
                    writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            raise
        finally:
            writer.close()
        self.flushed = table.last

    def _check_room(self, part: list[tuple[bytes, bytes | None]]) -> None:
        """Raises OSError when the disk has no room for a part in the base's own log and in the base."""
        if self._disk.free_bytes(self.path.parent) < 2 * _bytes_of(part) + LOG_ROOM_BYTES:
            raise OSError(errno.ENOSPC, "the disk has no room for the base")

    def _write_rows(
        self, writer: apsw.Connection, entries: list[tuple[bytes, bytes | None]], give_way: Callable[[], float]
    ) -> None:
        """Write entries; several rows a statement, so that other threads run meanwhile."""
        arguments: list[Any] = []
        for key, value in entries:
            if value is None:
                writer.execute(DELETE, (key,))
                continue
            arguments.append(key)
            arguments.append(value)
            if len(arguments) == 2 * PUT_ROWS:
                if self.stopping:
                    raise OSError(errno.ECANCELED, "the engine closes")
                writer.execute(put_statement(PUT_ROWS), arguments)
                arguments = []
                if not self.is_urgent():
                    self.gave_way_s += give_way()
        for at in range(0, len(arguments), 2):
            writer.execute(put_statement(1), arguments[at : at + 2])

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._disk.release(self.path)
        self._disk.release(self._wal)


def _size(rows: list[tuple[bytes, bytes]]) -> int:
    """What it takes to remember the answer to a question, about."""
    return sum([len(key) + len(value) for key, value in rows]) + ASKED_BYTES


def _bytes_of(entries: list[tuple[bytes, bytes | None]]) -> int:
    return sum([len(key) + len(value or b"") for key, value in entries])


def _slices(entries: Iterable[tuple[bytes, bytes | None]]) -> Iterator[list[tuple[bytes, bytes | None]]]:
    """The entries in parts of up to TRANSACTION_ROWS and about TRANSACTION_BYTES."""
    part: list[tuple[bytes, bytes | None]] = []
    size = 0
    for entry in entries:
        part.append(entry)
        size += len(entry[0]) + len(entry[1] or b"")
        if len(part) == TRANSACTION_ROWS or size >= TRANSACTION_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def put_statement(n_rows: int) -> str:
    """Puts `n_rows` pairs."""
    rows = ",".join(["(?, ?)"] * n_rows)
    return f"INSERT INTO item (k, v) VALUES {rows} ON CONFLICT (k) DO UPDATE SET v = excluded.v"  # noqa: S608


def open_with_one_of(path: Path, keys: dict[int, bytes]) -> tuple[int, apsw.Connection]:
    """A connection under the newest key that fits (an older one in the middle of a rotation). Raises Damaged."""
    for number in sorted(keys, reverse=True):
        try:
            connection = connect(path, keys[number], READ_CACHE_KIB)
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        except Damaged:
            if number == min(keys):
                raise
        except DAMAGE as error:
            if number == min(keys):
                raise Damaged(f"{path} is damaged: {error}") from error
        else:
            return number, connection
    raise Damaged(f"there is no key for {path}")


def change_key(path: Path, old: bytes, new: bytes) -> None:
    """Encrypt a closed base file anew, in one transaction, and leave nothing of it in a write-ahead log.

    Raises Damaged or StorageUnavailable; the file is then as it was.
    """
    try:
        with closing(connect(path, old, WRITE_CACHE_KIB)) as connection:
            connection.pragma("synchronous", "full")
            connection.execute(f"PRAGMA rekey = 'raw:{new.hex()}'")
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except DAMAGE as error:
        raise Damaged(f"{path} is damaged: {error}") from error
    except apsw.Error as error:
        raise StorageUnavailable(f"{path} cannot be encrypted anew: {error}") from error


def connect(path: Path, key: bytes, cache_kib: int) -> apsw.Connection:
    """An encrypted connection; raises Damaged when the cipher is not active or the file cannot be decrypted."""
    connection = apsw.Connection(str(path))
    try:
        connection.set_busy_timeout(5000)
        if connection.pragma("cipher", CIPHER) != CIPHER:
            raise Damaged("the SQLite library in use cannot encrypt (apsw-sqlite3mc is needed)")
        connection.execute(f"PRAGMA key = 'raw:{key.hex()}'")
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "normal")
        connection.pragma("cache_size", -cache_kib)
        connection.pragma("temp_store", "memory")
        connection.wal_autocheckpoint(0)
    except DAMAGE as error:
        connection.close()
        raise Damaged(f"{path} is damaged: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection
