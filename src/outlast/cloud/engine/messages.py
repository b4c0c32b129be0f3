"""What Regions say to each other about replication: flat lists of byte strings, each with its length before it.

    HELLO   standing, lives, {proof} ..., clock        -> standing, lives, {proof} ..., clock
    BATCH   standing, names, {space, count, {key, stored} x count} x sections -> standing, one result byte a section
    CLEAN   standing, stamp, {space} ...               -> standing, one result byte a space

A standing says who speaks and how far it is, a proof how far the other was known to be (`lineage.py`). Who is to greet
first is answered with a standing alone. A Region that changes its identity says a standing alone at greetings.
`names` is the sender's table of Region identities, joined by NUL; the versions inside `stored` refer to it by index.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

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
    pieces: list[bytes] = []
    size = SIZE.pack
    for part in parts:
        pieces += (size(len(part)), part)
    return b"".join(pieces)


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
    parts = [BATCH, standing, "\0".join(batch.names).encode()]
    for section in batch.sections:
        parts.append(section.space.encode())
        parts.append(len(section.items).to_bytes(4, "big"))
        for item in section.items:
            parts += item
    return pack(parts)


def read_batch(parts: list[bytes]) -> Batch:
    """The batch in a BATCH message's parts; raises ValueError."""
    names = tuple(parts[2].decode().split("\0"))
    sections = []
    at = 3
    while at < len(parts):
        if at + 2 > len(parts):
            raise ValueError("a replication message lacks a section's count")
        end = at + 2 + 2 * int.from_bytes(parts[at + 1], "big")
        if end > len(parts):
            raise ValueError("a replication message lacks items")
        flat = parts[at + 2 : end]
        sections.append(Section(parts[at].decode(), list(zip(flat[::2], flat[1::2], strict=True))))
        at = end
    return Batch(names, tuple(sections))
