"""Metric data chosen and aggregated: from stored buckets to one value for each period."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from outlast.cloud.services.cloudwatch.model import MetricKey
from outlast.cloud.services.cloudwatch.statistics import SIMPLE, compute
from outlast.cloud.services.cloudwatch.store.bucket import Bucket
from outlast.cloud.services.cloudwatch.store.parts import DAY_S, HOUR_S
from outlast.cloud.services.cloudwatch.store.store import MetricStore

SHORT_PERIODS: Final = (1, 5, 10, 20, 30)


def is_period(period_s: int) -> bool:
    """Whether data may be asked for in such periods: 1, 5, 10, 20, 30 seconds or whole minutes."""
    return period_s in SHORT_PERIODS or (period_s > 0 and period_s % 60 == 0)


def rounded_start(start_s: float, period_s: int, now_s: float) -> int:
    """The start of a request, rounded down as CloudWatch does by the period and the age of the data."""
    age_s = now_s - start_s
    if age_s > 63 * DAY_S:
        step = HOUR_S
    elif age_s > 15 * DAY_S:
        step = 300
    else:
        step = min(period_s, 60)
    return int(start_s) // step * step


def bins(store: MetricStore, numbers: Iterable[int], start_s: int, end_s: int, period_s: int) -> dict[int, Bucket]:
    """One bucket for each period from `start_s` on that has data, by the period's start; treat them as read-only."""
    found: dict[int, Bucket] = {}
    own: set[int] = set()
    for number in numbers:
        for time_s, bucket in store.buckets(number, start_s, end_s):
            place = time_s - (time_s - start_s) % period_s
            present = found.get(place)
            if present is None:
                found[place] = bucket
                continue
            if place not in own:
                present = found[place] = present.copy()
                own.add(place)
            present.merge(bucket)
    return found


def totals(
    store: MetricStore, numbers: Iterable[int], start_s: int, end_s: int, period_s: int
) -> dict[int, list[float]]:
    """Count, sum, minimum and maximum of each period; quicker than `bins`, whose values it leaves out."""
    found: dict[int, list[float]] = {}
    for number in numbers:
        for time_s, count, total, low, high in store.totals(number, start_s, end_s):
            place = time_s - (time_s - start_s) % period_s
            present = found.get(place)
            if present is None:
                found[place] = [count, total, low, high]
                continue
            present[0] += count
            present[1] += total
            if low < present[2]:
                present[2] = low
            if high > present[3]:
                present[3] = high
    return found


def values(
    store: MetricStore, metric: MetricKey, unit: str | None, statistic: str, start_s: int, end_s: int, period_s: int
) -> dict[int, float]:
    """The statistic of each period that has data, by the period's start, in order of time."""
    numbers = store.book.of(metric, unit)
    found: dict[int, float] = {}
    if statistic in SIMPLE:
        for place, (count, total, low, high) in sorted(
            totals(store, numbers, start_s, end_s, period_s).items(), key=lambda one: one[0]
        ):
            found[place] = _simple(statistic, count, total, low, high)
        return found
    for place, bucket in sorted(bins(store, numbers, start_s, end_s, period_s).items(), key=lambda one: one[0]):
        value = compute(bucket, statistic)
        if value is not None:
            found[place] = value
    return found


def _simple(statistic: str, count: float, total: float, low: float, high: float) -> float:
    if statistic == "Average":
        return total / count
    if statistic == "Sum":
        return total
    if statistic == "SampleCount":
        return count
    return low if statistic == "Minimum" else high
