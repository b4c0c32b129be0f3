"""The metric store of a Region: acknowledged data is durable, memory and disk are bounded.

    put -> journal (one record a request, synced before the reply) + young buckets in memory
    flush (each minute, or when there are many) -> parts, by metric, level and span; then the journal goes
    roll up -> parts that are older than their level keeps move to the next coarser level

Each flush has a generation, which is in the keys of its journal and of its parts. A flush that a crash interrupted is
repeated whole: it writes the same keys. Until it is over, readers take its buckets from memory and pass over its
parts, so nothing counts twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import orjson

from outlast.cloud.contract import Region
from outlast.cloud.engine import StorageUnavailable
from outlast.cloud.engine.transaction import Transaction
from outlast.cloud.services.cloudwatch.store.book import Book, Identity
from outlast.cloud.services.cloudwatch.store.bucket import Bucket
from outlast.cloud.services.cloudwatch.store.parts import (
    FINE,
    LEVELS,
    MINUTE,
    Level,
    bucket_of,
    pack,
    part_key,
    part_range,
    read_key,
    row,
    unpack,
    unpack_totals,
)

log = logging.getLogger("outlast.cloudwatch")

FLUSH_AFTER_S = 60.0
FLUSH_BUCKETS = 40_000
MOST_BUCKETS = 160_000
SLICE_SERIES = 100
SLICE_ROWS = 500
GENERATION = b"generation"
_NONE: dict[int, Bucket] = {}

Young = dict[int, dict[int, Bucket]]
"""Series number -> (time in seconds, doubled, odd for the finest level) -> bucket."""


@dataclass(frozen=True, slots=True)
class Datum:
    """One value, or one bucket of values, for one second (`fine`) or one minute."""

    identity: Identity
    time_s: int
    fine: bool
    value: float | Bucket


class MetricStore:
    """All metric data of one Region."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._engine = region.engine
        self.book = Book(region.engine)
        self._parts = region.engine.space("cloudwatch/parts")
        self._journal = region.engine.space("cloudwatch/journal")
        self._meta = region.engine.space("cloudwatch/meta")
        self._young: Young = {}
        self._n_young = 0
        self._ageing: dict[int, Young] = {}
        self._written = 0
        self._full = asyncio.Event()
        self._dirty = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        known = self._meta.get(GENERATION)
        self._generation = int.from_bytes(known, "big") + 1 if known else 1
        region.engine.store.on_failure(self.book.doubt)
        self._replay()

    # ---- opening

    def _replay(self) -> None:
        """Take the journal's data into memory again; an older generation was being flushed when the Region died."""
        generations: dict[int, Young] = {}
        for key, packed in self._journal.range():
            generation = int.from_bytes(key[:8], "big")
            young = generations.setdefault(generation, {})
            for number, slot, *found in orjson.loads(packed):
                self._add(young, number, slot, bucket_of(found))
        if generations:
            self._ageing = generations
            self._generation = max(self._generation, max(generations) + 1)
            self._full.set()
            self._dirty.set()

    # ---- putting

    async def room(self) -> None:
        """Wait while there is more unflushed data than memory is given."""
        await self._room.wait()

    def put(self, data: Sequence[Datum]) -> None:
        """Take the data in; durable when the engine has settled. Raises TooManySeries before anything is taken."""
        known = self.book.number
        new = {datum.identity for datum in data if known(datum.identity) is None}
        self.book.check_room(len(new))
        rows: list[list[object]] = []
        placed: list[tuple[int, int, float | Bucket]] = []
        try:
            with self._engine.begin() as tx:
                self.book.assure(tx)
                numbers = {identity: self.book.enter(identity, tx) for identity in sorted(new)}
                for datum in data:
                    number = known(datum.identity) or numbers[datum.identity]
                    slot = datum.time_s * 2 + 1 if datum.fine else datum.time_s // 60 * 120
                    value = datum.value
                    placed.append((number, slot, value))
                    rows.append([number, slot, *row(value)] if isinstance(value, Bucket) else [number, slot, value])
                self._written += 1
                key = self._generation.to_bytes(8, "big") + self._written.to_bytes(8, "big")
                tx.put(self._journal, key, orjson.dumps(rows))
        except StorageUnavailable:
            self.book.doubt()
            raise
        self._take(placed)

    def put_unjournalled(self, data: Iterable[Datum]) -> None:
        """Take data of known series in without making it durable: when storage refuses writes."""
        placed = []
        for datum in data:
            number = self.book.number(datum.identity)
            if number is not None:
                slot = datum.time_s * 2 + 1 if datum.fine else datum.time_s // 60 * 120
                placed.append((number, slot, datum.value))
        self._take(placed)

    def _take(self, placed: Iterable[tuple[int, int, float | Bucket]]) -> None:
        young = self._young
        for number, slot, value in placed:
            slots = young.get(number)
            if slots is None:
                slots = young[number] = {}
            bucket = slots.get(slot)
            if bucket is None:
                slots[slot] = value.copy() if isinstance(value, Bucket) else Bucket.of(value)
                self._n_young += 1
            elif isinstance(value, Bucket):
                bucket.merge(value)
            else:
                bucket.add(value)
        self._dirty.set()
        if self._n_young >= FLUSH_BUCKETS:
            self._full.set()
            if self._n_young >= MOST_BUCKETS:
                self._room.clear()

    @staticmethod
    def _add(young: Young, number: int, slot: int, bucket: Bucket) -> None:
        slots = young.setdefault(number, {})
        present = slots.get(slot)
        if present is None:
            slots[slot] = bucket
        else:
            present.merge(bucket)

    # ---- reading

    def buckets(self, number: int, first_s: int, end_s: int) -> Iterator[tuple[int, Bucket]]:
        """The buckets of a series whose times lie in [first_s, end_s), in no order; treat them as read-only."""
        for start_s, packed in self._packed(number, first_s, end_s):
            for time_s, bucket in unpack(start_s, packed):
                if first_s <= time_s < end_s:
                    yield time_s, bucket
        yield from self._in_memory(number, first_s, end_s)

    def totals(self, number: int, first_s: int, end_s: int) -> Iterator[tuple[int, float, float, float, float]]:
        """As `buckets`: time, count, sum, minimum and maximum, without the values."""
        for start_s, packed in self._packed(number, first_s, end_s):
            for found in unpack_totals(start_s, packed):
                if first_s <= found[0] < end_s:
                    yield found
        for time_s, bucket in self._in_memory(number, first_s, end_s):
            yield time_s, bucket.count, bucket.total, bucket.low, bucket.high

    def _packed(self, number: int, first_s: int, end_s: int) -> Iterator[tuple[int, bytes]]:
        """Starts of spans and contents of the parts that count."""
        being_flushed = [generation for generation, young in self._ageing.items() if number in young]
        now_s = self._region.clock.now_s()
        for level in LEVELS:
            if level.number >= 2 and first_s >= now_s - LEVELS[level.number - 1].kept_s:
                return  # only what its finer level keeps no longer gets there
            start, end = part_range(level, number, first_s, end_s)
            for key, packed in self._parts.range(start, end):
                _, _, start_s, generation = read_key(key)
                if generation not in being_flushed:
                    yield start_s, packed

    def _in_memory(self, number: int, first_s: int, end_s: int) -> Iterator[tuple[int, Bucket]]:
        for young in (*self._ageing.values(), self._young):
            for slot, bucket in young.get(number, _NONE).items():
                if first_s <= slot >> 1 < end_s:
                    yield slot >> 1, bucket

    def last_s(self, number: int) -> int | None:
        """The time of the newest bucket of a series."""
        newest = [slot >> 1 for young in (*self._ageing.values(), self._young) for slot in young.get(number, ())]
        if newest:
            return max(newest)
        for level in LEVELS:
            start, end = part_range(level, number, 0, (1 << 32) - 2)
            for key, packed in self._parts.range(start, end, reverse=True):
                newest.append(max(time_s for time_s, _ in unpack(read_key(key)[2], packed)))
                break
        return max(newest, default=None)

    # ---- flushing

    async def flush_for_ever(self) -> None:
        """Flush when there is reason to; sleeps while nothing comes in. Runs until cancelled."""
        while True:
            await self._dirty.wait()
            await self._full_or(FLUSH_AFTER_S)
            try:
                await self.flush()
            except StorageUnavailable:  # metrics stay in memory; the engine has told that writes are refused
                await self._region.clock.sleep(5.0)

    async def _full_or(self, seconds: float) -> None:
        pause = asyncio.ensure_future(self._region.clock.sleep(seconds))
        full = asyncio.ensure_future(self._full.wait())
        try:
            await asyncio.wait((pause, full), return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()
            full.cancel()

    async def flush(self) -> None:
        """Move what is in memory into parts, a slice at a time."""
        if self._young:
            self._ageing[self._generation] = self._young
            self._young, self._n_young = {}, 0
            self._generation += 1
        for generation in sorted(self._ageing):
            await self._flush_generation(generation)
        if not self._young:
            self._dirty.clear()
        if self._n_young < FLUSH_BUCKETS:
            self._full.clear()
        self._room.set()

    async def _flush_generation(self, generation: int) -> None:
        ageing = self._ageing[generation]
        numbers = sorted(ageing)
        for start in range(0, len(numbers), SLICE_SERIES):
            with self._engine.begin() as tx:
                tx.put(self._meta, GENERATION, self._generation.to_bytes(8, "big"))
                for number in numbers[start : start + SLICE_SERIES]:
                    self._put_parts(tx, generation, number, ageing[number])
            for number in numbers[start : start + SLICE_SERIES]:
                del ageing[number]
            await self._region.clock.sleep(0)
        del self._ageing[generation]
        await self._engine.settled()
        await self._clear_journal(generation)

    def _put_parts(self, tx: Transaction, generation: int, number: int, slots: dict[int, Bucket]) -> None:
        spans: dict[tuple[int, int], list[tuple[int, Bucket]]] = {}
        for slot in sorted(slots):
            level = FINE if slot & 1 else MINUTE
            time_s = slot >> 1
            spans.setdefault((level.number, time_s // level.span_s * level.span_s), []).append((time_s, slots[slot]))
        for (level_number, start_s), buckets in spans.items():
            key = part_key(LEVELS[level_number], number, start_s, generation)
            tx.put(self._parts, key, pack(start_s, buckets))

    async def _clear_journal(self, up_to: int) -> None:
        while True:
            keys = []
            for key, _ in self._journal.range(b"", (up_to + 1).to_bytes(8, "big")):
                keys.append(key)
                if len(keys) >= SLICE_ROWS:
                    break
            if not keys:
                return
            with self._engine.begin() as tx:
                for key in keys:
                    tx.delete(self._journal, key)
            await self._region.clock.sleep(0)

    # ---- growing old

    def next_generation(self, tx: Transaction) -> int:
        """A generation for parts that are rewritten."""
        self._generation += 1
        tx.put(self._meta, GENERATION, self._generation.to_bytes(8, "big"))
        return self._generation - 1

    def aged(self, level: Level, number: int, now_s: int) -> list[tuple[bytes, int, bytes]]:
        """Parts of a series that their level keeps no longer: key, start of the span, content."""
        limit = now_s - level.kept_s - level.span_s
        if limit <= 0:
            return []
        start, end = part_range(level, number, 0, limit - 1)
        return [(key, read_key(key)[2], packed) for key, packed in self._parts.range(start, end)]

    def finished(self, level: Level, number: int, first_s: int, last_s: int) -> list[tuple[bytes, int, bytes]]:
        """Parts of a series in a stretch of time, but for those of a flush under way: key, start of span, content."""
        start, end = part_range(level, number, first_s, last_s)
        found = ((key, read_key(key), packed) for key, packed in self._parts.range(start, end))
        return [(key, fields[2], packed) for key, fields, packed in found if fields[3] not in self._ageing]

    def rewrite(self, tx: Transaction, key: bytes, packed: bytes | None) -> None:
        """Put or remove a part."""
        if packed is None:
            tx.delete(self._parts, key)
        else:
            tx.put(self._parts, key, packed)
