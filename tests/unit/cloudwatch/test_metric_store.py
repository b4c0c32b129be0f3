"""Metric data survives crashes, grows old in steps and stays bounded."""

from __future__ import annotations

import asyncio

import pytest

from outlast.cloud.engine import StorageUnavailable
from outlast.cloud.services.cloudwatch.model import MetricKey
from outlast.cloud.services.cloudwatch.own import drain
from outlast.cloud.services.cloudwatch.select import bins, values
from outlast.cloud.services.cloudwatch.statistics import compute
from outlast.cloud.services.cloudwatch.store import book as book_module
from outlast.cloud.services.cloudwatch.store import store as store_module
from outlast.cloud.services.cloudwatch.store.book import TooManySeries
from outlast.cloud.services.cloudwatch.store.bucket import Bucket
from outlast.cloud.services.cloudwatch.store.rollup import roll_up
from outlast.cloud.services.cloudwatch.store.store import Datum
from tests.unit.cloudwatch.stage import START_S, Stage

M = MetricKey("App", "Latency", (("Host", "a"),))


def datum(time_s: int, value: float | Bucket, *, fine: bool = False, host: str = "a", unit: str = "None") -> Datum:
    return Datum(("App", "Latency", (("Host", host),), unit), time_s, fine, value)


def read(
    stage: Stage, statistic: str, period_s: int = 60, span_s: int = 3600, metric: MetricKey = M
) -> dict[int, float]:
    found = values(stage.state.store, metric, None, statistic, START_S, START_S + span_s, period_s)
    return {time_s - START_S: value for time_s, value in found.items()}


async def test_data_of_a_minute_is_one_bucket(stage: Stage) -> None:
    stage.state.store.put([datum(START_S, 1), datum(START_S + 59, 3), datum(START_S + 60, 10)])
    assert read(stage, "Sum") == {0: 4, 60: 10}
    assert read(stage, "SampleCount") == {0: 2, 60: 1}
    assert read(stage, "p100") == {0: 3, 60: 10}
    assert read(stage, "Average", 120) == {0: 14 / 3}


async def test_fine_data_keeps_its_seconds(stage: Stage) -> None:
    stage.state.store.put([datum(START_S + n, n, fine=True) for n in range(20)])
    assert read(stage, "Sum", 10) == {0: 45, 10: 145}
    assert read(stage, "Maximum", 1, 3) == {0: 0, 1: 1, 2: 2}
    assert read(stage, "p50", 60) == {0: 9}


async def test_reading_does_not_change_what_is_kept(stage: Stage) -> None:
    stage.state.store.put([datum(START_S, 1), datum(START_S + 60, 2)])
    for _ in range(3):
        found = bins(stage.state.store, stage.state.store.book.of(M, None), START_S, START_S + 120, 120)
        assert found[START_S].count == 2


@pytest.mark.parametrize("flushed", [False, True])
async def test_acknowledged_data_survives_a_crash(stage: Stage, flushed: bool) -> None:
    stage.state.store.put([datum(START_S + n * 60, n) for n in range(5)])
    if flushed:
        await stage.state.store.flush()
        stage.state.store.put([datum(START_S + 120, 100)])
    await stage.region.engine.settled()
    before = read(stage, "Sum")
    await stage.reopen()
    assert read(stage, "Sum") == before
    await stage.state.store.flush()
    assert read(stage, "Sum") == before
    await stage.reopen()
    assert read(stage, "Sum") == before


async def test_a_flush_that_a_crash_interrupts_counts_nothing_twice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "SLICE_SERIES", 1)
    hosts = [f"h{n}" for n in range(6)]
    stage.state.store.put([datum(START_S + n * 60, 1, host=host) for host in hosts for n in range(4)])
    flush = asyncio.ensure_future(stage.state.store.flush())
    for _ in range(3):
        await asyncio.sleep(0)
    stage.state.store.put([datum(START_S, 5, host=host) for host in hosts])
    await stage.region.engine.settled()
    expected = {0: 6, 60: 1, 120: 1, 180: 1}
    metrics = [MetricKey("App", "Latency", (("Host", host),)) for host in hosts]
    assert [read(stage, "Sum", metric=one) for one in metrics] == [expected] * 6
    flush.cancel()
    await asyncio.wait((flush,))
    await stage.reopen()
    assert [read(stage, "Sum", metric=one) for one in metrics] == [expected] * 6
    await stage.state.store.flush()
    assert [read(stage, "Sum", metric=one) for one in metrics] == [expected] * 6
    await stage.reopen()
    assert [read(stage, "Sum", metric=one) for one in metrics] == [expected] * 6


async def test_the_journal_goes_once_its_data_is_in_parts(stage: Stage) -> None:
    stage.state.store.put([datum(START_S, 1)])
    journal = stage.region.engine.space("cloudwatch/journal")
    assert len(list(journal.range())) == 1
    await stage.state.store.flush()
    assert list(journal.range()) == []


async def test_many_flushes_of_one_span_are_joined(stage: Stage) -> None:
    for n in range(10):
        stage.state.store.put([datum(START_S + n * 60, n), datum(START_S, 1)])
        await stage.state.store.flush()
    parts = stage.region.engine.space("cloudwatch/parts")
    assert len(list(parts.range())) >= 10
    before = read(stage, "Sum")
    stage.clock.time_s = START_S + 700
    await roll_up(stage.state.store, stage.region)
    assert len(list(parts.range())) <= 2
    assert read(stage, "Sum") == before


async def test_seconds_become_minutes_and_minutes_become_five(stage: Stage) -> None:
    stage.state.store.put([datum(START_S + n, n, fine=True) for n in range(600)])
    await stage.state.store.flush()
    total = sum(range(600))
    stage.clock.time_s = START_S + 4 * 3600
    await roll_up(stage.state.store, stage.region)
    assert read(stage, "Sum", 1, 5) == {0: sum(range(60))}
    by_minute = read(stage, "Sum")
    assert len(by_minute) == 10
    assert sum(by_minute.values()) == total
    assert read(stage, "p50")[0] == pytest.approx(29, rel=0.02)
    stage.clock.time_s = START_S + 16 * 86_400
    await roll_up(stage.state.store, stage.region)
    origin = START_S // 300 * 300
    found = values(stage.state.store, M, None, "Sum", origin, origin + 1200, 300)
    assert sum(found.values()) == total
    assert len(found) in (2, 3)
    stage.clock.time_s = START_S + 500 * 86_400
    for _ in range(3):
        await roll_up(stage.state.store, stage.region)
    assert list(stage.region.engine.space("cloudwatch/parts").range()) == []


async def test_units_are_kept_apart_and_read_together(stage: Stage) -> None:
    stage.state.store.put([datum(START_S, 1, unit="Seconds"), datum(START_S, 2, unit="Count")])
    assert read(stage, "Sum") == {0: 3}
    only = values(stage.state.store, M, "Seconds", "Sum", START_S, START_S + 60, 60)
    assert only == {START_S: 1}


async def test_a_flood_waits_for_the_flush(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "FLUSH_BUCKETS", 10)
    monkeypatch.setattr(store_module, "MOST_BUCKETS", 20)
    stage.state.store.put([datum(START_S + n * 60, 1) for n in range(25)])
    waiting = asyncio.ensure_future(stage.state.store.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    await stage.state.store.flush()
    await asyncio.wait_for(waiting, 1)


async def test_the_services_own_metrics_are_taken_over_by_the_second(stage: Stage) -> None:
    series = stage.region.meter.series("AWS/Lambda", "Duration", {"FunctionName": "f"}, "Milliseconds")
    for n in range(1000):
        series.add(float(n % 200))
    stage.clock.time_s = START_S + 1.2
    drain(stage.state)
    metric = MetricKey("AWS/Lambda", "Duration", (("FunctionName", "f"),))
    found = bins(stage.state.store, stage.state.store.book.of(metric, None), START_S, START_S + 60, 1)
    assert list(found) == [START_S]
    assert found[START_S].count == 1000
    assert compute(found[START_S], "p90") == pytest.approx(179, rel=0.03)
    drain(stage.state)
    assert stage.state.store.book.of(metric, None)
    assert found[START_S].count == 1000


async def test_too_many_metrics_are_refused_whole(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MAX_SERIES", 2)
    stage.state.store.put([datum(START_S, 1)])
    with pytest.raises(TooManySeries):
        stage.state.store.put([datum(START_S, 5), datum(START_S, 1, host="b"), datum(START_S, 1, host="c")])
    assert read(stage, "Sum") == {0: 1}
    stage.state.store.put([datum(START_S, 1, host="b")])
    await stage.region.engine.settled()
    await stage.reopen()
    assert len(stage.state.store.book) == 2


async def test_own_metrics_are_seen_while_storage_refuses_writes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    series = stage.region.meter.series("AWS/Lambda", "Errors", {}, "Count")
    series.add(1.0)
    stage.clock.time_s = START_S + 1.2
    drain(stage.state)

    def refuse() -> None:
        raise StorageUnavailable("the disk is full")

    monkeypatch.setattr(type(stage.region.engine), "begin", lambda engine: refuse())
    series.add(1.0)
    stage.clock.time_s = START_S + 2.2
    drain(stage.state)
    with pytest.raises(StorageUnavailable):
        stage.state.store.put([datum(START_S, 1, host="new")])
    monkeypatch.undo()
    errors = MetricKey("AWS/Lambda", "Errors")
    assert read(stage, "Sum", 1, metric=errors) == {0: 1, 1: 1}
    stage.state.store.put([datum(START_S, 1, host="new")])
    await stage.region.engine.settled()
    await stage.reopen()
    assert read(stage, "Sum", metric=MetricKey("App", "Latency", (("Host", "new"),))) == {0: 1}


async def test_the_newest_time_of_a_series_is_known(stage: Stage) -> None:
    stage.state.store.put([datum(START_S, 1), datum(START_S + 120, 1)])
    (number,) = stage.state.store.book.of(M, None)
    assert stage.state.store.last_s(number) == START_S + 120
    await stage.state.store.flush()
    assert stage.state.store.last_s(number) == START_S + 120
