"""What a replicated space still owes its replicas: a log of changed keys, and how far each replica has got.

The log names each write's key, its stamp and its request's context; the item itself is read when it is sent, so rapid
writes of one item travel once, as its newest version. Writes are numbered; those that become durable together share a
record (`records.py`), which is closed as their group leaves for the disk and removed once every replica has them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, takewhile

from outlast.cloud.engine import layout
from outlast.cloud.engine.layout import Writes
from outlast.cloud.engine.ledger import lost_key
from outlast.cloud.engine.records import MAX_WRITES, Write, n_writes, pack_record, read_record
from outlast.cloud.engine.store import Store
from outlast.cloud.engine.streams import SCAN_KEYS, Span, Stream
from outlast.cloud.engine.version import SHARED, Version, decode

MAX_RECENT = 4096


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One acknowledged write that waits for replicas."""

    number: int
    stamp: int
    key: bytes
    context: bytes


class Outbox:
    """The replication log of one space and its streams."""

    __slots__ = (
        "_ends",
        "_ends_after",
        "_open",
        "_prefix",
        "_recent",
        "_store",
        "last",
        "name",
        "number",
        "streams",
        "trimmed",
    )

    def __init__(self, store: Store, name: str, number: int, peers: tuple[str, ...]) -> None:
        self._store = store
        self._prefix = layout.log_prefix(number)
        self.name = name
        self.number = number
        self.last = 0
        self.trimmed = 0
        self._open: list[Write] = []  # the newest writes, which have no record yet
        self._recent: list[Write] = []  # those before them, as a replica that keeps up wants them
        self._ends: deque[int] = deque()  # the last write of each of the newest records
        self._ends_after = 0  # the write before the first of those records
        self.streams: dict[str, Stream] = {}
        for peer in peers:
            self.streams[peer] = Stream(self, peer, None)
        self.load()

    def load(self) -> None:
        """Take the durable state again."""
        self._recent.clear()
        self._open.clear()
        self._ends.clear()
        prefix = layout.stream_prefix(self.number)
        stored = {peer: self._store.get(prefix + peer.encode()) for peer in self.streams}
        end = layout.successor(self._prefix)
        first = next(self._store.range(self._prefix, end), None)
        last = next(self._store.range(self._prefix, end, reverse=True), None)
        known = [int.from_bytes(state[1:9], "big") for state in stored.values() if state is not None]
        self.last = max([*known, 0 if last is None else int.from_bytes(last[0][-8:], "big")])
        self._ends_after = self.last
        self.trimmed = self.last if first is None else int.from_bytes(first[0][-8:], "big") - n_writes(first[1])
        for peer, stream in self.streams.items():
            stream.load(stored[peer])

    def log_key(self, number: int) -> bytes:
        """Where the record is kept whose last write has that number."""
        return self._prefix + number.to_bytes(8, "big")

    def append(self, write: Write) -> None:
        """Log a write of the open transaction; `close` must follow before its group leaves for the disk."""
        self.last += 1
        self._open.append(write)

    def close(self, writes: Writes) -> None:
        """Add to `writes` the records of what was logged since the last call."""
        opened, self._open = self._open, []
        end = self.last - len(opened)
        self._recent += opened
        del self._recent[:-MAX_RECENT]
        for at in range(0, len(opened), MAX_WRITES):
            piece = opened[at : at + MAX_WRITES]
            end += len(piece)
            writes[self._prefix + end.to_bytes(8, "big")] = pack_record(piece)
            self._ends.append(end)
            if len(self._ends) > MAX_RECENT:
                self._ends_after = self._ends.popleft()

    def forget_open(self) -> None:
        """Nobody is owed what has no record yet."""
        self.last = self._closed
        self._open.clear()

    def records(self, after: int) -> Iterator[LogRecord]:
        """Logged writes with greater numbers, in order; lazy, consume without awaiting."""
        for number, (stamp, key, context) in self._writes(after):
            yield LogRecord(number, stamp, key, context)

    @property
    def _closed(self) -> int:
        """The last write that has a record; `_recent` ends with it and has no holes."""
        return self.last - len(self._open)

    def _writes(self, after: int) -> Iterator[tuple[int, Write]]:
        closed = self._closed
        recent_after = closed - len(self._recent)
        if after < recent_after:
            for key, record in self._store.range(self.log_key(after + 1), layout.successor(self._prefix)):
                number = int.from_bytes(key[-8:], "big") - n_writes(record)
                for write in read_record(record):
                    number += 1
                    if number > after:
                        yield number, write
                after = number
                if after >= recent_after:
                    break
        if after < closed:
            yield from enumerate(self._recent[max(0, after - recent_after) :], max(after, recent_after) + 1)
        yield from enumerate(self._open[max(0, after - closed) :], max(after, closed) + 1)

    def unfilled(self, stream: Stream) -> Iterator[tuple[bytes, Version]]:
        """Existing items that a replica has not acknowledged, by key; lazy, consume without awaiting."""
        prefix = layout.item_prefix(self.number)
        for raw, stored in self._store.range(prefix + stream.fill_acked, layout.successor(prefix)):
            yield raw[layout.PREFIX_BYTES :], decode(stored)

    def trim(self, limit: int, writes: Writes) -> bool:
        """Remove up to `limit` records that every replica has; whether more may remain to be removed."""
        needed = min((stream.acked for stream in self.streams.values()), default=self.last)
        gone = self._first_ends(needed, limit)
        if gone:
            for end in gone:
                writes[self.log_key(end)] = None
            del self._recent[: max(0, gone[-1] - (self._closed - len(self._recent)))]
            self.trimmed = gone[-1]
            while self._ends and self._ends[0] <= self.trimmed:
                self._ends_after = self._ends.popleft()
        return len(gone) >= limit

    def _first_ends(self, needed: int, limit: int) -> list[int]:
        """The last writes of up to `limit` records, the oldest ones, none of them greater than `needed`."""
        if needed <= self.trimmed:
            return []
        if self.trimmed >= self._ends_after:
            return list(islice(takewhile(lambda end: end <= needed, self._ends), limit))
        found = self._store.range(self.log_key(self.trimmed + 1), self.log_key(needed + 1))
        return [int.from_bytes(key[-8:], "big") for key, _ in islice(found, limit)]

    def next_log_span(
        self, stream: Stream, own: int, n_items: int, n_bytes: int
    ) -> tuple[Span, list[tuple[bytes, bytes]]]:
        """The next piece of the log for a replica, marked as under way: its span and the items, as `owed` has them."""
        stream.sent, items, stamps = self.owed(stream.sent, own, n_items, n_bytes)
        span = Span(stream, False, stream.sent, b"", False, stamps)
        stream.log_spans.append(span)
        return span, items

    def owed(
        self, after: int, own: int, n_items: int, n_bytes: int
    ) -> tuple[int, list[tuple[bytes, bytes]], list[int]]:
        """A piece of the log after a record: the last record's number, the items, newest versions, the writes' stamps.

        A write made here (by Region number `own`) that has lost a conflict meanwhile goes along, so that the replica
        can note the conflict too.
        """
        items: list[tuple[bytes, bytes]] = []
        sent: set[bytes] = set()
        stamps: list[int] = []
        last = after
        prefix = layout.item_prefix(self.number)
        get = self._store.get
        for number, (stamp, key, _) in islice(self._writes(after), n_items):
            last = number
            stamps.append(stamp)
            stored = get(prefix + key)
            if stored is not None:
                if stored[1] != own or stored[0] & SHARED:  # others have written it as well
                    lost = get(lost_key(self.name, key, stamp))
                    if lost is not None:
                        items.append((key, lost))
                        n_bytes -= len(lost) + len(key)
                if key not in sent:
                    sent.add(key)
                    items.append((key, stored))
                    n_bytes -= len(stored) + len(key)
            if n_bytes <= 0:
                break
        return last, items, stamps

    def next_fill_span(self, stream: Stream, n_items: int, n_bytes: int) -> tuple[Span, list[tuple[bytes, bytes]]]:
        """The next piece of the existing items, also of those that the replica wrote: it may have dropped them."""
        prefix = layout.item_prefix(self.number)
        start = prefix + stream.fill_sent
        items: list[tuple[bytes, bytes]] = []
        last, final = stream.fill_sent, True
        for seen, (raw, stored) in enumerate(self._store.range(start, layout.successor(prefix))):
            if len(items) >= n_items or n_bytes <= 0 or seen >= SCAN_KEYS:
                final = False
                break
            key = raw[layout.PREFIX_BYTES :]
            last = key + b"\0"
            items.append((key, stored))
            n_bytes -= len(stored) + len(key)
        stream.fill_sent = last
        stream.scanned = final
        span = Span(stream, True, 0, last, final, [])
        stream.fill_spans.append(span)
        return span, items
