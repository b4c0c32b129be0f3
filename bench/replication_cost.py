"""What a replica costs the Region that writes: PutItem over the wire, with and without it, by turns in one run.

Run `python -m bench.replication_cost`. Two tables alike (1 KB items, a stream of new and old images), one of them with
a replica in a second Region. The load goes to one, then the other, again and again; the cost is the processor time
of the writing Region a request, as the median over the turns, and what remains of its throughput.
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import peers, workloads, wrk
from bench.functions import cpu_s
from outlast.cloud.world import run
from outlast.cloud.world.config import WorldConfig, load_config

EAST, WEST = "us-east-1", "us-west-2"
PLAIN, REPLICATED = "plain", "replicated"


@dataclass(frozen=True, slots=True)
class World:
    config: WorldConfig
    pid: int

    @property
    def url(self) -> str:
        return f"http://{self.config.hosts[EAST]}:{self.config.port}"


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
        yield World(config, next(each["pid"] for each in regions if each["region"] == EAST))
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


def measure(turns: int, seconds: float, connections: int) -> dict[str, Any]:
    """The cost of a replica to the writer; raises NoLoadGenerator."""
    wrk.require()
    with world() as one:
        client = peers.Running("Outlast", one.url, one.pid, 0.0, "").client()
        prepare(client)
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
        per_s: dict[str, list[float]] = {PLAIN: [], REPLICATED: []}
        cpu_us: dict[str, list[float]] = {PLAIN: [], REPLICATED: []}
        for turn in range(turns + 1):
            for name in (PLAIN, REPLICATED) if turn % 2 else (REPLICATED, PLAIN):
                before = cpu_s(one.pid)
                measured = wrk.run(one.url, requests[name], connections=connections, seconds=seconds, start=turn * 211)
                used = cpu_s(one.pid) - before
                if measured.failed:
                    raise RuntimeError(f"{measured.failed} requests failed")
                if turn:  # the first turn warms up
                    per_s[name].append(measured.per_s)
                    cpu_us[name].append(used / (measured.per_s * seconds) * 1e6)
    plain_us, replicated_us = (statistics.median(cpu_us[name]) for name in (PLAIN, REPLICATED))
    plain_s, replicated_s = (statistics.median(per_s[name]) for name in (PLAIN, REPLICATED))
    return {
        "what": "PutItem, what a replica costs the writer",
        "cpu_us": round(plain_us, 1),
        "cpu_us_replicated": round(replicated_us, 1),
        "cpu_more": f"{(replicated_us / plain_us - 1) * 100:.1f} %",
        "per_s": round(plain_s),
        "per_s_replicated": round(replicated_s),
        "per_s_less": f"{(1 - replicated_s / plain_s) * 100:.1f} %",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    result = measure(options.turns, options.seconds, options.connections)
    sys.stdout.write("  ".join(f"{name} {value}" for name, value in result.items()) + "\n")


if __name__ == "__main__":
    main()
