"""Metric math."""

from __future__ import annotations

from typing import Any

import pytest

from outlast.cloud.services.cloudwatch.math import Grid, MathFault, Scope, TimeSeries, evaluate, parse


def series(*values: float | None, start: int = 0, name: str = "") -> TimeSeries:
    points = {start + n * 60: float(value) for n, value in enumerate(values) if value is not None}
    return TimeSeries(points, 60, name, name)


SCOPE = Scope(
    known={
        "m1": series(1, 2, 3, 4, name="m1"),
        "m2": series(10, None, 30, 0, name="m2"),
        "err": series(None, 1, None, None, name="err"),
        "none": series(name="none"),
        "s": 5.0,
    },
    metrics={"m1": series(1, 2, 3, 4, name="m1"), "m2": series(10, None, 30, 0, name="m2")},
    grid=Grid(0, 240, 60),
)


def value(text: str) -> Any:
    found = evaluate(parse(text), SCOPE)
    if isinstance(found, TimeSeries):
        return [found.points.get(n * 60) for n in range(4)]
    if isinstance(found, list):
        return [[one.points.get(n * 60) for n in range(4)] for one in found]
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("-2 ^ 2", -4),
        ("2 ^ 3 ^ 2", 512),
        ("10 - 2 - 3", 5),
        ("1.5e2 / 3", 50),
        ("m1 * 2", [2, 4, 6, 8]),
        ("100 - m1", [99, 98, 97, 96]),
        ("m1 + m2", [11, None, 33, 4]),
        ("m1 / m2", [0.1, None, 0.1, None]),
        ("100 * err / m1", [None, 50, None, None]),
        ("m1 > 2", [0, 0, 1, 1]),
        ("m1 >= 2 AND m2 > 5", [0, None, 1, 0]),
        ("m1 == 1 || m2 == 0", [1, None, 0, 1]),
        ("!(m1 > 2)", [1, 1, 0, 0]),
        ("IF(m1 > 2, m1, 0)", [0, 0, 3, 4]),
        ("IF(m1 > 2, m2)", [None, None, 30, 0]),
        ("IF(1, m1, 0)", [1, 2, 3, 4]),
        ("FILL(m2, 0)", [10, 0, 30, 0]),
        ("FILL(m2, REPEAT)", [10, 10, 30, 0]),
        ("FILL(m2, LINEAR)", [10, 20, 30, 0]),
        ("FILL(err, m1)", [1, 1, 3, 4]),
        ("FILL(none, 0)", [0, 0, 0, 0]),
        ("SUM(METRICS())", [11, 2, 33, 4]),
        ('SUM(METRICS("m1"))', [1, 2, 3, 4]),
        ("AVG([m1, m2])", [5.5, 2, 16.5, 2]),
        ("MIN([m1, m2])", [1, 2, 3, 0]),
        ("MAX([m1, m2])", [10, 2, 30, 4]),
        ("MAX(m1)", 4),
        ("SUM(m1)", 10),
        ("AVG(m1)", 2.5),
        ("m1 / MAX(m1)", [0.25, 0.5, 0.75, 1]),
        ("STDDEV([m1, m1])", [0, 0, 0, 0]),
        ("METRIC_COUNT([m1, m2])", 2),
        ("METRICS() * 2", [[2, 4, 6, 8], [20, None, 60, 0]]),
        ("PERIOD(m1)", 60),
        ("SUM(m1) / PERIOD(m1)", 10 / 60),
        ("RATE(m1)", [None, 1 / 60, 1 / 60, 1 / 60]),
        ("DIFF(m1)", [None, 1, 1, 1]),
        ("DIFF_TIME(m2)", [None, None, 120, 60]),
        ("RUNNING_SUM(m1)", [1, 3, 6, 10]),
        ("ABS(0 - m1)", [1, 2, 3, 4]),
        ("CEIL(m1 / 2)", [1, 1, 2, 2]),
        ("FLOOR(m1 / 2)", [0, 1, 1, 2]),
        ("LOG10(100)", 2),
        ("TIME_SERIES(7)", [7, 7, 7, 7]),
        ("MINUTE(m1)", [0, 1, 2, 3]),
        ("FIRST(METRICS())", [1, 2, 3, 4]),
        ("LAST(METRICS())", [10, None, 30, 0]),
        ("SORT(METRICS(), MAX, DESC, 1)", [[10, None, 30, 0]]),
        ("REMOVE_EMPTY([m1, none])", [[1, 2, 3, 4]]),
        ("SLICE(METRICS(), 0, 1)", [[1, 2, 3, 4]]),
        ("s * m1", [5, 10, 15, 20]),
        ("sum(METRICS())", [11, 2, 33, 4]),
    ],
)
def test_values(text: str, expected: Any) -> None:
    assert value(text) == pytest.approx(expected) if isinstance(expected, float) else value(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("m1 +", "Unexpected end"),
        ("(m1", "Expected )"),
        ("m1 m2", "Unexpected m2"),
        ("m1 # 2", "Unexpected character"),
        ("unknown * 2", "Unknown id unknown"),
        ("NOPE(m1)", "Unknown function NOPE"),
        ("ANOMALY_DETECTION_BAND(m1)", "ANOMALY_DETECTION_BAND is not supported by this cloud"),
        ("1 / 0", "Division by zero"),
        ("SUM(none)", "SUM of a time series without points"),
        ("FILL(m1)", "FILL needs 2 arguments"),
        ("[1, 2]", "An array may hold time series only"),
        ("'a' + 1", "cannot be applied to text"),
        ("METRICS() + [m1]", "arrays of the same size"),
        ("(" * 100 + "1" + ")" * 100, "nested too deeply"),
        ("-" * 100 + "1", "nested too deeply"),
        ("2^" * 100 + "1", "nested too deeply"),
        ("1" * 3000, "at most 2048 characters"),
        ("SEARCH('{A} x', 'Sum', 60)", "SEARCH cannot be used here"),
    ],
)
def test_what_is_wrong_is_told(text: str, message: str) -> None:
    with pytest.raises(MathFault) as caught:
        value(text)
    assert message in caught.value.message
