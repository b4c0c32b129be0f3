"""When canaries run next."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from outlast.cloud.services.synthetics.schedule import BadSchedule, Cron, Rate, parse


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "every_s"),
    [
        ("rate(1 minute)", 60.0),
        ("rate(5 minutes)", 300.0),
        ("rate(1 hour)", 3600.0),
        ("rate(5 seconds)", 5.0),
        ("rate(1 second)", 1.0),
        ("rate(0 minute)", 0.0),
        ("rate(0 hour)", 0.0),
    ],
)
def test_rates(text: str, every_s: float) -> None:
    assert parse(text, 1.0) == Rate(every_s)


def test_a_rate_of_nothing_runs_once() -> None:
    rate = parse("rate(0 minute)", 1.0)
    assert (rate.first_from(7.0), rate.next_after(7.0)) == (7.0, None)


@pytest.mark.parametrize(
    "text",
    [
        "rate(5 minute)", "rate(1 minutes)", "rate(2 hours)", "rate(61 minutes)", "rate(-1 minutes)", "rate(1 day)",
        "every minute", "", "cron(* * * * *)", "cron(* * * * * *)", "cron(* * ? * ? *)", "cron(60 * * * ? *)",
        "cron(* 24 * * ? *)", "cron(* * 0 * ? *)", "cron(* * L * ? *)", "cron(* * ? * 2#1 *)", "cron(5-1 * * * ? *)",
        "cron(*/0 * * * ? *)",
    ],
)  # fmt: skip
def test_expressions_that_cannot_be(text: str) -> None:
    with pytest.raises(BadSchedule):
        parse(text, 1.0)


def test_rates_below_the_worlds_shortest_are_refused() -> None:
    with pytest.raises(BadSchedule, match="60 seconds"):
        parse("rate(5 seconds)", 60.0)


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("cron(0 12 * * ? *)", "2026-01-01T11:59:30", "2026-01-01T12:00:00"),
        ("cron(0 12 * * ? *)", "2026-01-01T12:00:00", "2026-01-02T12:00:00"),
        ("cron(*/15 * * * ? *)", "2026-01-01T00:14:59", "2026-01-01T00:15:00"),
        ("cron(5/20 8-9 * * ? *)", "2026-01-01T09:45:00", "2026-01-02T08:05:00"),
        ("cron(0 0 31 * ? *)", "2026-02-01T00:00:00", "2026-03-31T00:00:00"),
        ("cron(0 0 29 FEB ? *)", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("cron(30 6 ? * MON-FRI *)", "2026-01-03T00:00:00", "2026-01-05T06:30:00"),
        ("cron(0 0 ? * SUN *)", "2026-01-03T00:00:00", "2026-01-04T00:00:00"),
        ("cron(0,30 10 1,15 6 ? 2027)", "2026-01-01T00:00:00", "2027-06-01T10:00:00"),
        ("cron(59 23 31 DEC ? *)", "2026-12-31T23:59:00", "2027-12-31T23:59:00"),
    ],
)
def test_cron_finds_the_next_minute_that_fits(text: str, after: str, expected: str) -> None:
    schedule = parse(text, 1.0)
    assert isinstance(schedule, Cron)
    assert schedule.next_after(moment(after)) == moment(expected)


def test_cron_of_a_year_that_is_over_has_no_next() -> None:
    assert parse("cron(0 0 1 1 ? 2020)", 1.0).next_after(moment("2026-01-01T00:00:00")) is None
