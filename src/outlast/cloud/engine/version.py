"""What the engine keeps beside each value: who wrote it, when, and what that writer had seen.

A version is a dot (origin Region, stamp) and, when other Regions wrote the item before, the newest stamp seen of each
(its context, as in dotted version vectors: Preguiça et al., 2010). A write that lost a conflict is older than what its
Region writes next, yet no part of it: versions name such stamps as gaps in what they know. Encoded before the value:

    1 byte   number of seen entries (low four bits), 0x20 gaps follow, 0x40 a request context follows, 0x80 tombstone
    1 byte   origin (index into the engine's table of Region names)
    8 bytes  stamp, big endian
    n x 9    index and stamp of each seen entry
    [1+n*17] number of gaps; of each the index, and two stamps: it knows nothing after the first, up to the second
    [2 + m]  length and bytes of the request context

Stamps are hybrid logical clock readings (Kulkarni et al., 2014): 48 bits of milliseconds, 16 bits of counter.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

TOMBSTONE = 0x80
CONTEXT = 0x40
GAPS = 0x20
SEEN = 0x0F
SHARED = SEEN | GAPS
"""Flags of an item in whose history there are others' writes."""
HEAD = struct.Struct(">BBQ")
HEAD_AND_CONTEXT = struct.Struct(">BBQH")
PLAIN_BYTES = 10
ENTRY_BYTES = 9
GAP = struct.Struct(">BQQ")
MAX_SEEN = 15
MAX_GAPS = 8

Gap = tuple[int, int, int]
"""Origin and two stamps: nothing that the origin wrote after the first, up to the second, is known."""


@dataclass(frozen=True, slots=True)
class Version:
    """One write of one item, decoded."""

    origin: int
    stamp: int
    seen: tuple[tuple[int, int], ...] = ()
    context: bytes = b""
    value: bytes | None = None
    gaps: tuple[Gap, ...] = ()

    def newest(self, origin: int) -> int:
        """The newest stamp of a Region's that this write knew, its own included; 0 for none."""
        if origin == self.origin:
            return self.stamp
        for region, known in self.seen:
            if region == origin:
                return known
        return 0

    def covers(self, origin: int, stamp: int) -> bool:
        """Whether this write is, or was made with knowledge of, the write (origin, stamp)."""
        if stamp > self.newest(origin):
            return False
        return not any(region == origin and low < stamp <= high for region, low, high in self.gaps)

    def after(self, local: Version, own: int) -> Version:
        """This version, which takes the place of `local`, as Region number `own` keeps it.

        It remembers what `own` has written and this version does not descend from: the next write here will carry a
        greater stamp than those, and must not pass for their descendant.
        """
        known, written_to = self.newest(own), local.newest(own)
        if written_to <= known and not local.gaps:
            return self
        both = (*local.gaps, *self.gaps, (own, known, written_to))
        written = [(max(low, known), high) for region, low, high in both if region == own and high > known]
        if not written:
            return self
        gap = (own, min(low for low, _ in written), max(high for _, high in written))
        return replace(self, gaps=bounded((*[each for each in self.gaps if each[0] != own or each[2] <= known], gap)))


def bounded(gaps: tuple[Gap, ...]) -> tuple[Gap, ...]:
    """At most MAX_GAPS, by origin and stamp. Of too many the two oldest of one origin become one.

    The stamps between those then count as unknown, which may note a conflict that was none, and never hides one.
    """
    ordered = sorted(gaps)
    while len(ordered) > MAX_GAPS:
        pairs = [at for at in range(len(ordered) - 1) if ordered[at][0] == ordered[at + 1][0]]
        if not pairs:
            break  # as many origins as gaps: fewer than 256
        at = min(pairs, key=lambda at: ordered[at][2])
        ordered[at : at + 2] = [(ordered[at][0], ordered[at][1], max(ordered[at][2], ordered[at + 1][2]))]
    return tuple(ordered)


def prefix(origin: int, stamp: int) -> bytes:
    """The encoded version of a value that only `origin` has written; the value follows."""
    return HEAD.pack(0, origin, stamp)


def following(old: bytes | None, origin: int, stamp: int, value: bytes | None, context: bytes) -> bytes:
    """The encoded version of a new write here, which knows what was stored before it."""
    if old is None or (old[1] == origin and not old[0] & SHARED):  # nobody else has written it: the common case
        flags = 0 if value is not None else TOMBSTONE
        if context:
            head = HEAD_AND_CONTEXT.pack(flags | CONTEXT, origin, stamp, len(context))
            return b"".join((head, context, value or b""))
        return HEAD.pack(flags, origin, stamp) + (value or b"")
    before = decode(old)
    newest = dict(before.seen)
    newest[before.origin] = before.stamp
    newest.pop(origin, None)
    seen = tuple(sorted(sorted(newest.items(), key=lambda entry: entry[1])[-MAX_SEEN:]))
    return encode(Version(origin, stamp, seen, context, value, before.gaps))


def encode(version: Version) -> bytes:
    """The bytes kept in the store."""
    flags = len(version.seen)
    if flags > MAX_SEEN:
        raise ValueError("an item cannot be written by more than 16 Regions")
    if version.value is None:
        flags |= TOMBSTONE
    if version.context:
        flags |= CONTEXT
    if version.gaps:
        flags |= GAPS
    parts = [HEAD.pack(flags, version.origin, version.stamp)]
    parts += [bytes((region,)) + stamp.to_bytes(8, "big") for region, stamp in version.seen]
    if version.gaps:
        parts += [bytes((len(version.gaps),)), *[GAP.pack(*gap) for gap in version.gaps]]
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
    gaps: tuple[Gap, ...] = ()
    if flags & GAPS:
        end = at + 1 + GAP.size * stored[at]
        gaps = tuple(GAP.iter_unpack(stored[at + 1 : end]))
        at = end
    context = b""
    if flags & CONTEXT:
        size = int.from_bytes(stored[at : at + 2], "big")
        context = stored[at + 2 : at + 2 + size]
        at += 2 + size
    value = None if flags & TOMBSTONE else stored[at:]
    return Version(stored[1], int.from_bytes(stored[2:10], "big"), tuple(seen), context, value, gaps)


def is_simple(stored: bytes) -> bool:
    """Whether a version tells of no other writer. Of two such of one origin the newer one knew the older one."""
    return not stored[0] & ~(CONTEXT | TOMBSTONE)


def simple_parts(stored: bytes) -> tuple[int, bytes, bytes | None]:
    """Stamp, context and value of a version that `is_simple`."""
    flags, _, stamp = HEAD.unpack_from(stored)
    at, context = PLAIN_BYTES, b""
    if flags & CONTEXT:
        at += 2 + int.from_bytes(stored[at : at + 2], "big")
        context = stored[PLAIN_BYTES + 2 : at]
    return stamp, context, None if flags & TOMBSTONE else stored[at:]


def from_origin(stored: bytes, origin: int) -> bytes:
    """The same version under another number for its Region."""
    return stored if stored[1] == origin else stored[:1] + bytes((origin,)) + stored[2:]


def value_of(stored: bytes | None) -> bytes | None:
    """The value alone; None for nothing and for a tombstone."""
    if stored is None:
        return None
    flags = stored[0]
    if flags == 0:
        return stored[PLAIN_BYTES:]
    if flags == CONTEXT:
        return stored[PLAIN_BYTES + 2 + (stored[PLAIN_BYTES] << 8 | stored[PLAIN_BYTES + 1]) :]
    if flags & TOMBSTONE:
        return None
    at = PLAIN_BYTES + ENTRY_BYTES * (flags & SEEN)
    if flags & GAPS:
        at += 1 + GAP.size * stored[at]
    if flags & CONTEXT:
        at += 2 + int.from_bytes(stored[at : at + 2], "big")
    return stored[at:]
