"""What a replicated space still owes its replicas: a log of changed keys, and how far each replica has got.

The log names each write's key, its stamp and its request's context; the item itself is read when it is sent, so rapid
writes of one item travel once, as its newest version. Writes are numbered; those that become durable together share a
record (`records.py`), which is closed as their group leaves for the disk and removed once every replica has them.

A replica is CREATING while existing items are sent to it (`fill`), then ACTIVE. Both the fill and the log are sent in
spans of which several may be under way; a span that fails is sent again, with all that follow it.
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
from outlast.cloud.engine.version import SHARED, Version, decode

CREATING, ACTIVE = "CREATING", "ACTIVE"
SCAN_KEYS = 1000
MAX_RECENT = 4096


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One acknowledged write that waits for replicas."""

    number: int
    stamp: int
    key: bytes
    context: bytes


@dataclass(slots=True)
class Span:
    """A piece of a fill or of the log that is under way."""

    stream: Stream
    fill: bool
    last_number: int
    next_key: bytes
    final: bool
    stamps: list[int]
    done: bool = False


class Stream:
    """One replica of one space."""

    __slots__ = (
        "acked",
        "delay_s",
        "fill_acked",
        "fill_sent",
        "fill_spans",
        "identity",
        "kept_status",
        "log_spans",
        "not_before_s",
        "outbox",
        "paused",
        "peer",
        "scanned",
        "sent",
        "status",
    )

    def __init__(self, outbox: Outbox, peer: str, stored: bytes | None) -> None:
        self.outbox = outbox
        self.peer = peer
        self.paused = False
        self.not_before_s = 0.0
        self.delay_s = 0.0
        self.fill_spans: deque[Span] = deque()
        self.log_spans: deque[Span] = deque()
        self.load(stored)

    def load(self, stored: bytes | None) -> None:
        """Take the durable state: a status byte, the cursor, the peer's identity, where the fill goes on."""
        if stored is None:
            self.status, self.acked, self.identity, self.fill_acked = CREATING, self.outbox.last, b"", b""
        else:
            self.status = ACTIVE if stored[:1] == b"a" else CREATING
            self.acked = int.from_bytes(stored[1:9], "big")
            self.identity = stored[9:25].rstrip(b"\0")
            self.fill_acked = stored[25:]
        self.kept_status = self.status
        self.reset()

    def encode(self) -> bytes:
        """The durable state."""
        status = b"a" if self.status == ACTIVE else b"c"
        return status + self.acked.to_bytes(8, "big") + self.identity.ljust(16, b"\0") + self.fill_acked

    def reset(self) -> None:
        """Send again from what is acknowledged."""
        self.sent = self.acked
        self.fill_sent = self.fill_acked
        self.scanned = False
        self.fill_spans.clear()
        self.log_spans.clear()

    def restart(self, identity: bytes) -> None:
        """The peer has another identity than before (its data is gone): send everything to it."""
        self.identity = identity
        self.status = CREATING
        self.acked = self.outbox.last
        self.fill_acked = b""
        self.reset()

    @property
    def key(self) -> bytes:
        """Where the durable state is kept."""
        return layout.stream_prefix(self.outbox.number) + self.peer.encode()

    @property
    def backlog(self) -> int:
        """Logged writes that the peer has not acknowledged."""
        return self.outbox.last - self.acked

    @property
    def has_unsent(self) -> bool:
        """Whether something can be sent now, were the stream not paused."""
        return self.sent < self.outbox.last or (self.status == CREATING and not self.scanned)

    @property
    def n_unsent(self) -> int:
        """Logged writes that are not under way, and existing items, of which no one knows the number."""
        return self.outbox.last - self.sent + (SCAN_KEYS if self.status == CREATING and not self.scanned else 0)

    def done(self, span: Span) -> bool:
        """The peer has a span; whether the durable state moved."""
        spans = self.fill_spans if span.fill else self.log_spans
        if span not in spans:
            return False
        span.done = True
        moved = False
        while spans and spans[0].done:
            first = spans.popleft()
            moved = True
            if not first.fill:
                self.acked = first.last_number
            elif first.final:
                self.status, self.fill_acked = ACTIVE, b""
            else:
                self.fill_acked = first.next_key
        return moved


def restarted(stored: bytes) -> bytes:
    """The durable state of a stream, changed so that everything is sent; for a space that is not open."""
    return b"c" + stored[1:25]


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
