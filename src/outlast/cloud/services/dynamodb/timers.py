"""What the service does by itself: see each function."""

from __future__ import annotations

from contextlib import suppress

from outlast.cloud.engine import StorageUnavailable
from outlast.cloud.services.dynamodb import lifecycle, replicas, retention, tokens
from outlast.cloud.services.dynamodb.expiry import AT_ONCE, expire
from outlast.cloud.services.dynamodb.service import dynamodb
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.services.dynamodb.watching import Watcher

AGREE_S = 10.0
WATCH_S = 1.0
EXPIRE_S = 1.0
PURGE_S = 60.0
STREAMS_S = 60.0
COUNT_S = 10.0


@dynamodb.timer
async def move_statuses(state: DynamoDB) -> None:
    """Tables and indexes become ACTIVE, are filled, and vanish, when it is time."""
    await lifecycle.run(state)


@dynamodb.timer
async def agree_on_replicas(state: DynamoDB) -> None:
    """Members of global tables compare what they know of one another."""
    while True:
        await state.region.clock.sleep(AGREE_S)
        await replicas.agree(state)


@dynamodb.timer
async def watch_replication(state: DynamoDB) -> None:
    """Writes that wait for a replica, and peers that do not answer, are seen in CloudWatch."""
    watcher = Watcher(state)
    while True:
        await state.region.clock.sleep(WATCH_S)
        watcher.look()


@dynamodb.timer
async def expire_items(state: DynamoDB) -> None:
    """Items whose time to live is over are deleted within seconds."""
    while True:
        await state.region.clock.sleep(EXPIRE_S)
        now_s = int(state.region.clock.now_s())
        for table in list(state.usable.values()):
            while table.expiry is not None and expire(state, table, now_s) == AT_ONCE:
                await state.engine.settled()


@dynamodb.timer
async def purge_tokens(state: DynamoDB) -> None:
    """Client tokens are forgotten once their time is over."""
    while True:
        await state.region.clock.sleep(PURGE_S)
        while tokens.purge(state, state.region.clock.now_ms()) >= tokens.PURGE:
            await state.engine.settled()


@dynamodb.timer
async def keep_documents(state: DynamoDB) -> None:
    """What a table became while the disk was full is kept once it has room again."""
    while True:
        await state.region.clock.sleep(WATCH_S)
        with suppress(StorageUnavailable):
            state.save_again()
            await state.engine.settled()


@dynamodb.timer
async def keep_counts(state: DynamoDB) -> None:
    """Item counts and sizes are kept now and then, and made anew after a hard end or a full disk."""
    while True:
        await state.region.clock.sleep(COUNT_S)
        await state.counting.count_again(state)
        with suppress(StorageUnavailable):
            state.counting.keep(state)


@dynamodb.timer
async def keep_streams(state: DynamoDB) -> None:
    """Shards roll over every four hours, records go after a day, and what recovery kept goes after its period."""
    while True:
        await state.region.clock.sleep(STREAMS_S)
        for table in list(state.tables.values()):
            await retention.tend(state, table)


@dynamodb.closer
async def close(state: DynamoDB) -> None:
    """Keep the counts when the Region stops cleanly."""
    state.counting.keep(state, final=True)
