"""What Regions say to each other about replication: flat lists of byte strings, each with its length before it.

    HELLO   standing, lives, {proof} ..., clock        -> standing, lives, {proof} ..., clock
    BATCH   standing, names, {space, lengths, items} x sections -> standing, one result byte a section
    CLEAN   standing, stamp, {space} ...               -> standing, one result byte a space

A standing says who speaks and how far it is, a proof how far the other was known to be (`lineage.py`). Who is to greet
first is answered with a standing alone. A Region that changes its identity says a standing alone at greetings.
`names` is the sender's table of Region identities, joined by NUL; the versions inside a stored item refer to it by
index. A section's `items` are its keys, then what is stored under them, in one piece; `lengths` has four bytes for each
of all these.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

CHANNEL = "replication"
HELLO, BATCH, CLEAN = b"h", b"b", b"c"
DONE, NOT_YET = 0, 1
SIZE = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Section:
    """Items of one space, as stored at the sender: their keys, and in the same order what is stored under them."""

    space: str
    keys: Sequence[bytes]
    stored: Sequence[bytes]


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
        lengths = [*map(len, section.keys), *map(len, section.stored)]
        pieces += _pieces([section.space.encode(), struct.pack(f">{len(lengths)}I", *lengths)])
        pieces.append(SIZE.pack(sum(lengths)))
        pieces += section.keys
        pieces += section.stored
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
        sections.append(_read_section(space.decode(), lengths, items))
    return Batch(names, tuple(sections))


def _read_section(space: str, lengths: bytes, items: bytes) -> Section:
    """Keys and what is stored under them; raises ValueError."""
    n_parts, rest = divmod(len(lengths), 4)
    if rest or n_parts % 2:
        raise ValueError("a replication message has lengths that are cut short")
    ends = list(accumulate(struct.unpack(f">{n_parts}I", lengths), initial=0))
    if ends[-1] != len(items):
        raise ValueError("a replication message has items of other lengths than it says")
    parts = [items[begin:end] for begin, end in pairwise(ends)]
    return Section(space, parts[: n_parts // 2], parts[n_parts // 2 :])
