"""`python -m bench`: measure this cloud and its peers in one run and write docs/performance.md."""

from __future__ import annotations

import argparse
import platform
import sys
import time
from pathlib import Path

from bench import peers, workloads, wrk

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def measure(name: str, seconds: float, connections: int) -> tuple[peers.Running, dict[str, wrk.Measured], float]:
    """Start one peer, fill it, run every workload once."""
    with peers.ALL[name]() as running:
        workloads.prepare(running.client())
        results: dict[str, wrk.Measured] = {}
        for workload in workloads.WORKLOADS:
            target = f"DynamoDB_20120810.{workload.operation}"
            requests = [
                wrk.signed(running.url, target, body, peers.KEY, "dynamodb", "us-east-1") for body in workload.bodies()
            ]
            wrk.run(running.url, requests, connections=connections, seconds=1)
            measured = wrk.run(
                running.url, requests, connections=connections, seconds=seconds, start=len(requests) // 2
            )
            results[workload.name] = measured
            print(f"  {workload.name:<20} {measured.per_s:>10,.0f}/s  p50 {measured.p50_ms:.2f} ms  "
                  f"p99 {measured.p99_ms:.2f} ms  failed {measured.failed}", flush=True)  # fmt: skip
        return running, results, running.resident_mb()


def table(rows: list[tuple[peers.Running, dict[str, wrk.Measured], float]]) -> str:
    """The figures and the ratios as Markdown."""
    names = [workload.name for workload in workloads.WORKLOADS]
    head = "| | " + " | ".join(names) + " | start | memory | lacks |\n|" + "---|" * (len(names) + 4) + "\n"
    lines = []
    for running, results, memory in rows:
        cells = [
            "none" if results[name].failed > results[name].per_s else
            f"{results[name].per_s:,.0f} ({results[name].p50_ms:.1f} / {results[name].p99_ms:.1f})"
            for name in names
        ]  # fmt: skip
        lines.append(
            f"| {running.name} | " + " | ".join(cells)
            + f" | {running.started_s:.2f} s | {memory:.0f} MB | {running.lacks} |"
        )  # fmt: skip
    ours = next((results for running, results, _ in rows if running.name == "Outlast"), None)
    others = [results for running, results, _ in rows if running.name != "Outlast"]
    if ours and others:
        best = {
            name: max((each[name].per_s for each in others if each[name].failed <= each[name].per_s), default=0.0)
            for name in names
        }
        ratios = [f"**{ours[name].per_s / best[name]:.2f}**" if best[name] else "-" for name in names]
        lines.append("| Outlast against the best peer | " + " | ".join(ratios) + " | | | |")
    return head + "\n".join(lines) + "\n"


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--peers", default=",".join(peers.ALL), help="comma-separated: " + ", ".join(peers.ALL))
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    arguments = parser.parse_args()
    try:
        wrk.require()
    except wrk.NoLoadGenerator as error:
        print(error, file=sys.stderr)
        return 1
    rows = []
    for name in arguments.peers.split(","):
        print(name, flush=True)
        try:
            rows.append(measure(name, arguments.seconds, arguments.connections))
        except peers.NotHere as error:
            print(f"  left out: {error}")
    text = table(rows)
    print(text)
    if arguments.write:
        PAGE.write_text(page(text, arguments.seconds, arguments.connections))
    return 0


def page(text: str, seconds: float, connections: int) -> str:
    """docs/performance.md."""
    return (
        "# Performance\n\n"
        f"Measured {time.strftime('%Y-%m-%d')} on {platform.machine()}, Python {platform.python_version()}; wrk with "
        f"pre-signed requests over {connections} connections on the same machine, 1 KB items, 10,000 keys, "
        f"{seconds:.0f} s a cell, one run. Each cell: operations a second (p50 / p99 in ms). `make bench` measures "
        "anew; the absolute figures belong to the machine, the ratios are what counts.\n\n" + text
    )


if __name__ == "__main__":
    sys.exit(main())
