"""Metric data out of log events: metric filters and embedded metric format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outlast.cloud.services.logs.emf import read_line
from outlast.cloud.services.logs.model import Group, MetricFilter
from outlast.cloud.services.logs.patterns import compile_pattern
from outlast.cloud.services.logs.patterns.values import number_of
from outlast.cloud.services.logs.state import LogStore


def gather(state: LogStore, group: Group, events: Sequence[tuple[int, str]]) -> None:
    """Queue the metric data that new events of a group hold."""
    filters = state.filters.get(group.name, ())
    for at_ms, message in events:
        for namespace, datum in read_line(message, at_ms):
            state.queue_metric(namespace, datum)
    for one in filters:
        _apply(state, one, events)


def _apply(state: LogStore, one: MetricFilter, events: Sequence[tuple[int, str]]) -> None:
    pattern = compile_pattern(one.pattern)
    for transformation in one.transformations:
        matched = False
        for at_ms, message in events:
            extracted = pattern.match(message)
            if extracted is None:
                continue
            matched = True
            value = number_of(pattern.value(message, transformation["metricValue"]))
            dimensions = _dimensions(transformation, message, pattern.value)
            if value is None or dimensions is None:
                continue
            _queue(state, transformation, value, at_ms, dimensions)
        default = transformation.get("defaultValue")
        if not matched and default is not None and events:
            _queue(state, transformation, float(default), events[-1][0], [])


def _dimensions(transformation: Mapping[str, Any], message: str, value_of: Any) -> list[dict[str, str]] | None:
    found = []
    for name, wanted in (transformation.get("dimensions") or {}).items():
        value = value_of(message, wanted)
        if value is None:
            return None
        found.append({"Name": name, "Value": value})
    return found


def _queue(
    state: LogStore,
    transformation: Mapping[str, Any],
    value: float,
    at_ms: int,
    dimensions: list[dict[str, str]],
) -> None:
    datum = {
        "MetricName": transformation["metricName"],
        "Dimensions": dimensions,
        "Timestamp": at_ms / 1000,
        "Value": value,
        "Unit": transformation.get("unit", "None"),
    }
    state.queue_metric(transformation["metricNamespace"], datum)
