"""How the engine's keys are laid out in the store: one byte of kind, four of space, then the key itself."""

from __future__ import annotations

CLOCK_KEY = b"\x00clock"
SPACE = b"\x01"
REGION = b"\x02"
DROPPED = b"\x03"
ITEM = b"\x10"

SPACE_ID_BYTES = 4
PREFIX_BYTES = 1 + SPACE_ID_BYTES


def item_prefix(space_id: int) -> bytes:
    """The prefix of a space's items."""
    return ITEM + space_id.to_bytes(SPACE_ID_BYTES, "big")


def successor(prefix: bytes) -> bytes:
    """The smallest key greater than every key that begins with `prefix`."""
    trimmed = prefix.rstrip(b"\xff")
    if not trimmed:
        raise ValueError("a prefix of 0xFF bytes has no successor")
    return trimmed[:-1] + bytes((trimmed[-1] + 1,))
