"""The services' own metrics: gathered on the hot path, taken over once a second."""

from __future__ import annotations

import logging

from outlast.cloud.contract import Drained
from outlast.cloud.engine import StorageUnavailable
from outlast.cloud.services.cloudwatch.state import Watch
from outlast.cloud.services.cloudwatch.store.book import TooManySeries
from outlast.cloud.services.cloudwatch.store.bucket import Bucket, bounded
from outlast.cloud.services.cloudwatch.store.store import Datum

log = logging.getLogger("outlast.cloudwatch")

NAMESPACE = "Outlast"
"""Of the metrics that AWS does not have."""
EVERY_S = 1.0
MOST_DISTINCT = 100


async def drain_for_ever(state: Watch) -> None:
    """Take over what was gathered, each second, until cancelled."""
    while True:
        await state.region.clock.sleep(EVERY_S)
        drain(state)


def drain(state: Watch) -> None:
    """Take over what was gathered in the last second; it counts for the second that has just passed.

    When storage refuses writes the data is kept in memory alone: what happens to the Region then must still be seen.
    """
    second = int(state.region.clock.now_s() - EVERY_S / 2)
    share = state.region.engine.log_share
    if share > 0.0:
        state.region.meter.series(NAMESPACE, "CommitLogUtilization", {}, "Percent").add(round(100 * share, 1))
    data = [_datum(each, second) for each in state.region.meter.drain()]
    if not data:
        return
    try:
        state.store.put(data)
    except StorageUnavailable:
        state.store.put_unjournalled(data)
    except TooManySeries:
        log.warning("there are too many metrics; new ones are not taken")
        known = [datum for datum in data if state.store.book.number(datum.identity) is not None]
        state.store.put(known)


def _datum(drained: Drained, second: int) -> Datum:
    key = drained.key
    values: dict[float, float] = {}
    for value, count in zip(drained.values, drained.counts, strict=True):
        values[value] = values.get(value, 0.0) + count
    bucket = Bucket.of_values(bounded(values, MOST_DISTINCT))
    return Datum((key.namespace, key.name, key.dimensions, key.unit), second, True, bucket)
