"""Two Regions change one global table at once, while they cannot hear each other: nothing that was accepted is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.dynamodb.harness import Cloud, Home, running, until
from tests.unit.dynamodb.test_global_tables import EAST, OHIO, WEST, create, has, remove, replicas
from tests.unit.dynamodb.test_replica_settings import DEFINITIONS, both, by_g, shown

INFREQUENT = "STANDARD_INFREQUENT_ACCESS"


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    async with running(tmp_path, EAST, WEST, OHIO) as made:
        yield made


async def expire(db: Home, attribute: str) -> None:
    specification = {"Enabled": True, "AttributeName": attribute}
    await db("UpdateTimeToLive", TableName="things", TimeToLiveSpecification=specification)


async def expires(db: Home) -> str | None:
    found = (await db("DescribeTimeToLive", TableName="things"))["TimeToLiveDescription"]
    attribute: str | None = found.get("AttributeName")
    return attribute


async def index(db: Home, name: str) -> None:
    made = {
        "IndexName": f"by-{name}",
        "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    definitions = [{"AttributeName": each, "AttributeType": "S"} for each in ("p", name)]
    updates = [{"Create": made}]
    await db("UpdateTable", TableName="things", AttributeDefinitions=definitions, GlobalSecondaryIndexUpdates=updates)


async def agreed(*homes: Home) -> bool:
    """Every Region shows the same settings, indexes and members, all ACTIVE."""
    seen: list[Any] = []
    for db in homes:
        table = (await db("DescribeTable", TableName="things"))["Table"]
        indexes = {each["IndexName"]: each["IndexStatus"] for each in table.get("GlobalSecondaryIndexes", ())}
        seen.append(
            (
                table["TableStatus"],
                table["ProvisionedThroughput"]["WriteCapacityUnits"],
                table.get("TableClassSummary", {}).get("TableClass"),
                await expires(db),
                sorted(indexes.items()),
                sorted((await replicas(db)).items()),
                sorted(each["AttributeName"] for each in table["AttributeDefinitions"]),
            )
        )
    return all(each == seen[0] for each in seen) and "CREATING" not in repr(seen[0]) and seen[0][0] == "ACTIVE"


async def test_different_settings_changed_at_once_are_all_kept(cloud: Cloud) -> None:
    east, west = await both(cloud)
    cloud.net.cut(EAST, WEST)
    await expire(east, "gone")
    await west("UpdateTable", TableName="things", TableClass=INFREQUENT)
    cloud.net.heal(EAST, WEST)
    await until(lambda: agreed(east, west))
    assert (await expires(west), await shown(east, "TableClassSummary", "TableClass")) == ("gone", INFREQUENT)


async def test_of_one_setting_changed_at_once_the_same_value_stands_everywhere(cloud: Cloud) -> None:
    east, west = await both(cloud)
    cloud.net.cut(EAST, WEST)
    await expire(east, "east")
    await expire(west, "west")
    cloud.net.heal(EAST, WEST)
    await until(lambda: agreed(east, west))
    assert await expires(east) == "west", "of one epoch the greater Region's"


async def test_an_override_that_is_ended_for_all_stays_ended_whatever_its_region_changes_at_once(cloud: Cloud) -> None:
    """The greater Region's change of its own entry, of the same epoch, must not bring its override back."""
    east, west = await both(cloud)
    own = {"RegionName": WEST, "TableClassOverride": INFREQUENT}
    await east("UpdateTable", TableName="things", ReplicaUpdates=[{"Update": own}])
    await until(lambda: _shows(west, INFREQUENT))
    await until(lambda: agreed(east, east))
    cloud.net.cut(EAST, WEST)
    await west("UpdateTable", TableName="things", DeletionProtectionEnabled=True)
    await east("UpdateTable", TableName="things", TableClass="STANDARD")
    cloud.net.heal(EAST, WEST)
    await until(lambda: agreed(east, west))
    assert await _shows(west, "STANDARD")


async def _shows(db: Home, table_class: str) -> bool:
    found = await shown(db, "TableClassSummary", "TableClass")
    return bool(found == table_class)


async def test_an_index_made_in_each_region_at_once_is_in_both_and_filled(cloud: Cloud) -> None:
    east, west = await both(cloud)
    await east("PutItem", TableName="things", Item={name: {"S": name} for name in ("p", "g", "h")})
    await until(lambda: has(west, "p"))
    cloud.net.cut(EAST, WEST)
    await index(east, "g")
    await index(west, "h")
    cloud.net.heal(EAST, WEST)
    await until(lambda: agreed(east, west), 20)
    for db in (east, west):
        assert await shown(db, "GlobalSecondaryIndexes", "by-g", "IndexStatus") == "ACTIVE"
        for name in ("g", "h"):
            asked = {"KeyConditionExpression": f"{name} = :v", "ExpressionAttributeValues": {":v": {"S": name}}}
            assert (await db("Query", TableName="things", IndexName=f"by-{name}", **asked))["Count"] == 1


async def test_a_replica_added_while_another_region_changes_a_setting_comes_about(cloud: Cloud) -> None:
    east, west = await both(cloud)
    ohio = cloud.homes[OHIO]
    cloud.net.cut(EAST, WEST)
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(OHIO)])
    await expire(west, "gone")
    await west("UpdateTable", TableName="things", TableClass=INFREQUENT)
    cloud.net.heal(EAST, WEST)
    await until(lambda: _three(east, west, ohio), 20)
    await until(lambda: agreed(east, west, ohio), 20)
    assert (await expires(ohio), await shown(ohio, "TableClassSummary", "TableClass")) == ("gone", INFREQUENT)


async def _three(*homes: Home) -> bool:
    wanted = {EAST: "ACTIVE", WEST: "ACTIVE", OHIO: "ACTIVE"}
    try:
        return all([await replicas(db) == wanted for db in homes])
    except Exception:
        return False


async def test_a_replica_removed_while_another_region_changes_a_setting_goes(cloud: Cloud) -> None:
    east, west = await both(cloud)
    ohio = cloud.homes[OHIO]
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(OHIO)])
    await until(lambda: _three(east, west, ohio), 20)
    for db in (east, west, ohio):
        await db.active("things")
    cloud.net.cut(EAST, WEST)
    await expire(west, "gone")
    await east("UpdateTable", TableName="things", ReplicaUpdates=[remove(OHIO)])
    await west("UpdateTable", TableName="things", TableClass=INFREQUENT)
    cloud.net.heal(EAST, WEST)

    async def left() -> bool:
        return "things" not in (await ohio("ListTables"))["TableNames"] and await agreed(east, west)

    await until(left, 50)
    assert await replicas(east) == {EAST: "ACTIVE", WEST: "ACTIVE"}
    assert (await expires(east), await shown(east, "TableClassSummary", "TableClass")) == ("gone", INFREQUENT)


async def test_everything_that_is_always_shared_follows_once_a_region_is_back(cloud: Cloud) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html"""
    east, west = await both(cloud)
    units = {"ReadCapacityUnits": 7, "WriteCapacityUnits": 9}
    made = by_g(units)
    warm = {"ReadUnitsPerSecond": 13000, "WriteUnitsPerSecond": 5000}
    cloud.net.cut(EAST, WEST)
    await expire(west, "gone")
    await west(
        "UpdateTable",
        TableName="things",
        BillingMode="PROVISIONED",
        ProvisionedThroughput=units,
        AttributeDefinitions=DEFINITIONS,
        GlobalSecondaryIndexUpdates=[{"Create": made}],
        SSESpecification={"Enabled": True, "SSEType": "KMS"},
        TableClass=INFREQUENT,
        WarmThroughput=warm,
    )
    await west.active("things")
    cloud.net.heal(EAST, WEST)
    await until(lambda: agreed(east, west), 30)
    await east.active("things")
    assert await expires(east) == "gone"
    assert await shown(east, "ProvisionedThroughput", "WriteCapacityUnits") == 9
    assert await shown(east, "GlobalSecondaryIndexes", "by-g", "ProvisionedThroughput", "WriteCapacityUnits") == 9
    assert await shown(east, "SSEDescription", "SSEType") == "KMS"
    assert await shown(east, "TableClassSummary", "TableClass") == INFREQUENT
    assert await shown(east, "WarmThroughput", "ReadUnitsPerSecond") == 13000
    for db in (east, west):
        assert await shown(db, "BillingModeSummary", "BillingMode") == "PROVISIONED"
