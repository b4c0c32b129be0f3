"""A Region whose data is damaged does not keep the world down, is named, serves nothing wrong, and can be made anew."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from outlast.cloud.engine.frames import HEADER_BYTES
from outlast.cloud.simulation.disk import flip
from tests.conftest import World, stop_world
from tests.logs import used
from tests.wire.world.test_world import outlast, status_of, wait_until

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"
NAMES = (EAST, WEST, EUROPE)
OPTIONS = tuple(word for name in NAMES for word in ("--region", name))
QUICK = ("--replication-delay-ms", "none", "--https-port", "0")
TABLE = "kept"
FEW = 30


def key(number: int | str) -> dict[str, Any]:
    return {"p": {"S": str(number)}}


def get(world: World, region: str, number: int | str) -> Any:
    found = world.client("dynamodb", region).get_item(TableName=TABLE, Key=key(number), ConsistentRead=True)
    return found.get("Item", {}).get("v", {}).get("S")


def put(world: World, region: str, number: int | str, size: int = 10) -> None:
    item = {**key(number), "v": {"S": f"{number} " + "v" * size}}
    world.client("dynamodb", region).put_item(TableName=TABLE, Item=item)


def replicas(world: World) -> dict[str, str]:
    table = world.client("dynamodb", EAST).describe_table(TableName=TABLE)["Table"]
    return {each["RegionName"]: each["ReplicaStatus"] for each in table.get("Replicas", ())}


def change(world: World, verb: str, region: str) -> None:
    """Create or delete the replica in a Region, from the first Region, once the table takes it."""
    client = world.client("dynamodb", EAST)
    wait_until(lambda: client.describe_table(TableName=TABLE)["Table"]["TableStatus"] == "ACTIVE", 60)
    client.update_table(TableName=TABLE, ReplicaUpdates=[{verb: {"RegionName": region}}])
    wait_until(lambda: replicas(world).get(region) == ("ACTIVE" if verb == "Create" else None), 60)


def filled(make_world: Callable[..., World], count: int, size: int) -> World:
    """A world with a table in three Regions, the same items in each; down."""
    world = make_world(*OPTIONS, *QUICK)
    world.client("dynamodb", EAST).create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    for region in (WEST, EUROPE):
        change(world, "Create", region)
    for number in range(count):
        put(world, EAST, number, size)
    for region in (WEST, EUROPE):
        wait_until(lambda: get(world, region, count - 1) is not None)  # noqa: B023
    stop_world(world)
    return world


def up(world: World) -> Any:
    """Start it again, as a user who is told."""
    network = world.config.hosts[EAST].rpartition(".")[0]
    return outlast("up", "--detach", "--home", str(world.folder), "--port", "0", "--network", network, *QUICK)


def status(world: World) -> dict[str, tuple[str, str]]:
    return {each["region"]: (each["status"], each["reason"]) for each in world.control("status")["regions"]}


@pytest.mark.timeout(400)
def test_a_flipped_bit_in_the_log_keeps_one_region_down_and_it_is_made_anew(make_world: Callable[..., World]) -> None:
    world = filled(make_world, FEW, 10)
    data = world.folder / "regions" / WEST / "data"
    log = max(data.glob("log-*"), key=used)
    flip(log, used(log) // 2)
    done = up(world)
    assert done.returncode == 3
    assert "The world is up" in done.stdout
    assert done.stderr.startswith(f"outlast: The Region {WEST} could not start: Damaged: the log segment {log.name}")
    assert done.stderr.count("\n") == 1
    found = status(world)
    assert (found[EAST][0], found[EUROPE][0], found[WEST][0]) == ("ready", "ready", "failed")
    assert f"{log.name} is damaged at byte" in found[WEST][1]
    assert f"failed (Damaged: the log segment {log.name}" in outlast("regions", "--home", str(world.folder)).stdout
    assert f"The Region {WEST} could not start: Damaged" in (world.folder / "world.log").read_text()
    put(world, EAST, "meanwhile")
    wait_until(lambda: get(world, EUROPE, "meanwhile") is not None)  # the others go on
    again = outlast("restart", WEST, "--home", str(world.folder))
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert log.name in again.stderr
    fault = world.fault("region-destroyed", WEST)
    world.end_fault(fault)
    assert status(world)[WEST][0] == "ready"
    change(world, "Delete", WEST)
    change(world, "Create", WEST)
    for number in ("meanwhile", *range(FEW)):
        assert get(world, WEST, number) == get(world, EAST, number) is not None
    put(world, WEST, "anew")
    wait_until(lambda: get(world, EUROPE, "anew") is not None)


def contents(world: World, region: str) -> dict[str, str]:
    pages = world.client("dynamodb", region).get_paginator("scan").paginate(TableName=TABLE, ConsistentRead=True)
    return {item["p"]["S"]: item["v"]["S"] for page in pages for item in page["Items"]}


def links_of(world: World, region: str) -> set[tuple[str, str | None]]:
    links = world.client("outlast", region).list_replication_links(TableName=TABLE)["Links"]
    return {(link["Status"], link.get("Reason")) for link in links}


@pytest.mark.timeout(400)
def test_a_whole_region_put_back_from_an_older_copy_is_noticed_and_heals(make_world: Callable[..., World]) -> None:
    world = filled(make_world, FEW, 10)
    folder = world.folder / "regions" / WEST
    shutil.copytree(folder, world.folder / "older")
    assert up(world).returncode == 0
    for number in range(FEW, 2 * FEW):
        put(world, NAMES[number % 3], number)
    put(world, WEST, 0, 20)
    world.client("dynamodb", WEST).delete_item(TableName=TABLE, Key=key(1))
    wait_until(lambda: all(contents(world, region) == contents(world, WEST) for region in NAMES))
    before = contents(world, EAST)
    assert len(before) == 2 * FEW - 1
    world.kill(WEST)
    wait_until(lambda: status_of(world, WEST) == "down")
    shutil.rmtree(folder)
    shutil.move(world.folder / "older", folder)
    assert outlast("restart", WEST, "--home", str(world.folder)).returncode == 0
    put(world, WEST, "on the copy")
    after = before | {"on the copy": contents(world, WEST)["on the copy"]}
    wait_until(lambda: all(contents(world, region) == after for region in NAMES))
    wait_until(lambda: links_of(world, WEST) == {("ACTIVE", None)})
    (told,) = [line for line in (world.folder / "world.log").read_text().splitlines() if "older copy" in line]
    assert f"the data in {folder / 'data'} was put back from an older copy" in told
    put(world, WEST, 0)
    wait_until(lambda: all(get(world, region, 0) == get(world, WEST, 0) for region in NAMES))


def found_at(world: World, number: int) -> str:
    """What the damaged Region says of an item: it may refuse, never tell something wrong or that it is not there."""
    try:
        found = get(world, WEST, number)
    except ClientError as error:
        said = error.response
        assert (said["ResponseMetadata"]["HTTPStatusCode"], said["Error"]["Code"]) == (500, "InternalServerError")
        return "refused"
    assert found is not None
    assert found.startswith(f"{number} ")
    return "there"


@pytest.mark.timeout(400)
def test_flipped_bits_in_the_base_are_named_and_never_served(make_world: Callable[..., World]) -> None:
    world = filled(make_world, 24, 100_000)
    data = world.folder / "regions" / WEST / "data"
    done = up(world)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: (data / "items.db").stat().st_size > 2_000_000, 60)  # a start writes what the log holds
    time.sleep(1)
    stop_world(world)
    base = data / "items.db"
    for at in range(20_000, base.stat().st_size, 16_384):
        flip(base, at)
    done = up(world)
    reason = status(world)[WEST][1]
    if done.returncode == 3:
        assert "items.db is damaged" in reason
    else:
        assert done.returncode == 0, done.stderr
        assert "refused" in {found_at(world, number) for number in range(24)}
    for number in range(24):
        assert get(world, EUROPE, number) == get(world, EAST, number) is not None


def test_what_a_kill_tore_is_cut_off_and_told(make_world: Callable[..., World]) -> None:
    world = make_world("--region", EAST, "--https-port", "0")
    buckets = world.client("s3")
    buckets.create_bucket(Bucket="kept")
    buckets.put_object(Bucket="kept", Key="one", Body=b"acknowledged")
    world.kill(EAST)
    wait_until(lambda: status_of(world, EAST) == "down")
    log = max((world.folder / "regions" / EAST / "data").glob("log-*"), key=used)
    at = used(log)
    with log.open("r+b") as file:  # as a write that was under way: its end is missing, and nobody was told of it
        marker = log.read_bytes()[HEADER_BYTES : HEADER_BYTES + 8]
        file.seek(at)
        file.write(marker + b"torn" * 20)
    assert outlast("restart", EAST, "--home", str(world.folder)).returncode == 0
    assert buckets.get_object(Bucket="kept", Key="one")["Body"].read() == b"acknowledged"
    (told,) = [line for line in (world.folder / "world.log").read_text().splitlines() if "never acknowledged" in line]
    assert f"{log} at byte" in told
    assert re.search(r"\b8[0-9] bytes were cut off", told)
