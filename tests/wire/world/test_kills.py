"""Regions killed with -9 in the middle of backfill, of catching up, of a replica's removal; writers go on meanwhile.

Afterwards the copies are equal, and each acknowledged write stands, was seen by a later one, or is in the ledger.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.conftest import World

EAST, WEST = "us-east-1", "us-west-2"
KEYS = 40


@cache
def client_at(url: str, folder: Path, region: str, service: str) -> Any:
    """One client for all calls: there are thousands of them."""
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=10)
    return World(folder).client(service, region, endpoint_url=url, config=config)


def client(world: World, region: str, service: str = "dynamodb") -> Any:
    return client_at(f"https://{world.config.hosts[region]}:{world.config.port}", world.folder, region, service)


def until(condition: Callable[[], Any], within_s: float = 90.0, told: Callable[[], Any] = str) -> None:
    """Wait for `condition`; when it does not come, the failure shows what `told` says."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            if condition():
                return
        except (ClientError, BotoCoreError):
            pass  # a Region that is down, or just coming up, refuses or breaks off: it is asked again
        assert time.monotonic() < deadline, told()
        time.sleep(0.1)


class Writer(threading.Thread):
    """Puts unique values under few keys; notes what was acknowledged and what each put had seen there."""

    def __init__(self, world: World, region: str, table: str, seed: int) -> None:
        super().__init__(daemon=True)
        self._db, self._region, self._table = client(world, region), region, table
        self._random = random.Random(seed)
        self._over = threading.Event()
        self.acknowledged: list[tuple[str, str]] = []
        self.seen: set[tuple[str, str]] = set()
        self.unsure: set[str] = set()
        self.start()

    def run(self) -> None:
        number = 0
        while not self._over.wait(0.003):
            number += 1
            key, value = f"k{self._random.randrange(KEYS)}", f"{self._region}-{number}"
            try:
                item = {"p": {"S": key}, "v": {"S": value}}
                reply = self._db.put_item(TableName=self._table, Item=item, ReturnValues="ALL_OLD")
            except (ClientError, BotoCoreError):
                self.unsure.add(key)  # it may have been written, and seen what it overwrote
                self._over.wait(0.05)
                continue
            self.acknowledged.append((key, value))
            if "v" in reply.get("Attributes", {}):
                self.seen.add((key, reply["Attributes"]["v"]["S"]))

    def end(self) -> None:
        self._over.set()
        self.join()


def replicas(world: World, region: str, table: str) -> dict[str, str]:
    found = client(world, region).describe_table(TableName=table)["Table"]
    return {each["RegionName"]: each["ReplicaStatus"] for each in found.get("Replicas", ())}


def status(world: World, region: str, table: str) -> str:
    try:
        return str(client(world, region).describe_table(TableName=table)["Table"]["TableStatus"])
    except ClientError:
        return "none"


def links_from(world: World, region: str, table: str) -> list[dict[str, Any]]:
    links: list[dict[str, Any]] = client(world, region, "outlast").list_replication_links(TableName=table)["Links"]
    return links


def seen(world: World, table: str) -> str:
    """Members and links as each Region sees them."""
    lines = []
    for region in (EAST, WEST):
        try:
            lines.append(f"{region} {replicas(world, region, table)} {links_from(world, region, table)}")
        except (ClientError, BotoCoreError) as error:
            lines.append(f"{region} {error}")
    return "\n".join(lines)


def quiet(world: World, table: str) -> bool:
    for region in (EAST, WEST):
        links = links_from(world, region, table)
        other = WEST if region == EAST else EAST
        there = (status(world, region, table), replicas(world, region, table))
        if there != ("ACTIVE", {other: "ACTIVE"}) or len(links) != 1:
            return False
        if links[0]["Status"] != "ACTIVE" or links[0]["PendingWrites"]:
            return False
    return True


def items_of(world: World, region: str, table: str) -> dict[str, Any]:
    pages = client(world, region).get_paginator("scan").paginate(TableName=table)
    return {each["p"]["S"]: each for page in pages for each in page["Items"]}


def items(world: World, region: str, table: str) -> dict[str, str]:
    return {key: item["v"]["S"] for key, item in items_of(world, region, table).items()}


def overwritten(world: World, table: str) -> set[tuple[str, str]]:
    found = set()
    for region in (EAST, WEST):
        given: dict[str, str] = {}
        while True:
            page = client(world, region, "outlast").list_conflicts(TableName=table, **given)
            for each in page["Conflicts"]:
                found.add((json.loads(each["Key"])["p"]["S"], json.loads(each["Loser"]["Item"])["v"]["S"]))
            if "NextToken" not in page:
                break
            given = {"NextToken": page["NextToken"]}
    return found


def load(world: World, table: str, prefix: str, count: int) -> None:
    for first in range(0, count, 25):
        puts = [
            {"PutRequest": {"Item": {"p": {"S": f"{prefix}{number}"}, "v": {"S": "loaded"}, "x": {"S": "x" * 200}}}}
            for number in range(first, first + 25)
        ]
        client(world, EAST).batch_write_item(RequestItems={table: puts})


def replica(world: World, table: str, action: str) -> None:
    until(lambda: client(world, EAST).describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE")
    client(world, EAST).update_table(TableName=table, ReplicaUpdates=[{action: {"RegionName": WEST}}])


def kill_and_restart(world: World, region: str) -> None:
    world.kill(region)
    until(lambda: {e["region"]: e["status"] for e in world.control("status")["regions"]}[region] == "down")
    world.control("start-region", region=region)


def play(world: World, table: str, phase: str, victim: str, moment_s: float) -> None:
    client(world, EAST).create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    until(lambda: client(world, EAST).describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE")
    load(world, table, "old", 2000)
    writers = [Writer(world, EAST, table, 1)]
    replica(world, table, "Create")
    if phase != "backfill":
        until(lambda: quiet(world, table) or status(world, WEST, table) == "ACTIVE")
        writers.append(Writer(world, WEST, table, 2))
    if phase == "catching up":
        cuts = [world.fault("link-cut", *pair, duration_s=600.0) for pair in ((EAST, WEST), (WEST, EAST))]
        load(world, table, "new", 1500)
        for cut in cuts:
            world.end_fault(cut)
    elif phase == "removal":
        replica(world, table, "Delete")
    time.sleep(moment_s)
    kill_and_restart(world, victim)
    if phase == "removal":
        until(lambda: table not in client(world, WEST).list_tables()["TableNames"])
        until(lambda: replicas(world, EAST, table) == {}, 150.0, lambda: seen(world, table))
        for writer in writers:
            writer.end()
        replica(world, table, "Create")
    else:
        until(lambda: all(len(writer.acknowledged) > 20 for writer in writers))
        time.sleep(1)
        for writer in writers:
            writer.end()
    until(lambda: quiet(world, table), 150.0, lambda: f"{table} {phase} {victim}\n{seen(world, table)}")
    copies = [items(world, region, table) for region in (EAST, WEST)]
    assert copies[0] == copies[1]
    if phase != "removal":  # what a removed replica had not sent is gone with it
        known = set().union(*(writer.seen for writer in writers)) | overwritten(world, table)
        unsure = set().union(*(writer.unsure for writer in writers))
        written = [each for writer in writers for each in writer.acknowledged]
        gone = [(key, value) for key, value in written if copies[0].get(key) != value and (key, value) not in known]
        assert [each for each in gone if each[0] not in unsure] == []
        assert len(written) > 20


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_region_killed_at_any_moment_loses_nothing(make_world: Callable[..., World]) -> None:
    world = make_world("--replication-delay-ms", "none", "--region", EAST, "--region", WEST, "--https-port", "0")
    moments = random.Random(7)
    for turn in range(18):
        phase = ("backfill", "catching up", "removal")[turn % 3]
        play(world, f"table-{turn}", phase, (EAST, WEST)[turn // 3 % 2], moments.uniform(0, 0.8))
