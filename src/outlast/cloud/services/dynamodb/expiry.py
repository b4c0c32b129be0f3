"""Time to live: an index of expiry times, kept in the transaction of every change, and the deletion of what is due.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from outlast.cloud.engine import Space, Transaction
from outlast.cloud.services.dynamodb.indexes import unpacked
from outlast.cloud.services.dynamodb.stream_log import TTL_CONTEXT
from outlast.cloud.services.dynamodb.values import Item

if TYPE_CHECKING:
    from outlast.cloud.services.dynamodb.state import DynamoDB
    from outlast.cloud.services.dynamodb.table import Table

TIME_BYTES = 6
MAX_TIME_S = (1 << (8 * TIME_BYTES)) - 1
TOO_OLD_S = 5 * 365 * 24 * 3600
AT_ONCE = 100


class Expiry:
    """The expiry index of one table: seconds since the epoch, then the item's key."""

    __slots__ = ("attribute", "space")

    def __init__(self, space: Space, attribute: str) -> None:
        self.space = space
        self.attribute = attribute

    def expires_s(self, item: Item | None) -> int | None:
        """When the item expires, in seconds since the epoch; None when it does not."""
        value = item.get(self.attribute) if item is not None else None
        text: str | None = value.get("N") if value is not None else None
        whole = "" if text is None else text.partition(".")[0]
        if not whole or whole.startswith("-") or len(whole) > 15:
            return None
        return min(int(whole), MAX_TIME_S)

    def place(self, key: bytes, item: Item | None) -> bytes | None:
        """Where the index notes the item; None when it does not expire."""
        expires_s = self.expires_s(item)
        return None if expires_s is None else expires_s.to_bytes(TIME_BYTES, "big") + key

    def follow(self, tx: Transaction, key: bytes, old: Item | None, new: Item | None) -> None:
        """Move the item's note along with a change of the item."""
        before, after = self.place(key, old), self.place(key, new)
        if before == after:
            return
        if before is not None:
            tx.delete(self.space, before)
        if after is not None:
            tx.put(self.space, after, b"")


def expire(state: DynamoDB, table: Table, now_s: int) -> int:
    """Delete some of the items whose time has come; returns how many notes were looked at."""
    expiry = table.expiry
    if expiry is None:
        return 0
    looked = 0
    deleted = 0
    with state.engine.begin() as tx:
        due = []
        for note, _ in tx.range(expiry.space, end=now_s.to_bytes(TIME_BYTES, "big")):
            due.append(note)
            if len(due) == AT_ONCE:
                break
        looked = len(due)
        for note in due:
            key = note[TIME_BYTES:]
            stored = tx.get(table.items, key)
            item = unpacked(stored) if stored is not None else None
            expires_s = expiry.expires_s(item)
            if item is None or expires_s is None or expires_s >= now_s or expires_s < now_s - TOO_OLD_S:
                tx.delete(expiry.space, note)
                continue
            table.write(tx, key, None, item, None, TTL_CONTEXT)
            deleted += 1
    if deleted:
        table.metrics.named("TimeToLiveDeletedItemCount").add(deleted)
    return looked
