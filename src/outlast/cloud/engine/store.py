"""Where the engine keeps its bytes: a commit log, tables in memory, and a base below them.

A write goes to the newest memory table, where reads see it at once, and into the next group of the log; `settled`
returns when its group is synced. Full tables are frozen and written to the base by another worker; then their part of
the log goes. A lone write waits for no timer, an idle store wakes nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw

from outlast.cloud.effects import Clock, Disk, Entropy
from outlast.cloud.engine.base import DAMAGE, Base
from outlast.cloud.engine.errors import StorageUnavailable, is_full
from outlast.cloud.engine.layout import Writes
from outlast.cloud.engine.log import SEGMENT_BYTES, Dropped, Log
from outlast.cloud.engine.memtable import MISSING, MemTable, Undo
from outlast.cloud.engine.merge import merged_page
from outlast.cloud.engine.pace import Pace
from outlast.cloud.engine.waiting import Waiter, Waiters, tell

FIRST_ROWS = 16
MORE_ROWS = 256
TABLE_BYTES = 32 * 1024 * 1024
MAX_FROZEN = 3
RETRY_S = 1.0
QUIET_S = 20.0
QUIET_BYTES = 1024 * 1024


class Store:
    """An ordered durable map. Used from the event loop that opened it; `submit` is atomic."""

    def __init__(self, folder: Path, keys: dict[int, bytes], disk: Disk, entropy: Entropy, clock: Clock) -> None:
        self._clock = clock
        self._disk = disk
        self._folder = folder
        self.base = Base(folder, keys, disk)
        """What lies below the memory tables."""
        self.base.is_urgent = lambda: len(self._frozen) > 1 or self._table.bytes > TABLE_BYTES // 2
        self._log = Log(folder, keys, disk, entropy)
        self._table = MemTable()
        self._frozen: list[MemTable] = []  # oldest first
        self.applied = self.base.flushed
        self.before_commit: Callable[[], None] = lambda: None  # may submit what the group that leaves needs
        self.stamp: Callable[[], int]  # the clock's newest reading, made durable with every group
        self._replay()
        self.synced = self.applied
        self._gathered: list[Writes] = []
        self._undo: list[tuple[int, MemTable, Undo]] = []
        self._waiting = Waiters()
        self._failure: str | None = None
        self._lost = ""
        self.losses = 0
        """How often applied writes were lost: who saw them, and waits only now, compares."""
        self._full = False
        self._closed = False
        self._busy = self._wanted = False
        self._flushing = False
        self._making_spare = False
        self._watching = False
        self._written_at_s = 0.0
        self._pace = Pace(clock)
        self._on_failure: list[Callable[[], None]] = []
        self._committer = disk.prompt_worker("commit")
        self._flusher = disk.worker("flush")
        self._janitor = disk.worker("janitor")
        try:
            self._log.start(self.applied, self.stamp())
            self.base.begin()
        except (OSError, apsw.Error) as error:
            self._refuse(error)
        else:
            self._want_spare()
        self._log.trim(self.base.flushed)
        self._flush()

    def _replay(self) -> None:
        """Take what the log has and the base has not."""
        newest = self.base.stamp
        for group in self._log.replay(self.base.flushed, begun=self.base.begun):
            self._table.apply(group.writes, group.last)
            self.applied = group.last
            newest = max(newest, group.stamp)
        self.stamp = lambda: newest
        if self._table.last:
            self._freeze()

    # ---- reads

    def get(self, key: bytes) -> bytes | None:
        """The value of `key`, or None. Raises Damaged when a checksum does not hold."""
        value = self._table.data.get(key, MISSING)
        if value is not MISSING:
            return value
        for table in reversed(self._frozen):
            value = table.data.get(key, MISSING)
            if value is not MISSING:
                return value
        return self.base.get(key)

    def get_all(self, keys: list[bytes]) -> list[bytes | None]:
        """The value of each key, or None; as `get`."""
        newest = list(map(self._table.data.get, keys))
        return newest if all(newest) else list(map(self.get, keys))

    def range(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with `start` <= key < `end`, in key order; lazy, as `pages`."""
        for page in self.pages(start, end, reverse=reverse):
            yield from page

    def pages(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[list[tuple[bytes, bytes]]]:
        """The pairs in pieces, read one after another; each piece sees the writes applied before it is read."""
        limit = FIRST_ROWS
        while True:
            page, bound = self._page(start, end, limit, reverse)
            yield page
            if bound is None:
                return
            if reverse:
                end = bound
            else:
                start = bound + b"\0"
            limit = MORE_ROWS

    def _page(
        self, start: bytes, end: bytes, limit: int, reverse: bool
    ) -> tuple[list[tuple[bytes, bytes]], bytes | None]:
        """About `limit` pairs, and the last key that they speak for when there may be more."""
        stored = self.base.rows(start, end, limit, reverse)
        bound = stored[-1][0] if len(stored) == limit else None
        layers = [table.rows(start, end, limit, reverse) for table in (*self._frozen, self._table) if table.data]
        layers = [layer for layer in layers if layer]
        return merged_page(stored, bound, layers, limit, reverse) if layers else (stored, bound)

    # ---- writes

    @property
    def dropped(self) -> list[Dropped]:
        """What the start cut off the end of the log; never an acknowledged write."""
        return self._log.dropped

    @property
    def log_share(self) -> float:
        """What the base owes the log, as a share of the limit; at 2/3 writes slow down, at 1 a failing base ends them.

        0 while the base keeps up: only tables that are full, and wait to be written to it, count.
        """
        return min(1.0, len(self._frozen) / MAX_FROZEN)

    def check(self) -> None:
        """Raises StorageUnavailable when writes are refused."""
        if self._failure is not None:
            raise StorageUnavailable(self._failure)

    def submit(self, writes: Writes, *, soon: bool = True) -> None:
        """Apply `writes`: seen by reads from now on, durable when `settled` returns.

        Those that are not to be durable `soon` wait for others that are, or for the first who asks for `settled`.
        """
        self.check()
        self.applied = number = self.applied + 1
        table = self._table
        self._undo.append((number, table, table.apply(writes, number)))
        self._gathered.append(writes)
        if table.bytes > TABLE_BYTES:
            self._freeze()
        if soon and not (self._busy and self._wanted):
            self._want()

    def _want(self) -> None:
        """Somebody waits for what has gathered."""
        self._wanted = True
        if not self._busy:
            self._busy = True
            asyncio.get_running_loop().call_soon(self._commit)

    @property
    def is_settled(self) -> bool:
        """Whether every applied write is durable."""
        return self.applied == self.synced

    async def settled(self, losses: int | None = None) -> None:
        """Return when all that is applied is durable; raises StorageUnavailable when it was lost (see `losses`)."""
        if self.applied != self.synced:
            if self._gathered and not self._wanted:
                self._want()
            await self._waiting.future(self.applied)
        if losses is not None and losses != self.losses:
            raise StorageUnavailable(self._lost)

    def when_settled(self, callback: Waiter) -> None:
        """Call `callback` when everything applied so far is durable, or with the failure that took it away."""
        if self._gathered and not self._wanted:
            self._want()
        self._waiting.add(self.applied, callback)

    def on_failure(self, callback: Callable[[], None]) -> None:
        """Call `callback` after applied writes were lost, so that memory built on them is rebuilt."""
        self._on_failure.append(callback)

    async def drain(self) -> None:
        """Return when the base holds everything and the log nothing but its present segment. Nobody may write."""
        await self.settled()
        if len(self._table):
            self._freeze()
        self._flush()
        while self._frozen:
            self.check()
            await self._clock.sleep(0.01)

    async def close(self) -> None:
        """Make durable what is applied, and close the files."""
        with contextlib.suppress(StorageUnavailable, OSError):
            await self.settled()
            self.check()
            self._log.finish(self.synced, self.stamp())
        self.abandon()

    def abandon(self) -> None:
        """Close the files; what is not durable yet is lost."""
        self._failure = self._failure or "the engine is closed"
        self._closed = True
        self.base.stopping = self._log.stopping = True
        for worker in (self._committer, self._flusher, self._janitor):
            worker.close()
        self._log.close()
        self.base.close()

    # ---- the log

    def _commit(self) -> None:
        """Send what has gathered to the log, as one group; later when the base is far behind."""
        self._busy = True
        wait_s = self._pace.wait_s
        if len(self._frozen) > MAX_FROZEN and self._flushing:
            wait_s = max(wait_s, 0.02)  # as long as it takes: memory and log are bounded
        if wait_s > 0.0:
            asyncio.get_running_loop().call_later(wait_s, self._commit)
        else:
            self._commit_now()

    def _commit_now(self) -> None:
        if self._closed or not self._gathered:
            self._busy = self._wanted = False
            return
        try:
            self.before_commit()
        except Exception as error:  # what lacks its record is not acknowledged
            self._ended(self._undo[-1][0], error)
            raise
        if self._log.size > SEGMENT_BYTES or (self._frozen and self._log.size > TABLE_BYTES):
            self._roll()
        batches, self._gathered, self._wanted = self._gathered, [], False
        last, stamp = self._undo[-1][0], self.stamp()
        self._committer.run(lambda: self._log.write(batches, last, stamp), lambda error: self._ended(last, error))

    def _ended(self, last: int, error: Exception | None) -> None:
        self._busy = False
        if self._closed:
            return
        if error is not None:
            self._failed(error)
            return
        self.synced = last
        undo = self._undo
        synced = len(undo) if undo[-1][0] <= last else next(at for at, entry in enumerate(undo) if entry[0] > last)
        del undo[:synced]
        if len(self._frozen) >= MAX_FROZEN - 1:
            self._pace.slow_down(self._gathered, far_behind=len(self._frozen) >= MAX_FROZEN)
        if self._wanted:
            self._want()  # with what is read first: fewer, larger groups
        if self._frozen and not self._flushing:
            self._flush()
        if not self._watching:
            self._watch()
        self._written_at_s = self._clock.monotonic_s()
        tell(self._waiting.take(last), None)

    def _failed(self, error: Exception) -> None:
        """What was applied and not synced is gone; reads go on from what is durable."""
        self._refuse(error)
        self.losses += 1
        self._lost = self._failure or ""
        for _, table, undo in reversed(self._undo):
            table.revert(undo)
        for table in (*self._frozen, self._table):
            table.last = min(table.last, self.synced)
        self._undo.clear()
        self._gathered.clear()
        self._wanted = False
        self.applied = self.synced
        lost = self._waiting.take(None)
        for callback in self._on_failure:
            callback()
        tell(lost, StorageUnavailable(self._failure))

    def _refuse(self, error: Exception) -> None:
        self._full = is_full(error)
        self._failure = f"writes are refused: {'the disk is full' if self._full else error}"
        if self._full:
            asyncio.get_running_loop().call_later(RETRY_S, self._try_again)

    def _try_again(self) -> None:
        """After a full disk: let writes in again; the next one that does not fit closes the door again."""
        if self._full and not self._closed:
            self._full = False
            if self._log.is_open:
                self._failure = None
            self._want_spare()
            self._flush()

    def _roll(self) -> None:
        """Go on in a fresh segment, if there is one; see to it that the old one can go."""
        if self._log.has_spare:
            self._log.roll()
            if not self._frozen:
                self._freeze()
        self._want_spare()

    def _want_spare(self) -> None:
        if not self._log.has_spare and not self._making_spare:
            self._making_spare = True
            self._janitor.run(self._log.make_spare, self._spare_made)

    def _spare_made(self, error: Exception | None) -> None:
        self._making_spare = False
        if self._closed:
            return
        if error is not None:
            if not is_full(error) or not self._log.is_open:
                self._refuse(error)  # else the full disk will be met by the next write or by the next roll
        elif not self._log.is_open:
            self._log.roll()
            self._failure = None

    # ---- the base

    def _freeze(self) -> None:
        self._table.sort()
        self._table.stamp = self.stamp()
        self._frozen.append(self._table)
        self._table = MemTable()

    def _flush(self) -> None:
        """Write the oldest frozen table to the base, once all of it is durable in the log."""
        if self._flushing or self._closed or not self._frozen or self._frozen[0].last > self.synced:
            return
        self._flushing = True
        table = self._frozen[0]
        started_s = self._clock.monotonic_s()
        self._flusher.run(lambda: self.base.flush(table), lambda error: self._flushed(table, started_s, error))

    def _flushed(self, table: MemTable, started_s: float, error: Exception | None) -> None:
        self._flushing = False
        if self._closed:
            return
        if error is not None:
            if len(self._frozen) >= MAX_FROZEN or isinstance(error, DAMAGE):
                self._refuse(error)
            if not isinstance(error, DAMAGE):
                asyncio.get_running_loop().call_later(RETRY_S, self._flush)
            return
        took_s = max(0.001, self._clock.monotonic_s() - started_s - self.base.gave_way_s)
        if table.bytes > TABLE_BYTES // 4:
            self._pace.drained(table.bytes, took_s)
        self._frozen.remove(table)
        self.base.forget()
        self._flusher.run(table.release, lambda error: None)
        if len(self._frozen) < MAX_FROZEN - 1:
            self._pace.free()
        remove = self._log.take_removable(table.last)
        if remove is not None:
            self._janitor.run(remove, lambda error: None)
        self._flush()

    def _watch(self) -> None:
        """After writes, look once whether they have ended; then a small table goes to the base too."""
        self._watching = True
        asyncio.get_running_loop().call_later(QUIET_S, self._quiet)

    def _quiet(self) -> None:
        self._watching = False
        if self._closed:
            return
        if self._clock.monotonic_s() - self._written_at_s < QUIET_S / 2:
            self._watch()
        else:
            self.rest()

    def rest(self) -> None:
        """Nobody writes: let the base have what is worth the trouble."""
        if self._table.bytes > QUIET_BYTES and self._failure is None and not self._busy:
            self._roll()
            self._flush()
