"""When a metric alarm changes state: the tables of CloudWatch's documentation, and the rules of composite alarms."""

from __future__ import annotations

import pytest

from outlast.cloud.services.cloudwatch.alarms.judge import Terms, judge
from outlast.cloud.services.cloudwatch.alarms.rule import RuleFault, is_true, read_rule
from outlast.cloud.services.cloudwatch.model import AlarmState

KEEP = None
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def points(text: str) -> list[float | None]:
    return [{"0": 0.0, "X": 9.0, "-": None}[mark] for mark in text.split()]


def states(text: str, needed: int) -> list[str | None]:
    return [judge(points(text), Terms("GreaterThanThreshold", 5, 3, needed, one)).state for one in TREATMENTS]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 - X - X", ["OK", "OK", "OK", "OK"]),
        ("- - - - 0", ["OK", "OK", "OK", "OK"]),
        ("- - - - -", ["INSUFFICIENT_DATA", KEEP, "ALARM", "OK"]),
        ("0 X X - X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("- - X - -", ["ALARM", KEEP, "ALARM", "OK"]),
        ("- - - - X", [KEEP, KEEP, "ALARM", "OK"]),
    ],
)
def test_three_of_three(text: str, expected: list[str | None]) -> None:
    assert states(text, 3) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 - X - X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("0 0 X 0 X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("0 - X - -", ["OK", "OK", "ALARM", "OK"]),
        ("- - - - 0", ["OK", "OK", "ALARM", "OK"]),
        ("- - - X -", ["ALARM", KEEP, "ALARM", "OK"]),
    ],
)
def test_two_of_three(text: str, expected: list[str | None]) -> None:
    assert states(text, 2) == expected


@pytest.mark.parametrize(
    ("comparison", "value", "breaches"),
    [
        ("GreaterThanThreshold", 5, False),
        ("GreaterThanOrEqualToThreshold", 5, True),
        ("LessThanThreshold", 5, False),
        ("LessThanOrEqualToThreshold", 5, True),
    ],
)
def test_comparisons(comparison: str, value: float, breaches: bool) -> None:
    state = judge([None, None, value], Terms(comparison, 5, 1, 1)).state
    assert state == ("ALARM" if breaches else "OK")


def test_reasons_read_as_cloudwatch_writes_them() -> None:
    terms = Terms("GreaterThanThreshold", 5, 1, 1)
    assert judge([None, None, 9.0], terms).reason == (
        "Threshold Crossed: 1 out of the last 1 datapoint [9] was greater than the threshold (5) "
        "(minimum 1 datapoint for OK -> ALARM transition)."
    )
    assert judge([None, None, 1.0], terms).reason == (
        "Threshold Crossed: 1 out of the last 1 datapoint [1] was not greater than the threshold (5) "
        "(minimum 1 datapoint for ALARM -> OK transition)."
    )
    assert judge([None] * 3, terms).reason == "Insufficient Data: no datapoints were received for 1 period."


STATES: dict[str, AlarmState] = {"a": "ALARM", "b": "OK", "c d": "INSUFFICIENT_DATA", "arn:aws:x:alarm:e": "ALARM"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ALARM(a)", True),
        ('ALARM("a")', True),
        ("ALARM('b')", False),
        ('INSUFFICIENT_DATA("c d")', True),
        ("ALARM(arn:aws:x:alarm:e)", True),
        ("ALARM(a) AND OK(b)", True),
        ("ALARM(b) OR ALARM(a) AND OK(a)", False),
        ("(ALARM(b) OR ALARM(a)) AND OK(b)", True),
        ("NOT ALARM(a)", False),
        ("NOT (ALARM(b) OR FALSE)", True),
        ("TRUE", True),
        ("  ALARM( a )  ", True),
    ],
)
def test_composite_rules(text: str, expected: bool) -> None:
    assert is_true(read_rule(text), STATES.__getitem__) is expected


@pytest.mark.parametrize(
    "text",
    ["", "ALARM", "ALARM()", "ALARM(a) AND", "AND ALARM(a)", "ALARM(a) ALARM(b)", "(ALARM(a)", "alarm(a)", "x",
     "NOT " * 60 + "TRUE", "(" * 60 + "TRUE" + ")" * 60, " OR ".join(["ALARM(a)"] * 300),
     " OR ".join(f"ALARM(a{n})" for n in range(101)), "AT_LEAST(1, ALARM, (a, b))"],
)  # fmt: skip
def test_bad_rules_are_refused(text: str) -> None:
    with pytest.raises(RuleFault, match=r"AlarmRule|AT_LEAST"):
        read_rule(text)
