"""`python -m bench.metrics`: metric data points taken in a second, and how long a dashboard's query takes.

One boto3 client puts requests of 1,000 data points over 1,000 metrics; what counts is the rate of the last third beside
that of the first (does it slow as it fills?). Then 50 metrics of 60 points each are read by one GetMetricData.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from bench import peers

METRICS = 1_000
NAMES = ("outlast", "ministack")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Figures:
    """What one peer did."""

    name: str
    first_per_s: float
    last_per_s: float
    cpu_us: float
    get_ms: float
    memory_mb: float


def client(url: str) -> Any:
    """A CloudWatch client of the peer."""
    return boto3.session.Session().client(
        "cloudwatch",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id=peers.KEY[0],
        aws_secret_access_key=peers.KEY[1],
        config=Config(retries={"total_max_attempts": 1}),
    )


def cpu_s(pid: int) -> float:
    """Processor time that the process and its children have used."""
    total = 0
    for one in (pid, *peers.children(pid)):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def batch(number: int) -> list[dict[str, Any]]:
    """One request: a value for each metric, in a minute of its own within the last hours."""
    at = datetime.now(UTC) - timedelta(minutes=number % 120)
    return [
        {
            "MetricName": "Latency",
            "Dimensions": [{"Name": "Host", "Value": f"host-{n}"}],
            "Timestamp": at,
            "Value": float(n + number),
            "Unit": "Milliseconds",
        }
        for n in range(METRICS)
    ]


def measure(running: peers.Running, seconds: float) -> Figures:
    """Fill the peer for `seconds`, then query it."""
    watch = client(running.url)
    batches = [batch(number) for number in range(120)]
    watch.put_metric_data(Namespace="Bench", MetricData=batches[0])
    used, began = cpu_s(running.pid), time.perf_counter()
    marks: list[float] = []
    while time.perf_counter() - began < seconds:
        watch.put_metric_data(Namespace="Bench", MetricData=batches[len(marks) % len(batches)])
        marks.append(time.perf_counter() - began)
    used = cpu_s(running.pid) - used
    third = seconds / 3
    first = sum(1 for one in marks if one < third)
    last = sum(1 for one in marks if one >= marks[-1] - third)
    times = []
    for _ in range(5):
        times.append(query_ms(watch))
    return Figures(
        name=running.name,
        first_per_s=first * METRICS / third,
        last_per_s=last * METRICS / third,
        cpu_us=used / (len(marks) * METRICS) * 1e6,
        get_ms=statistics.median(times),
        memory_mb=running.resident_mb(),
    )


def query_ms(watch: Any) -> float:
    """How long one GetMetricData of 50 metrics over the last hour takes."""
    queries = [
        {
            "Id": f"m{n}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "Bench",
                    "MetricName": "Latency",
                    "Dimensions": [{"Name": "Host", "Value": f"host-{n}"}],
                },
                "Period": 60,
                "Stat": "Average",
            },
        }
        for n in range(50)
    ]
    end = datetime.now(UTC)
    began = time.perf_counter()
    reply = watch.get_metric_data(MetricDataQueries=queries, StartTime=end - timedelta(minutes=60), EndTime=end)
    took = time.perf_counter() - began
    points = sum(len(one["Values"]) for one in reply["MetricDataResults"])
    if points < 50 * 55:
        raise SystemExit(f"only {points} points came back")
    return took * 1000


def main() -> None:
    """Measure the peers named and print a table with ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--peers", nargs="*", default=list(NAMES))
    arguments = parser.parse_args()
    rows: list[Figures] = []
    for name in arguments.peers:
        try:
            with peers.ALL[name]() as running:
                rows.append(measure(running, arguments.seconds))
        except peers.NotHere as reason:
            print(f"{name}: {reason}", file=sys.stderr)
    print("| | points/s at first | at the end | CPU us a point | GetMetricData 50 x 60 | memory |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.name} | {row.first_per_s:,.0f} | {row.last_per_s:,.0f} | {row.cpu_us:.1f} | {row.get_ms:.0f} ms "
            f"| {row.memory_mb:.0f} MB |"
        )
    others = [row for row in rows if row.name != "Outlast"]
    for row in rows:
        if row.name == "Outlast" and others:
            rate = row.last_per_s / max(one.last_per_s for one in others)
            speed = min(one.get_ms for one in others) / row.get_ms
            print(f"Outlast against the best peer: {rate:.2f} times the points, queries {speed:.2f} times as fast")


if __name__ == "__main__":
    main()
