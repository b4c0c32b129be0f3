"""What makes a metric alarm's definition valid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from outlast.cloud.contract import ValidationException
from outlast.cloud.services.cloudwatch.alarms.judge import COMPARISONS
from outlast.cloud.services.cloudwatch.query import read_queries
from outlast.cloud.services.cloudwatch.statistics import refusal

DAY_S: Final = 86_400
WEEK_S: Final = 7 * DAY_S
MISSING_DATA: Final = ("breaching", "notBreaching", "ignore", "missing")
SINGLE_ONLY: Final = ("Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit")


def check_metric_alarm(definition: Mapping[str, Any], account_id: str) -> None:
    """Raise ValidationException for the first thing that is wrong."""
    if ("MetricName" in definition) == ("Metrics" in definition):
        raise ValidationException("Exactly one of MetricName and Metrics must be specified.")
    for member in ("ComparisonOperator", "EvaluationPeriods", "Threshold"):
        if member not in definition:
            raise ValidationException(f"The parameter {member} is required.")
    if definition["ComparisonOperator"] not in COMPARISONS:
        raise ValidationException(
            f"The comparison operator {definition['ComparisonOperator']} needs anomaly detection, which is not "
            "supported by this cloud."
        )
    missing = definition.get("TreatMissingData", "missing")
    if missing not in MISSING_DATA:
        raise ValidationException(f"Option {missing} is not supported. TreatMissingData option must be one of: "
                                  f"[{', '.join(MISSING_DATA)}]")  # fmt: skip
    period_s = _check_single(definition) if "MetricName" in definition else _check_math(definition, account_id)
    periods = definition["EvaluationPeriods"]
    if definition.get("DatapointsToAlarm", 1) > periods:
        raise ValidationException("DatapointsToAlarm must be less than or equal to EvaluationPeriods.")
    if periods * period_s > (WEEK_S if period_s >= 3_600 else DAY_S):
        raise ValidationException(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400)."
            if period_s < 3_600
            else "Metrics cannot be checked across more than seven days (EvaluationPeriods * Period must be <= 604800)."
        )


def _check_single(definition: Mapping[str, Any]) -> int:
    for member in ("Namespace", "Period"):
        if member not in definition:
            raise ValidationException(f"The parameter {member} is required.")
    if ("Statistic" in definition) == ("ExtendedStatistic" in definition):
        raise ValidationException("Exactly one of Statistic and ExtendedStatistic must be specified.")
    if "ExtendedStatistic" in definition:
        problem = refusal(definition["ExtendedStatistic"])
        if problem is not None:
            raise ValidationException(problem)
    low = definition.get("EvaluateLowSampleCountPercentile", "evaluate")
    if low != "evaluate":
        raise ValidationException(
            f"The value {low} for parameter EvaluateLowSampleCountPercentile is not supported by this cloud."
        )
    return _check_period(definition["Period"])


def _check_period(period_s: int) -> int:
    if period_s not in (10, 20, 30) and period_s % 60:
        raise ValidationException("Period must be 10, 20, 30 or a multiple of 60")
    return period_s


def _check_math(definition: Mapping[str, Any], account_id: str) -> int:
    given = [member for member in SINGLE_ONLY if member in definition]
    if given:
        raise ValidationException(f"The parameters Metrics and {given[0]} must not be specified together.")
    queries = read_queries(definition["Metrics"], account_id, "Metrics")
    if sum(1 for query in queries if query.returned) != 1:
        raise ValidationException("Exactly one element of the Metrics list should return data.")
    periods = {query.stat.period_s for query in queries if query.stat is not None}
    if not periods:
        raise ValidationException("Metrics must hold at least one MetricStat.")
    if len(periods) > 1:
        raise ValidationException("Metrics with different periods are not supported by this cloud.")
    return _check_period(periods.pop())
