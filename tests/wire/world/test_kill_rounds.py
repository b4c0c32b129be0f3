"""A Region killed over and over while clients write transactions, and keys changed by a command that is killed too."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.conftest import World, stop_world
from tests.wire.world.test_damage import up
from tests.wire.world.test_world import outlast, status_of, wait_until

EAST = "us-east-1"
TABLE = "pairs"
ROUNDS, ROTATIONS, WRITERS, SLOTS = 20, 12, 4, 8
LARGE = "v" * 300_000
"""Some items are that large, so that tables in memory fill up and are written to the base between the kills."""


def key(writer: int, slot: int, half: str) -> dict[str, Any]:
    return {"p": {"S": f"{writer}-{slot}-{half}"}}


@dataclass
class Writer:
    """Writes pairs of items in transactions until it is told to stop; knows the newest that was acknowledged."""

    world: World
    number: int
    begun: dict[int, int] = field(default_factory=dict)
    acknowledged: dict[int, int] = field(default_factory=dict)
    turn: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        client = self.world.client("dynamodb", EAST)
        while not self.stop.is_set():
            self.turn += 1
            slot = self.turn % SLOTS
            value = {"n": {"N": str(self.turn)}, "g": {"S": f"{self.number}-{slot}"}}
            if self.turn % 10 == 0:
                value["large"] = {"S": LARGE}
            puts = [{"Put": {"TableName": TABLE, "Item": {**key(self.number, slot, h), **value}}} for h in "ab"]
            self.begun[slot] = self.turn
            try:
                client.transact_write_items(TransactItems=puts)
            except (ClientError, BotoCoreError):
                time.sleep(0.02)
            else:
                self.acknowledged[slot] = self.turn

    def check(self) -> None:
        """Every acknowledged write is there or a newer one is; both halves and the index agree."""
        client = self.world.client("dynamodb", EAST)
        for slot, newest in self.acknowledged.items():
            found = [
                client.get_item(TableName=TABLE, Key=key(self.number, slot, half), ConsistentRead=True)["Item"]
                for half in "ab"
            ]
            numbers = [int(each["n"]["N"]) for each in found]
            assert numbers[0] == numbers[1], "a transaction was torn"
            assert newest <= numbers[0] <= self.begun[slot]
            indexed = client.query(
                TableName=TABLE,
                IndexName="by-g",
                KeyConditionExpression="g = :g",
                ExpressionAttributeValues={":g": {"S": f"{self.number}-{slot}"}},
            )["Items"]
            assert sorted(int(each["n"]["N"]) for each in indexed) == numbers, "an index entry was lost"


def make_table(world: World) -> None:
    client = world.client("dynamodb", EAST)
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in "pg"],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-g",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["n"]},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    wait_until(lambda: client.describe_table(TableName=TABLE)["Table"]["TableStatus"] == "ACTIVE", 60)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_what_was_acknowledged_survives_kills_and_rotations_that_are_killed(make_world: Callable[..., World]) -> None:
    world = make_world("--region", EAST, "--https-port", "0")
    make_table(world)
    moments = random.Random(11)
    writers = [Writer(world, number) for number in range(WRITERS)]
    for _ in range(ROUNDS):
        threads = [threading.Thread(target=writer.run) for writer in writers]
        for each in threads:
            each.start()
        time.sleep(moments.uniform(0.2, 4.0))
        world.kill(EAST)
        for writer in writers:
            writer.stop.set()
        for each in threads:
            each.join()
        wait_until(lambda: status_of(world, EAST) == "down")
        restarted = outlast("restart", EAST, "--home", str(world.folder))
        assert restarted.returncode == 0, restarted.stderr
        for writer in writers:
            writer.check()
            writer.stop.clear()
    assert sum(writer.turn for writer in writers) > ROUNDS * WRITERS
    for _ in range(ROTATIONS):
        stop_world(world)
        command = [sys.executable, "-m", "outlast.cli.main", "rotate-keys", "--home", str(world.folder)]
        rotation = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=dict(os.environ))
        time.sleep(moments.uniform(0.3, 2.5))
        rotation.kill()
        rotation.wait()
        started = up(world)
        assert started.returncode == 0, started.stderr
        for writer in writers:
            writer.check()
