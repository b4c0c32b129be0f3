"""The functions of metric math."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from outlast.cloud.services.cloudwatch.math.parse import MathFault
from outlast.cloud.services.cloudwatch.math.values import TimeSeries, Value

if TYPE_CHECKING:
    from outlast.cloud.services.cloudwatch.math.evaluate import Scope

Function = Callable[[list[Value], "Scope"], Value]

REFUSED: Final = frozenset(
    {"ANOMALY_DETECTION_BAND", "DB_PERF_INSIGHTS", "INSIGHT_RULE_METRIC", "LAMBDA", "SERVICE_QUOTA", "TIME_SHIFT"}
)


def _count(arguments: list[Value], least: int, most: int, name: str) -> None:
    if not least <= len(arguments) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise MathFault(f"{name} needs {wanted} arguments")


def _one_series(value: Value, name: str) -> TimeSeries:
    if isinstance(value, list) and len(value) == 1:
        return value[0]
    if not isinstance(value, TimeSeries):
        raise MathFault(f"{name} needs a time series")
    return value


def _pointwise(name: str, function: Callable[[float], float | None]) -> Function:
    def apply(arguments: list[Value], scope: Scope) -> Value:
        _count(arguments, 1, 1, name)
        value = arguments[0]
        if isinstance(value, float):
            found = function(value)
            if found is None:
                raise MathFault(f"{name} is not defined for {value}")
            return found
        if isinstance(value, list):
            return [_mapped(one, function) for one in value]
        return _mapped(_one_series(value, name), function)

    return apply


def _mapped(series: TimeSeries, function: Callable[[float], float | None]) -> TimeSeries:
    points = {}
    for time_s, value in series.points.items():
        found = function(value)
        if found is not None:
            points[time_s] = found
    return series.mapped(points)


def _by_series(name: str, function: Callable[[TimeSeries], TimeSeries]) -> Function:
    def apply(arguments: list[Value], scope: Scope) -> Value:
        _count(arguments, 1, 1, name)
        value = arguments[0]
        return [function(one) for one in value] if isinstance(value, list) else function(_one_series(value, name))

    return apply


def _aggregate(name: str, function: Callable[[list[float]], float]) -> Function:
    """Of a series: one number. Of a list: a series with one value for each time that any of them has."""

    def apply(arguments: list[Value], scope: Scope) -> Value:
        _count(arguments, 1, 1, name)
        value = arguments[0]
        if isinstance(value, float):
            return value
        if isinstance(value, list):
            return across(value, function, scope)
        points = list(_one_series(value, name).points.values())
        if not points:
            raise MathFault(f"{name} of a time series without points")
        return function(points)

    return apply


def across(series: Iterable[TimeSeries], function: Callable[[list[float]], float], scope: Scope) -> TimeSeries:
    """One series with `function` of all values of each time."""
    by_time: dict[int, list[float]] = {}
    period_s = scope.grid.period_s
    for one in series:
        period_s = one.period_s
        for time_s, value in one.points.items():
            by_time.setdefault(time_s, []).append(value)
    return TimeSeries({time_s: function(by_time[time_s]) for time_s in sorted(by_time)}, period_s)


def _deviation(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))


def _metrics(arguments: list[Value], scope: Scope) -> Value:
    _count(arguments, 0, 1, "METRICS")
    if arguments and not isinstance(arguments[0], str):
        raise MathFault("METRICS needs text")
    wanted = str(arguments[0]) if arguments else ""
    return [series for name, series in scope.metrics.items() if wanted in name]


def _metric_count(arguments: list[Value], scope: Scope) -> Value:
    _count(arguments, 1, 1, "METRIC_COUNT")
    if not isinstance(arguments[0], list):
        raise MathFault("METRIC_COUNT needs an array of time series")
    return float(len(arguments[0]))


def _fill(arguments: list[Value], scope: Scope) -> Value:
    _count(arguments, 2, 2, "FILL")
    value, filling = arguments
    if isinstance(filling, list) or (isinstance(filling, str) and filling not in ("REPEAT", "LINEAR")):
        raise MathFault("FILL needs a number, a time series, REPEAT or LINEAR")
    if isinstance(value, list):
        return [_filled(one, filling, scope) for one in value]
    return _filled(_one_series(value, "FILL"), filling, scope)


def _filled(series: TimeSeries, filling: float | str | TimeSeries, scope: Scope) -> TimeSeries:
    grid = scope.grid
    step = series.period_s or grid.period_s
    points: dict[int, float] = {}
    known = sorted(series.points)
    last: float | None = None
    for time_s in range(grid.start_s, grid.end_s, step):
        value = series.points.get(time_s)
        if value is not None:
            last = points[time_s] = value
        elif isinstance(filling, float):
            points[time_s] = filling
        elif isinstance(filling, TimeSeries):
            if time_s in filling.points:
                points[time_s] = filling.points[time_s]
        elif filling == "REPEAT":
            if last is not None:
                points[time_s] = last
        else:
            between = _between(series.points, known, time_s)
            if between is not None:
                points[time_s] = between
    return series.mapped(points)


def _between(points: Mapping[int, float], known: list[int], time_s: int) -> float | None:
    place = bisect_left(known, time_s)
    before = known[place - 1] if place > 0 else None
    after = known[place] if place < len(known) else None
    if before is None or after is None:
        nearest = after if before is None else before
        return None if nearest is None else points[nearest]
    share = (time_s - before) / (after - before)
    return points[before] + (points[after] - points[before]) * share


def _if(arguments: list[Value], scope: Scope) -> Value:
    _count(arguments, 2, 3, "IF")
    condition = arguments[0]
    yes, no = arguments[1], arguments[2] if len(arguments) == 3 else None
    if isinstance(condition, float):
        found = yes if condition else no
        return TimeSeries({}, scope.grid.period_s) if found is None else found
    decided = _one_series(condition, "IF")
    points: dict[int, float] = {}
    for time_s, value in decided.points.items():
        chosen = _at(yes if value else no, time_s)
        if chosen is not None:
            points[time_s] = chosen
    return decided.mapped(points)


def _at(value: Value | None, time_s: int) -> float | None:
    if value is None or isinstance(value, float):
        return value
    return _one_series(value, "IF").points.get(time_s)


def _rate(series: TimeSeries) -> TimeSeries:
    points: dict[int, float] = {}
    before: tuple[int, float] | None = None
    for time_s, value in sorted(series.points.items()):
        if before is not None:
            points[time_s] = (value - before[1]) / (time_s - before[0])
        before = (time_s, value)
    return series.mapped(points)


def _differences(series: TimeSeries) -> TimeSeries:
    times = sorted(series.points)
    pairs = itertools.pairwise(times)
    return series.mapped({later: series.points[later] - series.points[earlier] for earlier, later in pairs})


def _time_differences(series: TimeSeries) -> TimeSeries:
    times = sorted(series.points)
    return series.mapped({later: float(later - earlier) for earlier, later in itertools.pairwise(times)})


def _running_sum(series: TimeSeries) -> TimeSeries:
    total = 0.0
    points: dict[int, float] = {}
    for time_s in sorted(series.points):
        total += series.points[time_s]
        points[time_s] = total
    return series.mapped(points)


def _clock(name: str, read: Callable[[datetime], int]) -> Function:
    return _by_series(
        name,
        lambda series: series.mapped({one: float(read(datetime.fromtimestamp(one, UTC))) for one in series.points}),
    )


def _epoch(series: TimeSeries) -> TimeSeries:
    return series.mapped({time_s: float(time_s) for time_s in series.points})


def _period(arguments: list[Value], scope: Scope) -> Value:
    _count(arguments, 1, 1, "PERIOD")
    return float(_one_series(arguments[0], "PERIOD").period_s)


def _time_series(arguments: list[Value], scope: Scope) -> Value:
    _count(arguments, 1, 1, "TIME_SERIES")
    if not isinstance(arguments[0], float):
        raise MathFault("TIME_SERIES needs a number")
    return TimeSeries(dict.fromkeys(scope.grid.times(), arguments[0]), scope.grid.period_s)


def _list_of(value: Value, name: str) -> list[TimeSeries]:
    if not isinstance(value, list):
        raise MathFault(f"{name} needs an array of time series")
    return value


def _first(arguments: list[Value], scope: Scope) -> Value:
    return _nth(arguments, "FIRST", 0)


def _last(arguments: list[Value], scope: Scope) -> Value:
    return _nth(arguments, "LAST", -1)


def _nth(arguments: list[Value], name: str, place: int) -> Value:
    _count(arguments, 1, 1, name)
    series = _list_of(arguments[0], name)
    if not series:
        raise MathFault(f"{name} of an empty array")
    return series[place]


def _remove_empty(arguments: list[Value], scope: Scope) -> Value:
    _count(arguments, 1, 1, "REMOVE_EMPTY")
    return [one for one in _list_of(arguments[0], "REMOVE_EMPTY") if one.points]


def _slice(arguments: list[Value], scope: Scope) -> Value:
    _count(arguments, 2, 3, "SLICE")
    series = _list_of(arguments[0], "SLICE")
    bounds = [int(one) for one in arguments[1:] if isinstance(one, float)]
    if len(bounds) != len(arguments) - 1:
        raise MathFault("SLICE needs numbers")
    return series[bounds[0]] if len(bounds) == 1 and bounds[0] < len(series) else series[slice(*bounds)]


_RANKS: Final[dict[str, Callable[[list[float]], float]]] = {
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
    "MIN": min,
    "MAX": max,
}


def _sort(arguments: list[Value], scope: Scope) -> Value:
    _count(arguments, 3, 4, "SORT")
    series = _list_of(arguments[0], "SORT")
    rank = _RANKS.get(str(arguments[1]))
    if rank is None or arguments[2] not in ("ASC", "DESC"):
        raise MathFault("SORT needs SUM, AVG, MIN or MAX and ASC or DESC")
    ordered = sorted(
        (one for one in series if one.points),
        key=lambda one: rank(list(one.points.values())),
        reverse=arguments[2] == "DESC",
    )
    most = arguments[3] if len(arguments) == 4 else None
    return ordered[: int(most)] if isinstance(most, float) else ordered


FUNCTIONS: Final[dict[str, Function]] = {
    "ABS": _pointwise("ABS", abs),
    "CEIL": _pointwise("CEIL", lambda value: float(math.ceil(value))),
    "FLOOR": _pointwise("FLOOR", lambda value: float(math.floor(value))),
    "LOG": _pointwise("LOG", lambda value: math.log(value) if value > 0 else None),
    "LOG10": _pointwise("LOG10", lambda value: math.log10(value) if value > 0 else None),
    "AVG": _aggregate("AVG", _RANKS["AVG"]),
    "MAX": _aggregate("MAX", max),
    "MIN": _aggregate("MIN", min),
    "STDDEV": _aggregate("STDDEV", _deviation),
    "SUM": _aggregate("SUM", sum),
    "METRICS": _metrics,
    "METRIC_COUNT": _metric_count,
    "FILL": _fill,
    "IF": _if,
    "RATE": _by_series("RATE", _rate),
    "DIFF": _by_series("DIFF", _differences),
    "DIFF_TIME": _by_series("DIFF_TIME", _time_differences),
    "RUNNING_SUM": _by_series("RUNNING_SUM", _running_sum),
    "PERIOD": _period,
    "EPOCH": _by_series("EPOCH", _epoch),
    "MINUTE": _clock("MINUTE", lambda at: at.minute),
    "HOUR": _clock("HOUR", lambda at: at.hour),
    "DAY": _clock("DAY", lambda at: at.isoweekday()),
    "DATE": _clock("DATE", lambda at: at.day),
    "MONTH": _clock("MONTH", lambda at: at.month),
    "YEAR": _clock("YEAR", lambda at: at.year),
    "TIME_SERIES": _time_series,
    "FIRST": _first,
    "LAST": _last,
    "REMOVE_EMPTY": _remove_empty,
    "SLICE": _slice,
    "SORT": _sort,
}
