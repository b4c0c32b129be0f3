"""Tables: made, described, listed, changed and deleted; refused in AWS's words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dynamodb.harness import ACCOUNT, Cloud, Home, until

Params = dict[str, Any]
S = {"AttributeName": "p", "AttributeType": "S"}
N = {"AttributeName": "s", "AttributeType": "N"}
HASH = {"AttributeName": "p", "KeyType": "HASH"}
RANGE = {"AttributeName": "s", "KeyType": "RANGE"}
UNITS = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
INVALID = "One or more parameter values were invalid: "
KEYS_ONLY = {"ProjectionType": "KEYS_ONLY"}


def params(**changes: Any) -> Params:
    given: Params = {
        "TableName": "things",
        "AttributeDefinitions": [S],
        "KeySchema": [HASH],
        "BillingMode": "PAY_PER_REQUEST",
    }
    given.update(changes)
    return {name: value for name, value in given.items() if value is not None}


def index(name: str = "idx", schema: Any = None, **more: Any) -> Params:
    return {"IndexName": name, "KeySchema": schema or [HASH, RANGE], "Projection": KEYS_ONLY, **more}


def two_keys(**changes: Any) -> Params:
    return params(AttributeDefinitions=[S, N], KeySchema=[HASH, RANGE], **changes)


async def test_a_table_comes_is_active_within_a_second_and_goes(db: Home) -> None:
    made = (await db("CreateTable", **params()))["TableDescription"]
    assert made["TableStatus"] == "CREATING"
    assert made["TableArn"] == f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/things"
    assert made["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert made["ProvisionedThroughput"] == {
        "NumberOfDecreasesToday": 0,
        "ReadCapacityUnits": 0,
        "WriteCapacityUnits": 0,
    }
    fault = await db.refused("PutItem", TableName="things", Item={"p": {"S": "a"}})
    assert (fault.code, fault.message) == ("ResourceNotFoundException", "Requested resource not found")
    fault = await db.refused("CreateTable", **params())
    assert (fault.code, fault.message) == ("ResourceInUseException", "Table already exists: things")
    fault = await db.refused("DeleteTable", TableName="things")
    assert fault.code == "ResourceInUseException"
    assert "Table is being created: things" in fault.message
    described = await db.active("things")
    assert described["ItemCount"] == 0
    assert (await db("ListTables"))["TableNames"] == ["things"]
    billing = described["BillingModeSummary"]
    assert billing["LastUpdateToPayPerRequestDateTime"] == described["CreationDateTime"]
    last = (await db("DeleteTable", TableName="things"))["TableDescription"]
    assert last["TableStatus"] == "DELETING"
    assert not {"KeySchema", "AttributeDefinitions", "CreationDateTime"} & last.keys()
    fault = await db.refused("GetItem", TableName="things", Key={"p": {"S": "a"}})
    assert fault.code == "ResourceNotFoundException"

    async def gone() -> bool:
        return (await db("ListTables"))["TableNames"] == []

    await until(gone)
    fault = await db.refused("DescribeTable", TableName="things")
    assert fault.message == "Requested resource not found: Table: things not found"


async def test_a_table_and_its_items_are_there_after_a_restart(cloud: Cloud) -> None:
    db = await cloud.start()
    await db.table(Tags=[{"Key": "k", "Value": "v"}])
    await db("PutItem", TableName="things", Item={"p": {"S": "a"}, "n": {"N": "1"}})
    before = (await db("DescribeTable", TableName="things"))["Table"]
    await db("CreateTable", **params(TableName="half"))
    await cloud.stop()
    db = await cloud.start()
    after = (await db("DescribeTable", TableName="things"))["Table"]
    assert {**before, "ItemCount": 1, "TableSizeBytes": 4} == {**after, "ItemCount": 1, "TableSizeBytes": 4}
    assert (await db("GetItem", TableName="things", Key={"p": {"S": "a"}}))["Item"]["n"] == {"N": "1"}
    tags = await db("ListTagsOfResource", ResourceArn=after["TableArn"])
    assert tags["Tags"] == [{"Key": "k", "Value": "v"}]
    assert (await db.active("half"))["TableStatus"] == "ACTIVE"


async def test_a_table_is_named_by_arn_too(db: Home) -> None:
    await db.table()
    arn = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/things"
    await db("PutItem", TableName=arn, Item={"p": {"S": "a"}})
    assert (await db("DescribeTable", TableName=arn))["Table"]["TableName"] == "things"
    assert (await db("GetItem", TableName=arn, Key={"p": {"S": "a"}}))["Item"] == {"p": {"S": "a"}}


async def test_a_provisioned_table_with_every_setting(db: Home) -> None:
    await db(
        "CreateTable",
        **two_keys(
            BillingMode=None,
            ProvisionedThroughput=UNITS,
            LocalSecondaryIndexes=[index("local")],
            GlobalSecondaryIndexes=[
                index("global", [{"AttributeName": "s", "KeyType": "HASH"}], ProvisionedThroughput=UNITS)
            ],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
            SSESpecification={"Enabled": True},
            TableClass="STANDARD_INFREQUENT_ACCESS",
            DeletionProtectionEnabled=True,
        ),
    )
    table = await db.active("things")
    assert table["ProvisionedThroughput"] == {**UNITS, "NumberOfDecreasesToday": 0}
    assert "BillingModeSummary" not in table
    assert table["LocalSecondaryIndexes"][0]["IndexName"] == "local"
    assert table["GlobalSecondaryIndexes"][0]["IndexArn"] == f"{table['TableArn']}/index/global"
    assert table["LatestStreamArn"].startswith(f"{table['TableArn']}/stream/")
    assert table["SSEDescription"]["SSEType"] == "KMS"
    assert table["TableClassSummary"] == {"TableClass": "STANDARD_INFREQUENT_ACCESS"}
    fault = await db.refused("DeleteTable", TableName="things")
    assert "protected against deletion" in fault.message
    await db("UpdateTable", TableName="things", DeletionProtectionEnabled=False)
    await db.active("things")
    await db("DeleteTable", TableName="things")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            params(TableName=None),
            "The parameter 'TableName' is required but was not present in the request",
        ),
        (
            params(TableName="a;"),
            "2 validation errors detected: Value 'a;' at 'tableName' failed to satisfy constraint: Member must satisfy "
            "regular expression pattern: [a-zA-Z0-9_.-]+; Value 'a;' at 'tableName' failed to satisfy constraint: "
            "Member must have length greater than or equal to 3",
        ),
        (params(AttributeDefinitions=None), "Value null at 'attributeDefinitions' failed to satisfy constraint"),
        (params(KeySchema=[{"AttributeName": "p", "KeyType": "RANGE"}]), "The first KeySchemaElement is not a HASH"),
        (params(KeySchema=[HASH, {**HASH, "KeyType": "RANGE"}], AttributeDefinitions=[S, N]), "have the same name"),
        (params(KeySchema=[HASH, {**RANGE, "KeyType": "HASH"}], AttributeDefinitions=[S, N]), "not a RANGE key type"),
        (
            params(KeySchema=[{"AttributeName": "q", "KeyType": "HASH"}]),
            f"{INVALID}Some index key attributes are not defined in AttributeDefinitions. Keys: [q], "
            "AttributeDefinitions: [p]",
        ),
        (
            params(AttributeDefinitions=[S, N]),
            f"{INVALID}Number of attributes in KeySchema does not exactly match number of attributes defined in "
            "AttributeDefinitions",
        ),
        (
            params(BillingMode=None),
            f"{INVALID}ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
        ),
        (
            params(ProvisionedThroughput=UNITS),
            f"{INVALID}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
            "PAY_PER_REQUEST",
        ),
        (params(BillingMode="OTHER"), "Member must satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]"),
        (params(AttributeDefinitions=[{**S, "AttributeType": "X"}]), "Member must satisfy enum value set: [B, N, S]"),
        (params(LocalSecondaryIndexes=[index()]), "does not have a range key, which is required"),
        (two_keys(LocalSecondaryIndexes=[]), f"{INVALID}List of LocalSecondaryIndexes is empty"),
        (two_keys(GlobalSecondaryIndexes=[]), f"{INVALID}List of GlobalSecondaryIndexes is empty"),
        (two_keys(LocalSecondaryIndexes=[index("idx", [HASH])]), "Index KeySchema does not have a range key for index"),
        (
            two_keys(
                LocalSecondaryIndexes=[index("idx", [{**RANGE, "KeyType": "HASH"}, {**HASH, "KeyType": "RANGE"}])]
            ),
            "does not have the same leading hash key as table KeySchema for index: idx. index hash key: s, "
            "table hash key: p",
        ),
        (two_keys(LocalSecondaryIndexes=[index(), index()]), f"{INVALID}Duplicate index name: idx"),
        (
            two_keys(LocalSecondaryIndexes=[index(f"idx{i}") for i in range(6)]),
            "exceeds per-table limit of 5",
        ),
        (
            two_keys(GlobalSecondaryIndexes=[index(f"idx{i}") for i in range(21)]),
            f"{INVALID}GlobalSecondaryIndex count exceeds the per-table limit of 20",
        ),
        (
            two_keys(GlobalSecondaryIndexes=[index(ProvisionedThroughput=UNITS)]),
            "ProvisionedThroughput should not be specified for index: idx when BillingMode is PAY_PER_REQUEST",
        ),
        (
            two_keys(GlobalSecondaryIndexes=[index(Projection={"ProjectionType": "INCLUDE"})]),
            f"{INVALID}ProjectionType is INCLUDE, but NonKeyAttributes is not specified",
        ),
        (
            two_keys(GlobalSecondaryIndexes=[index(Projection={"ProjectionType": "ALL", "NonKeyAttributes": ["x"]})]),
            f"{INVALID}ProjectionType is ALL, but NonKeyAttributes is specified",
        ),
        (two_keys(GlobalSecondaryIndexes=[index(Projection={})]), f"{INVALID}Unknown ProjectionType: null"),
        (
            params(StreamSpecification={"StreamEnabled": True}),
            f"{INVALID}StreamViewType is required when StreamEnabled is true",
        ),
    ],
)
async def test_tables_that_cannot_be(db: Home, given: Params, message: str) -> None:
    fault = await db.refused("CreateTable", **given)
    assert fault.code == "ValidationException"
    assert message in fault.message
    assert (await db("ListTables"))["TableNames"] == []


async def test_tables_are_listed_in_pages_by_name(db: Home) -> None:
    for name in ("ccc", "aaa", "bbb"):
        await db("CreateTable", **params(TableName=name))
    assert await db("ListTables", Limit=2) == {"TableNames": ["aaa", "bbb"], "LastEvaluatedTableName": "bbb"}
    assert await db("ListTables", ExclusiveStartTableName="bbb") == {"TableNames": ["ccc"]}
    assert await db("ListTables", ExclusiveStartTableName="abc") == {"TableNames": ["bbb", "ccc"]}
    assert (await db.refused("ListTables", Limit=101)).message == (
        "1 validation error detected: Value '101' at 'limit' failed to satisfy constraint: "
        "Member must have value less than or equal to 100"
    )


async def test_billing_and_throughput_change(db: Home) -> None:
    await db.table()
    fault = await db.refused("UpdateTable", TableName="things")
    assert fault.message.startswith("At least one of ProvisionedThroughput")
    fault = await db.refused("UpdateTable", TableName="things", BillingMode="PROVISIONED")
    assert "must both be specified" in fault.message
    changed = await db("UpdateTable", TableName="things", BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
    assert changed["TableDescription"]["TableStatus"] == "UPDATING"
    fault = await db.refused("UpdateTable", TableName="things", DeletionProtectionEnabled=True)
    assert fault.code == "ResourceInUseException"
    await db("PutItem", TableName="things", Item={"p": {"S": "writes go on while it changes"}})
    await db.active("things")
    fault = await db.refused("UpdateTable", TableName="things", ProvisionedThroughput=UNITS)
    assert fault.message.startswith("The provisioned throughput for the table will not change.")
    await db("UpdateTable", TableName="things", ProvisionedThroughput={"ReadCapacityUnits": 6, "WriteCapacityUnits": 5})
    assert (await db.active("things"))["ProvisionedThroughput"]["ReadCapacityUnits"] == 6
    await db("UpdateTable", TableName="things", BillingMode="PAY_PER_REQUEST")
    assert (await db.active("things"))["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


async def test_items_are_counted(db: Home) -> None:
    await db.table()
    for number in range(3):
        await db("PutItem", TableName="things", Item={"p": {"S": str(number)}, "x": {"S": "1234"}})
    await db("DeleteItem", TableName="things", Key={"p": {"S": "0"}})
    table = (await db("DescribeTable", TableName="things"))["Table"]
    assert (table["ItemCount"], table["TableSizeBytes"]) == (2, 14)


async def test_limits_endpoints_and_unknown_tables(db: Home) -> None:
    limits = await db("DescribeLimits")
    assert limits["TableMaxReadCapacityUnits"] == 40_000
    assert (await db("DescribeEndpoints"))["Endpoints"][0]["CachePeriodInMinutes"] == 1440
    for operation in ("DescribeTable", "DeleteTable"):
        fault = await db.refused(operation, TableName="nothing")
        assert (fault.code, fault.message) == (
            "ResourceNotFoundException",
            "Requested resource not found: Table: nothing not found",
        )


async def test_warm_throughput_only_grows(db: Home) -> None:
    low = {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 3_999}
    fault = await db.refused("CreateTable", **params(WarmThroughput=low))
    assert fault.message.startswith(
        f"{INVALID}Requested WriteUnitsPerSecond for WarmThroughput for table is lower than minimum"
    )
    await db.table(WarmThroughput={"ReadUnitsPerSecond": 13_000})
    lower = {"ReadUnitsPerSecond": 12_500}
    fault = await db.refused("UpdateTable", TableName="things", WarmThroughput=lower)
    assert fault.message == (
        f"{INVALID}Requested ReadUnitsPerSecond for WarmThroughput for table is lower than current WarmThroughput, "
        "decreasing WarmThroughput is not supported"
    )
    await db("UpdateTable", TableName="things", WarmThroughput={"ReadUnitsPerSecond": 14_000})
    assert (await db.active("things"))["WarmThroughput"]["ReadUnitsPerSecond"] == 14_000


async def test_a_table_class_that_changed_tells_when(db: Home) -> None:
    for operation in ("CreateTable", "UpdateTable"):
        fault = await db.refused(operation, **params(TableClass="standard"))
        assert fault.message == (
            "Invalid table-class parameter provided. Please try again with a valid table-class value: "
            "[STANDARD, STANDARD_INFREQUENT_ACCESS]."
        )
    await db.table(TableClass="STANDARD")
    assert (await db.active("things"))["TableClassSummary"] == {"TableClass": "STANDARD"}
    await db("UpdateTable", TableName="things", TableClass="STANDARD_INFREQUENT_ACCESS")
    assert (await db.active("things"))["TableClassSummary"].keys() == {"TableClass", "LastUpdateDateTime"}


async def test_the_global_tables_of_2017_are_over(db: Home) -> None:
    assert await db("ListGlobalTables") == {"GlobalTables": []}
    group = [{"RegionName": "us-west-2"}]
    fault = await db.refused("CreateGlobalTable", GlobalTableName="old", ReplicationGroup=group)
    assert fault.code == "ValidationException"
    assert "2017.11.29 is not supported" in fault.message
    for operation, more in (
        ("UpdateGlobalTable", {"ReplicaUpdates": [{"Create": {"RegionName": "us-west-2"}}]}),
        ("DescribeGlobalTable", {}),
        ("DescribeGlobalTableSettings", {}),
        ("UpdateGlobalTableSettings", {"GlobalTableBillingMode": "PAY_PER_REQUEST"}),
    ):
        fault = await db.refused(operation, GlobalTableName="old", **more)
        assert (fault.code, fault.message) == (
            "GlobalTableNotFoundException",
            "Global table with name 'old' does not exist.",
        )
