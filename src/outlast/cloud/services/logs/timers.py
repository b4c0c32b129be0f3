"""What happens later: metrics found in log events are put, old events go."""

from __future__ import annotations

import logging
from typing import Any, Final

from outlast.cloud.contract import Fault
from outlast.cloud.engine import StorageUnavailable
from outlast.cloud.services.logs.state import LogStore

log = logging.getLogger("outlast.logs")

PUT_EVERY_S: Final = 1.0
PUT_AT_ONCE: Final = 1_000
EXPIRE_EVERY_S: Final = 60.0
EXPIRE_AT_ONCE: Final = 500
DAY_MS: Final = 86_400_000


async def put_metrics_for_ever(state: LogStore) -> None:
    """Put the metric data that log events held, at most once a second, until cancelled; idle while there is none."""
    while True:
        await state.has_pending.wait()
        await state.region.clock.sleep(PUT_EVERY_S)
        state.has_pending.clear()
        await put_metrics(state)


async def put_metrics(state: LogStore) -> None:
    """Put what is pending; data that CloudWatch refuses is dropped and told in the log."""
    pending, state.pending = state.pending, []
    if state.dropped:
        log.warning("%d metric data points from log events were dropped: too many at once", state.dropped)
        state.dropped = 0
    by_namespace: dict[str, list[dict[str, Any]]] = {}
    for namespace, datum in pending:
        by_namespace.setdefault(namespace, []).append(datum)
    for namespace, data in by_namespace.items():
        for start in range(0, len(data), PUT_AT_ONCE):
            await _put(state, namespace, data[start : start + PUT_AT_ONCE])


async def _put(state: LogStore, namespace: str, data: list[dict[str, Any]]) -> None:
    region = state.region
    try:
        await region.aws(
            "cloudwatch",
            "PutMetricData",
            {"Namespace": namespace, "MetricData": data},
            principal=region.linked("logs"),
        )
    except Fault as fault:
        if len(data) > 1:
            middle = len(data) // 2
            await _put(state, namespace, data[:middle])
            await _put(state, namespace, data[middle:])
        else:
            log.warning("metric data from a log event was refused: %s", fault.message)


async def expire_for_ever(state: LogStore) -> None:
    """Now and then remove events that are older than their group keeps them, until cancelled."""
    while True:
        await state.region.clock.sleep(EXPIRE_EVERY_S)
        try:
            await expire(state)
        except StorageUnavailable as error:
            log.warning("old log events stay for now: %s", error)


async def expire(state: LogStore) -> None:
    """Remove old events, streams that have none left, and events of deleted streams, some at a time."""
    now_ms = state.region.clock.now_ms()
    for group in list(state.groups.values()):
        if group.retention_days is None:
            continue
        before_ms = now_ms - group.retention_days * DAY_MS
        for stream in list(state.streams[group.number].values()):
            while state.expire(stream, before_ms, EXPIRE_AT_ONCE) == EXPIRE_AT_ONCE:
                await state.region.clock.sleep(0)
            if stream.created_ms < before_ms and state.timed(stream).last_ms is None:
                state.drop_stream(group, stream)
        await state.region.clock.sleep(0)
    for stream in state.gone():
        while state.expire(stream, None, EXPIRE_AT_ONCE) == EXPIRE_AT_ONCE:
            await state.region.clock.sleep(0)
        state.forget_gone(stream)
