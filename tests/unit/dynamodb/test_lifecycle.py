"""Steps of tables: each for itself, tried again when it fails."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from outlast.cloud.services.dynamodb import lifecycle
from outlast.cloud.services.dynamodb.lifecycle import STEPS
from tests.unit.dynamodb.harness import Home, until

DEFINITIONS = [{"AttributeName": "g", "AttributeType": "S"}]
CREATE = {
    "Create": {
        "IndexName": "late",
        "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
}


async def begin_index(db: Home) -> None:
    await db("UpdateTable", TableName="things", AttributeDefinitions=DEFINITIONS, GlobalSecondaryIndexUpdates=[CREATE])


async def test_a_step_that_fails_holds_up_no_other_table_and_is_tried_again(
    db: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fill, tries, broken = STEPS["fill-index"], 0, True

    async def flaky(*given: Any) -> None:
        nonlocal tries
        tries += 1
        if broken:
            raise RuntimeError("no luck")
        await fill(*given)

    monkeypatch.setitem(STEPS, "fill-index", flaky)
    monkeypatch.setattr(lifecycle, "FIRST_PAUSE_MS", 20)
    monkeypatch.setattr(lifecycle, "LAST_PAUSE_MS", 40)
    await db.table()
    await db("PutItem", TableName="things", Item={"p": {"S": "a"}, "g": {"S": "x"}})
    with caplog.at_level(logging.ERROR, "outlast.dynamodb"):
        await begin_index(db)

        async def tried() -> bool:
            return tries > 2

        await until(tried)
        await db.table("others")
        await db("DeleteTable", TableName="others")
    assert [record.getMessage() for record in caplog.records] == [
        "us-east-1: fill-index of table things waits: no luck"
    ]
    broken = False
    await db.active("things")
    assert (await db("Scan", TableName="things", IndexName="late"))["Count"] == 1


async def test_a_long_step_holds_up_no_other_table(db: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    fill, released, begun = STEPS["fill-index"], asyncio.Event(), asyncio.Event()

    async def slow(*given: Any) -> None:
        begun.set()
        await released.wait()
        await fill(*given)

    monkeypatch.setitem(STEPS, "fill-index", slow)
    await db.table()
    await begin_index(db)
    await begun.wait()
    await db.table("others")
    assert (await db("DescribeTable", TableName="things"))["Table"]["TableStatus"] == "UPDATING"
    released.set()
    await db.active("things")


async def test_a_table_is_there_until_its_backup_is_made_and_its_past_restored(
    db: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    restore, delete, released, tries = STEPS["restore"], STEPS["delete"], asyncio.Event(), 0

    async def slow(*given: Any) -> None:
        await released.wait()
        await restore(*given)

    async def counted(*given: Any) -> None:
        nonlocal tries
        tries += 1
        await delete(*given)

    monkeypatch.setitem(STEPS, "restore", slow)
    monkeypatch.setitem(STEPS, "delete", counted)
    await db.table()
    await db(
        "UpdateContinuousBackups",
        TableName="things",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    await db("PutItem", TableName="things", Item={"p": {"S": "a"}})
    await db(
        "RestoreTableToPointInTime", SourceTableName="things", TargetTableName="again", UseLatestRestorableTime=True
    )
    made = (await db("CreateBackup", TableName="things", BackupName="last"))["BackupDetails"]
    await db("DeleteTable", TableName="things")

    async def tried() -> bool:
        return tries > 1

    await until(tried)
    assert (await db("DescribeTable", TableName="things"))["Table"]["TableStatus"] == "DELETING"
    released.set()
    await db.active("again")
    assert (await db("Scan", TableName="again"))["Count"] == 1

    async def gone() -> bool:
        return (await db("ListTables"))["TableNames"] == ["again"]

    await until(gone)
    backup = (await db("DescribeBackup", BackupArn=made["BackupArn"]))["BackupDescription"]["BackupDetails"]
    assert (backup["BackupStatus"], backup["BackupSizeBytes"] > 0) == ("AVAILABLE", True)


@pytest.mark.parametrize("more", [{}, {"AttributeDefinitions": []}, {"AttributeDefinitions": DEFINITIONS}])
async def test_no_index_update_is_no_update(db: Home, more: dict[str, Any]) -> None:
    await db.table()
    fault = await db.refused("UpdateTable", TableName="things", GlobalSecondaryIndexUpdates=[], **more)
    assert fault.code == "ValidationException"
    assert fault.message.startswith("At least one of ProvisionedThroughput, BillingMode")


@pytest.mark.parametrize(
    "kinds", [("Create", "Create"), ("Delete", "Delete"), ("Create", "Delete"), ("Delete", "Create")]
)
async def test_one_index_comes_or_goes_at_once(db: Home, kinds: tuple[str, str]) -> None:
    await db.table()
    updates = [
        {"Create": {**CREATE["Create"], "IndexName": name}} if kind == "Create" else {"Delete": {"IndexName": name}}
        for name, kind in zip(("one", "two"), kinds, strict=True)
    ]
    fault = await db.refused(
        "UpdateTable", TableName="things", AttributeDefinitions=DEFINITIONS, GlobalSecondaryIndexUpdates=updates
    )
    assert fault.code == "LimitExceededException"
