"""Streams, time to live, backups and recovery."""

from __future__ import annotations

from typing import Any

import pytest

from outlast.cloud.services.dynamodb import retention
from tests.unit.dynamodb.harness import Cloud, Home, until

VIEWS = {
    "KEYS_ONLY": (False, False),
    "NEW_IMAGE": (True, False),
    "OLD_IMAGE": (False, True),
    "NEW_AND_OLD_IMAGES": (True, True),
}


async def streamed(db: Home, view: str = "NEW_AND_OLD_IMAGES") -> str:
    await db.table(StreamSpecification={"StreamEnabled": True, "StreamViewType": view})
    return str((await db("DescribeTable", TableName="things"))["Table"]["LatestStreamArn"])


async def shards(db: Home, arn: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await db("DescribeStream", StreamArn=arn))["StreamDescription"]["Shards"]
    return found


async def iterator(db: Home, arn: str, kind: str = "TRIM_HORIZON", shard: int = -1, **more: str) -> str:
    shard_id = (await shards(db, arn))[shard]["ShardId"]
    params = {"StreamArn": arn, "ShardId": shard_id, "ShardIteratorType": kind, **more}
    return str((await db("GetShardIterator", **params))["ShardIterator"])


async def put(db: Home, key: str, **attributes: Any) -> None:
    await db("PutItem", TableName="things", Item={"p": {"S": key}, **attributes})


@pytest.mark.parametrize("view", VIEWS)
async def test_records_tell_of_every_change_and_of_no_other(db: Home, view: str) -> None:
    arn = await streamed(db, view)
    await put(db, "a", n={"N": "1"})
    await put(db, "a", n={"N": "1"})
    await put(db, "a", n={"N": "2"})
    await db("DeleteItem", TableName="things", Key={"p": {"S": "a"}})
    await db("DeleteItem", TableName="things", Key={"p": {"S": "a"}})
    records = (await db("GetRecords", ShardIterator=await iterator(db, arn)))["Records"]
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    new, old = VIEWS[view]
    details = [record["dynamodb"] for record in records]
    assert [("NewImage" in each, "OldImage" in each) for each in details] == [(new, False), (new, old), (False, old)]
    assert all(each["Keys"] == {"p": {"S": "a"}} and each["StreamViewType"] == view for each in details)
    numbers = [int(each["SequenceNumber"]) for each in details]
    assert numbers == sorted(set(numbers))
    assert all(len(each["SequenceNumber"]) >= 21 for each in details)
    if new and old:
        assert details[1]["NewImage"] == {"p": {"S": "a"}, "n": {"N": "2"}}
        assert details[1]["OldImage"] == {"p": {"S": "a"}, "n": {"N": "1"}}
        assert details[0]["SizeBytes"] == 2 + 2 + 3


async def test_iterators_of_every_type(db: Home) -> None:
    arn = await streamed(db)
    for key in "abc":
        await put(db, key)

    async def keys(at: str) -> list[str]:
        found = (await db("GetRecords", ShardIterator=at))["Records"]
        return [record["dynamodb"]["Keys"]["p"]["S"] for record in found]

    everything = await db("GetRecords", ShardIterator=await iterator(db, arn), Limit=2)
    second = everything["Records"][1]["dynamodb"]["SequenceNumber"]
    assert await keys(everything["NextShardIterator"]) == ["c"]
    assert await keys(await iterator(db, arn, "AT_SEQUENCE_NUMBER", SequenceNumber=second)) == ["b", "c"]
    assert await keys(await iterator(db, arn, "AFTER_SEQUENCE_NUMBER", SequenceNumber=second)) == ["c"]
    latest = await iterator(db, arn, "LATEST")
    assert await keys(latest) == []
    await put(db, "d")
    assert await keys(latest) == ["d"]
    fault = await db.refused("GetRecords", ShardIterator="nonsense")
    assert fault.code == "ValidationException"
    fault = await db.refused(
        "GetShardIterator",
        StreamArn=arn,
        ShardId=(await shards(db, arn))[0]["ShardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
    )
    assert fault.code == "ValidationException"
    db.clock.shift_ms += 16 * 60 * 1000  # type: ignore[attr-defined]
    assert (await db.refused("GetRecords", ShardIterator=latest)).code == "ExpiredIteratorException"


async def test_a_stream_begins_and_ends_with_its_tables_update(db: Home) -> None:
    await db.table()
    fault = await db.refused("UpdateTable", TableName="things", StreamSpecification={"StreamEnabled": False})
    assert (fault.code, fault.message) == (
        "ValidationException",
        "Table has no stream to disable: TableName: things",
    )
    wanted = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    arn = (await db("UpdateTable", TableName="things", StreamSpecification=wanted))["TableDescription"][
        "LatestStreamArn"
    ]

    async def status() -> str:
        return str((await db("DescribeStream", StreamArn=arn))["StreamDescription"]["StreamStatus"])

    assert await status() == "ENABLING"
    await db.active("things")
    assert await status() == "ENABLED"
    fault = await db.refused("UpdateTable", TableName="things", StreamSpecification=wanted)
    assert (fault.code, fault.message) == (
        "ValidationException",
        "Table already has an enabled stream: TableName: things",
    )
    await db("UpdateTable", TableName="things", StreamSpecification={"StreamEnabled": False})
    assert await status() == "DISABLING"
    await db.active("things")
    assert await status() == "DISABLED"


async def test_listing_streams_and_shards_has_limits(db: Home) -> None:
    arn = await streamed(db)
    for operation, given in (
        ("ListStreams", {"Limit": 101}),
        ("DescribeStream", {"StreamArn": arn, "Limit": 101}),
        ("GetRecords", {"ShardIterator": await iterator(db, arn), "Limit": 1001}),
    ):
        fault = await db.refused(operation, **given)
        assert "'limit' failed to satisfy constraint: Member must have value less than or equal to" in fault.message
    fault = await db.refused("ListStreams", ExclusiveStartStreamArn="no stream's ARN, yet long enough to be one")
    assert fault.code == "ValidationException"
    past = await db("DescribeStream", StreamArn=arn, ExclusiveStartShardId="z" * 30)
    assert past["StreamDescription"]["Shards"] == []


async def test_shards_roll_over_and_old_records_go(db: Home) -> None:
    arn = await streamed(db)
    await put(db, "old")
    first = await iterator(db, arn)
    db.clock.shift_ms += 5 * 3600 * 1000  # type: ignore[attr-defined]
    await retention.tend(db.state, db.state.tables["things"])
    await put(db, "new")
    both = await shards(db, arn)
    assert both[1]["ParentShardId"] == both[0]["ShardId"]
    assert "EndingSequenceNumber" in both[0]["SequenceNumberRange"]
    children = await db(
        "DescribeStream", StreamArn=arn, ShardFilter={"Type": "CHILD_SHARDS", "ShardId": both[0]["ShardId"]}
    )
    assert [each["ShardId"] for each in children["StreamDescription"]["Shards"]] == [both[1]["ShardId"]]
    page = await db("DescribeStream", StreamArn=arn, Limit=1)
    assert page["StreamDescription"]["LastEvaluatedShardId"] == both[0]["ShardId"]
    closed = await db("GetRecords", ShardIterator=await iterator(db, arn, shard=0))
    assert len(closed["Records"]) == 1
    assert "NextShardIterator" not in closed
    assert first
    db.clock.shift_ms += 20 * 3600 * 1000  # type: ignore[attr-defined]
    await retention.tend(db.state, db.state.tables["things"])
    left = [each["ShardId"] for each in await shards(db, arn)]
    assert both[0]["ShardId"] not in left
    assert both[1]["ShardId"] in left


async def test_a_stream_that_ended_can_be_read_and_another_begun(db: Home) -> None:
    arn = await streamed(db)
    await put(db, "a")
    await db("UpdateTable", TableName="things", StreamSpecification={"StreamEnabled": False})
    await db.active("things")
    await put(db, "b")
    described = (await db("DescribeStream", StreamArn=arn))["StreamDescription"]
    assert described["StreamStatus"] == "DISABLED"
    assert len((await db("GetRecords", ShardIterator=await iterator(db, arn)))["Records"]) == 1
    await db(
        "UpdateTable",
        TableName="things",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )
    await db.active("things")
    listed = (await db("ListStreams", TableName="things"))["Streams"]
    assert len(listed) == 2
    page = await db("ListStreams", Limit=1)
    assert page["LastEvaluatedStreamArn"] == page["Streams"][0]["StreamArn"]
    rest = await db("ListStreams", ExclusiveStartStreamArn=page["LastEvaluatedStreamArn"])
    assert len(rest["Streams"]) == 1


async def test_numbering_goes_on_after_a_restart(cloud: Cloud) -> None:
    db = await cloud.start()
    arn = await streamed(db)
    await put(db, "a")
    before = (await db("GetRecords", ShardIterator=await iterator(db, arn)))["Records"][0]["dynamodb"]
    await cloud.stop()
    db = await cloud.start()
    await put(db, "b")
    records = (await db("GetRecords", ShardIterator=await iterator(db, arn)))["Records"]
    assert len(records) == 2
    assert int(records[1]["dynamodb"]["SequenceNumber"]) > int(before["SequenceNumber"])


async def test_items_expire_within_seconds_and_the_stream_says_who_did_it(db: Home) -> None:
    arn = await streamed(db)
    now_s = int(db.clock.now_s())
    await put(db, "due before", gone={"N": str(now_s - 10)})
    await put(db, "ancient", gone={"N": str(now_s - 6 * 365 * 24 * 3600)})
    await put(db, "later", gone={"N": str(now_s + 1000)})
    await put(db, "text", gone={"S": str(now_s - 10)})
    specification = {"Enabled": True, "AttributeName": "gone"}
    reply = await db("UpdateTimeToLive", TableName="things", TimeToLiveSpecification=specification)
    assert reply == {"TimeToLiveSpecification": specification}
    await put(db, "due after", gone={"N": f"{now_s - 5}.500001"})

    async def left() -> bool:
        found = (await db("Scan", TableName="things"))["Items"]
        return {item["p"]["S"] for item in found} == {"ancient", "later", "text"}

    await until(left)
    records = (await db("GetRecords", ShardIterator=await iterator(db, arn)))["Records"]
    removed = [record for record in records if record["eventName"] == "REMOVE"]
    assert len(removed) == 2
    assert all(
        record["userIdentity"] == {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"} for record in removed
    )
    described = (await db("DescribeTimeToLive", TableName="things"))["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "gone"}


async def test_time_to_live_is_changed_within_its_rules(db: Home) -> None:
    await db.table()
    assert (await db("DescribeTimeToLive", TableName="things"))["TimeToLiveDescription"] == {
        "TimeToLiveStatus": "DISABLED"
    }
    off, on, other = (
        {"Enabled": False, "AttributeName": "t"},
        {"Enabled": True, "AttributeName": "t"},
        {"Enabled": True, "AttributeName": "u"},
    )
    change = {"TableName": "things"}
    fault = await db.refused("UpdateTimeToLive", **change, TimeToLiveSpecification=off)
    assert fault.message == "TimeToLive is already disabled"
    await db("UpdateTimeToLive", **change, TimeToLiveSpecification=on)
    fault = await db.refused("UpdateTimeToLive", **change, TimeToLiveSpecification=on)
    assert fault.message == "TimeToLive is already enabled"
    fault = await db.refused("UpdateTimeToLive", **change, TimeToLiveSpecification=other)
    assert fault.message == "TimeToLive is active on a different AttributeName: current AttributeName is t"
    await db("UpdateTimeToLive", **change, TimeToLiveSpecification=off)
    fault = await db.refused("UpdateTimeToLive", TableName="none", TimeToLiveSpecification=on)
    assert fault.code == "ResourceNotFoundException"


async def test_a_backup_is_the_table_as_it_was_and_can_be_restored(db: Home) -> None:
    await db.table()
    for number in range(600):
        await db("PutItem", TableName="things", Item={"p": {"S": str(number)}, "v": {"N": "1"}})
    arn = (await db("CreateBackup", TableName="things", BackupName="first"))["BackupDetails"]["BackupArn"]
    for number in range(0, 600, 7):
        await db("PutItem", TableName="things", Item={"p": {"S": str(number)}, "v": {"N": "2"}})
    await db("DeleteItem", TableName="things", Key={"p": {"S": "5"}})
    await db("PutItem", TableName="things", Item={"p": {"S": "new"}})

    async def available() -> bool:
        detail = (await db("DescribeBackup", BackupArn=arn))["BackupDescription"]["BackupDetails"]
        return bool(detail["BackupStatus"] == "AVAILABLE")

    await until(available)
    summaries = (await db("ListBackups", TableName="things"))["BackupSummaries"]
    assert [each["BackupName"] for each in summaries] == ["first"]
    reply = await db("RestoreTableFromBackup", TargetTableName="again", BackupArn=arn)
    assert reply["TableDescription"]["TableStatus"] == "CREATING"
    assert reply["TableDescription"]["RestoreSummary"]["SourceBackupArn"] == arn
    await db.active("again")
    items = (await db("Scan", TableName="again"))["Items"]
    assert len(items) == 600
    assert {item["v"]["N"] for item in items} == {"1"}
    assert (await db("DeleteBackup", BackupArn=arn))["BackupDescription"]["BackupDetails"]["BackupStatus"] == "DELETED"
    assert (await db.refused("DescribeBackup", BackupArn=arn)).code == "BackupNotFoundException"
    fault = await db.refused("CreateBackup", TableName="none", BackupName="first")
    assert fault.code == "TableNotFoundException"


async def test_a_table_can_be_restored_to_a_moment(db: Home) -> None:
    await db.table()
    await put(db, "kept", v={"N": "1"})
    await put(db, "changed", v={"N": "1"})
    await put(db, "deleted", v={"N": "1"})
    target = {"SourceTableName": "things", "TargetTableName": "then"}
    fault = await db.refused("RestoreTableToPointInTime", **target, UseLatestRestorableTime=True)
    assert fault.code == "PointInTimeRecoveryUnavailableException"
    await db(
        "UpdateContinuousBackups",
        TableName="things",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    db.clock.shift_ms += 5000  # type: ignore[attr-defined]
    moment = db.clock.now_s()
    db.clock.shift_ms += 5000  # type: ignore[attr-defined]
    await put(db, "changed", v={"N": "2"})
    await put(db, "changed", v={"N": "3"})
    await put(db, "added", v={"N": "1"})
    await db("DeleteItem", TableName="things", Key={"p": {"S": "deleted"}})
    described = (await db("DescribeContinuousBackups", TableName="things"))["ContinuousBackupsDescription"]
    assert described["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    fault = await db.refused("RestoreTableToPointInTime", **target, RestoreDateTime=moment - 3600)
    assert fault.code == "InvalidRestoreTimeException"
    await db("RestoreTableToPointInTime", **target, RestoreDateTime=moment)
    await db.active("then")
    items = (await db("Scan", TableName="then"))["Items"]
    assert {item["p"]["S"]: item["v"]["N"] for item in items} == {"kept": "1", "changed": "1", "deleted": "1"}


async def test_tags_have_limits(db: Home) -> None:
    await db.table(Tags=[{"Key": "a", "Value": "1"}])
    arn = (await db("DescribeTable", TableName="things"))["Table"]["TableArn"]
    await db("TagResource", ResourceArn=arn, Tags=[{"Key": f"k{n}", "Value": ""} for n in range(49)])
    fault = await db.refused("TagResource", ResourceArn=arn, Tags=[{"Key": "more", "Value": ""}])
    assert fault.code == "ValidationException"
    assert len((await db("ListTagsOfResource", ResourceArn=arn))["Tags"]) == 50
    fault = await db.refused("ListTagsOfResource", ResourceArn=arn, NextToken="10")
    assert fault.code == "ValidationException"
    await db("UntagResource", ResourceArn=arn, TagKeys=["a", "never there"])
    await db("TagResource", ResourceArn=arn, Tags=[{"Key": "ключ _.:/=+-@", "Value": "א" * 256}])
    for bad in (
        {"Key": "x" * 129, "Value": ""},
        {"Key": "x", "Value": "v" * 257},
        {"Key": "aws:x", "Value": ""},
        {"Key": "hey!", "Value": ""},
        {"Key": "x", "Value": "100%"},
    ):
        fault = await db.refused("TagResource", ResourceArn=arn, Tags=[bad])
        assert fault.code == "ValidationException"
    fault = await db.refused("TagResource", ResourceArn="nonsense", Tags=[{"Key": "a", "Value": ""}])
    assert fault.message == "One or more parameter values were invalid: ARNs must start with 'arn:': nonsense"


async def test_resource_policies_come_and_go(db: Home) -> None:
    await db.table()
    arn = (await db("DescribeTable", TableName="things"))["Table"]["TableArn"]
    assert (await db.refused("GetResourcePolicy", ResourceArn=arn)).code == "PolicyNotFoundException"
    policy = '{"Version": "2012-10-17", "Statement": []}'
    revision = (await db("PutResourcePolicy", ResourceArn=arn, Policy=policy))["RevisionId"]
    assert await db("GetResourcePolicy", ResourceArn=arn) == {"Policy": policy, "RevisionId": revision}
    fault = await db.refused("PutResourcePolicy", ResourceArn=arn, Policy=policy, ExpectedRevisionId="other")
    assert fault.code == "PolicyNotFoundException"
    no_policy = "Resource-based policy not found for the provided ResourceArn: "
    assert fault.message == (
        f"{no_policy}Requested update for policy with revision id other, but the policy associated to target table "
        f"things has revision id {revision}."
    )
    fault = await db.refused("PutResourcePolicy", ResourceArn=arn, Policy=policy, ExpectedRevisionId="NO_POLICY")
    assert fault.message == (
        f"{no_policy}Requested policy update expecting none to be present for table things, "
        f"but a policy exists with revision id {revision}."
    )
    fault = await db.refused("GetResourcePolicy", ResourceArn=f"{arn}s")
    assert (fault.code, fault.message) == (
        "ResourceNotFoundException",
        "Requested resource not found: Table: thingss not found",
    )
    await db("DeleteResourcePolicy", ResourceArn=arn)
    assert (await db.refused("DeleteResourcePolicy", ResourceArn=arn, ExpectedRevisionId=revision)).code == (
        "PolicyNotFoundException"
    )
    assert await db("DeleteResourcePolicy", ResourceArn=arn) == {}
    for bad in ("{", "[]", '{"Version": "2012-10-17"}', '{"Statement": [{"Effect": "Maybe", "Action": "dynamodb:*"}]}'):
        assert (await db.refused("PutResourcePolicy", ResourceArn=arn, Policy=bad)).code == "ValidationException", bad
