"""GetMetricData's queries, read and answered. Alarms on metric math use the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from outlast.cloud.contract import ValidationException
from outlast.cloud.services.cloudwatch.math import Grid, MathFault, Scope, TimeSeries, evaluate, parse
from outlast.cloud.services.cloudwatch.math.parse import names
from outlast.cloud.services.cloudwatch.math.values import Value
from outlast.cloud.services.cloudwatch.model import MetricKey, MetricStat, Query
from outlast.cloud.services.cloudwatch.search import search
from outlast.cloud.services.cloudwatch.select import is_period, rounded_start, values
from outlast.cloud.services.cloudwatch.statistics import refusal
from outlast.cloud.services.cloudwatch.store.store import MetricStore

MAX_QUERIES: Final = 500
ID: Final = re.compile(r"[a-z][a-zA-Z0-9_]*\Z")


def read_metric(given: Mapping[str, Any]) -> MetricKey:
    """A metric as requests give it."""
    dimensions = tuple(sorted((one["Name"], one["Value"]) for one in given.get("Dimensions", ())))
    return MetricKey(given.get("Namespace", ""), given.get("MetricName", ""), dimensions)


def read_queries(given: Sequence[Mapping[str, Any]], account_id: str, parameter: str) -> list[Query]:
    """Queries, checked; raises ValidationException."""
    if len(given) > MAX_QUERIES:
        raise ValidationException(f"The collection {parameter} must not have a size greater than {MAX_QUERIES}.")
    found = [_read_query(one, account_id, f"{parameter}.member.{place}") for place, one in enumerate(given, 1)]
    ids = [query.id for query in found]
    if len(set(ids)) != len(ids):
        raise ValidationException(f"The values for parameter id in {parameter} are not unique.")
    if not any(query.returned for query in found):
        raise ValidationException("At least one element must have ReturnData set to true.")
    return found


def _read_query(given: Mapping[str, Any], account_id: str, where: str) -> Query:
    identifier = given["Id"]
    if not ID.match(identifier):
        raise ValidationException(
            f"The value {identifier} for parameter {where}.Id is not matching the expected "
            "pattern ^[a-z][a-zA-Z0-9_]*$."
        )
    if given.get("AccountId", account_id) != account_id:
        raise ValidationException(f"The parameter {where}.AccountId is not supported by this cloud.")
    stat, expression = given.get("MetricStat"), given.get("Expression")
    if (stat is None) == (expression is None):
        raise ValidationException(f"Exactly one of {where}.MetricStat and {where}.Expression must be specified.")
    period_s = given.get("Period")
    if period_s is not None and not is_period(period_s):
        raise ValidationException(f"The value {period_s} for parameter {where}.Period is not supported.")
    if expression is not None:
        if expression.lstrip().upper().startswith("SELECT"):
            raise ValidationException("Metrics Insights queries are not supported by this cloud.")
        try:
            parse(expression)
        except MathFault as fault:
            raise _in_expression(identifier, fault) from fault
    return Query(
        id=identifier,
        stat=None if stat is None else _read_stat(stat, where),
        expression=expression or "",
        label=given.get("Label", ""),
        period_s=period_s,
        returned=given.get("ReturnData", True),
    )


def _read_stat(given: Mapping[str, Any], where: str) -> MetricStat:
    metric = read_metric(given["Metric"])
    if not metric.name or not metric.namespace:
        raise ValidationException(f"The parameter {where}.MetricStat.Metric needs a Namespace and a MetricName.")
    problem = refusal(given["Stat"])
    if problem is not None:
        raise ValidationException(problem)
    if not is_period(given["Period"]):
        raise ValidationException(
            f"The value {given['Period']} for parameter {where}.MetricStat.Period is not supported."
        )
    return MetricStat(metric, given["Period"], given["Stat"], given.get("Unit"))


def _in_expression(identifier: str, fault: MathFault) -> ValidationException:
    return ValidationException(f"Error in expression '{identifier}': {fault.message}")


class Answers:
    """Evaluates the queries of one request, each at most once."""

    def __init__(
        self, store: MetricStore, queries: Sequence[Query], start_s: float, end_s: float, now_s: float
    ) -> None:
        self._store = store
        self._queries = {query.id: query for query in queries}
        self._start_s = start_s
        self._end_s = end_s
        self._now_s = now_s
        self._known: dict[str, Value] = {}
        self._evaluating: list[str] = []

    def of(self, identifier: str) -> list[TimeSeries]:
        """The series that a query gives, named for it; raises ValidationException."""
        query = self._queries[identifier]
        value = self._value(query)
        if isinstance(value, TimeSeries):
            return [TimeSeries(value.points, value.period_s, query.label or value.label or identifier, identifier)]
        if isinstance(value, list):
            return [
                TimeSeries(one.points, one.period_s, _joined(query.label, one.label or str(place)), identifier)
                for place, one in enumerate(value, 1)
            ]
        if isinstance(value, float):
            raise ValidationException(
                f"Error in expression '{identifier}': the result is a number; it must be a time series."
            )
        raise ValidationException(f"Error in expression '{identifier}': the result is text.")

    def _value(self, query: Query) -> Value:
        if query.id not in self._known:
            if query.id in self._evaluating:
                raise ValidationException(f"Error in expression '{query.id}': it refers to itself.")
            self._evaluating.append(query.id)
            self._known[query.id] = self._fetched(query) if query.stat is not None else self._computed(query)
            self._evaluating.pop()
        return self._known[query.id]

    def _fetched(self, query: Query) -> TimeSeries:
        assert query.stat is not None
        return self._series(query.stat, query.label, query.id)

    def _series(self, stat: MetricStat, label: str, identifier: str) -> TimeSeries:
        start_s = rounded_start(self._start_s, stat.period_s, self._now_s)
        end_s = -int(-self._end_s // 1)
        points = values(self._store, stat.metric, stat.unit, stat.statistic, start_s, end_s, stat.period_s)
        return TimeSeries(points, stat.period_s, label or stat.metric.name, identifier)

    def _computed(self, query: Query) -> Value:
        expression = parse(query.expression)
        known = {name: self._value(self._queries[name]) for name in names(expression) if name in self._queries}
        metrics: dict[str, TimeSeries] = {}
        if "METRICS" in query.expression.upper():
            metrics = {one.id: self._metric(one) for one in self._queries.values() if one.stat is not None}
        period_s = query.period_s or self._period(known, metrics)
        start_s = rounded_start(self._start_s, period_s, self._now_s)
        grid = Grid(start_s, -int(-self._end_s // 1), period_s)
        try:
            return evaluate(expression, Scope(known, metrics, grid, self._search(query.period_s)))
        except MathFault as fault:
            raise _in_expression(query.id, fault) from fault

    def _metric(self, query: Query) -> TimeSeries:
        value = self._value(query)
        assert isinstance(value, TimeSeries)
        return value

    @staticmethod
    def _period(known: Mapping[str, Value], metrics: Mapping[str, TimeSeries]) -> int:
        periods = [one.period_s for one in metrics.values()]
        for value in known.values():
            if isinstance(value, TimeSeries):
                periods.append(value.period_s)
            elif isinstance(value, list):
                periods += [one.period_s for one in value]
        return max(periods, default=60)

    def _search(self, default_period_s: int | None) -> Any:
        def find(text: str, statistic: str, period_s: int | None) -> list[TimeSeries]:
            problem = refusal(statistic)
            if problem is not None:
                raise MathFault(problem)
            period = period_s or default_period_s or 300
            if not is_period(period):
                raise MathFault(f"The period {period} of SEARCH is not supported")
            found = search(text, self._store.book.metrics())
            several_names = len({metric.name for metric in found}) > 1
            series = [
                self._series(MetricStat(metric, period, statistic), _label(metric, several_names), "")
                for metric in found
            ]
            return [one for one in series if one.points]

        return find


def _label(metric: MetricKey, with_name: bool) -> str:
    own = " ".join(value for _, value in metric.dimensions)
    return f"{own} {metric.name}".strip() if with_name or not own else own


def _joined(label: str, own: str) -> str:
    return f"{label} {own}".strip()
