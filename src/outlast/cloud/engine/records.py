"""The replication log's records: one for the writes of a space that become durable together. Pure.

A record is kept under the number of the last write in it, so that a scan from any number on begins with the record
that holds it:

    1 byte   0xFE
    4 bytes  how many writes
    for each its stamp (8), the lengths of its item's store key (4) and of its request's context (2), the key, the
             context

Logs of before have such groups with 0xFF and keys without the space's prefix, and before that a record for each write:
stamp (8), length of the key (4), key, context. No stamp begins with 0xFE before the year 10,800.
"""

from __future__ import annotations

import struct

GROUP, OLD_GROUP = 0xFE, 0xFF
MAX_WRITES = 64
"""A record that is read is in memory as a whole, and a page of the store has up to 256."""

HEAD = struct.Struct(">BI")
WRITE = struct.Struct(">QIH")
SINGLE = struct.Struct(">QI")

Write = tuple[int, bytes, bytes]
"""A logged write: its stamp, its item's key in the store, its request's context."""


class Record:
    """A record that writes are added to as they are made, while what they are made of is at hand."""

    __slots__ = ("_packed", "n_writes")

    def __init__(self) -> None:
        self.n_writes = 0
        self._packed = bytearray(HEAD.size)

    def add(self, stamp: int, key: bytes, context: bytes) -> None:
        """One more write."""
        packed = self._packed
        packed += WRITE.pack(stamp, len(key), len(context))
        packed += key
        packed += context
        self.n_writes += 1

    def pack(self) -> bytes:
        """The record so far."""
        HEAD.pack_into(self._packed, 0, GROUP, self.n_writes)
        return bytes(self._packed)


def n_writes(record: bytes) -> int:
    """How many writes a record has."""
    return int.from_bytes(record[1:5], "big") if record[0] >= GROUP else 1


def read_record(record: bytes, prefix: bytes) -> list[Write]:
    """The writes of a record, in order; `prefix` is that of the space's items."""
    if record[0] < GROUP:
        stamp, n_key = SINGLE.unpack_from(record)
        end = SINGLE.size + n_key
        return [(stamp, prefix + record[SINGLE.size : end], record[end:])]
    before_key = prefix if record[0] == OLD_GROUP else b""
    writes: list[Write] = []
    at = HEAD.size
    for _ in range(n_writes(record)):
        stamp, n_key, n_context = WRITE.unpack_from(record, at)
        middle = at + WRITE.size + n_key
        end = middle + n_context
        writes.append((stamp, before_key + record[at + WRITE.size : middle], record[middle:end]))
        at = end
    return writes
