"""Global tables: replicas come, agree, go and come back, over links that can be cut."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.dynamodb.harness import Cloud, Home, until

EAST, WEST, OHIO = "us-east-1", "us-west-2", "us-east-2"


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    made = Cloud(tmp_path, (EAST, WEST, OHIO))
    for name in made.names:
        await made.start(name)
    yield made
    await made.close()


def create(region: str) -> dict[str, Any]:
    return {"Create": {"RegionName": region}}


def remove(region: str) -> dict[str, Any]:
    return {"Delete": {"RegionName": region}}


async def replicas(db: Home, name: str = "things") -> dict[str, str]:
    table = (await db("DescribeTable", TableName=name))["Table"]
    return {each["RegionName"]: each["ReplicaStatus"] for each in table.get("Replicas", ())}


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
        EAST: "ACTIVE",
        WEST: "CREATING",
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


async def both(cloud: Cloud, **settings: Any) -> tuple[Home, Home]:
    """`things` in two Regions."""
    east, west = cloud.homes[EAST], cloud.homes[WEST]
    await east.table(**settings)
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])
    await east.active("things")
    await west.active("things")
    return east, west


async def shown(db: Home, *path: str) -> Any:
    found: Any = (await db("DescribeTable", TableName="things"))["Table"]
    for step in path:
        found = found.get(step) if isinstance(found, dict) else next(e for e in found if step in e.values())
        if found is None:
            return None
    return found


async def test_a_replica_takes_the_sources_table_class_unless_it_has_its_own(cloud: Cloud) -> None:
    infrequent = "STANDARD_INFREQUENT_ACCESS"
    east, west = await both(cloud, TableClass=infrequent)
    assert await shown(west, "TableClassSummary", "TableClass") == infrequent
    update = {"Update": {"RegionName": WEST, "TableClassOverride": "STANDARD"}}
    await east("UpdateTable", TableName="things", ReplicaUpdates=[update])
    await until(lambda: _is_shown(west, "STANDARD", "TableClassSummary", "TableClass"))
    await east.active("things")
    assert await shown(east, "TableClassSummary", "TableClass") == infrequent
    assert await shown(east, "Replicas", WEST, "ReplicaTableClassSummary") == {"TableClass": "STANDARD"}


async def _is_shown(db: Home, wanted: Any, *path: str) -> bool:
    return bool(await shown(db, *path) == wanted)


async def test_read_capacity_is_a_replicas_own_and_write_capacity_is_shared(cloud: Cloud) -> None:
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}
    index = {
        "IndexName": "by-g",
        "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
        "ProvisionedThroughput": units,
    }
    definitions = [{"AttributeName": name, "AttributeType": "S"} for name in ("p", "g")]
    east, west = await both(
        cloud,
        BillingMode="PROVISIONED",
        ProvisionedThroughput=units,
        AttributeDefinitions=definitions,
        GlobalSecondaryIndexes=[index],
    )
    own = {
        "RegionName": WEST,
        "ProvisionedThroughputOverride": {"ReadCapacityUnits": 50},
        "GlobalSecondaryIndexes": [{"IndexName": "by-g", "ProvisionedThroughputOverride": {"ReadCapacityUnits": 70}}],
    }
    await east("UpdateTable", TableName="things", ReplicaUpdates=[{"Update": own}])
    await until(lambda: _is_shown(west, 50, "ProvisionedThroughput", "ReadCapacityUnits"))
    assert await shown(west, "GlobalSecondaryIndexes", "by-g", "ProvisionedThroughput", "ReadCapacityUnits") == 70
    await east.active("things")
    await west.active("things")
    assert await shown(east, "ProvisionedThroughput", "ReadCapacityUnits") == 5
    more = {"ReadCapacityUnits": 60, "WriteCapacityUnits": 9}
    await west("UpdateTable", TableName="things", ProvisionedThroughput=more)
    await until(lambda: _is_shown(east, 9, "ProvisionedThroughput", "WriteCapacityUnits"))
    assert await shown(west, "ProvisionedThroughput", "ReadCapacityUnits") == 60
    assert await shown(east, "ProvisionedThroughput", "ReadCapacityUnits") == 5, "a replica's own is told to nobody"
    assert await shown(east, "Replicas", WEST, "ProvisionedThroughputOverride") == {"ReadCapacityUnits": 60}


async def test_on_demand_read_limits_are_a_replicas_own(cloud: Cloud) -> None:
    east, west = await both(cloud, OnDemandThroughput={"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 20})
    own = {"RegionName": WEST, "OnDemandThroughputOverride": {"MaxReadRequestUnits": 99}}
    await east("UpdateTable", TableName="things", ReplicaUpdates=[{"Update": own}])
    wanted = {"MaxReadRequestUnits": 99, "MaxWriteRequestUnits": 20}
    await until(lambda: _is_shown(west, wanted, "OnDemandThroughput"))


async def test_a_replica_may_have_a_key_of_its_own(cloud: Cloud) -> None:
    east, west = await both(cloud, SSESpecification={"Enabled": True, "SSEType": "KMS"})
    assert (await shown(west, "SSEDescription", "KMSMasterKeyArn")).endswith("alias/aws/dynamodb")
    own = {"RegionName": WEST, "KMSMasterKeyId": "alias/mine"}
    await east("UpdateTable", TableName="things", ReplicaUpdates=[{"Update": own}])
    await until(
        lambda: _is_shown(west, f"arn:aws:kms:{WEST}:123456789012:alias/mine", "SSEDescription", "KMSMasterKeyArn")
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ProvisionedThroughputOverride": {"ReadCapacityUnits": 5}}, "only when BillingMode is PROVISIONED"),
        ({"KMSMasterKeyId": "alias/mine"}, "only when SSE is enabled"),
        ({"GlobalSecondaryIndexes": [{"IndexName": "none"}]}, "does not have the specified index"),
    ],
)
async def test_settings_that_a_replica_cannot_have_are_refused(
    cloud: Cloud, settings: dict[str, Any], message: str
) -> None:
    east = cloud.homes[EAST]
    await east.table()
    updates = [{"Create": {"RegionName": WEST, **settings}}]
    fault = await east.refused("UpdateTable", TableName="things", ReplicaUpdates=updates)
    assert (fault.code, message in fault.message) == ("ValidationException", True)


async def test_a_protected_replica_is_not_removed_from_elsewhere(cloud: Cloud) -> None:
    east, west = await both(cloud)
    await west("UpdateTable", TableName="things", DeletionProtectionEnabled=True)
    await west.active("things")
    assert not await shown(east, "DeletionProtectionEnabled"), "protection is each replica's own"

    async def known() -> bool:
        return bool(east.state.tables["things"].doc["Replicas"][WEST].get("Protected"))

    await until(known)
    await east.active("things")
    fault = await east.refused("UpdateTable", TableName="things", ReplicaUpdates=[remove(WEST)])
    assert "protected against deletion" in fault.message
    await west("UpdateTable", TableName="things", DeletionProtectionEnabled=False)
    await until(lambda: _not(known()))
    await east.active("things")
    await east("UpdateTable", TableName="things", ReplicaUpdates=[remove(WEST)])
    await until(lambda: gone(west))


async def test_a_lost_regions_replica_is_removed_and_what_comes_back_is_no_member(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    from outlast.cloud.services.dynamodb import replicas as module

    east, west = await both(cloud)
    await east("PutItem", TableName="things", Item={"p": {"S": "k"}})
    await until(lambda: has(west, "k"))
    cloud.net.cut(EAST, WEST)
    await west("PutItem", TableName="things", Item={"p": {"S": "never sent"}})
    await cloud.stop(WEST)
    monkeypatch.setattr(module, "GIVE_UP_MS", 200)
    await east("UpdateTable", TableName="things", ReplicaUpdates=[remove(WEST)])
    await until(lambda: _is(east, {}))
    await east.active("things")
    west = await cloud.start(WEST)
    cloud.net.heal(EAST, WEST)
    await _agree(west)
    await until(lambda: gone(west))
    assert not await has(east, "never sent"), "what was declared lost does not come back unasked"
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])
    await until(lambda: _is(west, {EAST: "ACTIVE", WEST: "ACTIVE"}))
    assert await until(lambda: has(west, "k"))
