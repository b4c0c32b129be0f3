"""What the engine keeps beside each value: who wrote it, when, and what that writer had seen.

A version is a dot (origin Region, stamp) and, when other Regions wrote the item before, the newest stamp seen of each
(its context, as in dotted version vectors: Preguiça et al., 2010). Encoded before the value:

    1 byte   number of seen entries (low four bits), 0x40 a request context follows, 0x80 tombstone
    1 byte   origin (index into the engine's table of Region names)
    8 bytes  stamp, big endian
    n x 9    index and stamp of each seen entry
    [2 + m]  length and bytes of the request context

Stamps are hybrid logical clock readings (Kulkarni et al., 2014): 48 bits of milliseconds, 16 bits of counter.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

TOMBSTONE = 0x80
CONTEXT = 0x40
SEEN = 0x0F
HEAD = struct.Struct(">BBQ")
PLAIN_BYTES = 10
ENTRY_BYTES = 9
MAX_SEEN = 15


@dataclass(frozen=True, slots=True)
class Version:
    """One write of one item, decoded."""

    origin: int
    stamp: int
    seen: tuple[tuple[int, int], ...] = ()
    context: bytes = b""
    value: bytes | None = None

    def covers(self, origin: int, stamp: int) -> bool:
        """Whether this write knew the write (origin, stamp)."""
        if origin == self.origin:
            return stamp <= self.stamp
        return any(origin == region and stamp <= known for region, known in self.seen)


def prefix(origin: int, stamp: int) -> bytes:
    """The encoded version of a value that only `origin` has written; the value follows."""
    return HEAD.pack(0, origin, stamp)


def following(old: bytes | None, origin: int, stamp: int, value: bytes | None, context: bytes) -> bytes:
    """The encoded version of a new write here, which knows what was stored before it."""
    if old is None or (old[1] == origin and not old[0] & SEEN):  # nobody else has written it: the common case
        flags = (CONTEXT if context else 0) | (TOMBSTONE if value is None else 0)
        head = HEAD.pack(flags, origin, stamp)
        if context:
            head += len(context).to_bytes(2, "big") + context
        return head if value is None else head + value
    before = decode(old)
    newest = dict(before.seen)
    newest[before.origin] = before.stamp
    newest.pop(origin, None)
    seen = tuple(sorted(sorted(newest.items(), key=lambda entry: entry[1])[-MAX_SEEN:]))
    return encode(Version(origin, stamp, seen, context, value))


def encode(version: Version) -> bytes:
    """The bytes kept in the store."""
    flags = len(version.seen)
    if flags > MAX_SEEN:
        raise ValueError("an item cannot be written by more than 16 Regions")
    if version.value is None:
        flags |= TOMBSTONE
    if version.context:
        flags |= CONTEXT
    parts = [HEAD.pack(flags, version.origin, version.stamp)]
    parts += [bytes((region,)) + stamp.to_bytes(8, "big") for region, stamp in version.seen]
    if version.context:
        parts.append(len(version.context).to_bytes(2, "big") + version.context)
    if version.value is not None:
        parts.append(version.value)
    return b"".join(parts)


def decode(stored: bytes) -> Version:
    """The version in `stored`."""
    flags = stored[0]
    at = PLAIN_BYTES
    seen = []
    for _ in range(flags & SEEN):
        seen.append((stored[at], int.from_bytes(stored[at + 1 : at + 9], "big")))
        at += ENTRY_BYTES
    context = b""
    if flags & CONTEXT:
        size = int.from_bytes(stored[at : at + 2], "big")
        context = stored[at + 2 : at + 2 + size]
        at += 2 + size
    value = None if flags & TOMBSTONE else stored[at:]
    return Version(stored[1], int.from_bytes(stored[2:10], "big"), tuple(seen), context, value)


def value_of(stored: bytes | None) -> bytes | None:
    """The value alone; None for nothing and for a tombstone."""
    if stored is None:
        return None
    flags = stored[0]
    if flags == 0:
        return stored[PLAIN_BYTES:]
    if flags & TOMBSTONE:
        return None
    at = PLAIN_BYTES + ENTRY_BYTES * (flags & SEEN)
    if flags & CONTEXT:
        at += 2 + int.from_bytes(stored[at : at + 2], "big")
    return stored[at:]
