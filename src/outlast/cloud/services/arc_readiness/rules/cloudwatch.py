"""Rules for CloudWatch alarms. Facts: `alarm` (DescribeAlarms)."""

from __future__ import annotations

from outlast.cloud.services.arc_readiness.rules.kit import Facts, each


def _state(facts: Facts) -> str:
    state = facts["alarm"]["StateValue"]
    return f"The alarm is in the {state} state." if state in ("ALARM", "INSUFFICIENT_DATA") else ""


RULES = (
    each(
        "CloudWatchAlarmState",
        "Inspects CloudWatch alarms to ensure that each is not in the ALARM or INSUFFICIENT_DATA state.",
        _state,
    ),
)
