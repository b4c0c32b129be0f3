"""The replication log's records: one for the writes of a space that become durable together. Pure.

A record is kept under the number of the last write in it, so that a scan from any number on begins with the record
that holds it:

    1 byte   0xFF
    4 bytes  how many writes
    for each its stamp (8), the lengths of its key (4) and of its request's context (2), the key, the context

Logs of before have a record for each write: stamp (8), length of the key (4), key, context. No stamp begins with 0xFF
before the year 10,800.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

GROUP = 0xFF
MAX_WRITES = 64
"""A record that is read is in memory as a whole, and a page of the store has up to 256."""

HEAD = struct.Struct(">BI")
WRITE = struct.Struct(">QIH")
SINGLE = struct.Struct(">QI")

Write = tuple[int, bytes, bytes]
"""A logged write: its stamp, its key, its request's context."""


def pack_record(writes: Sequence[Write]) -> bytes:
    """The record of these writes."""
    parts = [HEAD.pack(GROUP, len(writes))]
    size = WRITE.pack
    for stamp, key, context in writes:
        parts += (size(stamp, len(key), len(context)), key, context)
    return b"".join(parts)


def n_writes(record: bytes) -> int:
    """How many writes a record has."""
    return int.from_bytes(record[1:5], "big") if record[0] == GROUP else 1


def read_record(record: bytes) -> list[Write]:
    """The writes of a record, in order."""
    if record[0] != GROUP:
        stamp, n_key = SINGLE.unpack_from(record)
        end = SINGLE.size + n_key
        return [(stamp, record[SINGLE.size : end], record[end:])]
    writes: list[Write] = []
    at = HEAD.size
    for _ in range(n_writes(record)):
        stamp, n_key, n_context = WRITE.unpack_from(record, at)
        middle = at + WRITE.size + n_key
        end = middle + n_context
        writes.append((stamp, record[at + WRITE.size : middle], record[middle:end]))
        at = end
    return writes
