"""Backups in the making, and tables made from backups or from the past.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Backup-and-Restore.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from outlast.cloud.engine import Change, Transaction
from outlast.cloud.services.dynamodb.history import Snapshot, copied
from outlast.cloud.services.dynamodb.lifecycle import STEPS, done
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.services.dynamodb.table import Document, Table

COPY_ITEMS = 250
CONTEXT = b"restore"
KEPT = (
    "TableName",
    "TableId",
    "CreatedMs",
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "OnDemandThroughput",
    "TimeToLive",
    "SSE",
    "Stream",
    "Indexes",
)


def backup_space_name(backup_id: str) -> str:
    """The name of the space that holds a backup's items."""
    return f"dynamodb/backup/{backup_id}"


class Rewind:
    """A table as it was at a past moment: its present items, with every later change undone.

    It hears of changes while it is read, so that it stays true.
    """

    def __init__(self, table: Table, moment_ms: int) -> None:
        self.table = table
        self.undone: dict[bytes, bytes | None] = {}
        if table.history is not None:
            for key, before in table.history.since(moment_ms):
                self.undone[key] = before
        table.snapshots.append(self)

    def keep(self, tx: Transaction, change: Change) -> None:
        """A change that comes while the past is being copied is undone too."""
        del tx
        self.undone.setdefault(change.key, change.old)

    def present(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Items that have not changed since. Consume without awaiting."""
        for key, stored in self.table.items.range(start):
            if key not in self.undone:
                yield key, stored

    def close(self) -> None:
        """Hear of no more changes."""
        if self in self.table.snapshots:
            self.table.snapshots.remove(self)


def begin_backup(state: DynamoDB, table: Table, backup_id: str) -> None:
    """Start to copy a table as it is now; the caller has kept the backup's document."""
    table.snapshots.append(Snapshot(state.engine.space(backup_space_name(backup_id))))
    state.schedule(table, "backup", 0, Backup=backup_id)
    state.save(table)


async def _backup(state: DynamoDB, table: Table, step: dict[str, Any]) -> None:
    """Copy the table piece by piece; a copy that a restart broke off begins anew."""
    name = backup_space_name(step["Backup"])
    snapshot = next((each for each in table.snapshots if isinstance(each, Snapshot) and each.space.name == name), None)
    if snapshot is None:
        if name in state.engine.spaces(name):
            state.engine.drop(state.engine.space(name))
        snapshot = Snapshot(state.engine.space(name))
        table.snapshots.append(snapshot)
    size = 0
    while snapshot.cursor is not None and state.tables.get(table.name) is table:
        with state.engine.begin() as tx:
            snapshot.copy_some(tx, table.items, COPY_ITEMS)
        await state.engine.settled()
        await state.region.clock.sleep(0)
    table.snapshots.remove(snapshot)
    count = 0
    for _, stored in copied(snapshot.space):
        size += int.from_bytes(stored[:4], "big")
        count += 1
    doc = state.backups.get(step["Backup"])
    if doc is not None:
        doc.update(Status="AVAILABLE", SizeBytes=size, ItemCount=count)
        state.backups.put(step["Backup"], doc)
    done(table, step)
    if state.tables.get(table.name) is table:
        state.save(table)


def new_table(
    source: Mapping[str, Any], name: str, overrides: Mapping[str, Any], table_id: str, now_ms: int
) -> Document:
    """The document of a table that is restored: keys and indexes of the source, fresh otherwise."""
    doc: Document = {
        "TableName": name,
        "TableId": table_id,
        "Items": table_id,
        "CreatedMs": now_ms,
        "Status": "CREATING",
        "AttributeDefinitions": source["AttributeDefinitions"],
        "KeySchema": source["KeySchema"],
        "BillingMode": overrides.get("BillingModeOverride") or source["BillingMode"],
        "StreamCount": 0,
        "SSE": source.get("SSE"),
    }
    throughput = overrides.get("ProvisionedThroughputOverride") or source.get("ProvisionedThroughput")
    if doc["BillingMode"] == "PROVISIONED" and throughput:
        doc["ProvisionedThroughput"] = {
            member: throughput[member] for member in ("ReadCapacityUnits", "WriteCapacityUnits")
        }
    on_demand = overrides.get("OnDemandThroughputOverride") or source.get("OnDemandThroughput")
    if doc["BillingMode"] == "PAY_PER_REQUEST" and on_demand:
        doc["OnDemandThroughput"] = on_demand
    doc["Indexes"] = [
        {**entry, "Status": "ACTIVE", "Number": f"{place:06d}"}
        for place, entry in enumerate(_chosen(source["Indexes"], overrides), 1)
    ]
    doc["IndexCount"] = len(doc["Indexes"])
    used = {each["AttributeName"] for part in (doc, *doc["Indexes"]) for each in part["KeySchema"]}
    doc["AttributeDefinitions"] = [each for each in doc["AttributeDefinitions"] if each["AttributeName"] in used]
    return doc


def _chosen(indexes: list[Document], overrides: Mapping[str, Any]) -> Iterator[Document]:
    """The indexes to restore: all of a kind, or those that an override names."""
    for entry in indexes:
        override = overrides.get("GlobalSecondaryIndexOverride" if entry["Global"] else "LocalSecondaryIndexOverride")
        if override is None or entry["IndexName"] in {each["IndexName"] for each in override}:
            yield {member: value for member, value in entry.items() if member != "Backfilling"}


async def _restore(state: DynamoDB, table: Table, step: dict[str, Any]) -> None:
    """Fill a restored table, then make it ACTIVE."""
    if step.get("Backup"):
        await _copy_in(state, table, lambda start: copied(state.engine.space(backup_space_name(step["Backup"])), start))
    else:
        source = state.tables.get(step["Source"])
        if source is not None:
            rewind = state.restores.pop(table.name, None) or Rewind(source, step["MomentMs"])
            try:
                await _copy_in(state, table, rewind.present)
                await _copy_in(state, table, lambda start: _undone(rewind, start))
            finally:
                rewind.close()
    if state.tables.get(table.name) is not table:
        return
    done(table, step)
    table.doc["Status"] = "ACTIVE"
    table.doc["Restored"]["RestoreInProgress"] = False
    state.save(table)


def _undone(rewind: Rewind, start: bytes) -> Iterator[tuple[bytes, bytes]]:
    for key in sorted(key for key in rewind.undone if key >= start):
        before = rewind.undone[key]
        if before is not None:
            yield key, before


async def _copy_in(state: DynamoDB, table: Table, source: Any) -> None:
    """Write what `source(start)` yields into the table, some at a time."""
    cursor: bytes | None = b""
    while cursor is not None and state.tables.get(table.name) is table:
        found = []
        for entry in source(cursor):
            found.append(entry)
            if len(found) == COPY_ITEMS:
                break
        with state.engine.begin() as tx:
            for key, stored in found:
                table.write(tx, key, stored, None, None, CONTEXT)
        cursor = found[-1][0] + b"\x00" if len(found) == COPY_ITEMS else None
        await state.engine.settled()
        await state.region.clock.sleep(0)


STEPS["backup"] = _backup
STEPS["restore"] = _restore
