"""What DescribeTable tells of items and bytes stays right, whatever ends a Region or takes writes away."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from outlast.cloud.engine import StorageUnavailable
from outlast.cloud.services.dynamodb import counting
from outlast.cloud.services.dynamodb.service import dynamodb
from tests.unit.dynamodb.harness import Home
from tests.unit.dynamodb.test_global_tables import EAST, WEST
from tests.unit.dynamodb.test_members_at_once import members, run
from tests.unit.dynamodb.virtual import VirtualCloud

SOON_S = 25.0
DEFINITIONS = [{"AttributeName": name, "AttributeType": "S"} for name in ("p", "g")]
BY_G = {
    "IndexName": "by-g",
    "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}


async def put(home: Home, name: str, text: str = "") -> None:
    item = {"p": {"S": name}, "g": {"S": f"g{name[-1]}"}, "x": {"S": text}}
    await home("PutItem", TableName="things", Item=item)


async def told(home: Home) -> list[tuple[int, int]]:
    """Items and bytes of the table and of its index."""
    table = (await home("DescribeTable", TableName="things"))["Table"]
    indexes = table.get("GlobalSecondaryIndexes", [])
    return [(table["ItemCount"], table["TableSizeBytes"])] + [(i["ItemCount"], i["IndexSizeBytes"]) for i in indexes]


async def there(home: Home) -> list[tuple[int, int]]:
    """The same, of what a Scan finds."""
    items: list[dict[str, Any]] = (await home("Scan", TableName="things"))["Items"]
    size = sum(len(name) + len(value["S"]) for item in items for name, value in item.items())
    return [(len(items), size)] * 2


async def indexed(cloud: VirtualCloud) -> Home:
    east = cloud.homes[EAST]
    await east.table(AttributeDefinitions=DEFINITIONS, GlobalSecondaryIndexes=[BY_G])
    return east


def test_a_table_is_counted_again_after_a_hard_end(tmp_path: Path) -> None:
    async def play(cloud: VirtualCloud) -> None:
        east = await indexed(cloud)
        for number in range(7):
            await put(east, f"{number}", "some")
        await asyncio.sleep(SOON_S)
        await put(east, "after the counts were kept")
        await put(east, "3", "longer than before")
        await east("DeleteItem", TableName="things", Key={"p": {"S": "1"}})
        expected = await there(east)
        assert await told(east) == expected
        await cloud.crash(EAST)
        east = await cloud.start(EAST)
        assert await told(east) != expected
        await asyncio.sleep(SOON_S)
        assert await told(east) == expected == await there(east)

    run(tmp_path, play)


def test_writes_go_on_while_a_table_is_counted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "PIECE_ITEMS", 3)
    monkeypatch.setattr(counting, "PAUSE_S", 0.5)

    async def play(cloud: VirtualCloud) -> None:
        east = await indexed(cloud)
        for number in range(60):
            await put(east, f"{number}", "some")
        await cloud.crash(EAST)
        east = await cloud.start(EAST)
        during = 0
        for number in range(200):
            await asyncio.sleep(0.23)
            during += bool(east.state.tables["things"].recounts)
            match number % 3:
                case 0:
                    await put(east, f"new {number * 7 % 90}", "x" * number)
                case 1:
                    await put(east, f"{number * 7 % 60}", "y" * number)
                case _:
                    await east("DeleteItem", TableName="things", Key={"p": {"S": f"{number * 11 % 60}"}})
        assert during > 50
        await asyncio.sleep(SOON_S)
        assert not east.state.tables["things"].recounts
        assert await told(east) == await there(east)

    run(tmp_path, play)


def test_a_table_is_counted_again_after_its_writes_were_lost(tmp_path: Path) -> None:
    async def play(cloud: VirtualCloud) -> None:
        east = await indexed(cloud)
        await put(east, "kept")
        expected = await there(east)
        cloud.disks[EAST].faults.full = True
        with pytest.raises(StorageUnavailable):
            await put(east, "lost")
        cloud.disks[EAST].faults.full = False
        assert await told(east) != expected == await there(east)
        await asyncio.sleep(SOON_S)
        assert await told(east) == expected

    run(tmp_path, play)


def test_counts_of_a_clean_end_are_taken_as_they_are(tmp_path: Path) -> None:
    async def play(cloud: VirtualCloud) -> None:
        east = await indexed(cloud)
        await put(east, "a")
        expected = await there(east)
        await asyncio.sleep(SOON_S)
        await cloud.stop(EAST)
        east = await cloud.start(EAST)
        assert east.state.counting.uncounted == set()
        assert await told(east) == expected
        await put(east, "b")
        await cloud.crash(EAST)
        east = await cloud.start(EAST)
        assert east.state.counting.uncounted == {"things"}

    run(tmp_path, play)


def test_a_write_that_arrives_while_the_region_stops_is_counted(tmp_path: Path) -> None:
    async def play(cloud: VirtualCloud) -> None:
        east, west = await members(cloud, WEST)
        await asyncio.sleep(SOON_S)
        for closer in dynamodb.closers:
            await closer(east.state)
        await west("PutItem", TableName="things", Item={"p": {"S": "late"}})
        await asyncio.sleep(5.0)
        await cloud.crash(EAST)
        east = await cloud.start(EAST)
        assert east.state.counting.uncounted == {"things"}
        await asyncio.sleep(SOON_S)
        assert (await told(east))[0][0] == 1

    run(tmp_path, play)
