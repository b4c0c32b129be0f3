"""What backups and point-in-time recovery keep: a log of overwritten values, and snapshots of a moving table.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html
"""

from __future__ import annotations

from collections.abc import Iterator

from outlast.cloud.engine import Change, Space, Transaction

STAMP_BYTES = 8
ABSENT = b"\x00"
PRESENT = b"\x01"
MAX_BYTES = 1024 * 1024 * 1024


class History:
    """What every change took away: at its stamp, the item's key and the value before.

    Going back means taking the items as they are and undoing, newest first, what came after the moment.
    """

    __slots__ = ("count", "space")

    def __init__(self, space: Space) -> None:
        self.space = space
        self.count = 0

    def note(self, tx: Transaction, change: Change) -> None:
        """Keep the value that a change takes away, in the change's own transaction."""
        self.count += 1
        place = change.stamp.to_bytes(STAMP_BYTES, "big") + (self.count & 0xFFFFFFFF).to_bytes(4, "big")
        before = ABSENT if change.old is None else PRESENT + change.old
        tx.put(self.space, place, len(change.key).to_bytes(2, "big") + change.key + before)

    def since(self, moment_ms: int) -> Iterator[tuple[bytes, bytes | None]]:
        """(key, value before) of every change after the moment, newest first. Consume without awaiting."""
        first = ((moment_ms + 1) << 16).to_bytes(STAMP_BYTES, "big")
        for _, noted in self.space.range(first, reverse=True):
            size = int.from_bytes(noted[:2], "big")
            key, before = noted[2 : 2 + size], noted[2 + size :]
            yield key, None if before == ABSENT else before[1:]

    def oldest_ms(self) -> int | None:
        """The time of the oldest change kept."""
        first = next(iter(self.space.range()), None)
        return None if first is None else int.from_bytes(first[0][:STAMP_BYTES], "big") >> 16


class Snapshot:
    """A copy of a table as it was at one moment, made piece by piece while the table moves on.

    What has been copied lies below `cursor`. A change beyond it brings the value before into the copy first.
    """

    __slots__ = ("cursor", "space")

    def __init__(self, space: Space) -> None:
        self.space = space
        self.cursor: bytes | None = b""

    def keep(self, tx: Transaction, change: Change) -> None:
        """Save the value that a change takes away, when the copy has not come there yet."""
        if self.cursor is None or change.key < self.cursor or tx.get(self.space, change.key) is not None:
            return
        tx.put(self.space, change.key, ABSENT if change.old is None else PRESENT + change.old)

    def copy_some(self, tx: Transaction, items: Space, limit: int) -> int:
        """Copy the next items; returns how many were looked at. `cursor` is None once all is copied."""
        assert self.cursor is not None
        found = []
        for key, stored in tx.range(items, self.cursor):
            found.append((key, stored))
            if len(found) == limit:
                break
        for key, stored in found:
            if tx.get(self.space, key) is None:
                tx.put(self.space, key, PRESENT + stored)
        self.cursor = found[-1][0] + b"\x00" if len(found) == limit else None
        return len(found)


def copied(space: Space, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
    """The items of a finished snapshot. Consume without awaiting."""
    for key, kept in space.range(start):
        if kept != ABSENT:
            yield key, kept[1:]
