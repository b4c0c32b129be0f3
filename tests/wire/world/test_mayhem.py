"""Three Regions under writers that conflict, while links, disks, clocks and processes fail at random, and one is lost.

Afterwards the copies are equal, and each acknowledged write is in its item's history, or in that of a version that the
ledger has, or was listed as stranded in the Region whose disk was lost.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.conftest import World
from tests.wire.world.test_kills import client, items_of, kill_and_restart, until

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
TABLE = "mayhem"
KEYS = 30
FAILURES = (ClientError, BotoCoreError)


class Historian(threading.Thread):
    """Adds itself to the histories of few items, and puts items of its own; notes what was acknowledged."""

    def __init__(self, world: World, region: str, seed: int) -> None:
        super().__init__(daemon=True)
        self._world, self.region, self._seed = world, region, seed
        self._random = random.Random(seed)
        self._over = threading.Event()
        self.noted: list[tuple[str, str]] = []
        self.start()

    def run(self) -> None:
        number = 0
        while not self._over.wait(0.01):
            number += 1
            value = f"{self.region}-{self._seed}-{number}"
            key = value if self._random.random() < 0.3 else f"k{self._random.randrange(KEYS)}"
            try:
                client(self._world, self.region).update_item(
                    TableName=TABLE,
                    Key={"p": {"S": key}},
                    UpdateExpression="SET h = list_append(if_not_exists(h, :none), :one)",
                    ExpressionAttributeValues={":none": {"L": []}, ":one": {"L": [{"S": value}]}},
                )
            except FAILURES:
                self._over.wait(0.05)
            else:
                self.noted.append((key, value))

    def end(self) -> None:
        self._over.set()
        self.join()


def history(item: dict[str, Any]) -> set[str]:
    return {each["S"] for each in item.get("h", {}).get("L", ())}


def paged(call: Callable[..., Any], members: str, **given: Any) -> Iterator[Any]:
    while True:
        page = call(TableName=TABLE, **given)
        yield from page[members]
        if "NextToken" not in page:
            return
        given["NextToken"] = page["NextToken"]


def members(world: World, region: str) -> dict[str, str]:
    found = client(world, region).describe_table(TableName=TABLE)["Table"]
    others = {each["RegionName"]: each["ReplicaStatus"] for each in found.get("Replicas", ())}
    return {**others, region: found["TableStatus"]}


def quiet(world: World) -> bool:
    for region in REGIONS:
        leaving = links(world, region)
        if members(world, region) != dict.fromkeys(REGIONS, "ACTIVE") or len(leaving) != len(REGIONS) - 1:
            return False
        if any(link["Status"] != "ACTIVE" or link["PendingWrites"] for link in leaving):
            return False
    return True


def links(world: World, region: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client(world, region, "outlast").list_replication_links(TableName=TABLE)["Links"]
    return found


def seen(world: World) -> str:
    return "\n".join(f"{region} {members(world, region)} {links(world, region)}" for region in REGIONS)


def explained(world: World) -> dict[str, set[str]]:
    """Every history of every version that a ledger has, by key."""
    found: dict[str, set[str]] = {}
    for region in REGIONS:
        for conflict in paged(client(world, region, "outlast").list_conflicts, "Conflicts", MaxResults=1000):
            known = found.setdefault(json.loads(conflict["Key"])["p"]["S"], set())
            for side in (conflict["Winner"], conflict["Loser"]):
                known |= history(json.loads(side.get("Item", "{}")))
    return found


def trouble(world: World, chance: random.Random, seconds: float) -> None:
    """Faults of every kind that leaves the disks whole, up to four at once; all over at the end."""
    held: list[str] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        one, other = chance.sample(REGIONS, 2)
        kind = chance.choice(("cut", "cut", "paused", "lossy", "full", "skew", "isolated", "kill", "kill", "end"))
        if kind == "kill":
            kill_and_restart(world, one)
        elif kind == "end" or len(held) == 4:
            if held:
                world.end_fault(held.pop(chance.randrange(len(held))))
        elif kind == "cut":
            held.append(world.fault("link-cut", one, other, duration_s=600.0))
        elif kind == "paused":
            held.append(world.fault("replication-paused", one, other, duration_s=600.0))
        elif kind == "lossy":
            lossy = {"loss": 0.3, "delay_ms": 50}
            held.append(world.fault("link-slow", one, other, duration_s=600.0, parameters=lossy))
        elif kind == "skew":
            skew = {"skew_ms": chance.choice((-60_000, 60_000))}
            held.append(world.fault("clock-skew", one, duration_s=600.0, parameters=skew))
        else:
            name = {"full": "disk-full", "isolated": "region-isolated"}[kind]
            held.append(world.fault(name, one, duration_s=600.0))
        time.sleep(chance.uniform(0.2, 1.0))
    for fault in held:
        world.end_fault(fault)


def lose(world: World, writers: list[Historian], gone: str) -> set[str]:
    """Destroy a Region that had sent its last writes to one of the others only; the keys that nobody else has."""
    first, second = (region for region in REGIONS if region != gone)
    cuts = [world.fault("link-cut", gone, first, duration_s=600.0)]
    time.sleep(2)
    cuts.append(world.fault("link-cut", gone, second, duration_s=600.0))
    time.sleep(2)
    next(writer for writer in writers if writer.region == gone).end()
    lists = [
        {
            json.loads(write["Key"])["p"]["S"]
            for write in paged(client(world, gone, "outlast").list_stranded_writes, "Writes", MissingIn=other)
        }
        for other in (first, second)
    ]
    destroyed = world.fault("region-destroyed", gone, duration_s=600.0)
    for fault in (destroyed, *cuts):
        world.end_fault(fault)
    return lists[0] & lists[1]


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [11, 12])
def test_three_regions_end_equal_and_explained(make_world: Callable[..., World], seed: int) -> None:
    options = [word for region in REGIONS for word in ("--region", region)]
    world = make_world("--replication-delay-ms", "none", "--https-port", "0", *options)
    east = client(world, REGIONS[0])
    east.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for region in REGIONS[1:]:
        until(lambda: east.describe_table(TableName=TABLE)["Table"]["TableStatus"] == "ACTIVE")
        east.update_table(TableName=TABLE, ReplicaUpdates=[{"Create": {"RegionName": region}}])
    until(lambda: quiet(world), 150.0, lambda: seen(world))
    chance = random.Random(seed)
    for turn in range(3):
        writers = [Historian(world, region, 10 * turn + number) for number, region in enumerate(REGIONS)]
        trouble(world, chance, 20.0)
        until(lambda writers=writers: all(len(writer.noted) > 20 for writer in writers))  # type: ignore[misc]
        gone = chance.choice(REGIONS)
        lost = lose(world, writers, gone)
        time.sleep(2)
        for writer in writers:
            writer.end()
        until(lambda: quiet(world), 240.0, lambda: seen(world))
        first, *others = (items_of(world, region, TABLE) for region in REGIONS)
        assert all(other == first for other in others)
        known = explained(world)
        for writer in writers:
            missing = [
                (key, value)
                for key, value in writer.noted
                if value not in history(first.get(key, {})) and value not in known.get(key, ())
            ]
            vanished = [each for each in missing if writer.region != gone or each[0] not in lost]
            assert vanished == [], f"{gone} was lost with {len(lost)} keys, {len(writer.noted)} noted"
