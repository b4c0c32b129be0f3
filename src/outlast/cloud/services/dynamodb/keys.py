"""Keys as bytes whose order is DynamoDB's order.

A table's key is four bytes of hash of the partition key, its length, the partition key itself, then the sort key raw:
text as UTF-8, binary as it is, numbers by `numbers.key_bytes`. Partitions lie in hash order, as a Scan shows them, and
parallel scans divide the hash range. In an index every sort part is terminated, and the table's own key follows, so
that equal index keys keep apart. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.CoreComponents.html
"""

from __future__ import annotations

import binascii
import zlib
from collections.abc import Sequence

from outlast.cloud.services.dynamodb import numbers
from outlast.cloud.services.dynamodb.values import Value

HASH_SPACE = 1 << 32
_TERMINATOR = b"\x00\x01"
_ESCAPED_ZERO = b"\x00\xff"


def scalar_bytes(value: Value) -> bytes:
    """The order-preserving bytes of one checked scalar."""
    for kind, raw in value.items():
        if kind == "S":
            text: str = raw
            return text.encode()
        if kind == "N":
            return numbers.key_bytes(raw)
        return binascii.a2b_base64(raw)
    raise ValueError("a key value without a type")


def spread(partition: bytes) -> bytes:
    """Four bytes of hash that spread partitions evenly; a further multiplication mends CRC's linearity."""
    mixed = (zlib.crc32(partition) * 0x9E3779B1) & 0xFFFFFFFF
    mixed ^= mixed >> 15
    return ((mixed * 0x85EBCA77) & 0xFFFFFFFF).to_bytes(4, "big")


def partition_prefix(partition: bytes) -> bytes:
    """What the keys of all items with this partition key begin with."""
    return spread(partition) + len(partition).to_bytes(2, "big") + partition


def table_key(partition: Value, sort: Value | None) -> bytes:
    """The key of an item in its table."""
    prefix = partition_prefix(scalar_bytes(partition))
    return prefix if sort is None else prefix + scalar_bytes(sort)


def terminated(value: Value) -> bytes:
    """A sort part that can be followed by others: no encoding is a prefix of another, order is kept."""
    raw = scalar_bytes(value)
    if "N" in value:
        return raw
    if b"\x00" in raw:
        raw = raw.replace(b"\x00", _ESCAPED_ZERO)
    return raw + _TERMINATOR


def open_ended(value: Value) -> bytes:
    """What the terminated forms of all texts or binaries that begin with this value begin with."""
    return scalar_bytes(value).replace(b"\x00", _ESCAPED_ZERO)


def joined_partition(parts: Sequence[Value]) -> bytes:
    """The partition bytes of an index: one part as it is, several with their lengths."""
    if len(parts) == 1:
        return scalar_bytes(parts[0])
    return b"".join(len(raw).to_bytes(2, "big") + raw for raw in map(scalar_bytes, parts))


def index_key(partition: Sequence[Value], sort: Sequence[Value], base: bytes) -> bytes:
    """The key of an index entry; `base` is the item's key in its table."""
    head = partition_prefix(joined_partition(partition))
    return head + b"".join(map(terminated, sort)) + base


def successor(prefix: bytes) -> bytes | None:
    """The least key greater than every key that begins with `prefix`; None when there is no bound."""
    trimmed = prefix.rstrip(b"\xff")
    if not trimmed:
        return None
    return trimmed[:-1] + bytes([trimmed[-1] + 1])


def segment_bounds(segment: int, total: int) -> tuple[bytes, bytes | None]:
    """The key range [start, end) of one segment of a parallel scan."""
    start = HASH_SPACE * segment // total
    end = HASH_SPACE * (segment + 1) // total
    return start.to_bytes(4, "big"), None if end == HASH_SPACE else end.to_bytes(4, "big")
