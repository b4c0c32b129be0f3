"""Which metrics there are: a durable number for each series, and the indexes that find them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from outlast.cloud.engine import Engine
from outlast.cloud.engine.transaction import Transaction
from outlast.cloud.services.cloudwatch.model import Dimensions, MetricKey

MAX_SERIES = 200_000

Identity = tuple[str, str, Dimensions, str]
"""Namespace, name, sorted dimensions, unit."""


class TooManySeries(Exception):
    """There are as many metrics as a Region may have."""


@dataclass(frozen=True, slots=True)
class Series:
    """One metric in one unit."""

    number: int
    metric: MetricKey
    unit: str


class Book:
    """Every series of a Region, in memory; new ones are written in the transaction of their first data."""

    def __init__(self, engine: Engine) -> None:
        self._space = engine.space("cloudwatch/series")
        self._numbers: dict[Identity, int] = {}
        self._series: dict[int, Series] = {}
        self._by_metric: dict[MetricKey, list[int]] = {}
        self._by_name: dict[tuple[str, str], list[MetricKey]] = {}
        for key, value in self._space.range():
            namespace, name, dimensions, unit = orjson.loads(value)
            self._note(int.from_bytes(key, "big"), (namespace, name, tuple((k, v) for k, v in dimensions), unit))
        self._next = max(self._series, default=0) + 1
        self._doubtful = False

    def doubt(self) -> None:
        """Storage lost writes: entries that it lacks are written again with the next data."""
        self._doubtful = True

    def assure(self, tx: Transaction) -> None:
        """Write again what storage lost."""
        if self._doubtful:
            for (namespace, name, dimensions, unit), number in self._numbers.items():
                if tx.get(self._space, number.to_bytes(4, "big")) is None:
                    tx.put(self._space, number.to_bytes(4, "big"), orjson.dumps((namespace, name, dimensions, unit)))
            self._doubtful = False

    def __len__(self) -> int:
        return len(self._series)

    def _note(self, number: int, identity: Identity) -> None:
        namespace, name, dimensions, unit = identity
        metric = MetricKey(namespace, name, dimensions)
        self._numbers[identity] = number
        self._series[number] = Series(number, metric, unit)
        numbers = self._by_metric.setdefault(metric, [])
        if not numbers:
            self._by_name.setdefault((namespace, name), []).append(metric)
        numbers.append(number)

    def number(self, identity: Identity) -> int | None:
        """The number of a known series."""
        return self._numbers.get(identity)

    def check_room(self, new: int) -> None:
        """Raise TooManySeries unless there is room for so many new series."""
        if len(self._series) + new > MAX_SERIES:
            raise TooManySeries

    def enter(self, identity: Identity, tx: Transaction) -> int:
        """Give a new series its number; it is known at once."""
        number = self._next
        self._next += 1
        tx.put(self._space, number.to_bytes(4, "big"), orjson.dumps(identity))
        self._note(number, identity)
        return number

    def series(self, number: int) -> Series:
        return self._series[number]

    def numbers(self) -> list[int]:
        """The numbers of all series, ascending."""
        return sorted(self._series)

    def of(self, metric: MetricKey, unit: str | None) -> list[int]:
        """The series of a metric, in one unit or in all."""
        numbers = self._by_metric.get(metric, [])
        return [one for one in numbers if unit is None or self._series[one].unit == unit]

    def metrics(self, namespace: str | None = None, name: str | None = None) -> Iterator[MetricKey]:
        """Every metric, or those of a namespace or name."""
        if namespace is not None and name is not None:
            yield from self._by_name.get((namespace, name), ())
            return
        for (one_namespace, one_name), metrics in self._by_name.items():
            if namespace in (None, one_namespace) and name in (None, one_name):
                yield from metrics
