"""Global tables: what a replica has of its own, what protects it, how a lost one is removed, what its metric says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from outlast.cloud.services.dynamodb import sightings, watching
from tests.unit.dynamodb.harness import Cloud, Home, running, until
from tests.unit.dynamodb.test_global_tables import EAST, WEST, _agree, _is, _not, create, gone, has, remove

DEFINITIONS = [{"AttributeName": name, "AttributeType": "S"} for name in ("p", "g")]


def by_g(units: dict[str, int]) -> dict[str, Any]:
    """An index over g."""
    return {
        "IndexName": "by-g",
        "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
        "ProvisionedThroughput": units,
    }


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    async with running(tmp_path, EAST, WEST) as made:
        yield made


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


async def test_replication_latency_stops_while_the_link_is_cut(cloud: Cloud) -> None:
    east, west = await both(cloud)
    await east("PutItem", TableName="things", Item={"p": {"S": "a"}})
    await until(lambda: has(west, "a"))

    def measured() -> int:
        return sum(drained.key.name == "ReplicationLatency" for drained in east.region.meter.drain())

    async def seen() -> bool:
        return measured() > 0

    await until(seen)
    cloud.net.cut(EAST, WEST)
    await east("PutItem", TableName="things", Item={"p": {"S": "b"}})
    await asyncio.sleep(0.5)
    assert measured() == 0, "what does not arrive is not measured: so lag is watched by a heartbeat, too"
    link = east.state.tables["things"].items.replica_status()[WEST]
    assert link.backlog == 1
    assert link.lag_ms >= 400
    cloud.net.heal(EAST, WEST)
    await until(seen)


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
    await west.active("things")
    await west("UpdateTable", TableName="things", TableClass=infrequent)
    await until(lambda: _is_shown(west, infrequent, "TableClassSummary", "TableClass"))
    assert [each["RegionName"] for each in await shown(west, "Replicas")] == [EAST]


async def _is_shown(db: Home, wanted: Any, *path: str) -> bool:
    return bool(await shown(db, *path) == wanted)


async def test_read_capacity_is_a_replicas_own_until_somebody_changes_it_for_all(cloud: Cloud) -> None:
    """As AWS has it: a change of the setting in any replica ends what the others override.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
    """
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}
    index = by_g(units)
    east, west = await both(
        cloud,
        BillingMode="PROVISIONED",
        ProvisionedThroughput=units,
        AttributeDefinitions=DEFINITIONS,
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
    more = {"ReadCapacityUnits": 50, "WriteCapacityUnits": 9}
    await west("UpdateTable", TableName="things", ProvisionedThroughput=more)
    await until(lambda: _is_shown(east, 9, "ProvisionedThroughput", "WriteCapacityUnits"))
    assert await shown(west, "ProvisionedThroughput", "ReadCapacityUnits") == 50
    assert await shown(east, "ProvisionedThroughput", "ReadCapacityUnits") == 5, "a replica's own is told to nobody"
    assert await shown(east, "Replicas", WEST, "ProvisionedThroughputOverride") == {"ReadCapacityUnits": 50}
    await east.active("things")
    more = {"ReadCapacityUnits": 300, "WriteCapacityUnits": 9}
    changed = {"Update": {"IndexName": "by-g", "ProvisionedThroughput": more}}
    await east("UpdateTable", TableName="things", ProvisionedThroughput=more, GlobalSecondaryIndexUpdates=[changed])
    await until(lambda: _is_shown(west, 300, "ProvisionedThroughput", "ReadCapacityUnits"))
    assert await shown(west, "GlobalSecondaryIndexes", "by-g", "ProvisionedThroughput", "ReadCapacityUnits") == 300
    assert await shown(east, "Replicas", WEST, "ProvisionedThroughputOverride") is None
    assert await shown(east, "Replicas", WEST, "GlobalSecondaryIndexes") is None


async def test_on_demand_read_limits_are_a_replicas_own(cloud: Cloud) -> None:
    east, west = await both(cloud, OnDemandThroughput={"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 20})
    own = {"RegionName": WEST, "OnDemandThroughputOverride": {"MaxReadRequestUnits": 99}}
    await east("UpdateTable", TableName="things", ReplicaUpdates=[{"Update": own}])
    wanted = {"MaxReadRequestUnits": 99, "MaxWriteRequestUnits": 20}
    await until(lambda: _is_shown(west, wanted, "OnDemandThroughput"))
    await east.active("things")
    await east("UpdateTable", TableName="things", OnDemandThroughput={"MaxReadRequestUnits": 11})
    wanted = {"MaxReadRequestUnits": 11, "MaxWriteRequestUnits": 20}
    await until(lambda: _is_shown(west, wanted, "OnDemandThroughput"))
    assert await shown(east, "OnDemandThroughput") == wanted, "what is not said stays"


async def test_an_index_made_anew_has_nothing_of_the_one_before(cloud: Cloud) -> None:
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}
    index = by_g(units)
    settings = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": units, "AttributeDefinitions": DEFINITIONS}
    east, west = await both(cloud, **settings, GlobalSecondaryIndexes=[index])
    own = {"IndexName": "by-g", "ProvisionedThroughputOverride": {"ReadCapacityUnits": 70}}
    update = {"Update": {"RegionName": WEST, "GlobalSecondaryIndexes": [own]}}
    await east("UpdateTable", TableName="things", ReplicaUpdates=[update])
    reads = ("GlobalSecondaryIndexes", "by-g", "ProvisionedThroughput", "ReadCapacityUnits")
    await until(lambda: _is_shown(west, 70, *reads))
    for change in ({"Delete": {"IndexName": "by-g"}}, {"Create": index}):
        await east.active("things")
        await west.active("things")
        await east(
            "UpdateTable",
            TableName="things",
            AttributeDefinitions=DEFINITIONS,
            GlobalSecondaryIndexUpdates=[change],
        )
        await until(lambda: _is_shown(west, None if "Delete" in change else 5, *reads))  # noqa: B023


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
    east, west = await both(cloud)
    await east("PutItem", TableName="things", Item={"p": {"S": "k"}})
    await until(lambda: has(west, "k"))
    cloud.net.cut(EAST, WEST)
    await west("PutItem", TableName="things", Item={"p": {"S": "never sent"}})
    await cloud.stop(WEST)
    monkeypatch.setattr(sightings, "GIVE_UP_MS", 200)
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


async def test_a_cut_link_shows_in_what_is_pending_and_in_a_heartbeat_that_rises(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LATE_MS", 1500)
    east, west = await both(cloud)
    ages: list[float] = []
    pending: list[float] = []

    def read() -> None:
        for drained in east.region.meter.drain():
            key, dimensions = drained.key, dict(drained.key.dimensions)
            if (key.namespace, key.name, key.unit) == ("Outlast", "ReplicationHeartbeatAge", "Milliseconds"):
                assert dimensions == {"SourceRegion": EAST, "ReceivingRegion": WEST}
                ages.append(max(drained.values))
            if (key.namespace, key.name) == ("AWS/DynamoDB", "PendingReplicationCount"):
                assert dimensions == {"TableName": "things", "ReceivingRegion": WEST}
                pending.append(max(drained.values))

    async def risen() -> bool:
        read()
        return len(ages) >= 3 and ages[-1] > 3000

    async def waiting() -> bool:
        read()
        return pending[-1:] == [2.0]

    async def calm() -> bool:
        read()
        return pending[-1:] == [0.0] and ages[-1] < 1500

    cloud.net.cut(EAST, WEST)
    await until(risen, 30)
    assert ages[-3] < ages[-2] < ages[-1]
    assert not any(pending[1:])
    await east("PutItem", TableName="things", Item={"p": {"S": "a"}})
    await east("PutItem", TableName="things", Item={"p": {"S": "b"}})
    await until(waiting, 30)
    cloud.net.heal(EAST, WEST)
    await until(lambda: has(west, "b"), 30)
    await until(calm, 30)
