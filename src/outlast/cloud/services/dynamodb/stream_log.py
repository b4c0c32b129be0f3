"""One table's stream: records in order, in shards that roll over, kept for 24 hours.

A record is written in the transaction of the change that it tells of. Its key is its sequence number; a shard is a run
of sequence numbers. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from outlast.cloud.engine import Change, Space, Transaction
from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.indexes import HEADER, stored_size
from outlast.cloud.services.dynamodb.values import Item

if TYPE_CHECKING:
    from outlast.cloud.services.dynamodb.schema import TableKey

RETENTION_MS = 24 * 3600 * 1000
SEQUENCE_BASE = 10**20
KEY_BYTES = 12
TTL_CONTEXT = b"ttl"
_SERVICE_IDENTITY = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}


def sequence_text(number: int) -> str:
    """A sequence number as AWS shows it: at least 21 digits."""
    return str(SEQUENCE_BASE + number)


def sequence_number(text: str) -> int:
    """The number behind a shown sequence number; raises ValueError."""
    return int(text) - SEQUENCE_BASE


class StreamLog:
    """The records of one stream. `label` tells one stream of a table from its successors."""

    __slots__ = ("_key", "_region", "arn", "label", "next", "space", "view")

    def __init__(self, space: Space, key: TableKey, region: str, arn: str, label: str, view: str) -> None:
        self.space = space
        self.label = label
        self.view = view
        self.arn = arn
        self._key = key
        self._region = region
        last = next(iter(space.range(reverse=True)), None)
        self.next = 1 if last is None else int.from_bytes(last[0], "big") + 1

    def append(self, tx: Transaction, change: Change, old: Item | None, new: Item | None, now_ms: int) -> None:
        """Write the record of a change, in the change's own transaction."""
        number = self.next
        self.next = number + 1
        tx.put(
            self.space, number.to_bytes(KEY_BYTES, "big"), orjson.dumps(self._record(change, old, new, number, now_ms))
        )

    def _record(self, change: Change, old: Item | None, new: Item | None, number: int, now_ms: int) -> dict[str, Any]:
        present = new if new is not None else old
        assert present is not None
        keys = self._key.key_of(present)
        size = av.item_size(keys)
        detail: dict[str, Any] = {"ApproximateCreationDateTime": now_ms // 1000, "Keys": keys}
        if change.new is not None and self.view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
            detail["NewImage"] = orjson.Fragment(change.new[HEADER:])
            size += stored_size(change.new)
        if change.old is not None and self.view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
            detail["OldImage"] = orjson.Fragment(change.old[HEADER:])
            size += stored_size(change.old)
        detail["SequenceNumber"] = sequence_text(number)
        detail["SizeBytes"] = size
        detail["StreamViewType"] = self.view
        record: dict[str, Any] = {
            "eventID": f"{change.stamp:016x}{number:016x}",
            "eventName": "INSERT" if change.old is None else "REMOVE" if change.new is None else "MODIFY",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": self._region,
            "dynamodb": detail,
        }
        if change.context == TTL_CONTEXT and not change.replicated:
            record["userIdentity"] = _SERVICE_IDENTITY
        return record

    def read(self, first: int, end: int | None) -> Iterator[tuple[int, bytes]]:
        """(number, record JSON) from `first` up to, but not including, `end`. Consume without awaiting."""
        last = None if end is None else end.to_bytes(KEY_BYTES, "big")
        for key, value in self.space.range(max(first, 0).to_bytes(KEY_BYTES, "big"), last):
            yield int.from_bytes(key, "big"), value

    def oldest(self) -> int:
        """The number of the oldest record kept; `next` when there is none."""
        first = next(iter(self.space.range()), None)
        return self.next if first is None else int.from_bytes(first[0], "big")


def trim(log: StreamLog, tx: Transaction, before_ms: int, limit: int) -> int:
    """Delete up to `limit` records created before `before_ms`; returns how many were deleted."""
    gone: list[bytes] = []
    for key, value in tx.range(log.space):
        if len(gone) >= limit or created_ms(orjson.loads(value)) >= before_ms:
            break
        gone.append(key)
    # The newest record stays: it keeps the place where numbering goes on after a restart.
    newest = (log.next - 1).to_bytes(KEY_BYTES, "big")
    for key in gone:
        if key != newest:
            tx.delete(log.space, key)
    return len(gone)


def created_ms(record: Mapping[str, Any]) -> int:
    """When a record was made, milliseconds since the epoch (whole seconds)."""
    return int(record["dynamodb"]["ApproximateCreationDateTime"]) * 1000
