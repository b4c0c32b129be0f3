"""Data grows old: finer buckets are joined into coarser ones, and the oldest go.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html (metrics retention)
"""

from __future__ import annotations

from outlast.cloud.contract import Region
from outlast.cloud.services.cloudwatch.store.bucket import Bucket
from outlast.cloud.services.cloudwatch.store.parts import LEVELS, MINUTE, Level, pack, part_key, unpack
from outlast.cloud.services.cloudwatch.store.store import MetricStore

EVERY_S = 600.0
FEW_PARTS = 6
SLICE_SERIES = 50


async def roll_up_for_ever(store: MetricStore, region: Region) -> None:
    """Roll up now and then until cancelled."""
    while True:
        await region.clock.sleep(EVERY_S)
        await roll_up(store, region)


async def roll_up(store: MetricStore, region: Region) -> None:
    """Move all that is too old for its level and join what many flushes have scattered, some series at a time."""
    numbers = store.book.numbers()
    for start in range(0, len(numbers), SLICE_SERIES):
        for number in numbers[start : start + SLICE_SERIES]:
            for level in LEVELS:
                _move(store, region, level, number)
            _join(store, region, number)
        await region.clock.sleep(0)


def _move(store: MetricStore, region: Region, level: Level, number: int) -> None:
    old = store.aged(level, number, int(region.clock.now_s()))
    if not old:
        return
    coarser = LEVELS[level.number + 1] if level.number + 1 < len(LEVELS) else None
    joined: dict[int, Bucket] = {}
    for _, start_s, packed in old:
        for time_s, bucket in unpack(start_s, packed):
            if coarser is not None:
                place = time_s // coarser.step_s * coarser.step_s
                if place in joined:
                    joined[place].merge(bucket)
                else:
                    joined[place] = bucket
    with region.engine.begin() as tx:
        for key, _, _ in old:
            store.rewrite(tx, key, None)
        if coarser is None or not joined:
            return
        generation = store.next_generation(tx)
        spans: dict[int, list[tuple[int, Bucket]]] = {}
        for time_s in sorted(joined):
            spans.setdefault(time_s // coarser.span_s * coarser.span_s, []).append((time_s, joined[time_s]))
        for start_s, buckets in spans.items():
            store.rewrite(tx, part_key(coarser, number, start_s, generation), pack(start_s, buckets))


def _join(store: MetricStore, region: Region, number: int) -> None:
    """Make one part of each span that flushes of the last hours have left in many."""
    now_s = int(region.clock.now_s())
    spans: dict[int, list[tuple[bytes, bytes]]] = {}
    for key, start_s, packed in store.finished(MINUTE, number, now_s - 2 * MINUTE.span_s, now_s):
        spans.setdefault(start_s, []).append((key, packed))
    for start_s, parts in spans.items():
        if len(parts) < FEW_PARTS:
            continue
        joined: dict[int, Bucket] = {}
        for _, packed in parts:
            for time_s, bucket in unpack(start_s, packed):
                if time_s in joined:
                    joined[time_s].merge(bucket)
                else:
                    joined[time_s] = bucket
        with region.engine.begin() as tx:
            for key, _ in parts:
                store.rewrite(tx, key, None)
            key = part_key(MINUTE, number, start_s, store.next_generation(tx))
            store.rewrite(tx, key, pack(start_s, sorted(joined.items(), key=lambda one: one[0])))
