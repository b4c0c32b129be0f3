"""Replicas come and go while other Regions change the table, clocks are wrong or answers late; in virtual time."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from outlast.cloud.engine import StorageUnavailable
from outlast.cloud.simulation import simulate
from tests.unit.dynamodb.harness import Home, until
from tests.unit.dynamodb.test_global_tables import EAST, OHIO, WEST, create, gone, has, remove, replicas
from tests.unit.dynamodb.test_settings_at_once import INFREQUENT, agreed, expire, expires
from tests.unit.dynamodb.virtual import VirtualCloud

Play = Callable[[VirtualCloud], Awaitable[None]]
ALL = {EAST: "ACTIVE", WEST: "ACTIVE", OHIO: "ACTIVE"}
TWO = {EAST: "ACTIVE", WEST: "ACTIVE"}


def run(folder: Path, play: Play, seed: int = 0) -> None:
    """`play` on a world whose three Regions have just started, and none of whose handlers may fail."""

    async def whole() -> None:
        cloud = VirtualCloud(folder, (EAST, WEST, OHIO), seed)
        for name in cloud.names:
            await cloud.start(name)
        await play(cloud)
        assert [each for each in cloud.net.errors if not isinstance(each, StorageUnavailable)] == []
        await cloud.close()

    simulate(whole())


async def members(cloud: VirtualCloud, *others: str) -> tuple[Home, ...]:
    """`things` in EAST and `others`, ACTIVE everywhere and nothing left to do."""
    homes = [cloud.homes[EAST]]
    await homes[0].table()
    for name in others:
        await homes[0]("UpdateTable", TableName="things", ReplicaUpdates=[create(name)])
        await homes[0].active("things")
        homes.append(cloud.homes[name])
    await calm(cloud)
    return tuple(homes)


async def calm(cloud: VirtualCloud) -> None:
    """Until no table has anything to do."""

    async def idle() -> bool:
        tables = [table for home in cloud.homes.values() for table in home.state.tables.values()]
        return not any(table.doc.get("Due") or table.status != "ACTIVE" for table in tables)

    await until(idle, 200)


async def shows(db: Home, wanted: dict[str, str]) -> bool:
    return not await gone(db) and await replicas(db) == wanted


async def put(db: Home, key: str) -> None:
    await db("PutItem", TableName="things", Item={"p": {"S": key}})


async def _removed(cloud: VirtualCloud, east: Home, west: Home, ohio: Home) -> None:
    """Once the link is whole again the third replica goes, and the others agree."""
    cloud.net.heal(EAST, WEST)
    await until(lambda: gone(ohio), 40)
    await calm(cloud)
    assert await agreed(east, west)
    assert await replicas(east) == TWO


@pytest.mark.parametrize("seed", range(12))
def test_a_removal_goes_on_whatever_another_region_changes_at_once(tmp_path: Path, seed: int) -> None:
    async def play(cloud: VirtualCloud) -> None:
        east, west, ohio = await members(cloud, WEST, OHIO)
        cloud.net.cut(EAST, WEST)
        await expire(west, "gone")
        await asyncio.sleep(0.1 * (seed % 4))
        await east("UpdateTable", TableName="things", ReplicaUpdates=[remove(OHIO)])
        await west("UpdateTable", TableName="things", TableClass=INFREQUENT)
        await _removed(cloud, east, west, ohio)
        assert await expires(east) == "gone"

    run(tmp_path, play, seed)


@pytest.mark.parametrize("seed", range(12))
def test_a_replica_that_has_just_come_about_can_be_removed_at_once(tmp_path: Path, seed: int) -> None:
    """The one that made it does not know yet that all have heard of it, and another Region changes something."""

    async def play(cloud: VirtualCloud) -> None:
        east, west = await members(cloud, WEST)
        ohio = cloud.homes[OHIO]
        await east("UpdateTable", TableName="things", ReplicaUpdates=[create(OHIO)])
        await until(lambda: shows(ohio, ALL), 60)
        await until(lambda: _is_active(east), 60)
        cloud.net.cut(EAST, WEST)
        await expire(west, "gone")
        await east("UpdateTable", TableName="things", ReplicaUpdates=[remove(OHIO)])
        await west("UpdateTable", TableName="things", TableClass=INFREQUENT)
        await _removed(cloud, east, west, ohio)

    run(tmp_path, play, seed)


async def _is_active(db: Home) -> bool:
    return bool((await db("DescribeTable", TableName="things"))["Table"]["TableStatus"] == "ACTIVE")


@pytest.mark.parametrize("skew_ms", [-300_000, 300_000])
def test_a_replica_that_leaves_sends_what_it_took_though_the_others_clocks_are_wrong(
    tmp_path: Path, skew_ms: int
) -> None:
    async def play(cloud: VirtualCloud) -> None:
        east, west, ohio = await members(cloud, WEST, OHIO)
        cloud.clocks[EAST].skew_ms = skew_ms
        for other in (EAST, WEST):
            cloud.net.links[OHIO, other].min_delay_s = cloud.net.links[OHIO, other].max_delay_s = 2.5
        for number in range(20):
            await put(ohio, f"last{number}")
        await west("UpdateTable", TableName="things", ReplicaUpdates=[remove(OHIO)])
        await until(lambda: gone(ohio), 100)
        await calm(cloud)
        for db in (east, west):
            assert await replicas(db) == TWO
            for number in range(20):
                await until(lambda db=db, number=number: has(db, f"last{number}"), 30)  # type: ignore[misc]

    run(tmp_path, play)


def test_a_table_is_active_soon_after_the_clock_was_set_back(tmp_path: Path) -> None:
    async def play(cloud: VirtualCloud) -> None:
        east = cloud.homes[EAST]
        cloud.clocks[EAST].skew_ms = 600_000
        settings = {"AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}]}
        schema = [{"AttributeName": "p", "KeyType": "HASH"}]
        await east("CreateTable", TableName="things", KeySchema=schema, BillingMode="PAY_PER_REQUEST", **settings)
        cloud.clocks[EAST].skew_ms = 0
        await until(lambda: _is_active(east), 10)

    run(tmp_path, play)


def test_who_hears_of_a_removal_and_of_the_new_replica_at_once_sends_it_everything(tmp_path: Path) -> None:
    async def play(cloud: VirtualCloud) -> None:
        east, west, ohio = await members(cloud, WEST, OHIO)
        cloud.net.cut(EAST, WEST)
        await put(east, "half")
        await until(lambda: has(ohio, "half"), 30)
        cloud.net.cut(EAST, OHIO)
        await west("UpdateTable", TableName="things", ReplicaUpdates=[remove(OHIO)])
        await until(lambda: gone(ohio), 200)
        await until(lambda: _is_active(west), 200)
        await west("UpdateTable", TableName="things", ReplicaUpdates=[create(OHIO)])
        await until(lambda: shows(ohio, ALL), 60)
        assert not await has(ohio, "half")
        cloud.net.heal(EAST, WEST)
        cloud.net.heal(EAST, OHIO)
        await calm(cloud)
        for db in (west, ohio):
            await until(lambda db=db: has(db, "half"), 60)  # type: ignore[misc]

    run(tmp_path, play)


def test_an_answer_about_a_replica_that_was_there_before_does_not_end_a_new_one(tmp_path: Path) -> None:
    async def play(cloud: VirtualCloud) -> None:
        east, _, ohio = await members(cloud, WEST, OHIO)
        await ohio("DeleteTable", TableName="things")
        await asyncio.sleep(0.05)
        back = cloud.net.links[OHIO, EAST]
        back.min_delay_s = back.max_delay_s = 2.5
        await expire(east, "gone")  # is told to OHIO, which answers late that it has left
        back.min_delay_s = back.max_delay_s = 0.01
        await until(lambda: shows(east, TWO), 60)
        await until(lambda: _is_active(east), 60)
        await east("UpdateTable", TableName="things", ReplicaUpdates=[create(OHIO)])
        await calm(cloud)
        for db in cloud.homes.values():
            assert await replicas(db) == ALL

    run(tmp_path, play)


def test_a_replica_comes_about_though_the_region_that_last_changed_a_setting_is_away(tmp_path: Path) -> None:
    async def play(cloud: VirtualCloud) -> None:
        east, west = await members(cloud, WEST)
        ohio = cloud.homes[OHIO]
        cloud.net.cut(EAST, OHIO)
        await east("UpdateTable", TableName="things", ReplicaUpdates=[create(OHIO)])
        await asyncio.sleep(2)
        await expire(west, "gone")
        await until(lambda: _expires(east, "gone"), 30)
        await cloud.crash(WEST)
        cloud.net.heal(EAST, OHIO)
        await until(lambda: shows(ohio, ALL), 60)
        await until(lambda: shows(east, ALL), 60)

    run(tmp_path, play)


async def _expires(db: Home, attribute: str) -> bool:
    return await expires(db) == attribute


def test_a_replica_that_never_comes_about_can_be_removed_again(tmp_path: Path) -> None:
    async def play(cloud: VirtualCloud) -> None:
        (east,) = await members(cloud)
        await cloud.destroy(WEST)
        await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])
        await asyncio.sleep(5)
        assert not await _is_active(east)
        await until(lambda: _is_active(east), 100)
        assert await replicas(east) == {EAST: "ACTIVE", WEST: "CREATING"}
        await east("UpdateTable", TableName="things", ReplicaUpdates=[remove(WEST)])
        await until(lambda: shows(east, {}), 100)
        await until(lambda: _is_active(east), 10)

    run(tmp_path, play)


def index(name: str, key: str, kind: str = "S") -> dict[str, Any]:
    """UpdateTable's members that make an index."""
    made = {
        "IndexName": name,
        "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    types = [{"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": key, "AttributeType": kind}]
    return {"AttributeDefinitions": types, "GlobalSecondaryIndexUpdates": [{"Create": made}]}


async def same_indexes(*homes: Home) -> list[Any]:
    """The indexes and definitions that all show."""
    seen = []
    for db in homes:
        table = (await db("DescribeTable", TableName="things"))["Table"]
        kept = ("IndexName", "KeySchema", "IndexStatus", "ItemCount")
        indexes = [{name: each[name] for name in kept} for each in table.get("GlobalSecondaryIndexes", ())]
        definitions = sorted((each["AttributeName"], each["AttributeType"]) for each in table["AttributeDefinitions"])
        seen.append([sorted(indexes, key=lambda each: str(each["IndexName"])), definitions])
    assert all(each == seen[0] for each in seen), seen
    return seen[0]


@pytest.mark.parametrize("other", [("by-x", "h", "S"), ("by-y", "g", "N")])
def test_two_indexes_that_cannot_both_be_are_the_same_one_everywhere(
    tmp_path: Path, other: tuple[str, str, str]
) -> None:
    """Of one name with two keys, or over one attribute with two types."""

    async def play(cloud: VirtualCloud) -> None:
        east, west = await members(cloud, WEST)
        item = {"p": {"S": "a"}, "g": {"S": "1"}, "h": {"S": "2"}}
        await east("PutItem", TableName="things", Item=item)
        await until(lambda: has(west, "a"))
        cloud.net.cut(EAST, WEST)
        await east("UpdateTable", TableName="things", **index("by-x", "g"))
        await west("UpdateTable", TableName="things", **index(*other))
        cloud.net.heal(EAST, WEST)
        await calm(cloud)
        await asyncio.sleep(25)
        await calm(cloud)
        indexes, _ = await same_indexes(east, west)
        assert [each["IndexStatus"] for each in indexes] == ["ACTIVE"] * len(indexes)

    run(tmp_path, play)


def test_an_index_that_is_made_again_elsewhere_while_it_goes_here_is_there(tmp_path: Path) -> None:
    async def play(cloud: VirtualCloud) -> None:
        east, west, _ = await members(cloud, WEST, OHIO)
        await put(east, "a")
        await east("UpdateTable", TableName="things", **index("by-x", "p"))
        await calm(cloud)
        await east("UpdateTable", TableName="things", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-x"}}])
        cloud.net.cut(OHIO, EAST)
        step = next(each for each in east.state.tables["things"].doc["Due"] if each["Step"] == "drop-index")
        step["AtMs"] += 4000  # a slow machine

        async def dropped() -> bool:
            return not west.state.tables["things"].doc["Indexes"]

        await until(dropped, 30)
        await west("UpdateTable", TableName="things", **index("by-x", "p"))
        cloud.net.heal(OHIO, EAST)
        await asyncio.sleep(10)
        await calm(cloud)
        indexes, _ = await same_indexes(*cloud.homes.values())
        assert [(each["IndexStatus"], each["ItemCount"]) for each in indexes] == [("ACTIVE", 1)]

    run(tmp_path, play)


def test_a_replica_whose_disk_was_full_when_it_was_to_become_active_takes_requests(tmp_path: Path) -> None:
    async def play(cloud: VirtualCloud) -> None:
        (east,) = await members(cloud)
        west = cloud.homes[WEST]
        await put(east, "a")
        await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])

        async def filled() -> bool:
            return bool(east.state.tables["things"].doc["Replicas"][WEST].get("Filled"))

        await until(filled, 30)
        cloud.disks[WEST].faults.full = True
        await asyncio.sleep(20)
        cloud.disks[WEST].faults.full = False
        await until(lambda: shows(west, TWO), 60)
        await asyncio.sleep(20)
        assert await has(west, "a")
        await cloud.crash(WEST)
        west = await cloud.start(WEST)
        assert await has(west, "a"), "what was told in memory alone is kept as well"

    run(tmp_path, play)


def test_a_region_put_back_from_an_older_copy_ends_with_the_same_settings(tmp_path: Path) -> None:
    """It makes changes of the same numbers as those that it has forgotten, before it meets anybody."""

    async def play(cloud: VirtualCloud) -> None:
        east, west = await members(cloud, WEST)
        await put(east, "a")
        await until(lambda: has(west, "a"))
        await cloud.stop(WEST)
        shutil.copytree(tmp_path / WEST, tmp_path / "copy")
        west = await cloud.start(WEST)
        await west("UpdateTable", TableName="things", TableClass=INFREQUENT)
        await put(west, "forgotten")
        await until(lambda: has(east, "forgotten"), 30)
        await calm(cloud)
        await cloud.stop(WEST)
        shutil.rmtree(tmp_path / WEST)
        (tmp_path / "copy").rename(tmp_path / WEST)
        cloud.net.cut(EAST, WEST)
        west = await cloud.start(WEST)
        await expire(west, "gone")
        await put(west, "of the copy")
        await asyncio.sleep(5)
        cloud.net.heal(EAST, WEST)
        await calm(cloud)
        await asyncio.sleep(30)
        await calm(cloud)
        assert await agreed(east, west)
        for db in (east, west):
            assert await replicas(db) == TWO
            for key in ("a", "forgotten", "of the copy"):
                await until(lambda db=db, key=key: has(db, key), 30)  # type: ignore[misc]

    run(tmp_path, play)
