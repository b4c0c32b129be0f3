"""Whatever is put, flushed, joined, rolled up and crashed in between: what is read is what a plain list would give."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from outlast.cloud.services.cloudwatch.model import MetricKey
from outlast.cloud.services.cloudwatch.select import bins, values
from outlast.cloud.services.cloudwatch.statistics import compute
from outlast.cloud.services.cloudwatch.store.bucket import Bucket
from outlast.cloud.services.cloudwatch.store.rollup import roll_up
from outlast.cloud.services.cloudwatch.store.store import Datum
from tests.unit.cloudwatch.stage import START_S, Stage

HOSTS = ("a", "b")
PUT = st.tuples(
    st.just("put"),
    st.lists(
        st.tuples(
            st.sampled_from(HOSTS),
            st.integers(0, 900),
            st.booleans(),
            st.integers(-5, 5),
            st.integers(1, 3),
        ),
        min_size=1,
        max_size=12,
    ),
)
STEPS = st.lists(
    st.one_of(PUT, PUT, st.tuples(st.sampled_from(["flush", "crash", "join", "interrupted flush"]), st.none())),
    min_size=1,
    max_size=12,
)


def datum(host: str, at: int, fine: bool, value: int, count: int) -> Datum:
    bucket: float | Bucket = float(value) if count == 1 else Bucket.of_values({float(value): float(count)})
    return Datum(("P", "M", (("Host", host),), "None"), START_S + at, fine, bucket)


def expected(model: list[tuple[str, int, bool, int, int]], host: str, period_s: int) -> dict[int, list[float]]:
    """Every value of each period, sorted; data that is not fine counts for the start of its minute."""
    found: dict[int, list[float]] = {}
    for one, at, fine, value, count in model:
        if one == host:
            time_s = at if fine else at // 60 * 60
            found.setdefault(time_s // period_s * period_s, []).extend([float(value)] * count)
    return {place: sorted(all_values) for place, all_values in found.items()}


def check(stage: Stage, model: list[tuple[str, int, bool, int, int]], period_s: int) -> None:
    for host in HOSTS:
        metric = MetricKey("P", "M", (("Host", host),))
        wanted = expected(model, host, period_s)
        numbers = stage.state.store.book.of(metric, None)
        found = bins(stage.state.store, numbers, START_S, START_S + 960, period_s)
        assert {time_s - START_S for time_s in found} == set(wanted)
        for place, all_values in wanted.items():
            bucket = found[START_S + place]
            assert (bucket.count, bucket.total) == (len(all_values), sum(all_values))
            assert (bucket.low, bucket.high) == (all_values[0], all_values[-1])
            for percent in (10, 50, 90, 100):
                rank = max(1, -(-len(all_values) * percent // 100))
                assert compute(bucket, f"p{percent}") == all_values[rank - 1]
        sums = values(stage.state.store, metric, None, "Sum", START_S, START_S + 960, period_s)
        assert sums == {START_S + place: sum(all_values) for place, all_values in sorted(wanted.items())}


async def play(folder: Path, steps: list[tuple[str, Any]]) -> None:
    stage = Stage(folder)
    await stage.open()
    stage.clock.time_s = START_S + 1000.0
    model: list[tuple[str, int, bool, int, int]] = []
    for step, content in steps:
        if step == "put":
            stage.state.store.put([datum(*one) for one in content])
            model += content
        elif step == "flush":
            await stage.state.store.flush()
        elif step == "join":
            await roll_up(stage.state.store, stage.region)
        else:
            if step == "interrupted flush":
                flush = asyncio.ensure_future(stage.state.store.flush())
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                flush.cancel()
                await asyncio.wait((flush,))
            await stage.reopen()
        check(stage, model, 60)
        check(stage, model, 300)
    stage.clock.time_s = START_S + 5 * 3600.0
    await stage.state.store.flush()
    await roll_up(stage.state.store, stage.region)
    check(stage, model, 60)
    await stage.close()


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_the_store_reads_as_a_plain_list_would(steps: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder) / "data", steps))
