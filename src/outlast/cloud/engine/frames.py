"""The commit log's file format: segments of encrypted frames. Pure; knows no files.

Segment header: magic (16), segment number (8), data-key number (4), nonce (12), a fresh 32-byte segment key and 8-byte
marker wrapped by the data key (56, AES-256-GCM with everything before it authenticated).

Frame: marker (8), length of what follows the header (4), counter (8), then the group's writes under AES-256-GCM with
the segment key, the counter as nonce and the frame's header authenticated. A key lives for one segment and its counter
only grows, so no nonce is ever used twice; a start after a crash begins a new segment. Behind the last frame there may
be zeros: room that was made ready.

A group's writes: numbers of its first and last commit and the clock's newest stamp (8 each), then for each write:
length of key (4), length of value (4; all ones for a deletion), key, value. Commits are numbered without gaps, so a
missing piece of the log is noticed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from outlast.cloud.effects import Entropy
from outlast.cloud.engine.errors import Damaged
from outlast.cloud.engine.layout import Writes

MAGIC = b"OUTLAST LOG 1\n\0\0"
FACTS = struct.Struct(">16sQI12s")
WRAPPED_BYTES = 32 + 8 + 16
HEADER_BYTES = FACTS.size + WRAPPED_BYTES
FRAME = struct.Struct(">8sIQ")
TAG_BYTES = 16
SIZES = struct.Struct(">II")
NUMBERS = struct.Struct(">QQQ")
DELETED = 0xFFFFFFFF
ZEROS = bytes(64 * 1024)


class Segment:
    """The key of one segment and the place in it."""

    __slots__ = ("_cipher", "counter", "header", "marker", "number")

    def __init__(self, number: int, key: bytes, marker: bytes, header: bytes) -> None:
        self.number = number
        self.marker = marker
        self.header = header
        self.counter = 0
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes) -> bytes:
        """The next frame."""
        self.counter += 1
        head = FRAME.pack(self.marker, len(plain) + TAG_BYTES, self.counter)
        return head + self._cipher.encrypt(self.counter.to_bytes(12, "big"), plain, head)

    def open(self, contents: bytes, at: int) -> tuple[bytes, int] | None:
        """The plain text of the frame at `at` and where it ends; None when there is no good frame."""
        if at + FRAME.size > len(contents):
            return None
        head = contents[at : at + FRAME.size]
        marker, length, counter = FRAME.unpack(head)
        end = at + FRAME.size + length
        if marker != self.marker or counter <= self.counter or end > len(contents):
            return None
        try:
            plain = self._cipher.decrypt(counter.to_bytes(12, "big"), contents[at + FRAME.size : end], head)
        except InvalidTag:
            return None
        self.counter = counter
        return plain, end


def new_segment(number: int, key_number: int, data_key: bytes, entropy: Entropy) -> Segment:
    """A segment with a fresh key, wrapped in its header."""
    nonce, key, marker = entropy.token(12), entropy.token(32), entropy.token(8)
    facts = FACTS.pack(MAGIC, number, key_number, nonce)
    return Segment(number, key, marker, facts + AESGCM(data_key).encrypt(nonce, key + marker, facts))


def read_segment(contents: bytes, keys: dict[int, bytes], name: str) -> Segment | None:
    """The segment of a file's contents; None when not even its header was written. Raises Damaged."""
    if len(contents) < HEADER_BYTES:
        return None
    magic, number, key_number, nonce = FACTS.unpack(contents[: FACTS.size])
    key = keys.get(key_number)
    if magic != MAGIC or key is None:
        raise Damaged(f"the header of the log segment {name} is damaged")
    try:
        secret = AESGCM(key).decrypt(nonce, contents[FACTS.size : HEADER_BYTES], contents[: FACTS.size])
    except InvalidTag:
        raise Damaged(f"the header of the log segment {name} is damaged") from None
    return Segment(number, secret[:32], secret[32:], contents[:HEADER_BYTES])


@dataclass(frozen=True, slots=True)
class Tail:
    """Where the good frames of a segment end, and how many bytes of what is no good frame follow."""

    good_bytes: int
    dropped_bytes: int


def good_frames(segment: Segment, contents: bytes, name: str, *, may_be_torn: bool) -> Iterator[bytes | Tail]:
    """The plain text of every frame, then the tail.

    A torn frame can only be the last thing written to the newest segment. Anything else that does not decrypt was
    acknowledged once: raises Damaged, naming the place.
    """
    at = HEADER_BYTES
    while (opened := segment.open(contents, at)) is not None:
        plain, at = opened
        yield plain
    rest = len(contents) - at - zeros_behind(contents, at)  # the zeros were made ready and not used
    if rest and (not may_be_torn or _goes_on(segment, contents, at + 1)):
        raise Damaged(f"the log segment {name} is damaged at byte {at}")
    yield Tail(at, rest)


def zeros_behind(contents: bytes, at: int) -> int:
    """How many zeros end `contents`, from `at` on at most. There may be many, so they are looked at in large pieces."""
    end = len(contents)
    while end - at >= len(ZEROS) and contents.endswith(ZEROS, at, end):
        end -= len(ZEROS)
    start = max(at, end - len(ZEROS))
    return len(contents) - start - len(contents[start:end].rstrip(b"\0"))


def _goes_on(segment: Segment, contents: bytes, at: int) -> bool:
    """Whether a good frame follows somewhere."""
    while (at := contents.find(segment.marker, at)) >= 0:
        if segment.open(contents, at) is not None:
            return True
        at += 1
    return False


def pack_group(batches: list[Writes], last: int, stamp: int) -> bytes:
    """The plain text of a frame that holds the writes of several commits, the last of which is number `last`."""
    parts = [NUMBERS.pack(last - len(batches) + 1, last, stamp)]
    add = parts.append
    sizes = SIZES.pack
    for writes in batches:
        for key, value in writes.items():
            if value is None:
                add(sizes(len(key), DELETED))
                add(key)
            else:
                add(sizes(len(key), len(value)))
                add(key)
                add(value)
    return b"".join(parts)


def group_numbers(plain: bytes) -> tuple[int, int, int]:
    """The numbers of a group's first and last commit, and its stamp."""
    first, last, stamp = NUMBERS.unpack_from(plain)
    return first, last, stamp


def group_writes(plain: bytes) -> Iterator[tuple[bytes, bytes | None]]:
    """The writes of a group, in order."""
    at, total = NUMBERS.size, len(plain)
    sizes = SIZES.unpack_from
    while at < total:
        n_key, n_value = sizes(plain, at)
        middle = at + 8 + n_key
        if n_value == DELETED:
            yield plain[at + 8 : middle], None
            at = middle
        else:
            yield plain[at + 8 : middle], plain[middle : middle + n_value]
            at = middle + n_value
