"""A long mixed load on one Region: p99, the longest wait of any request, and whether its memory stays flat.

`python -m bench.soak [--minutes 10] [--items 10000]`. Puts, gets, conditional updates, queries and transactions in
equal parts over HTTP, 16 connections, everything on. With `--items 600000` the working set is ten times what the Region
caches. Then nothing is asked until it has given back what it held to be fast. Exits with 1 when a request failed, when
memory grew by more than a tenth after the first half, or when the idle Region keeps more than 48 MB: five Regions are
to stay below 250.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from dataclasses import dataclass

from bench import peers, wrk
from bench.workloads import PAYLOAD, PER_PARTITION, TABLE, TABLE_SHAPE, WORKLOADS, Workload

TURN_S = 15.0
SIGNED = 3_000
MIXED = ("Put", "Get", "Update + condition", "Query 10", "TransactWrite 3")
GROWTH = 1.1
IDLE_S, IDLE_MB = 60.0, 48.0


@dataclass(frozen=True, slots=True)
class Turn:
    """Some seconds of the soak."""

    measured: wrk.Measured
    cpu_us: float
    memory_mb: float


def spread(text: bytes, number: int, items: int, rnd: random.Random) -> bytes:
    """The body with its keys moved from the first 10,000 items to one of `items`."""
    if items <= 10_000:
        return text
    return text.replace(b"partition-%06d" % (number // PER_PARTITION), b"partition-%06d" % rnd.randrange(items // 10))


def requests(running: peers.Running, items: int, rnd: random.Random) -> list[bytes]:
    """A mixture, freshly signed: signatures hold for five minutes."""
    mixed = [each for each in WORKLOADS if each.name in MIXED]
    found = []
    for _ in range(SIGNED):
        workload: Workload = rnd.choice(mixed)
        number = rnd.randrange(10_000)
        body = spread(workload.bodies_of(number), number, items, rnd)
        target = f"DynamoDB_20120810.{workload.operation}"
        found.append(wrk.signed(running.url, target, body, running.key, "dynamodb", "us-east-1"))
    return found


def fill(running: peers.Running, items: int) -> None:
    """The table and its items."""
    client = running.client()
    client.create_table(**TABLE_SHAPE)
    client.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    for start in range(0, items, 25):
        made = [
            {
                "PutRequest": {
                    "Item": {
                        "pk": {"S": f"partition-{number // PER_PARTITION:06d}"},
                        "sk": {"N": str(number % PER_PARTITION)},
                        "payload": {"S": PAYLOAD},
                        "n": {"N": "0"},
                    }
                }
            }
            for number in range(start, start + 25)
        ]
        client.batch_write_item(RequestItems={TABLE: made})


def soak(running: peers.Running, minutes: float, items: int) -> list[Turn]:
    """Turns until the time is over."""
    rnd, turns = random.Random(1), list[Turn]()
    end_s = time.monotonic() + minutes * 60
    while time.monotonic() < end_s:
        asked = requests(running, items, rnd)
        cpu_s = running.cpu_s()
        measured = wrk.run(running.url, asked, connections=16, seconds=min(TURN_S, minutes * 30))
        cpu_us = (running.cpu_s() - cpu_s) * 1e6 / max(1, measured.requests)
        turns.append(Turn(measured, cpu_us, running.private_mb()))
        print(
            f"{measured.per_s:>8,.0f}/s  {cpu_us:>5.0f} us CPU  p99 {measured.p99_ms:>6.1f} ms  longest "
            f"{measured.max_ms:>6.1f} ms  {turns[-1].memory_mb:>4.0f} MB  failed {measured.failed}",
            flush=True,
        )
    return turns


def rest(running: peers.Running) -> float:
    """Ask nothing for a minute; the memory that is kept then."""
    time.sleep(IDLE_S - 5)
    before_s = running.cpu_s()
    time.sleep(5)
    kept_mb, cpu_ms = running.private_mb(), (running.cpu_s() - before_s) * 200
    print(f"idle again for {IDLE_S:.0f} s: {kept_mb:.0f} MB private, {cpu_ms:.1f} ms CPU a second", flush=True)
    return kept_mb


def main() -> int:
    """Soak, and judge."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--items", type=int, default=10_000)
    asked = parser.parse_args()
    wrk.require()
    with peers.outlast() as running:
        idle_mb = running.private_mb()
        before_s = running.cpu_s()
        time.sleep(5)
        print(f"idle: {idle_mb:.0f} MB private, {(running.cpu_s() - before_s) * 200:.1f} ms CPU a second", flush=True)
        fill(running, asked.items)
        turns = soak(running, asked.minutes, asked.items)
        rested_mb = rest(running)
    half = turns[: max(1, len(turns) // 2)]
    early_mb, late_mb = max(turn.memory_mb for turn in half), turns[-1].memory_mb
    failed = sum(turn.measured.failed for turn in turns)
    print(
        f"{sum(turn.measured.requests for turn in turns):,} requests, {failed} failed; p99 "
        f"{statistics.median(turn.measured.p99_ms for turn in turns):.1f} ms (median of turns), longest "
        f"{max(turn.measured.max_ms for turn in turns):.1f} ms; memory {early_mb:.0f} MB after a half, "
        f"{late_mb:.0f} MB at the end"
    )
    return 1 if failed or late_mb > early_mb * GROWTH or rested_mb > IDLE_MB else 0


if __name__ == "__main__":
    sys.exit(main())
