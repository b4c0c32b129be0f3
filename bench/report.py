"""What a comparison found, as Markdown, and its place in docs/performance.md."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence

from bench.sidebyside import Contestant, ratios

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def tables(rivals: Sequence[Contestant]) -> str:
    """Throughput, CPU and latencies of all, the ratios, and what each peer does not do."""
    names = list(rivals[0].asked)
    parts = [
        "Operations a second (p50 / p99 in ms), medians of the rounds:\n",
        _table(rivals, names, _speed) + _ratio_row(rivals, names, cpu=False),
        "\nCPU of the server for an operation, microseconds, user and system, all threads and children:\n",
        _table(rivals, names, lambda rival, name: f"{rival.cpu_us(name):,.0f}") + _ratio_row(rivals, names, cpu=True),
        "\n| | start | private memory, filled and idle | lacks |\n|---|---|---|---|",
        *(
            f"| {rival.running.name} | {rival.running.started_s:.2f} s | {rival.memory_mb:.0f} MB | "
            f"{rival.running.lacks} |"
            for rival in rivals
        ),
    ]
    return "\n".join(parts) + "\n"


def _speed(rival: Contestant, name: str) -> str:
    p50, p99 = rival.percentile_ms(name, "p50_ms"), rival.percentile_ms(name, "p99_ms")
    return f"{rival.per_s(name):,.0f} ({p50:.1f} / {p99:.1f})"


def _table(rivals: Sequence[Contestant], names: Sequence[str], cell: Callable[[Contestant, str], str]) -> str:
    lines = ["| | " + " | ".join(names) + " |", "|" + "---|" * (len(names) + 1)]
    for rival in rivals:
        cells = [cell(rival, name) if name in rival.turns else "none" for name in names]
        lines.append(f"| {rival.running.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _ratio_row(rivals: Sequence[Contestant], names: Sequence[str], *, cpu: bool) -> str:
    found = ratios(rivals)
    if not found:
        return ""
    cells = []
    for name in names:
        ratio = found.get(name)
        if ratio is None:
            cells.append("-")
        elif cpu:
            cells.append(f"**{ratio.cpu:.2f}** ({ratio.leanest})")
        else:
            cells.append(f"**{ratio.throughput:.2f}** ({ratio.fastest})")
    return "\n| **Outlast is better by** | " + " | ".join(cells) + " |"


def page(old: str, text: str, rounds: int, seconds: float, connections: int) -> str:
    """docs/performance.md with the measured part replaced; what is written by hand stays."""
    load = os.getloadavg()[1]
    where = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    measured = (
        f"{BEGIN}\nMeasured: local, {time.strftime('%Y-%m-%d')}, {where}; {connections} connections, {rounds} "
        f"rounds of {seconds:g} s a cell. Load at the end {load:.0f}, of which 2 to 3 are the benchmark's own.\n\n"
        f"{text}{END}\n"
    )
    if BEGIN in old and END in old:
        before, _, rest = old.partition(BEGIN)
        return before + measured + rest.partition(END)[2].removeprefix("\n")
    others = old.removeprefix(TITLE).lstrip("\n")
    return TITLE + HEAD + measured + ("\n" + others if others else "")


TITLE = "# Performance\n\n"
HEAD = """## DynamoDB's item operations

`make bench` starts this cloud and its peers from the package registries, all at once, warms each up and lets them take
short turns, so that whatever else the machine does falls on all alike. wrk sends requests signed beforehand from the
same machine: 1 KB items, 10,000 keys. Ours verifies every signature, evaluates the policy of an IAM user, encrypts all
that it writes and syncs each write before it answers; the last table says which of these a peer does not do.

A ratio is the median over the rounds against the peer that is best in that column. Throughput depends on what else
runs; the CPU that the server takes for an operation hardly does, so both are shown. Absolute figures belong to the
machine.

"""
