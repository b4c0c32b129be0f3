"""What a replicated space still owes its replicas: a log of changed keys, and how far each replica has got.

The log names each write's key, its stamp and its request's context; the item itself is read when it is sent, so rapid
writes of one item travel once, as its newest version. Writes are numbered; those that become durable together share a
record (`records.py`), which is closed as their group leaves for the disk and removed once every replica has them.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, takewhile
from operator import itemgetter

from outlast.cloud.engine import layout
from outlast.cloud.engine.layout import Writes
from outlast.cloud.engine.ledger import lost_key
from outlast.cloud.engine.messages import Section
from outlast.cloud.engine.records import MAX_WRITES, Record, Write, n_writes, read_record
from outlast.cloud.engine.store import Store
from outlast.cloud.engine.streams import SCAN_KEYS, Span, Stream
from outlast.cloud.engine.version import SHARED, Version, decode

MAX_RECENT = 4096
FLAGS, ORIGIN = itemgetter(0), itemgetter(1)
"""Of what is stored for an item, as `version` lays it out."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One acknowledged write that waits for replicas."""

    number: int
    stamp: int
    key: bytes
    context: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """Writes of the log that follow one another: the last one's number, the stamps of all, and what to send for them:
    their items and how many bytes those are."""

    last: int
    stamps: Sequence[int]
    section: Section
    n_bytes: int


class Outbox:
    """The replication log of one space and its streams."""

    __slots__ = (
        "_closed",
        "_ends",
        "_ends_after",
        "_items",
        "_open",
        "_prefix",
        "_recent_keys",
        "_recent_stamps",
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
        self._items = layout.item_prefix(number)
        self.name = name
        self.number = number
        self.last = 0
        self.trimmed = 0
        self._closed = 0  # the last write that the store has a record of
        self._open: list[Record] = []  # records of those after it, the last one still growing
        self._recent_stamps = array("Q")  # the newest writes, those that some replica lacks if it keeps up; no holes
        self._recent_keys: list[bytes] = []
        self._ends: deque[int] = deque()  # the last write of each of the newest records
        self._ends_after = 0  # the write before the first of those records
        self.streams: dict[str, Stream] = {}
        for peer in peers:
            self.streams[peer] = Stream(self, peer, None)
        self.load()

    def load(self) -> None:
        """Take the durable state again."""
        del self._recent_stamps[:]
        self._recent_keys.clear()
        self._open.clear()
        self._ends.clear()
        prefix = layout.stream_prefix(self.number)
        stored = {peer: self._store.get(prefix + peer.encode()) for peer in self.streams}
        end = layout.successor(self._prefix)
        first = next(self._store.range(self._prefix, end), None)
        last = next(self._store.range(self._prefix, end, reverse=True), None)
        known = [int.from_bytes(state[1:9], "big") for state in stored.values() if state is not None]
        self.last = max([*known, 0 if last is None else int.from_bytes(last[0][-8:], "big")])
        self._ends_after = self._closed = self.last
        self.trimmed = self.last if first is None else int.from_bytes(first[0][-8:], "big") - n_writes(first[1])
        for peer, stream in self.streams.items():
            stream.load(stored[peer])
            if stream.acked < self.trimmed:
                stream.restart(stream.identity)  # the log does not tell all that it lacks

    def log_key(self, number: int) -> bytes:
        """Where the record is kept whose last write has that number."""
        return self._prefix + number.to_bytes(8, "big")

    def append(self, stamp: int, raw: bytes, context: bytes) -> None:
        """Log a write of a transaction; `close` must follow before its group leaves for the disk."""
        self.last += 1
        self._recent_stamps.append(stamp)
        self._recent_keys.append(raw)
        opened = self._open
        if not opened or opened[-1].n_writes == MAX_WRITES:
            opened.append(Record())
        opened[-1].add(stamp, raw, context)

    def close(self, writes: Writes) -> None:
        """Add to `writes` the records of what was logged since the last call."""
        for record in self._open:
            self._closed += record.n_writes
            writes[self._prefix + self._closed.to_bytes(8, "big")] = record.pack()
            self._ends.append(self._closed)
            if len(self._ends) > MAX_RECENT:
                self._ends_after = self._ends.popleft()
        self._open.clear()
        everywhere = min([stream.acked for stream in self.streams.values()], default=self.last)
        self._forget_recent(max(everywhere - self._recent_after, len(self._recent_keys) - MAX_RECENT))

    def _forget_recent(self, n_writes: int) -> None:
        if n_writes > 0:
            del self._recent_stamps[:n_writes]
            del self._recent_keys[:n_writes]

    def forget_open(self) -> None:
        """Nobody is owed what has no record yet."""
        n_kept = max(0, self._closed - self._recent_after)
        del self._recent_stamps[n_kept:]
        del self._recent_keys[n_kept:]
        self.last = self._closed
        self._open.clear()

    def records(self, after: int) -> Iterator[LogRecord]:
        """Logged writes with greater numbers, in order; lazy, consume without awaiting."""
        for number, (stamp, raw, context) in self._writes(after):
            yield LogRecord(number, stamp, raw[layout.PREFIX_BYTES :], context)

    def first_stamp(self, after: int) -> int | None:
        """The stamp of the first logged write with a greater number; None when there is none."""
        at = after - self._recent_after
        if 0 <= at < len(self._recent_keys):
            return self._recent_stamps[at]
        first = next(self._writes(after), None)
        return None if first is None else first[1][0]

    @property
    def _recent_after(self) -> int:
        """The write before the recent ones."""
        return self.last - len(self._recent_keys)

    def _writes(self, after: int) -> Iterator[tuple[int, Write]]:
        closed = self._closed
        records: Iterable[tuple[int, bytes]] = ()
        if after < closed:
            stored = self._store.range(self.log_key(after + 1), self.log_key(closed + 1))
            records = ((int.from_bytes(key[-8:], "big") - n_writes(record), record) for key, record in stored)
        for before, record in chain(records, self._opened()):
            for number, write in enumerate(read_record(record, self._items), before + 1):
                if number > after:
                    yield number, write

    def _opened(self) -> Iterator[tuple[int, bytes]]:
        """The records that are not closed, each with the number of the write before it."""
        number = self._closed
        for record in self._open:
            yield number, record.pack()
            number += record.n_writes

    def _following(self, after: int, limit: int) -> tuple[Sequence[int], list[bytes]]:
        """Up to `limit` writes that follow one: their stamps and their items' store keys."""
        at = after - self._recent_after
        if at < 0:
            found = [write for _, write in islice(self._writes(after), limit)]
            return [stamp for stamp, _, _ in found], [raw for _, raw, _ in found]
        return self._recent_stamps[at : at + limit], self._recent_keys[at : at + limit]

    def unfilled(self, stream: Stream) -> Iterator[tuple[bytes, Version]]:
        """Existing items that a replica has not acknowledged, by key; lazy, consume without awaiting."""
        prefix = self._items
        for raw, stored in self._store.range(prefix + stream.fill_acked, layout.successor(prefix)):
            yield raw[layout.PREFIX_BYTES :], decode(stored)

    def trim(self, limit: int, writes: Writes) -> bool:
        """Remove up to `limit` records that every replica is kept to have; whether more may remain to be removed."""
        needed = min((stream.kept_acked for stream in self.streams.values()), default=self.last)
        gone = self._first_ends(needed, limit)
        if gone:
            for end in gone:
                writes[self.log_key(end)] = None
            self._forget_recent(gone[-1] - self._recent_after)
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

    def next_log_span(self, stream: Stream, own: int, n_items: int, n_bytes: int) -> tuple[Span, Section, int]:
        """The next piece of the log for a replica, marked as under way: its span, and the items and bytes as `owed`."""
        piece = self.owed(stream.sent, own, n_items, n_bytes)
        stream.sent = piece.last
        span = Span(stream, False, stream.sent, b"", False, piece.stamps)
        stream.log_spans.append(span)
        return span, piece.section, piece.n_bytes

    def owed(self, after: int, own: int, n_items: int, n_bytes: int) -> Piece:
        """The log's writes after one, up to so many, or until their items have so many bytes: the newest versions.

        A write made here (by Region number `own`) that has lost a conflict meanwhile goes along, so that the replica
        can note the conflict too.
        """
        stamps, raws = self._following(after, n_items)
        found = self._store.get_all(raws)
        newest = dict(zip(raws, found, strict=True))
        whole = [stored for stored in newest.values() if stored is not None]
        size = sum(map(len, newest)) - layout.PREFIX_BYTES * len(newest) + sum(map(len, whole))
        is_plain = len(whole) == len(newest) and size < n_bytes
        if not is_plain or set(map(ORIGIN, whole)) - {own} or any(flags & SHARED for flags in set(map(FLAGS, whole))):
            return self._owed_by_turns(after, own, stamps, zip(raws, found, strict=True), n_bytes)
        keys = [raw[layout.PREFIX_BYTES :] for raw in newest]
        return Piece(after + len(stamps), stamps, Section(self.name, keys, whole), size)

    def _owed_by_turns(
        self, after: int, own: int, stamps: Sequence[int], found: Iterator[tuple[bytes, bytes | None]], n_bytes: int
    ) -> Piece:
        """As `owed`, where items are gone, others have written them as well, or there are more bytes than wanted."""
        keys: list[bytes] = []
        whole: list[bytes] = []
        sent: set[bytes] = set()
        left = n_bytes
        n_taken = 0
        for stamp, (raw, stored) in zip(stamps, found, strict=True):
            n_taken += 1
            if stored is not None:
                key = raw[layout.PREFIX_BYTES :]
                versions = [] if raw in sent else [stored]
                sent.add(raw)
                if stored[1] != own or stored[0] & SHARED:  # others have written it as well
                    lost = self._store.get(lost_key(self.name, key, stamp))
                    if lost is not None:
                        versions.insert(0, lost)
                for version in versions:
                    keys.append(key)
                    whole.append(version)
                    left -= len(version) + len(key)
            if left <= 0:
                break
        return Piece(after + n_taken, stamps[:n_taken], Section(self.name, keys, whole), n_bytes - left)

    def next_fill_span(self, stream: Stream, n_items: int, n_bytes: int) -> tuple[Span, Section, int]:
        """The next piece of the existing items, also of those that the replica wrote: it may have dropped them."""
        prefix = self._items
        start = prefix + stream.fill_sent
        keys: list[bytes] = []
        whole: list[bytes] = []
        left = n_bytes
        last, final = stream.fill_sent, True
        for raw, stored in self._store.range(start, layout.successor(prefix)):
            if len(keys) >= min(n_items, SCAN_KEYS) or left <= 0:
                final = False
                break
            key = raw[layout.PREFIX_BYTES :]
            last = key + b"\0"
            keys.append(key)
            whole.append(stored)
            left -= len(stored) + len(key)
        stream.fill_sent = last
        stream.scanned = final
        span = Span(stream, True, 0, last, final, [])
        stream.fill_spans.append(span)
        return span, Section(self.name, keys, whole), n_bytes - left
