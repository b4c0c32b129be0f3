"""What the request path costs, against a loop of plain Python measured in the same moments.

A busy or a slow machine slows both alike. Each bar is about twice what the path takes today: it is there to notice that
something has become dear for every request, such as a walk over a model, a task or a deep copy.
"""

from __future__ import annotations

import statistics
import time

import pytest
import uvloop
from bench import workloads
from bench.path import Path

ROUNDS = 20
STEPS = 1_000
BARS = {
    "Put": 570.0,
    "Get": 360.0,
    "Update + condition": 640.0,
    "Query 10": 870.0,
    "TransactWrite 3": 960.0,
    "BatchWrite 25": 3_000.0,
}
"""How many steps of the yardstick a request may cost on the event loop's thread."""


def yardstick_us() -> float:
    """CPU of one step of what such a path is made of: dictionaries, texts, calls."""
    began_s = time.thread_time()
    kept: dict[str, str] = {}
    for number in range(STEPS):
        text = f"{number}:{number * 7}"
        kept[text] = text.partition(":")[2].upper()
    assert len(kept) == STEPS
    return (time.thread_time() - began_s) * 1e6 / STEPS


async def measured() -> dict[str, float]:
    """Each operation's cost in steps: the median over short rounds, each beside its own yardstick."""
    path = await Path.make()
    try:
        requests = {each.name: path.signed(each, 64) for each in workloads.WORKLOADS}
        found: dict[str, list[float]] = {name: [] for name in requests}
        for _ in range(ROUNDS):
            for name, signed in requests.items():
                before = yardstick_us()
                cost = await path.cpu_us(signed, 1, time.thread_time)
                found[name].append(cost / ((before + yardstick_us()) / 2))
        return {name: statistics.median(each) for name, each in found.items()}
    finally:
        await path.close()


@pytest.mark.timeout(300)
def test_no_operation_has_become_dear() -> None:
    costs = uvloop.run(measured())
    dear = {name: round(cost) for name, cost in costs.items() if cost > BARS[name]}
    assert not dear, f"steps of the yardstick for a request: {costs}; the bars: {BARS}"
