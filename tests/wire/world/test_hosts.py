"""One world on two hosts: a world file names the addresses, each host runs the Regions that are its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ACCESS_KEY, SECRET, World
from tests.wire.world.namespaces import Host, hosts

EAST, WEST = "us-east-1", "us-west-2"
OUTLAST = (sys.executable, "-m", "outlast.cli.main")


@dataclass(frozen=True, slots=True)
class Side:
    """A host with its part of the world."""

    host: Host
    world: World
    region: str

    def up(self, file: Path) -> subprocess.CompletedProcess[str]:
        command = [
            *self.host.command,
            *OUTLAST,
            "up",
            "--detach",
            "--home",
            str(self.world.folder),
            "--file",
            str(file),
        ]
        environ = {**os.environ, "OUTLAST_ACCESS_KEY": f"{ACCESS_KEY}:{SECRET}"}
        return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False, env=environ)

    def down(self) -> None:
        subprocess.run([*self.host.command, *OUTLAST, "down", "--home", str(self.world.folder)], check=False)

    def ask(self, service: str, operation: str, **params: Any) -> Any:
        """Ask this side's Region, from its host."""
        with self.host.inside():
            return getattr(self.world.client(service, self.region), operation)(**params)

    def has(self, key: str) -> bool:
        return "Item" in self.ask("dynamodb", "get_item", TableName="things", Key={"p": {"S": key}})

    def put(self, key: str) -> None:
        self.ask("dynamodb", "put_item", TableName="things", Item={"p": {"S": key}})


def until(condition: Callable[[], Any], within_s: float = 60.0) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    with hosts() as (a, b):
        file = tmp_path / "world-file.json"
        regions = {EAST: {"host": a.address}, WEST: {"host": b.address}}
        file.write_text(json.dumps({"regions": regions, "replication_delay_ms": [0, 0]}))
        east = Side(a, World(tmp_path / "a"), EAST)
        west = Side(b, World(tmp_path / "b"), WEST)
        refused = west.up(file)
        assert refused.returncode == 1
        assert "copy keys.json, ca.pem and ca-key.pem" in refused.stderr, refused.stderr
        try:
            done = east.up(file)
            assert done.returncode == 0, done.stderr
            for name in ("keys.json", "ca.pem", "ca-key.pem"):
                west.world.folder.mkdir(exist_ok=True)
                shutil.copy(east.world.folder / name, west.world.folder / name)
            done = west.up(file)
            assert done.returncode == 0, done.stderr
            yield east, west
        finally:
            east.down()
            west.down()


@pytest.mark.slow
def test_a_world_on_two_hosts_replicates_and_survives_a_pulled_wire(sides: tuple[Side, Side]) -> None:
    east, west = sides
    statuses = {each["region"]: each["status"] for each in east.world.control("status")["regions"]}
    assert statuses == {EAST: "ready", WEST: "elsewhere"}
    east.ask(
        "dynamodb",
        "create_table",
        TableName="things",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    def active(side: Side) -> bool:
        tables = side.ask("dynamodb", "list_tables")["TableNames"]
        return (
            bool(tables)
            and side.ask("dynamodb", "describe_table", TableName="things")["Table"]["TableStatus"] == "ACTIVE"
        )

    until(lambda: active(east))
    east.put("before")
    create = [{"Create": {"RegionName": WEST}}]
    east.ask("dynamodb", "update_table", TableName="things", ReplicaUpdates=create)
    until(lambda: active(west) and active(east) and west.has("before"))

    east.host.ip("link", "set", "wire", "down")
    east.put("east")
    west.put("west")
    time.sleep(1)
    assert not west.has("east")
    stranded = east.ask("outlast", "list_stranded_writes", MissingIn=WEST)["Writes"]
    assert [json.loads(each["Key"]) for each in stranded] == [{"p": {"S": "east"}}]
    east.host.ip("link", "set", "wire", "up")
    until(lambda: west.has("east") and east.has("west"))
    until(lambda: not east.ask("outlast", "list_stranded_writes", MissingIn=WEST)["Writes"])

    with pytest.raises(Exception, match="us-west-2 runs on another host"):
        east.world.fault("link-cut", WEST, EAST)
    fault = east.world.fault("region-isolated", EAST)
    east.put("isolated east")
    west.put("beside an isolated east")
    time.sleep(1)
    assert not west.has("isolated east")
    assert not east.has("beside an isolated east"), "an isolated Region hears nothing, whatever other hosts do"
    east.world.end_fault(fault)
    until(lambda: west.has("isolated east") and east.has("beside an isolated east"))
