"""What a replica costs the Region that writes: PutItem over the wire, with and without it, by turns in one run.

Run `python -m bench.replication_cost`. Two tables alike (1 KB items, a stream of new and old images), one of them with
a replica in a second Region. The load goes to one, then the other, again and again, each time after the replica has
everything, and what is sent after the load has ended counts too. Two questions, answered by the totals of many short
turns: what else the machine does changes by the minute and meets both tables alike then, and a turn has 17 % more or
fewer writes than others by what the base does meanwhile.

- shared: both Regions and the load on the same cores. What the replica computes, the writer lacks.
- apart: the writing Region (with its porch) has one core, the replica and the load have the others, as with a Region on
  another host. What remains is what the writer itself does for its replica. There are eight times as many connections:
  the load shares its core with the replica, which takes some milliseconds for a batch, and with fewer the writer would
  be without work meanwhile. How busy it was is told: the tables compare where it was as busy with either.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from bench import peers, workloads, wrk
from bench.functions import cpu_s
from outlast.cloud.world import run
from outlast.cloud.world.config import WorldConfig, load_config
from outlast.ops.clients import add_models

EAST, WEST = "us-east-1", "us-west-2"
PLAIN, REPLICATED = "plain", "replicated"
APART = 8
"""How many times the connections keep a writer busy on its own core."""


@dataclass(frozen=True, slots=True)
class World:
    """Two Regions that run: the addresses, and each Region's process."""

    config: WorldConfig
    pids: dict[str, int]

    @property
    def url(self) -> str:
        return f"http://{self.config.hosts[EAST]}:{self.config.port}"


@dataclass(slots=True)
class Turns:
    """One table, over all turns: writes, seconds of load and of CPU; of each turn, writes behind as the load ended."""

    writes: int = 0
    load_s: float = 0.0
    writer_s: float = 0.0
    replica_s: float = 0.0
    behind: list[int] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        """Writes a second."""
        return self.writes / self.load_s

    @property
    def writer_us(self) -> float:
        """Microseconds of the writing Region's CPU a write."""
        return self.writer_s / self.writes * 1e6

    @property
    def replica_us(self) -> float:
        """Microseconds of the replica's CPU a write."""
        return self.replica_s / self.writes * 1e6


@contextmanager
def world() -> Iterator[World]:
    """Two Regions without added delay."""
    folder = Path(tempfile.mkdtemp(prefix="outlast-bench-"))
    base = [sys.executable, "-m", "outlast.cli.main"]
    subprocess.run(
        [
            *base, "up", "--detach", "--home", str(folder), "--port", "0", "--https-port", "0", "--region", EAST,
            "--region", WEST, "--network", f"127.69.{os.getpid() % 250}", "--access-key", ":".join(peers.KEY),
            "--replication-delay-ms", "none",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    try:
        config = load_config(folder)
        assert config is not None
        regions = run.control(folder, "status")["regions"]
        yield World(config, {each["region"]: each["pid"] for each in regions})
    finally:
        subprocess.run([*base, "down", "--home", str(folder)], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def prepare(client: Any) -> None:
    """The two tables."""
    for name in (PLAIN, REPLICATED):
        client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "N"},
            ],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    client.update_table(TableName=REPLICATED, ReplicaUpdates=[{"Create": {"RegionName": WEST}}])
    while True:
        table = client.describe_table(TableName=REPLICATED)["Table"]
        if {each["ReplicaStatus"] for each in table.get("Replicas", ())} == {"ACTIVE"}:
            return
        time.sleep(0.1)


def behind(api: Any) -> int:
    """Acknowledged writes that the replica has not acknowledged."""
    (link,) = api.list_replication_links(TableName=REPLICATED)["Links"]
    return int(link["PendingWrites"])


def pin(pid: int, cores: Sequence[int]) -> None:
    """Let a process and its descendants, with all their threads, run on these cores."""
    for each in (pid, *peers.children(pid)):
        for task in os.listdir(f"/proc/{each}/task"):
            os.sched_setaffinity(int(task), cores)


def take_turns(one: World, api: Any, turns: int, seconds: float, connections: int) -> dict[str, Turns]:
    """Load on each table by turns."""
    requests = {
        name: [
            wrk.signed(
                one.url,
                "DynamoDB_20120810.PutItem",
                json.dumps({"TableName": name, "Item": workloads.item(number * 7919 % workloads.KEYS)}).encode(),
                peers.KEY,
                "dynamodb",
                EAST,
            )
            for number in range(4000)
        ]
        for name in (PLAIN, REPLICATED)
    }
    found = {name: Turns() for name in (PLAIN, REPLICATED)}
    for turn in range(turns + 1):
        for name in (PLAIN, REPLICATED) if turn % 2 else (REPLICATED, PLAIN):
            before = {region: cpu_s(pid) for region, pid in one.pids.items()}
            measured = wrk.run(one.url, requests[name], connections=connections, seconds=seconds, start=turn * 211)
            if measured.failed:
                raise RuntimeError(f"{measured.failed} requests failed")
            left = late = behind(api)
            while late:
                time.sleep(0.05)
                late = behind(api)
            if turn:  # the first turn warms up
                so_far = found[name]
                so_far.writes += measured.requests
                so_far.load_s += measured.requests / measured.per_s
                so_far.writer_s += cpu_s(one.pids[EAST]) - before[EAST]
                so_far.replica_s += cpu_s(one.pids[WEST]) - before[WEST]
                so_far.behind.append(left)
    return found


def told(what: str, found: dict[str, Turns]) -> dict[str, Any]:
    """What the replica costs."""
    plain, replicated = found[PLAIN], found[REPLICATED]
    return {
        "what": f"PutItem, what a replica costs the writer, {what}",
        "cpu_us": round(plain.writer_us, 1),
        "cpu_us_replicated": round(replicated.writer_us, 1),
        "cpu_more": f"{(replicated.writer_us / plain.writer_us - 1) * 100:.1f} %",
        "per_s": round(plain.per_s),
        "per_s_replicated": round(replicated.per_s),
        "per_s_less": f"{(1 - replicated.per_s / plain.per_s) * 100:.1f} %",
        "replica_cpu_us": round(replicated.replica_us, 1),
        "busy": f"{plain.writer_us * plain.per_s / 1e4:.0f} %",
        "busy_replicated": f"{replicated.writer_us * replicated.per_s / 1e4:.0f} %",
        "behind": round(statistics.median(replicated.behind)),
    }


def measure(turns: int, seconds: float, connections: int) -> list[dict[str, Any]]:
    """The cost of a replica to the writer, shared and apart; raises NoLoadGenerator."""
    wrk.require()
    results = []
    cores = sorted(os.sched_getaffinity(0))
    with world() as one:
        prepare(peers.Running("Outlast", one.url, one.pids[EAST], 0.0, "").client())
        api = ledger_api(one)
        results.append(told("shared", take_turns(one, api, turns, seconds, connections)))
        if len(cores) > 1:
            pin(one.pids[EAST], cores[:1])
            pin(one.pids[WEST], cores[1:])
            os.sched_setaffinity(0, cores[1:])
            try:
                results.append(told("apart", take_turns(one, api, turns, seconds, APART * connections)))
            finally:
                os.sched_setaffinity(0, cores)
    return results


def ledger_api(one: World) -> Any:
    """A client of this cloud's own API, which tells how far a replica is behind."""
    session: Any = boto3.session.Session()
    add_models(session)
    return session.client(
        "outlast",
        endpoint_url=one.url,
        region_name=EAST,
        aws_access_key_id=peers.KEY[0],
        aws_secret_access_key=peers.KEY[1],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    for result in measure(options.turns, options.seconds, options.connections):
        sys.stdout.write("  ".join(f"{name} {value}" for name, value in result.items()) + "\n")


if __name__ == "__main__":
    main()
