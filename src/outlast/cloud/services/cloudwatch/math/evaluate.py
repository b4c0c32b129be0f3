"""Expressions evaluated over the series of a request."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from outlast.cloud.services.cloudwatch.math.functions import FUNCTIONS, REFUSED
from outlast.cloud.services.cloudwatch.math.parse import (
    Array,
    Expression,
    Function,
    MathFault,
    Name,
    Number,
    Operation,
    Text,
)
from outlast.cloud.services.cloudwatch.math.values import TimeSeries, Value


@dataclass(frozen=True, slots=True)
class Grid:
    """The stretch of time a request is about: [start, end) in steps of the period, all in seconds."""

    start_s: int
    end_s: int
    period_s: int

    def times(self) -> range:
        return range(self.start_s, self.end_s, self.period_s)


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean: results of the request's other queries, and which of them are metrics."""

    known: Mapping[str, Value]
    metrics: Mapping[str, TimeSeries]
    grid: Grid
    search: Callable[[str, str, int | None], list[TimeSeries]] | None = None


def evaluate(expression: Expression, scope: Scope) -> Value:
    """The value of an expression; raises MathFault."""
    if isinstance(expression, Number):
        return expression.value
    if isinstance(expression, Text):
        return expression.value
    if isinstance(expression, Name):
        if expression.value in scope.known:
            return scope.known[expression.value]
        if expression.value in ("REPEAT", "LINEAR", "SUM", "AVG", "MIN", "MAX", "ASC", "DESC"):
            return expression.value
        raise MathFault(f"Unknown id {expression.value}")
    if isinstance(expression, Array):
        return _array(expression, scope)
    if isinstance(expression, Operation):
        operands = [evaluate(each, scope) for each in expression.operands]
        return _operate(expression.operator, operands)
    return _call(expression, scope)


def _array(expression: Array, scope: Scope) -> list[TimeSeries]:
    found: list[TimeSeries] = []
    for each in expression.elements:
        value = evaluate(each, scope)
        if isinstance(value, TimeSeries):
            found.append(value)
        elif isinstance(value, list):
            found.extend(value)
        else:
            raise MathFault("An array may hold time series only")
    return found


def _call(expression: Function, scope: Scope) -> Value:
    name = expression.name
    if name in REFUSED:
        raise MathFault(f"The function {name} is not supported by this cloud")
    if name == "SEARCH":
        return _search(expression, scope)
    function = FUNCTIONS.get(name)
    if function is None:
        raise MathFault(f"Unknown function {name}")
    return function([evaluate(each, scope) for each in expression.arguments], scope)


def _search(expression: Function, scope: Scope) -> list[TimeSeries]:
    if scope.search is None:
        raise MathFault("SEARCH cannot be used here")
    arguments = [evaluate(each, scope) for each in expression.arguments]
    if len(arguments) not in (2, 3) or not isinstance(arguments[0], str) or not isinstance(arguments[1], str):
        raise MathFault("SEARCH needs a search expression, a statistic and perhaps a period")
    period = arguments[2] if len(arguments) == 3 else None
    if period is not None and not isinstance(period, float):
        raise MathFault("The period of SEARCH must be a number")
    return scope.search(arguments[0], arguments[1], None if period is None else int(period))


def _divide(left: float, right: float) -> float | None:
    return None if right == 0 else left / right


def _power(left: float, right: float) -> float | None:
    try:
        found = left**right
    except (OverflowError, ZeroDivisionError):
        return None
    return None if isinstance(found, complex) else found


_Binary = Callable[[float, float], float | bool | None]
_BINARY: Final[dict[str, _Binary]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "^": _power,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "&&": lambda left, right: bool(left) and bool(right),
    "||": lambda left, right: bool(left) or bool(right),
}


def _operate(sign: str, operands: list[Value]) -> Value:
    if sign in ("negate", "!"):
        return _each(operands[0], (lambda value: -value) if sign == "negate" else (lambda value: float(not value)))
    return binary(_BINARY[sign], operands[0], operands[1])


def _each(value: Value, function: Callable[[float], float]) -> Value:
    if isinstance(value, float):
        return function(value)
    if isinstance(value, TimeSeries):
        return value.mapped({time_s: function(each) for time_s, each in value.points.items()})
    if isinstance(value, list):
        return [one.mapped({time_s: function(each) for time_s, each in one.points.items()}) for one in value]
    raise MathFault("An operator cannot be applied to text")


def binary(function: _Binary, left: Value, right: Value) -> Value:
    """Apply `function` point by point; series meet where both have a point; lists element by element."""
    if isinstance(left, str) or isinstance(right, str):
        raise MathFault("An operator cannot be applied to text")
    if isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            raise MathFault("Operators between arrays need arrays of the same size")
        return [_series(function, one, other) for one, other in zip(left, right, strict=True)]
    if isinstance(left, list):
        return [_series(function, one, right) for one in left]  # type: ignore[arg-type]
    if isinstance(right, list):
        return [_series(function, left, other) for other in right]
    if isinstance(left, float) and isinstance(right, float):
        found = function(left, right)
        if found is None:
            raise MathFault("Division by zero")
        return float(found)
    return _series(function, left, right)


def _series(function: _Binary, left: float | TimeSeries, right: float | TimeSeries) -> TimeSeries:
    points: dict[int, float] = {}
    if isinstance(left, TimeSeries) and isinstance(right, TimeSeries):
        for time_s, value in left.points.items():
            other = right.points.get(time_s)
            if other is not None:
                _note(points, time_s, function(value, other))
        return left.mapped(points)
    if isinstance(left, TimeSeries):
        assert isinstance(right, float)
        for time_s, value in left.points.items():
            _note(points, time_s, function(value, right))
        return left.mapped(points)
    assert isinstance(right, TimeSeries)
    for time_s, value in right.points.items():
        _note(points, time_s, function(left, value))
    return right.mapped(points)


def _note(points: dict[int, float], time_s: int, value: float | bool | None) -> None:
    if value is not None and abs(value) != float("inf"):
        points[time_s] = float(value)
