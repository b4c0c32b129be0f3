"""Metric data read: GetMetricData and GetMetricStatistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from outlast.cloud.contract import Call, Reply, ValidationException
from outlast.cloud.services.cloudwatch.errors import (
    InvalidNextToken,
    InvalidParameterCombinationException,
    InvalidParameterValueException,
)
from outlast.cloud.services.cloudwatch.math import TimeSeries
from outlast.cloud.services.cloudwatch.query import Answers, read_metric, read_queries
from outlast.cloud.services.cloudwatch.select import bins, is_period, rounded_start
from outlast.cloud.services.cloudwatch.service import cloudwatch
from outlast.cloud.services.cloudwatch.state import Watch
from outlast.cloud.services.cloudwatch.statistics import compute, refusal

MAX_DATAPOINTS: Final = 100_800
MAX_STATISTICS_POINTS: Final = 1_440


@cloudwatch.operation(ignored=("LabelOptions",))
def get_metric_data(
    call: Call[Watch],
    *,
    metric_data_queries: Sequence[Mapping[str, Any]],
    start_time: float,
    end_time: float,
    next_token: str | None = None,
    scan_by: str = "TimestampDescending",
    max_datapoints: int | None = None,
) -> Reply:
    """Values of metrics and expressions, newest first unless asked otherwise.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
    """
    if start_time >= end_time:
        raise ValidationException("The parameter StartTime must be less than the parameter EndTime.")
    queries = read_queries(metric_data_queries, call.region.account_id, "MetricDataQueries")
    answers = Answers(call.state.store, queries, start_time, end_time, call.now_s)
    series = [one for query in queries if query.returned for one in answers.of(query.id)]
    limit = min(max_datapoints or MAX_DATAPOINTS, MAX_DATAPOINTS)
    results, following = _cut(series, _offset(next_token), limit, scan_by == "TimestampDescending")
    reply: dict[str, Any] = {"MetricDataResults": results, "Messages": []}
    if following is not None:
        reply["NextToken"] = following
    return reply


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isdigit():
        raise InvalidNextToken(f"Invalid next token: {token}")
    return int(token)


def _cut(
    series: Sequence[TimeSeries], skip: int, limit: int, descending: bool
) -> tuple[list[dict[str, Any]], str | None]:
    """Results with at most `limit` values after the first `skip`, and the token of what follows."""
    found: list[dict[str, Any]] = []
    room, passed, total = limit, skip, sum(len(one.points) for one in series)
    for one in series:
        points = sorted(one.points.items(), reverse=descending)
        part = points[passed : passed + room]
        passed = max(0, passed - len(points))
        room -= len(part)
        if points and not part:
            continue
        found.append(
            {
                "Id": one.id,
                "Label": one.label,
                "Timestamps": [time_s for time_s, _ in part],
                "Values": [value for _, value in part],
                "StatusCode": "PartialData" if len(part) < len(points) and room == 0 else "Complete",
            }
        )
    return found, (str(skip + limit) if total > skip + limit else None)


@cloudwatch.operation()
def get_metric_statistics(
    call: Call[Watch],
    *,
    namespace: str,
    metric_name: str,
    start_time: float,
    end_time: float,
    period: int,
    dimensions: Sequence[Mapping[str, str]] = (),
    statistics: Sequence[str] = (),
    extended_statistics: Sequence[str] = (),
    unit: str | None = None,
) -> Reply:
    """Statistics of one metric, a data point for each period that has data, in no order.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
    """
    _check_request(start_time, end_time, period, statistics, extended_statistics)
    metric = read_metric({"Namespace": namespace, "MetricName": metric_name, "Dimensions": dimensions})
    store = call.state.store
    start_s = rounded_start(start_time, period, call.now_s)
    end_s = -int(-end_time // 1)
    points: list[dict[str, Any]] = []
    units = {store.book.series(number).unit for number in store.book.of(metric, unit)}
    for one_unit in sorted(units):
        numbers = store.book.of(metric, one_unit)
        for time_s, bucket in sorted(bins(store, numbers, start_s, end_s, period).items(), key=lambda one: one[0]):
            extended = {name: compute(bucket, name) for name in extended_statistics}
            known = {name: value for name, value in extended.items() if value is not None}
            if extended and not known and not statistics:
                continue
            point: dict[str, Any] = {"Timestamp": time_s, "Unit": one_unit}
            point.update({name: compute(bucket, name) for name in statistics})
            if known:
                point["ExtendedStatistics"] = known
            points.append(point)
    return {"Label": metric_name, "Datapoints": points}


def _check_request(
    start_time: float, end_time: float, period: int, statistics: Sequence[str], extended: Sequence[str]
) -> None:
    if start_time >= end_time:
        raise InvalidParameterCombinationException("The parameter StartTime must be less than the parameter EndTime.")
    if not statistics and not extended:
        raise InvalidParameterCombinationException("Must specify either Statistics or ExtendedStatistics")
    if not is_period(period):
        raise InvalidParameterValueException(
            f"The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60; it is {period}."
        )
    for name in extended:
        problem = refusal(name)
        if problem is not None:
            raise InvalidParameterValueException(problem)
    asked = int((end_time - start_time) // period)
    if asked > MAX_STATISTICS_POINTS:
        raise InvalidParameterCombinationException(
            f"You have requested up to {asked:,} datapoints, which exceeds the limit of {MAX_STATISTICS_POINTS:,}. "
            "You may reduce the datapoints requested by increasing Period, or decreasing the time range."
        )
