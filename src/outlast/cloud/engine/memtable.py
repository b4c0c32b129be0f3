"""Recent writes in memory, in key order.

Values are plain `bytes` in one dictionary, which the garbage collector does not walk. Keys are kept sorted in short
lists, brought up to date when a range is asked for, so that writes do not pay for it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from outlast.cloud.engine import layout
from outlast.cloud.engine.layout import Writes

CHUNK_KEYS = 512
MAX_FRESH = 1024
ENTRY_BYTES = 160
MISSING = b"\0missing"  # compared by identity
LOG_KIND = layout.LOG[0]

Undo = list[tuple[bytes, bytes | None]]


class MemTable:
    """A map of the newest values; None marks a deletion. `last` is the number of the newest commit in it,
    `stamp` one of the clock's that no write in it passes."""

    __slots__ = ("_chunks", "_fresh", "_lasts", "bytes", "data", "last", "stamp")

    def __init__(self) -> None:
        self.data: Writes = {}
        self.bytes = 0
        self.last = 0
        self.stamp = 0
        self._chunks: list[list[bytes]] = []
        self._lasts: list[bytes] = []
        self._fresh: list[bytes] = []

    def __len__(self) -> int:
        return len(self.data)

    def apply(self, writes: Writes, number: int) -> Undo:
        """Take the writes of commit `number`; what they replaced."""
        data = self.data
        undo: Undo = []
        size = 0
        for key, value in writes.items():
            old = data.get(key, MISSING)
            undo.append((key, old))
            if old is MISSING:
                self._fresh.append(key)
                size += len(key) + ENTRY_BYTES
            elif old is not None:
                size -= len(old)
                if value is None and key[0] == LOG_KIND:
                    # A replication record that came and went: the base below never heard of it.
                    del data[key]
                    size -= len(key) + ENTRY_BYTES
                    continue
            if value is not None:
                size += len(value)
            data[key] = value
        self.bytes += size
        self.last = number
        if len(self._fresh) > MAX_FRESH:
            self.sort()
        return undo

    def revert(self, undo: Undo) -> None:
        """Take back the newest commit."""
        for key, old in reversed(undo):
            if old is MISSING:
                self.data.pop(key, None)
            else:
                if key not in self.data:
                    self._fresh.append(key)
                self.data[key] = old

    def rows(self, start: bytes, end: bytes, limit: int, reverse: bool) -> list[tuple[bytes, bytes | None]]:
        """Up to `limit` entries with `start` <= key < `end`: the first ones, or in reverse order the last ones."""
        if not self.data:
            return []
        self.sort()
        lasts = self._lasts
        if start > lasts[-1]:
            return []
        return self._last_rows(start, end, limit) if reverse else self._first_rows(start, end, limit)

    def _first_rows(self, start: bytes, end: bytes, limit: int) -> list[tuple[bytes, bytes | None]]:
        data, found = self.data, list[tuple[bytes, bytes | None]]()
        number = bisect_left(self._lasts, start)
        at = bisect_left(self._chunks[number], start)
        while number < len(self._chunks):
            chunk = self._chunks[number]
            stop = len(chunk) if chunk[-1] < end else bisect_left(chunk, end)
            until = min(stop, at + limit - len(found))
            found += [(key, data[key]) for key in chunk[at:until] if key in data]
            if len(found) >= limit or (until == stop < len(chunk)):
                break
            if until == stop:
                number, at = number + 1, 0
            else:
                at = until
        return found

    def _last_rows(self, start: bytes, end: bytes, limit: int) -> list[tuple[bytes, bytes | None]]:
        data, found = self.data, list[tuple[bytes, bytes | None]]()
        number = min(bisect_left(self._lasts, end), len(self._chunks) - 1)
        stop = bisect_left(self._chunks[number], end)
        while True:
            chunk = self._chunks[number]
            low = 0 if chunk[0] >= start else bisect_left(chunk, start)
            down_to = max(low, stop - limit + len(found))
            found += [(key, data[key]) for key in reversed(chunk[down_to:stop]) if key in data]
            if len(found) >= limit or (down_to == low and (low > 0 or number == 0)):
                break
            if down_to == low:
                number -= 1
                stop = len(self._chunks[number])
            else:
                stop = down_to
        return found

    def sort(self) -> None:
        """Bring the order of keys up to date."""
        fresh = self._fresh
        if not fresh:
            return
        self._fresh = []
        chunks, lasts = self._chunks, self._lasts
        fresh = sorted({key for key in fresh if key in self.data})
        if not chunks:
            for at in range(0, len(fresh), CHUNK_KEYS):
                chunks.append(fresh[at : at + CHUNK_KEYS])
                lasts.append(chunks[-1][-1])
            return
        for key in fresh:
            number = bisect_left(lasts, key)
            if number == len(lasts):
                number -= 1
                chunks[number].append(key)
                lasts[number] = key
            else:
                chunk = chunks[number]
                place = bisect_left(chunk, key)
                if chunk[place] == key:
                    continue  # it came back after it had gone
                chunk.insert(place, key)
            if len(chunks[number]) > 2 * CHUNK_KEYS:
                half = chunks[number][CHUNK_KEYS:]
                del chunks[number][CHUNK_KEYS:]
                lasts[number] = chunks[number][-1]
                chunks.insert(number + 1, half)
                lasts.insert(number + 1, half[-1])

    def ordered(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Every entry in key order, as of the last `sort`. Reads only, so any thread may walk a table at rest."""
        data = self.data
        for chunk in self._chunks:
            for key in chunk:
                value = data.get(key, MISSING)
                if value is not MISSING:
                    yield key, value

    def release(self) -> None:
        """Let the memory go, in small steps so that other threads get their turn."""
        while self.data:
            self.data.popitem()
        while self._chunks:
            self._chunks.pop()
