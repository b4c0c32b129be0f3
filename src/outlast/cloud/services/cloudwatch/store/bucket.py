"""What is known of one metric in one second, minute or longer: count, sum, extremes and the values themselves.

Values are kept with how often each came, so percentiles are those of the data. When there are more distinct values
than a bucket may hold they are joined into classes one per cent wide, as CloudWatch does for large sets.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

MAX_DISTINCT = 300
CLASS_WIDTHS = (1.01, 1.02, 1.05, 1.2)

Values = float | dict[float, float] | None
"""One distinct value; values with their counts; or None when only a statistic set is known."""


class Bucket:
    """Mutable on purpose: the ingest path adds to it millions of times."""

    __slots__ = ("count", "high", "low", "total", "values")

    def __init__(self, count: float, total: float, low: float, high: float, values: Values) -> None:
        self.count = count
        self.total = total
        self.low = low
        self.high = high
        self.values = values

    @classmethod
    def of(cls, value: float) -> Bucket:
        """A bucket with one value."""
        return cls(1.0, value, value, value, value)

    @classmethod
    def of_values(cls, values: Mapping[float, float]) -> Bucket:
        """A bucket with values and how often each came; there must be one at least."""
        total = sum(value * count for value, count in values.items())
        held: Values = bounded(dict(values)) if len(values) > 1 else next(iter(values))
        return cls(sum(values.values()), total, min(values), max(values), held)

    def add(self, value: float) -> None:
        """Note one value."""
        self.count += 1.0
        self.total += value
        if value < self.low:
            self.low = value
        elif value > self.high:
            self.high = value
        values = self.values
        if isinstance(values, dict):
            values[value] = values.get(value, 0.0) + 1.0
            if len(values) > MAX_DISTINCT:
                self.values = bounded(values)
        elif values is not None and values != value:
            self.values = {values: self.count - 1.0, value: 1.0}

    def merge(self, other: Bucket) -> None:
        """Add all of `other`, which stays as it is."""
        mine, theirs = self.histogram(), other.histogram()
        self.count += other.count
        self.total += other.total
        self.low = min(self.low, other.low)
        self.high = max(self.high, other.high)
        if mine is None or theirs is None:
            self.values = None
            return
        joined = dict(mine)
        for value, count in theirs.items():
            joined[value] = joined.get(value, 0.0) + count
        self.values = bounded(joined) if len(joined) > 1 else next(iter(joined))

    def histogram(self) -> Mapping[float, float] | None:
        """Values with their counts; None when only a statistic set is known."""
        values = self.values
        if isinstance(values, dict):
            return values
        return None if values is None else {values: self.count}

    def copy(self) -> Bucket:
        """A bucket of its own with the same content."""
        values = self.values
        return Bucket(self.count, self.total, self.low, self.high, dict(values) if isinstance(values, dict) else values)


def merged(buckets: Iterable[Bucket]) -> Bucket | None:
    """One bucket with the content of all; None for none."""
    found: Bucket | None = None
    for bucket in buckets:
        if found is None:
            found = bucket.copy()
        else:
            found.merge(bucket)
    return found


def bounded(values: dict[float, float], most: int = MAX_DISTINCT) -> dict[float, float]:
    """The values, joined into classes as narrow as fit into `most`; each class is named by its weighted mean."""
    if len(values) <= most:
        return values
    joined = values
    for width in CLASS_WIDTHS:
        joined = _classes(values, width)
        if len(joined) <= most * 2 // 3:
            return joined
    return joined if len(joined) <= most else _coarsest(joined, most)


def _classes(values: Mapping[float, float], width: float) -> dict[float, float]:
    scale = 1.0 / math.log(width)
    sums: dict[tuple[bool, int], list[float]] = {}
    zeroes = 0.0
    for value, count in values.items():
        if value == 0:
            zeroes += count
            continue
        place = (value < 0, math.floor(math.log(abs(value)) * scale))
        held = sums.setdefault(place, [0.0, 0.0])
        held[0] += value * count
        held[1] += count
    found = {total / count: count for total, count in sums.values()}
    if zeroes:
        found[0.0] = found.get(0.0, 0.0) + zeroes
    return found


def _coarsest(values: Mapping[float, float], most: int) -> dict[float, float]:
    """As many neighbours joined as needed, in order of size."""
    ordered = sorted(values.items())
    step = -(-len(ordered) // (most // 2))
    found: dict[float, float] = {}
    for start in range(0, len(ordered), step):
        part = ordered[start : start + step]
        count = sum(one for _, one in part)
        found[sum(value * one for value, one in part) / count] = count
    return found
