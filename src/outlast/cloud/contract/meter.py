"""Counters that services write on the hot path and CloudWatch drains in bulk."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAX_SERIES = 20_000
MAX_BUCKETS = 512


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """Identity of a metric: namespace, name and sorted dimensions; unit as CloudWatch spells it."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    unit: str


@dataclass(frozen=True, slots=True)
class Drained:
    """What one series gathered since the last drain: distinct values (to three digits) and how often each came."""

    key: SeriesKey
    values: tuple[float, ...]
    counts: tuple[int, ...]


class Series:
    """One metric being gathered; `add` costs a dictionary step."""

    __slots__ = ("_counts", "key")

    def __init__(self, key: SeriesKey) -> None:
        self.key = key
        self._counts: dict[float, int] = {}

    def add(self, value: float, count: int = 1) -> None:
        """Note `value` `count` times; once there are many values, new ones are kept to three digits, then to one.

        So a series holds no more than twice MAX_BUCKETS values and nine for each power of ten.
        """
        counts = self._counts
        if value in counts:
            counts[value] += count
            return
        if len(counts) >= MAX_BUCKETS:
            value = round_to_digits(value, 3 if len(counts) < 2 * MAX_BUCKETS else 1)
        counts[value] = counts.get(value, 0) + count

    def take(self) -> Drained | None:
        """Hand over what was gathered and start anew; None when nothing came."""
        if not self._counts:
            return None
        counts, self._counts = self._counts, {}
        return Drained(self.key, tuple(counts), tuple(counts.values()))


def round_to_digits(value: float, digits: int = 3) -> float:
    """`value` to `digits` significant digits."""
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


class Meter:
    """All series of one Region; bounded, so a flood of dimensions cannot fill the memory."""

    def __init__(self) -> None:
        self._series: dict[SeriesKey, Series] = {}
        self.refused = 0

    def series(self, namespace: str, name: str, dimensions: Mapping[str, str], unit: str = "None") -> Series:
        """The series of this metric, made at first use; callers on a hot path keep the reference."""
        key = SeriesKey(namespace, name, tuple(sorted(dimensions.items())), unit)
        found = self._series.get(key)
        if found is None:
            found = Series(key)
            if len(self._series) < MAX_SERIES:
                self._series[key] = found
            else:
                self.refused += 1
        return found

    def drain(self) -> Iterator[Drained]:
        """Everything gathered since the last drain."""
        for series in tuple(self._series.values()):
            taken = series.take()
            if taken is not None:
                yield taken
