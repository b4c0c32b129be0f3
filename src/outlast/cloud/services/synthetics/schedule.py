"""When a canary runs next: `rate(...)` and `cron(...)`.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Synthetics_Canaries_cron.html and
https://docs.aws.amazon.com/AmazonSynthetics/latest/APIReference/API_CanaryScheduleInput.html. Here a rate may also be
given in seconds, as short as the world allows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

LONGEST_RATE_S: Final = 3600.0
YEARS: Final = (1970, 2199)
SEARCH_DAYS: Final = 366 * 8
_RATE: Final = re.compile(r"rate\((\d+)\s+(second|seconds|minute|minutes|hour|hours)\)")
_CRON: Final = re.compile(r"cron\(([^()]*)\)")
_UNITS: Final = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), start=1
    )
}
DAYS: Final = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)}


class BadSchedule(ValueError):
    """The expression cannot be read, or is out of bounds; the text says why."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Every `every_s` seconds; 0 is once."""

    every_s: float

    def next_after(self, last_s: float) -> float | None:
        """The time of the run after one at `last_s`; None when there is none."""
        return last_s + self.every_s if self.every_s else None

    def first_from(self, now_s: float) -> float | None:
        """The time of the first run of a canary that starts now."""
        return now_s


@dataclass(frozen=True, slots=True)
class Cron:
    """At the minutes that all six fields allow, in UTC."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None
    years: frozenset[int] | None

    def _day_fits(self, day: datetime) -> bool:
        if day.month not in self.months or (self.years is not None and day.year not in self.years):
            return False
        if self.days is not None and day.day not in self.days:
            return False
        return self.weekdays is None or day.isoweekday() % 7 + 1 in self.weekdays

    def next_after(self, last_s: float) -> float | None:
        """The first minute after `last_s` that fits; None when none comes within eight years."""
        start = datetime.fromtimestamp(last_s, UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        day = start.replace(hour=0, minute=0)
        for _ in range(SEARCH_DAYS):
            if self._day_fits(day):
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        moment = day.replace(hour=hour, minute=minute)
                        if moment >= start:
                            return moment.timestamp()
            day += timedelta(days=1)
        return None

    def first_from(self, now_s: float) -> float | None:
        """The time of the first run of a canary that starts now."""
        return self.next_after(now_s)


Schedule = Rate | Cron


def parse(expression: str, shortest_s: float) -> Schedule:
    """Read an expression; raises BadSchedule."""
    text = expression.strip()
    rate = _RATE.fullmatch(text)
    if rate is not None:
        return _rate(int(rate[1]), rate[2], shortest_s)
    cron = _CRON.fullmatch(text)
    if cron is not None:
        return _cron(cron[1].split())
    raise BadSchedule(f"Schedule expression {expression} is neither rate(...) nor cron(...).")


def _rate(count: int, unit: str, shortest_s: float) -> Rate:
    if count == 0:
        return Rate(0.0)
    if (count == 1) == unit.endswith("s"):
        raise BadSchedule(f"rate({count} {unit}) must be written in the {'singular' if count == 1 else 'plural'}.")
    every_s = count * _UNITS[unit.removesuffix("s")]
    if not shortest_s <= every_s <= LONGEST_RATE_S:
        raise BadSchedule(f"A rate must be between {shortest_s:g} seconds and 1 hour; rate({count} {unit}) is not.")
    return Rate(every_s)


def _cron(fields: list[str]) -> Cron:
    if len(fields) != 6:
        raise BadSchedule("cron(...) needs six fields: minutes, hours, day of month, month, day of week, year.")
    minutes, hours, days, months, weekdays, years = fields
    if (days == "?") == (weekdays == "?"):
        raise BadSchedule("Exactly one of day of month and day of week must be a question mark.")
    return Cron(
        minutes=_field(minutes, 0, 59),
        hours=_field(hours, 0, 23),
        days=None if days == "?" else _field(days, 1, 31),
        months=_field(months, 1, 12, MONTHS),
        weekdays=None if weekdays == "?" else _field(weekdays, 1, 7, DAYS),
        years=None if years == "*" else _field(years, *YEARS),
    )


_NO_NAMES: Final[Mapping[str, int]] = {}


def _field(text: str, low: int, high: int, names: Mapping[str, int] = _NO_NAMES) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if slash and (not step.isdigit() or int(step) == 0):
            raise BadSchedule(f"{part} is no step.")
        if span == "*":
            first, last = low, high
        elif "-" in span:
            first, last = (_number(each, low, high, names) for each in span.split("-", 1))
        else:
            first = _number(span, low, high, names)
            last = high if slash else first
        if first > last:
            raise BadSchedule(f"{span} begins after its end.")
        found.update(range(first, last + 1, int(step) if slash else 1))
    return frozenset(found)


def _number(text: str, low: int, high: int, names: Mapping[str, int]) -> int:
    named = names.get(text.upper())
    if named is not None:
        return named
    if not text.isdigit():
        raise BadSchedule(f"{text} is not supported in a cron expression by this cloud.")
    value = int(text)
    if not low <= value <= high:
        raise BadSchedule(f"{text} must be between {low} and {high}.")
    return value
