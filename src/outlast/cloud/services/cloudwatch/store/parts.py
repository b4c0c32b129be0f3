"""Buckets as bytes: rows of the journal and parts of a metric's history.

A part holds the buckets of one metric, level and span of time. Its key is level, series, start of the span and the
generation that wrote it; a reader joins the parts of a span.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from outlast.cloud.services.cloudwatch.store.bucket import Bucket

HOUR_S: Final = 3_600
DAY_S: Final = 24 * HOUR_S


@dataclass(frozen=True, slots=True)
class Level:
    """How finely data is kept and for how long. `span_s` is what one part covers."""

    number: int
    step_s: int
    span_s: int
    kept_s: int


LEVELS: Final = (
    Level(0, 1, 300, 3 * HOUR_S),
    Level(1, 60, 4 * HOUR_S, 15 * DAY_S),
    Level(2, 300, DAY_S, 63 * DAY_S),
    Level(3, 3_600, 15 * DAY_S, 455 * DAY_S),
)
"""Retention as CloudWatch states it: 1 s for 3 hours, 1 min for 15 days, 5 min for 63 days, 1 h for 455 days."""

FINE, MINUTE = LEVELS[0], LEVELS[1]
_KEY = struct.Struct(">BIIQ")


def part_key(level: Level, series: int, start_s: int, generation: int) -> bytes:
    """The key of a part."""
    return _KEY.pack(level.number, series, start_s, generation)


def part_range(level: Level, series: int, first_s: int, last_s: int) -> tuple[bytes, bytes]:
    """Bounds of the keys of all parts that may hold buckets from `first_s` up to and including `last_s`."""
    start = max(0, first_s) // level.span_s * level.span_s
    return _KEY.pack(level.number, series, start, 0), _KEY.pack(level.number, series, max(0, last_s) + 1, 0)


def read_key(key: bytes) -> tuple[int, int, int, int]:
    """Level number, series, start of the span, generation."""
    level, series, start_s, generation = _KEY.unpack(key)
    return level, series, start_s, generation


def row(bucket: Bucket) -> list[Any]:
    """A bucket as plain data, as short as it allows."""
    values = bucket.values
    if isinstance(values, dict):
        return [bucket.count, bucket.total, bucket.low, bucket.high, list(values), list(values.values())]
    if values is None:
        return [bucket.count, bucket.total, bucket.low, bucket.high]
    return [values] if bucket.count == 1.0 else [values, bucket.count]


def bucket_of(found: list[Any]) -> Bucket:
    """The bucket in a row."""
    size = len(found)
    if size == 1:
        return Bucket.of(found[0])
    if size == 2:
        value, count = found
        return Bucket(count, value * count, value, value, value)
    count, total, low, high = found[:4]
    return Bucket(count, total, low, high, None if size == 4 else dict(zip(found[4], found[5], strict=True)))


def pack(start_s: int, buckets: Iterable[tuple[int, Bucket]]) -> bytes:
    """A part's bytes; times are seconds."""
    return orjson.dumps([[time_s - start_s, *row(bucket)] for time_s, bucket in buckets])


def unpack(start_s: int, packed: bytes) -> Iterator[tuple[int, Bucket]]:
    """The buckets of a part with their times in seconds."""
    for found in orjson.loads(packed):
        yield start_s + found[0], bucket_of(found[1:])


def unpack_totals(start_s: int, packed: bytes) -> Iterator[tuple[int, float, float, float, float]]:
    """Time, count, sum, minimum and maximum of each bucket of a part; quicker than `unpack`."""
    for found in orjson.loads(packed):
        size = len(found)
        if size == 2:
            value = found[1]
            yield start_s + found[0], 1.0, value, value, value
        elif size == 3:
            _, value, count = found
            yield start_s + found[0], count, value * count, value, value
        else:
            yield start_s + found[0], found[1], found[2], found[3], found[4]
