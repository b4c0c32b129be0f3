"""What is kept for a while: stream records for a day, recovery's history for its period. And shards that roll over."""

from __future__ import annotations

from outlast.cloud.services.dynamodb.history import MAX_BYTES, STAMP_BYTES
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.services.dynamodb.stream_log import RETENTION_MS, trim
from outlast.cloud.services.dynamodb.table import Document, Table, stream_space_name

SHARD_MS = 4 * 3600 * 1000
DAY_MS = 24 * 3600 * 1000
AT_ONCE = 500


async def tend(state: DynamoDB, table: Table) -> None:
    """Do for one table what is due."""
    now_ms = state.region.clock.now_ms()
    if roll_shard(state, table, now_ms):
        state.save(table)
    if table.stream is not None:
        while True:
            with state.engine.begin() as tx:
                gone = trim(table.stream, tx, now_ms - RETENTION_MS, AT_ONCE)
            if gone < AT_ONCE:
                break
            await state.engine.settled()
    if _forget_streams(state, table, now_ms):
        state.save(table)
    recovery = table.doc.get("Recovery")
    if recovery and table.history is not None:
        while _trim_history(state, table, now_ms - int(recovery["Days"]) * DAY_MS) == AT_ONCE:
            await state.engine.settled()


def roll_shard(state: DynamoDB, table: Table, now_ms: int) -> bool:
    """Close a shard that has been open for four hours and open its child; whether that was done."""
    from outlast.cloud.services.dynamodb.operations.tables import shard_id

    stream = table.doc.get("Stream") or {}
    log = table.stream
    if not stream.get("Enabled") or log is None:
        return False
    shard = stream["Shards"][-1]
    if now_ms - shard["OpenedMs"] < SHARD_MS:
        return False
    shard.update(End=log.next, ClosedMs=now_ms)
    stream["Shards"] = [
        *(each for each in stream["Shards"] if now_ms - each.get("ClosedMs", now_ms) < RETENTION_MS),
        {"Id": shard_id(now_ms, state.region.entropy.hex(8)), "First": log.next, "OpenedMs": now_ms},
    ]
    return True


def _forget_streams(state: DynamoDB, table: Table, now_ms: int) -> bool:
    """Drop streams that ended more than a day ago."""
    old: list[Document] = table.doc.get("OldStreams") or []
    kept = [entry for entry in old if now_ms - entry.get("DisabledMs", now_ms) < RETENTION_MS]
    present = table.doc.get("Stream")
    if present and not present["Enabled"] and now_ms - present.get("DisabledMs", now_ms) >= RETENTION_MS:
        kept = [entry for entry in kept if entry is not present]
        old = [*old, present]
        table.doc["Stream"] = None
    for entry in old:
        if entry not in kept:
            name = stream_space_name(table.doc, entry["Number"])
            if name in state.engine.spaces(name):
                state.engine.drop(state.engine.space(name))
    changed = len(kept) != len(old)
    if changed:
        table.doc["OldStreams"] = kept
    return changed


def _trim_history(state: DynamoDB, table: Table, before_ms: int) -> int:
    """Forget some of the history older than its period, or the oldest of one that has grown too big."""
    history = table.history
    assert history is not None
    bound = (max(before_ms, 0) << 16).to_bytes(STAMP_BYTES, "big")
    gone = []
    size = 0
    for key, value in history.space.range(end=bound):
        gone.append(key)
        size += len(value)
        if len(gone) == AT_ONCE or size > MAX_BYTES:
            break
    if gone:
        with state.engine.begin() as tx:
            for key in gone:
                tx.delete(history.space, key)
    return len(gone)
