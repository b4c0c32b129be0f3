"""The state of a metric alarm from its data points. Pure.

CloudWatch looks at a few more periods than the alarm's evaluation periods (the evaluation range). With at least N real
points in it, the most recent N decide. With fewer, missing points are filled in as the alarm says, as few as possible.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from outlast.cloud.services.cloudwatch.model import AlarmState

EXTRA_PERIODS: Final = 2

COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
PHRASES: Final = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """What an alarm demands: `needed` of the last `periods` points beyond the threshold."""

    comparison: str
    threshold: float
    periods: int
    needed: int
    missing: str = "missing"

    @property
    def range_periods(self) -> int:
        """How many periods are looked at."""
        return self.periods + EXTRA_PERIODS

    def breaches(self, value: float) -> bool:
        return COMPARISONS[self.comparison](value, self.threshold)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The new state (None: keep the present one), why, and the points it rests on, newest last."""

    state: AlarmState | None
    reason: str = ""
    points: tuple[float, ...] = ()


def judge(points: Sequence[float | None], terms: Terms) -> Verdict:
    """The verdict over the evaluation range, oldest first; None stands for a missing point."""
    real = [value for value in points if value is not None]
    if len(real) >= terms.periods:
        return _decide(real[-terms.periods :], terms, filled=0)
    if not real:
        return _nothing(terms)
    lacking = terms.periods - len(real)
    if terms.missing == "breaching":
        return _decide(real, terms, filled=lacking, fill_breaches=True)
    if terms.missing == "notBreaching":
        return _decide(real, terms, filled=lacking)
    return _with_gaps(points, real, terms)


def _nothing(terms: Terms) -> Verdict:
    if terms.missing == "ignore":
        return Verdict(None)
    none = f"no datapoints were received for {_periods(terms.periods)}"
    if terms.missing == "missing":
        return Verdict("INSUFFICIENT_DATA", f"Insufficient Data: {none}.")
    word = "Breaching" if terms.missing == "breaching" else "NonBreaching"
    state: AlarmState = "ALARM" if terms.missing == "breaching" else "OK"
    treated = "was treated as" if terms.periods == 1 else "were treated as"
    return Verdict(
        state, (f"Threshold Crossed: {none} and {terms.periods} missing {_points(terms.periods)} {treated} [{word}].")
    )


def _with_gaps(points: Sequence[float | None], real: list[float], terms: Terms) -> Verdict:
    """Too few points, and missing ones are neither good nor bad."""
    breaching = [value for value in real if terms.breaches(value)]
    if len(breaching) >= terms.needed:
        return _decide(real, terms, filled=0)
    if len(breaching) < len(real):
        return _decide(real, terms, filled=0)
    if terms.missing == "missing" and _is_old_enough(points, terms):
        return Verdict("ALARM", _reason(real, len(breaching), terms, 0, "ALARM"), tuple(real))
    return Verdict(None)


def _is_old_enough(points: Sequence[float | None], terms: Terms) -> bool:
    """Whether the oldest breaching point is as old as the alarm needs: then all newer ones are breaching or missing."""
    window = list(points)[-terms.periods :]
    oldest = next((place for place, value in enumerate(window) if value is not None), len(window))
    return len(window) - oldest >= terms.needed


def _decide(real: list[float], terms: Terms, *, filled: int, fill_breaches: bool = False) -> Verdict:
    breaching = sum(1 for value in real if terms.breaches(value))
    counted = breaching + (filled if fill_breaches else 0)
    state: AlarmState = "ALARM" if counted >= terms.needed else "OK"
    return Verdict(state, _reason(real, breaching, terms, filled, state, fill_breaches), tuple(real))


def _reason(
    real: list[float], breaching: int, terms: Terms, filled: int, state: AlarmState, fill_breaches: bool = False
) -> str:
    wanted = state == "ALARM"
    shown = [value for value in real if terms.breaches(value) == wanted] or real
    count = len(shown)
    listed = ", ".join(f"{value:.6g}" for value in shown[-5:])
    were = "was" if count == 1 else "were"
    negation = "" if wanted else "not "
    text = (
        f"Threshold Crossed: {count} out of the last {terms.periods} {_points(terms.periods)} [{listed}] {were} "
        f"{negation}{PHRASES[terms.comparison]} the threshold ({terms.threshold:.6g})"
    )
    if filled:
        word = "Breaching" if fill_breaches else "NonBreaching"
        treated = "was" if filled == 1 else "were"
        text += f" and {filled} missing {_points(filled)} {treated} treated as [{word}]"
    needed = terms.needed if wanted else terms.periods - terms.needed + 1
    change = "OK -> ALARM" if wanted else "ALARM -> OK"
    return f"{text} (minimum {needed} {_points(needed)} for {change} transition)."


def _periods(count: int) -> str:
    return f"{count} period" if count == 1 else f"{count} periods"


def _points(count: int) -> str:
    return "datapoint" if count == 1 else "datapoints"
