"""The counters of the hot path: bounded whatever comes, cheap, and true to the count."""

from __future__ import annotations

import random

from outlast.cloud.contract.meter import MAX_BUCKETS, Meter


def test_few_values_are_kept_as_they_are() -> None:
    series = Meter().series("n", "m", {})
    for value in (1.25, 2.5, 1.25):
        series.add(value)
    taken = series.take()
    assert taken is not None
    assert dict(zip(taken.values, taken.counts, strict=True)) == {1.25: 2, 2.5: 1}
    assert series.take() is None


def test_a_flood_of_values_stays_bounded_and_none_is_lost() -> None:
    series, rnd = Meter().series("n", "m", {}), random.Random(7)
    noted = [rnd.uniform(0.01, 5_000.0) for _ in range(50_000)]
    for value in noted:
        series.add(value)
    taken = series.take()
    assert taken is not None
    assert sum(taken.counts) == len(noted)
    assert len(taken.values) <= 2 * MAX_BUCKETS + 9 * 8
    total = sum(value * count for value, count in zip(taken.values, taken.counts, strict=True))
    assert abs(total - sum(noted)) < 0.02 * sum(noted)
