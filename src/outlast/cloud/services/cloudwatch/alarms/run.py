"""Alarms evaluated: every ten seconds those with short periods, every minute the others.

CloudWatch evaluates over a sliding window: the periods end with the evaluation, not on multiples of the period.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from outlast.cloud.contract import Fault
from outlast.cloud.engine import StorageUnavailable
from outlast.cloud.services.cloudwatch.alarms.judge import Terms, judge
from outlast.cloud.services.cloudwatch.alarms.rule import is_true, read_rule
from outlast.cloud.services.cloudwatch.model import Alarm, AlarmState
from outlast.cloud.services.cloudwatch.query import Answers, read_metric, read_queries
from outlast.cloud.services.cloudwatch.select import values
from outlast.cloud.services.cloudwatch.state import Watch

log = logging.getLogger("outlast.cloudwatch")

TICK_S: Final = 10
SETTLING_S: Final = 1.5
"""How long after the end of a period its data is taken as complete; the services' own metrics come each second."""


async def evaluate_for_ever(state: Watch) -> None:
    """Evaluate at each tick until cancelled."""
    clock = state.region.clock
    while True:
        now_s = clock.now_s() - SETTLING_S
        end_s = int(now_s) // TICK_S * TICK_S + TICK_S
        await clock.sleep(end_s - now_s)
        with suppress(StorageUnavailable):  # the engine has told that writes are refused
            evaluate_due(state, end_s)


def evaluate_due(state: Watch, end_s: int) -> None:
    """Evaluate the alarms for which a period has ended since they last were, then the composite ones."""
    for alarm in list(state.alarms.values()):
        if alarm.is_composite:
            continue
        step = _step(alarm)
        up_to_s = end_s // step * step
        if up_to_s != state.evaluated_s.get(alarm.name):
            state.evaluated_s[alarm.name] = up_to_s
            evaluate(state, alarm, up_to_s)
    evaluate_composites(state)


def period_of(alarm: Alarm) -> int:
    """The alarm's period in seconds; the longest of them for metric math."""
    if "Period" in alarm.definition:
        return int(alarm.definition["Period"])
    stats = [one["MetricStat"]["Period"] for one in alarm.definition.get("Metrics", ()) if one.get("MetricStat")]
    return int(max(stats, default=60))


def _step(alarm: Alarm) -> int:
    return min(period_of(alarm), 60)


def terms_of(alarm: Alarm) -> Terms:
    """What the alarm demands. Metrics of AWS/DynamoDB ignore missing data unless the alarm says otherwise."""
    given = alarm.definition
    periods = int(given["EvaluationPeriods"])
    default = "ignore" if given.get("Namespace") == "AWS/DynamoDB" else "missing"
    return Terms(
        comparison=given["ComparisonOperator"],
        threshold=float(given["Threshold"]),
        periods=periods,
        needed=int(given.get("DatapointsToAlarm", periods)),
        missing=given.get("TreatMissingData") or default,
    )


def evaluate(state: Watch, alarm: Alarm, end_s: int) -> None:
    """Judge one metric alarm by the data before `end_s`."""
    terms, period_s = terms_of(alarm), period_of(alarm)
    start_s = end_s - terms.range_periods * period_s
    try:
        found = _points(state, alarm, start_s, end_s, period_s)
    except Fault as fault:
        log.warning("the alarm %s cannot be evaluated: %s", alarm.name, fault.message)
        return
    verdict = judge([found.get(start_s + place * period_s) for place in range(terms.range_periods)], terms)
    if verdict.state is None or verdict.state == alarm.state:
        return
    data = _reason_data(alarm, terms, verdict.points, start_s, end_s, period_s)
    state.set_state(alarm, verdict.state, verdict.reason, data)


def _points(state: Watch, alarm: Alarm, start_s: int, end_s: int, period_s: int) -> dict[int, float]:
    given = alarm.definition
    if "MetricName" in given:
        statistic = given.get("Statistic") or given["ExtendedStatistic"]
        metric = read_metric(given)
        return values(state.store, metric, given.get("Unit"), statistic, start_s, end_s, period_s)
    queries = read_queries(given["Metrics"], state.region.account_id, "Metrics")
    answers = Answers(state.store, queries, start_s, end_s, float(end_s))
    (returned,) = [query.id for query in queries if query.returned]
    series = answers.of(returned)
    return dict(series[0].points) if len(series) == 1 else {}


def _reason_data(alarm: Alarm, terms: Terms, points: tuple[float, ...], start_s: int, end_s: int, period_s: int) -> str:
    given = alarm.definition
    data: dict[str, Any] = {
        "version": "1.0",
        "queryDate": _date(end_s),
        "startDate": _date(start_s),
        "period": period_s,
        "recentDatapoints": list(points),
        "threshold": terms.threshold,
    }
    statistic = given.get("Statistic") or given.get("ExtendedStatistic")
    if statistic:
        data["statistic"] = statistic
    return orjson.dumps(data).decode()


def _date(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def evaluate_composites(state: Watch) -> None:
    """Bring every composite alarm to what its rule says, also those that look at other composite alarms."""
    composites = [alarm.name for alarm in state.alarms.values() if alarm.is_composite]
    for _ in composites:
        changed = [name for name in composites if _evaluate_composite(state, name)]
        if not changed:
            return


def _evaluate_composite(state: Watch, name: str) -> bool:
    alarm = state.alarms[name]

    def state_of(other: str) -> AlarmState:
        found = state.alarms.get(other.rpartition(":alarm:")[2] if other.startswith("arn:") else other)
        return "INSUFFICIENT_DATA" if found is None else found.state

    wanted: AlarmState = "ALARM" if is_true(read_rule(alarm.rule), state_of) else "OK"
    if wanted == alarm.state:
        return False
    at = _date(int(state.region.clock.now_s()))
    state.set_state(alarm, wanted, f"{alarm.rule} evaluated to {wanted} at {at}", "")
    return True
