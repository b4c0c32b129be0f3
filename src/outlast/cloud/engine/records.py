"""The replication log's records: one for the writes of a space that become durable together. Pure.

A record is kept under the number of the last write in it, so that a scan from any number on begins with the record
that holds it. What the writes have of a kind lies together, so that a record is packed by a few calls, however many
writes there are:

    1 byte   0xFE
    4 bytes  how many writes
    n x 8    their stamps
    n x 4    the lengths of their items' store keys
    n x 2    the lengths of their requests' contexts
             the keys, the contexts

Logs of before have groups of which each write lies by itself (0xFF, how many, for each its stamp, the lengths of its
key and its context, the key, the context), and before that a record for each write: stamp (8), length of the key (4),
key, context. Their keys are without the space's prefix. No stamp begins with 0xFE before the year 10,800.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate, pairwise

TOGETHER, GROUP = 0xFE, 0xFF
MAX_WRITES = 64
"""A record that is read is in memory as a whole, and a page of the store has up to 256."""

HEAD = struct.Struct(">BI")
WRITE = struct.Struct(">QIH")
SINGLE = struct.Struct(">QI")
WRITE_BYTES = 14

Write = tuple[int, bytes, bytes]
"""A logged write: its stamp, its item's key in the store, its request's context."""


def pack_record(stamps: Sequence[int], keys: Sequence[bytes], contexts: Sequence[bytes]) -> bytes:
    """The record of these writes, of each its stamp, its key and its context."""
    n = len(stamps)
    head = struct.pack(f">BI{n}Q{n}I{n}H", TOGETHER, n, *stamps, *map(len, keys), *map(len, contexts))
    return b"".join((head, *keys, *contexts))


def n_writes(record: bytes) -> int:
    """How many writes a record has."""
    return int.from_bytes(record[1:5], "big") if record[0] >= TOGETHER else 1


def read_record(record: bytes, prefix: bytes) -> list[Write]:
    """The writes of a record, in order; `prefix` is that of the space's items."""
    if record[0] != TOGETHER:
        return _read_of_before(record, prefix)
    n = n_writes(record)
    numbers = struct.unpack_from(f">{n}Q{n}I{n}H", record, HEAD.size)
    ends = accumulate(numbers[n:], initial=HEAD.size + n * WRITE_BYTES)
    parts = [record[begin:end] for begin, end in pairwise(ends)]
    return list(zip(numbers[:n], parts[:n], parts[n:], strict=True))


def _read_of_before(record: bytes, prefix: bytes) -> list[Write]:
    if record[0] != GROUP:
        stamp, n_key = SINGLE.unpack_from(record)
        end = SINGLE.size + n_key
        return [(stamp, prefix + record[SINGLE.size : end], record[end:])]
    writes: list[Write] = []
    at = HEAD.size
    for _ in range(n_writes(record)):
        stamp, n_key, n_context = WRITE.unpack_from(record, at)
        middle = at + WRITE.size + n_key
        end = middle + n_context
        writes.append((stamp, prefix + record[at + WRITE.size : middle], record[middle:end]))
        at = end
    return writes
