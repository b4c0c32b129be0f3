"""Global tables: replicas come, agree, go and come back, over links that can be cut."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.dynamodb.harness import Cloud, Home, running, until

EAST, WEST, OHIO = "us-east-1", "us-west-2", "us-east-2"


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    async with running(tmp_path, EAST, WEST, OHIO) as made:
        yield made


def create(region: str) -> dict[str, Any]:
    return {"Create": {"RegionName": region}}


def remove(region: str) -> dict[str, Any]:
    return {"Delete": {"RegionName": region}}


async def replicas(db: Home, name: str = "things") -> dict[str, str]:
    """The status of every member as `db` sees it: of the others as it shows them, of itself as it keeps it."""
    table = (await db("DescribeTable", TableName=name))["Table"]
    others = {each["RegionName"]: each["ReplicaStatus"] for each in table.get("Replicas", ())}
    assert db.region.name not in others
    own = db.state.tables[name].doc["Replicas"][db.region.name]["Status"] if others else None
    return others if own is None else {**others, db.region.name: own}


async def has(db: Home, key: str, name: str = "things") -> bool:
    return "Item" in await db("GetItem", TableName=name, Key={"p": {"S": key}})


async def gone(db: Home, name: str = "things") -> bool:
    return name not in (await db("ListTables"))["TableNames"]


async def test_a_replica_is_filled_and_then_both_take_writes(cloud: Cloud) -> None:
    east, west = cloud.homes[EAST], cloud.homes[WEST]
    await east.table()
    for number in range(30):
        await east("PutItem", TableName="things", Item={"p": {"S": f"old{number}"}})
    reply = await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])
    assert reply["TableDescription"]["TableStatus"] == "UPDATING"
    assert {each["RegionName"]: each["ReplicaStatus"] for each in reply["TableDescription"]["Replicas"]} == {
        WEST: "CREATING"
    }
    table = await east.active("things")
    assert table["GlobalTableVersion"] == "2019.11.21"
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    theirs = await west.active("things")
    assert theirs["TableId"] != table["TableId"]
    assert await replicas(west) == {EAST: "ACTIVE", WEST: "ACTIVE"}
    assert (await west("Scan", TableName="things"))["Count"] == 30
    await west("PutItem", TableName="things", Item={"p": {"S": "from west"}})
    await east("DeleteItem", TableName="things", Key={"p": {"S": "old0"}})
    await until(lambda: has(east, "from west"))
    assert await until(lambda: _not(has(west, "old0")))


async def _not(answer: Any) -> bool:
    return not await answer


async def test_a_stream_of_another_view_stays_as_it_is(cloud: Cloud) -> None:
    east, west = cloud.homes[EAST], cloud.homes[WEST]
    stream = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    await east.table(StreamSpecification=stream)
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])
    table = await east.active("things")
    assert table["StreamSpecification"] == stream
    await east("PutItem", TableName="things", Item={"p": {"S": "a"}})
    await until(lambda: has(west, "a"))


async def test_a_cut_hides_nothing_and_loses_nothing(cloud: Cloud) -> None:
    east, west = cloud.homes[EAST], cloud.homes[WEST]
    await east.table()
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])
    await east.active("things")
    await west.active("things")
    cloud.net.cut(EAST, WEST)
    await east("PutItem", TableName="things", Item={"p": {"S": "a"}, "from": {"S": "east"}})
    await west("PutItem", TableName="things", Item={"p": {"S": "a"}, "from": {"S": "west"}})
    await west("PutItem", TableName="things", Item={"p": {"S": "b"}})
    assert not await has(east, "b")
    cloud.net.heal(EAST, WEST)
    await until(lambda: has(east, "b"))

    async def equal() -> bool:
        found = [(await db("GetItem", TableName="things", Key={"p": {"S": "a"}}))["Item"] for db in (east, west)]
        return found[0] == found[1] == {"p": {"S": "a"}, "from": {"S": "west"}}

    await until(equal)


async def test_a_replica_made_while_the_link_is_cut_comes_about_after_healing(cloud: Cloud) -> None:
    east, west = cloud.homes[EAST], cloud.homes[WEST]
    cloud.net.cut(EAST, WEST)
    await east.table()
    await east("PutItem", TableName="things", Item={"p": {"S": "a"}})
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])
    assert await gone(west)
    cloud.net.heal(EAST, WEST)
    await until(lambda: _not(gone(west)))
    await east.active("things")
    assert await until(lambda: has(west, "a"))


async def test_three_replicas_know_each_other_and_one_is_removed(cloud: Cloud) -> None:
    east, west, ohio = (cloud.homes[name] for name in (EAST, WEST, OHIO))
    await east.table()
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])
    await east.active("things")
    await west.active("things")
    await west("UpdateTable", TableName="things", ReplicaUpdates=[create(OHIO)])
    everyone = {EAST: "ACTIVE", WEST: "ACTIVE", OHIO: "ACTIVE"}
    for db in (west, ohio, east):
        await until(lambda db=db: _is(db, everyone))
    await ohio("PutItem", TableName="things", Item={"p": {"S": "o"}})
    await until(lambda: has(east, "o"))
    await east.active("things")
    await east("UpdateTable", TableName="things", ReplicaUpdates=[remove(OHIO)])
    await until(lambda: gone(ohio))
    for db in (east, west):
        await until(lambda db=db: _is(db, {EAST: "ACTIVE", WEST: "ACTIVE"}))
    await west("PutItem", TableName="things", Item={"p": {"S": "w"}})
    await until(lambda: has(east, "w"))


async def three(cloud: Cloud) -> tuple[Home, Home, Home]:
    """A table with replicas in all three Regions, ACTIVE everywhere."""
    east, west, ohio = (cloud.homes[name] for name in (EAST, WEST, OHIO))
    await east.table()
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])
    await east.active("things")
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(OHIO)])
    for db in (west, ohio, east):
        await until(lambda db=db: _is(db, {EAST: "ACTIVE", WEST: "ACTIVE", OHIO: "ACTIVE"}))
    await east.active("things")
    return east, west, ohio


@pytest.mark.parametrize("by_table", [True, False])
async def test_a_replica_that_is_removed_first_sends_what_it_acknowledged(cloud: Cloud, by_table: bool) -> None:
    east, west, ohio = await three(cloud)
    cloud.net.cut(OHIO, WEST)
    await ohio("PutItem", TableName="things", Item={"p": {"S": "last"}})
    if by_table:
        await ohio("DeleteTable", TableName="things")
    else:
        await east("UpdateTable", TableName="things", ReplicaUpdates=[remove(OHIO)])
        await until(lambda: _is_leaving(ohio))
    fault = await ohio.refused("PutItem", TableName="things", Item={"p": {"S": "too late"}})
    assert fault.code == "ResourceNotFoundException"
    assert not await has(west, "last")
    cloud.net.heal(OHIO, WEST)
    await until(lambda: gone(ohio))
    for db in (east, west):
        await until(lambda db=db: has(db, "last"))
        await until(lambda db=db: _is(db, {EAST: "ACTIVE", WEST: "ACTIVE"}))


async def _is_leaving(db: Home) -> bool:
    return bool((await db("DescribeTable", TableName="things"))["Table"]["TableStatus"] == "DELETING")


async def test_survivors_exchange_what_a_lost_region_sent_to_one_of_them(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outlast.cloud.services.dynamodb.sightings.GIVE_UP_MS", 200)
    east, west, ohio = await three(cloud)
    await ohio("PutItem", TableName="things", Item={"p": {"S": "deleted"}})
    await until(lambda: has(east, "deleted"))
    await until(lambda: has(west, "deleted"))
    cloud.net.cut(OHIO, EAST)
    await ohio("PutItem", TableName="things", Item={"p": {"S": "half"}})
    await ohio("DeleteItem", TableName="things", Key={"p": {"S": "deleted"}})
    await until(lambda: has(west, "half"))
    await until(lambda: _lacks(west, "deleted"))
    await cloud.stop(OHIO)
    assert not await has(east, "half")
    await east("UpdateTable", TableName="things", ReplicaUpdates=[remove(OHIO)])
    for db in (east, west):
        await until(lambda db=db: _is(db, {EAST: "ACTIVE", WEST: "ACTIVE"}))
    await until(lambda: has(east, "half"))
    await until(lambda: _lacks(east, "deleted"))


@pytest.mark.parametrize("removed", [False, True])
async def test_survivors_exchange_what_a_lost_disk_had_sent_to_one_of_them(
    cloud: Cloud, tmp_path: Path, removed: bool
) -> None:
    east, west, ohio = await three(cloud)
    cloud.net.cut(OHIO, EAST)
    await ohio("PutItem", TableName="things", Item={"p": {"S": "half"}})
    await until(lambda: has(west, "half"))
    await cloud.stop(OHIO)
    (tmp_path / OHIO).rename(tmp_path / "lost")
    cloud.net.heal(OHIO, EAST)
    assert not await has(east, "half")
    if removed:
        await east("UpdateTable", TableName="things", ReplicaUpdates=[remove(OHIO)])
    reborn = await cloud.start(OHIO)
    left = {EAST: "ACTIVE", WEST: "ACTIVE"} if removed else {EAST: "ACTIVE", WEST: "ACTIVE", OHIO: "ACTIVE"}
    for db in (east, west):
        await _agree(db)
        await until(lambda db=db: _is(db, left))
    await until(lambda: has(east, "half"))
    if not removed:
        await until(lambda: has(reborn, "half"))


async def _lacks(db: Home, key: str) -> bool:
    return not await has(db, key)


async def _is(db: Home, wanted: dict[str, str]) -> bool:
    return not await gone(db) and await replicas(db) == wanted


async def test_deleting_one_replica_leaves_the_other_a_plain_table(cloud: Cloud) -> None:
    east, west = cloud.homes[EAST], cloud.homes[WEST]
    await east.table()
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])
    await east.active("things")
    await west.active("things")
    await west("PutItem", TableName="things", Item={"p": {"S": "kept"}})
    await until(lambda: has(east, "kept"))
    await west("DeleteTable", TableName="things")
    await until(lambda: gone(west))
    await until(lambda: _is(east, {}))
    assert await has(east, "kept")
    await east.active("things")
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])
    await until(lambda: _is(west, {EAST: "ACTIVE", WEST: "ACTIVE"}))
    assert await until(lambda: has(west, "kept"))


async def test_shared_settings_and_indexes_follow(cloud: Cloud) -> None:
    east, west = cloud.homes[EAST], cloud.homes[WEST]
    await east.table()
    await east("PutItem", TableName="things", Item={"p": {"S": "a"}, "g": {"S": "x"}})
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])
    await east.active("things")
    await west.active("things")
    index = {
        "IndexName": "by-g",
        "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    definitions = [{"AttributeName": name, "AttributeType": "S"} for name in ("p", "g")]
    await east(
        "UpdateTable",
        TableName="things",
        AttributeDefinitions=definitions,
        GlobalSecondaryIndexUpdates=[{"Create": index}],
    )

    async def found() -> bool:
        table = (await west("DescribeTable", TableName="things"))["Table"]
        if [each["IndexStatus"] for each in table.get("GlobalSecondaryIndexes", ())] != ["ACTIVE"]:
            return False
        page = await west(
            "Query",
            TableName="things",
            IndexName="by-g",
            KeyConditionExpression="g = :g",
            ExpressionAttributeValues={":g": {"S": "x"}},
        )
        return bool(page["Count"] == 1)

    await until(found)


async def test_a_region_that_lost_its_disk_gets_its_replica_back(cloud: Cloud, tmp_path: Path) -> None:
    east, west = cloud.homes[EAST], cloud.homes[WEST]
    await east.table()
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])
    await east.active("things")
    await west.active("things")
    for number in range(20):
        await east("PutItem", TableName="things", Item={"p": {"S": str(number)}})
    await cloud.stop(WEST)
    (tmp_path / WEST).rename(tmp_path / "lost")
    reborn = await cloud.start(WEST)
    assert await gone(reborn)
    await _agree(east)
    await until(lambda: _is(reborn, {EAST: "ACTIVE", WEST: "ACTIVE"}))

    async def whole() -> bool:
        return bool((await reborn("Scan", TableName="things"))["Count"] == 20)

    await until(whole)


async def test_a_replica_comes_back_though_the_answer_that_it_is_empty_was_lost(cloud: Cloud, tmp_path: Path) -> None:
    east, west = cloud.homes[EAST], cloud.homes[WEST]
    await east.table()
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])
    await east.active("things")
    await west.active("things")
    await east("PutItem", TableName="things", Item={"p": {"S": "1"}})
    await cloud.stop(WEST)
    (tmp_path / WEST).rename(tmp_path / "lost")
    reborn = await cloud.start(WEST)
    cloud.net.cut(WEST, EAST, both=False)
    await _agree(east)
    assert not await gone(reborn)
    cloud.net.heal(WEST, EAST)
    await _agree(east)
    await until(lambda: _is(reborn, {EAST: "ACTIVE", WEST: "ACTIVE"}))
    await reborn.active("things")
    await until(lambda: has(reborn, "1"))


async def _agree(db: Home) -> None:
    from outlast.cloud.services.dynamodb.replicas import agree

    await agree(db.state)


async def test_a_restart_in_the_middle_goes_on(cloud: Cloud) -> None:
    east = cloud.homes[EAST]
    await east.table()
    await east("PutItem", TableName="things", Item={"p": {"S": "a"}})
    cloud.net.cut(EAST, WEST)
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])
    await cloud.stop(EAST)
    cloud.net.heal(EAST, WEST)
    east = await cloud.start(EAST)
    await until(lambda: _is(east, {EAST: "ACTIVE", WEST: "ACTIVE"}))
    assert await until(lambda: has(cloud.homes[WEST], "a"))


@pytest.mark.parametrize(
    ("updates", "message"),
    [
        ([create(EAST)], "Cannot add, delete, or update the local region"),
        ([create("mars-north-1")], "Region mars-north-1 is not available"),
        ([remove(WEST)], "one or more replicas were not part of the global table"),
        ([{}], "Exactly one of Create, Update, Delete"),
        ([{"Update": {"RegionName": EAST}}], "Cannot add, delete, or update the local region"),
        (
            [{"Disassociate": {"RegionName": EAST, "DisassociationMode": "WAIT_FOR_REPLICATION"}}],
            "ReplicaUpdates.Disassociate is not supported",
        ),
    ],
)
async def test_replica_updates_that_are_refused(cloud: Cloud, updates: list[Any], message: str) -> None:
    east = cloud.homes[EAST]
    await east.table()
    fault = await east.refused("UpdateTable", TableName="things", ReplicaUpdates=updates)
    assert fault.code == "ValidationException"
    assert message in fault.message


async def test_a_name_that_is_taken_elsewhere_fails_the_replica(cloud: Cloud) -> None:
    east, west = cloud.homes[EAST], cloud.homes[WEST]
    await east.table()
    await west.table()
    await west("PutItem", TableName="things", Item={"p": {"S": "mine"}})
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])

    async def failed() -> bool:
        return await replicas(east) == {EAST: "ACTIVE", WEST: "CREATION_FAILED"}

    await until(failed)
    assert await has(west, "mine")


async def test_strong_consistency_across_regions_is_refused_by_name(cloud: Cloud) -> None:
    east = cloud.homes[EAST]
    await east.table()
    fault = await east.refused(
        "UpdateTable", TableName="things", MultiRegionConsistency="STRONG", ReplicaUpdates=[create(WEST)]
    )
    assert fault.message == "MultiRegionConsistency=STRONG is not supported by this cloud."


async def test_replication_latency_is_measured_for_each_receiving_region(cloud: Cloud) -> None:
    east, west = cloud.homes[EAST], cloud.homes[WEST]
    await east.table()
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])
    await east.active("things")
    await west.active("things")
    await east("PutItem", TableName="things", Item={"p": {"S": "a"}})
    await until(lambda: has(west, "a"))

    async def measured() -> bool:
        for drained in east.region.meter.drain():
            key = drained.key
            if key.name == "ReplicationLatency":
                return dict(key.dimensions) == {"TableName": "things", "ReceivingRegion": WEST}
        return False

    await until(measured)
