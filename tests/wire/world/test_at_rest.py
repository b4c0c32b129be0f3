"""Nothing that clients stored can be read on the disk: in no file of a world that runs, was stopped or was killed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import World, stop_world
from tests.wire.world.test_damage import TABLE, change, up
from tests.wire.world.test_world import outlast, status_of, wait_until

EAST, WEST = "us-east-1", "us-west-2"
MARK = "zq7-"
KINDS = ("key", "sort", "value", "indexed", "deleted", "loser", "winner", "object", "message", "host", "backup")
TEXTS = {kind: f"{MARK}{kind}-{MARK}" for kind in KINDS}


def item(key: str, value: str) -> dict[str, Any]:
    return {"p": {"S": TEXTS[key]}, "s": {"S": TEXTS["sort"]}, "v": {"S": TEXTS[value]}, "g": {"S": TEXTS["indexed"]}}


def table(world: World) -> None:
    """A global table with an index and a stream."""
    client = world.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in "psg"],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-g",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    change(world, "Create", WEST)


def conflict(world: World) -> None:
    """One item written on both sides of a cut: the ledger keeps both versions."""
    ends = ((EAST, WEST), (WEST, EAST))
    cuts = [world.fault("link-cut", *ends[side], duration_s=600.0) for side in (0, 1)]
    for region, value in ((EAST, "loser"), (WEST, "winner")):
        world.client("dynamodb", region).put_item(TableName=TABLE, Item=item("key", value))
    for cut in cuts:
        world.end_fault(cut)
    ledger = world.client("outlast")
    wait_until(lambda: ledger.list_conflicts(TableName=TABLE)["Conflicts"], 60)


def store(world: World) -> None:
    """Let every service that keeps what clients say keep a text of its own."""
    table(world)
    items = world.client("dynamodb")
    items.put_item(TableName=TABLE, Item=item("key", "value"))
    items.put_item(TableName=TABLE, Item=item("deleted", "value"))
    items.delete_item(TableName=TABLE, Key={name: item("deleted", "value")[name] for name in "ps"})
    items.put_item(TableName=TABLE, Item=item("backup", "backup"))
    items.create_backup(TableName=TABLE, BackupName="saved")
    conflict(world)
    objects = world.client("s3")
    objects.create_bucket(Bucket="kept-objects")
    objects.put_object(Bucket="kept-objects", Key="one", Body=(TEXTS["object"] * 40_000).encode())
    logs = world.client("logs")
    logs.create_log_group(logGroupName="kept")
    logs.create_log_stream(logGroupName="kept", logStreamName="one")
    event = {"timestamp": int(time.time() * 1000), "message": TEXTS["message"]}
    logs.put_log_events(logGroupName="kept", logStreamName="one", logEvents=[event])
    datum = {"MetricName": "m", "Dimensions": [{"Name": "Host", "Value": TEXTS["host"]}], "Value": 1.0}
    world.client("cloudwatch").put_metric_data(Namespace="Kept", MetricData=[datum])


def readable(world: World) -> dict[str, set[str]]:
    """Which texts stand in which files, also in such as processes still hold after they were removed."""
    found: dict[str, set[str]] = {}
    paths = [path for path in world.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(world.folder).encode() in (process / "cmdline").read_bytes():
                paths += [path for path in (process / "fd").iterdir() if "(deleted)" in os.readlink(path)]
        except OSError:
            continue
    for path in paths:
        try:
            data = path.read_bytes()
        except OSError:
            continue
        for kind, text in TEXTS.items():
            if text.encode() in data or text.encode("utf-16-le") in data:
                found.setdefault(kind, set()).add(str(path))
    return found


@pytest.mark.timeout(400)
def test_no_file_shows_what_was_stored(make_world: Callable[..., World]) -> None:
    options = ("--region", EAST, "--region", WEST, "--https-port", "0", "--replication-delay-ms", "none")
    world = make_world(*options, "--data-events")
    store(world)
    probe = world.folder / "probe"
    probe.write_text(TEXTS["key"])
    assert readable(world) == {"key": {str(probe)}}  # the search finds what is there, and only that
    probe.unlink()
    world.kill(EAST)
    wait_until(lambda: status_of(world, EAST) == "down")
    assert readable(world) == {}
    assert outlast("restart", EAST, "--home", str(world.folder)).returncode == 0
    base = world.folder / "regions" / EAST / "data" / "items.db"
    wait_until(lambda: base.stat().st_size > 400_000, 60)  # a start writes to the base what the log holds
    assert readable(world) == {}
    stop_world(world)
    assert readable(world) == {}
    assert up(world).returncode == 0
    found = world.client("dynamodb").get_item(TableName=TABLE, Key={n: item("key", "value")[n] for n in "ps"})
    assert found["Item"]["v"]["S"] in (TEXTS["winner"], TEXTS["loser"])
    assert not [path for path in world.folder.rglob("core*") if path.is_file()]
