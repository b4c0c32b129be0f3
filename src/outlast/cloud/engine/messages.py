"""What Regions say to each other about replication: flat lists of byte strings, each with its length before it.

    HELLO   standing, lives, {proof} ..., clock        -> standing, lives, {proof} ..., clock
    BATCH   standing, names, {space, lengths, items} x sections -> standing, one result byte a section
    CLEAN   standing, stamp, {space} ...               -> standing, one result byte a space

A standing says who speaks and how far it is, a proof how far the other was known to be (`lineage.py`). Who is to greet
first is answered with a standing alone. A Region that changes its identity says a standing alone at greetings.
`names` is the sender's table of Region identities, joined by NUL; the versions inside a stored item refer to it by
index. A section's `items` are its keys and stored items by turns, in one piece; `lengths` has four bytes for each.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise

CHANNEL = "replication"
HELLO, BATCH, CLEAN = b"h", b"b", b"c"
DONE, NOT_YET = 0, 1
SIZE = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Section:
    """Items of one space, as stored at the sender."""

    space: str
    items: Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Sections and the names that their versions refer to."""

    names: tuple[str, ...]
    sections: tuple[Section, ...]


def pack(parts: Sequence[bytes]) -> bytes:
    """One message of byte strings."""
    return b"".join(_pieces(parts))


def _pieces(parts: Sequence[bytes]) -> list[bytes]:
    pieces: list[bytes] = []
    size = SIZE.pack
    for part in parts:
        pieces += (size(len(part)), part)
    return pieces


def unpack(message: bytes) -> list[bytes]:
    """The byte strings of a message; raises ValueError when it is cut short."""
    parts: list[bytes] = []
    at = 0
    total = len(message)
    size = SIZE.unpack_from
    try:
        while at < total:
            begin = at + 4
            at = begin + size(message, at)[0]
            parts.append(message[begin:at])
    except struct.error:
        at = total + 1
    if at > total:
        raise ValueError("a replication message is cut short")
    return parts


def pack_batch(standing: bytes, batch: Batch) -> bytes:
    """A BATCH message."""
    pieces = _pieces([BATCH, standing, "\0".join(batch.names).encode()])
    for section in batch.sections:
        flat = list(chain.from_iterable(section.items))
        lengths = list(map(len, flat))
        pieces += _pieces([section.space.encode(), struct.pack(f">{len(flat)}I", *lengths)])
        pieces.append(SIZE.pack(sum(lengths)))
        pieces += flat
    return b"".join(pieces)


def read_batch(parts: list[bytes]) -> Batch:
    """The batch in a BATCH message's parts; raises ValueError."""
    if len(parts) < 3:
        raise ValueError("a replication message lacks its names")
    names = tuple(parts[2].decode().split("\0"))
    sections = []
    for at in range(3, len(parts), 3):
        if at + 3 > len(parts):
            raise ValueError("a replication message lacks a section's items")
        space, lengths, items = parts[at : at + 3]
        sections.append(Section(space.decode(), _read_items(lengths, items)))
    return Batch(names, tuple(sections))


def _read_items(lengths: bytes, items: bytes) -> list[tuple[bytes, bytes]]:
    """Keys and stored items in pairs; raises ValueError."""
    n_parts, rest = divmod(len(lengths), 4)
    if rest or n_parts % 2:
        raise ValueError("a replication message has lengths that are cut short")
    ends = list(accumulate(struct.unpack(f">{n_parts}I", lengths), initial=0))
    if ends[-1] != len(items):
        raise ValueError("a replication message has items of other lengths than it says")
    flat = [items[begin:end] for begin, end in pairwise(ends)]
    return list(zip(flat[::2], flat[1::2], strict=True))
