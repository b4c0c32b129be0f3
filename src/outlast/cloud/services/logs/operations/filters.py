"""Metric filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.logs.errors import (
    InvalidParameterException,
    LimitExceededException,
    ResourceNotFoundException,
)
from outlast.cloud.services.logs.model import MetricFilter
from outlast.cloud.services.logs.operations.paging import page
from outlast.cloud.services.logs.patterns import Pattern, PatternFault, compile_pattern
from outlast.cloud.services.logs.patterns.values import number_of, read_selector
from outlast.cloud.services.logs.service import group_arn, logs
from outlast.cloud.services.logs.state import LogStore

MAX_FILTERS: Final = 100
MAX_DIMENSIONS: Final = 3
DEFAULT_LIMIT: Final = 50


def _compile(text: str) -> Pattern:
    try:
        return compile_pattern(text)
    except PatternFault as fault:
        raise InvalidParameterException(fault.message) from fault


@logs.operation(resource=group_arn, control_plane=True)
def put_metric_filter(
    call: Call[LogStore],
    *,
    log_group_name: str,
    filter_name: str,
    filter_pattern: str,
    metric_transformations: Sequence[Mapping[str, Any]],
) -> Reply:
    """Make or change a filter; it works on events that come from now on."""
    group = call.state.group(log_group_name)
    _compile(filter_pattern)
    for one in metric_transformations:
        _check(one)
    known = call.state.filters.get(group.name, ())
    if len(known) >= MAX_FILTERS and all(one.name != filter_name for one in known):
        raise LimitExceededException("Resource limit exceeded.")
    call.state.put_filter(
        MetricFilter(group.name, filter_name, filter_pattern, tuple(metric_transformations), call.now_ms)
    )
    return {}


def _check(transformation: Mapping[str, Any]) -> None:
    value = transformation["metricValue"]
    if value.startswith("$"):
        if value.startswith("$.") and read_selector(value) is None:
            raise InvalidParameterException(f"Invalid metric transformation: the value {value} is not a selector")
    elif number_of(value) is None:
        raise InvalidParameterException(f"Invalid metric transformation: the value {value} is not a number")
    dimensions = transformation.get("dimensions") or {}
    if len(dimensions) > MAX_DIMENSIONS:
        raise InvalidParameterException(f"A metric filter may have at most {MAX_DIMENSIONS} dimensions")
    if dimensions and "defaultValue" in transformation:
        raise InvalidParameterException(
            "Invalid metric transformation: dimensions and default value are mutually exclusive properties."
        )
    if transformation["metricNamespace"].startswith("AWS/"):
        raise InvalidParameterException("The metric namespace must not begin with AWS/")


@logs.operation(resource=group_arn, control_plane=True)
def describe_metric_filters(
    call: Call[LogStore],
    *,
    log_group_name: str | None = None,
    filter_name_prefix: str | None = None,
    next_token: str | None = None,
    limit: int = DEFAULT_LIMIT,
    metric_name: str | None = None,
    metric_namespace: str | None = None,
) -> Reply:
    """Filters by group and name, or by the metric they make."""
    if log_group_name is not None:
        call.state.group(log_group_name)
    if (metric_name is None) != (metric_namespace is None):
        raise InvalidParameterException("metricName and metricNamespace must be specified together.")
    wanted = [
        one
        for name, filters in sorted(call.state.filters.items())
        for one in filters
        if log_group_name in (None, name)
        and one.name.startswith(filter_name_prefix or "")
        and (
            metric_name is None
            or any(
                each["metricName"] == metric_name and each["metricNamespace"] == metric_namespace
                for each in one.transformations
            )
        )
    ]
    found, more = page(wanted, next_token, limit)
    return {"metricFilters": [_show(one) for one in found], **more}


def _show(one: MetricFilter) -> dict[str, Any]:
    return {
        "filterName": one.name,
        "filterPattern": one.pattern,
        "metricTransformations": list(one.transformations),
        "creationTime": one.created_ms,
        "logGroupName": one.group,
    }


@logs.operation(resource=group_arn, control_plane=True)
def delete_metric_filter(call: Call[LogStore], *, log_group_name: str, filter_name: str) -> Reply:
    """Remove a filter."""
    call.state.group(log_group_name)
    for one in call.state.filters.get(log_group_name, ()):
        if one.name == filter_name:
            call.state.drop_filter(one)
            return {}
    raise ResourceNotFoundException("The specified metric filter does not exist.")


@logs.operation(control_plane=True)
def test_metric_filter(call: Call[LogStore], *, filter_pattern: str, log_event_messages: Sequence[str]) -> Reply:
    """Which of the messages a pattern matches, and what it extracts."""
    pattern = _compile(filter_pattern)
    matches = []
    for number, message in enumerate(log_event_messages, 1):
        extracted = pattern.match(message)
        if extracted is not None:
            matches.append({"eventNumber": number, "eventMessage": message, "extractedValues": dict(extracted)})
    return {"matches": matches}
