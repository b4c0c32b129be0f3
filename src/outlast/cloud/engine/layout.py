"""How the engine's keys are laid out in the store: one byte of kind, four of space, then the key itself."""

from __future__ import annotations

Writes = dict[bytes, bytes | None]
"""What a commit changes, by store key; None removes."""

IDENTITY_KEY = b"\x00identity"
RENEWAL_KEY = b"\x00renewal"
SPACE = b"\x01"
REGION = b"\x02"
DROPPED = b"\x03"
STREAM = b"\x04"
PROOF = b"\x05"
CONFIRMED = b"\x06"
LIFE = b"\x07"
FORGOTTEN = b"\x08"
ITEM = b"\x10"
LOG = b"\x20"
LEDGER = b"\x30"
TOMBSTONE = b"\x31"
LEDGER_ID = b"\x32"
LOST = b"\x33"

SPACE_ID_BYTES = 4
PREFIX_BYTES = 1 + SPACE_ID_BYTES


def item_prefix(space_id: int) -> bytes:
    """The prefix of a space's items."""
    return ITEM + space_id.to_bytes(SPACE_ID_BYTES, "big")


def log_prefix(space_id: int) -> bytes:
    """The prefix of a space's replication log; eight bytes of sequence number follow."""
    return LOG + space_id.to_bytes(SPACE_ID_BYTES, "big")


def stream_prefix(space_id: int) -> bytes:
    """The prefix of what is known of a space's replicas; the peer's name follows."""
    return STREAM + space_id.to_bytes(SPACE_ID_BYTES, "big")


def forgotten_prefix(space_id: int) -> bytes:
    """The prefix of what is known of a space's forgotten deletions; the number of a Region identity follows."""
    return FORGOTTEN + space_id.to_bytes(SPACE_ID_BYTES, "big")


def tombstone_key(stamp: int, space_id: int, key: bytes) -> bytes:
    """Where a deletion is noted, in order of time."""
    return TOMBSTONE + stamp.to_bytes(8, "big") + space_id.to_bytes(SPACE_ID_BYTES, "big") + key


def successor(prefix: bytes) -> bytes:
    """The smallest key greater than every key that begins with `prefix`."""
    trimmed = prefix.rstrip(b"\xff")
    if not trimmed:
        raise ValueError("a prefix of 0xFF bytes has no successor")
    return trimmed[:-1] + bytes((trimmed[-1] + 1,))
