"""Rules for Route 53 health checks. Facts: `check` (GetHealthCheck), `observations` (GetHealthCheckStatus)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from outlast.cloud.services.arc_readiness.rules.kit import Facts, Rule, Verdicts, each, same

ALL = "Route 53 health checks"
UNPROBED = ("CALCULATED", "CLOUDWATCH_METRIC", "RECOVERY_CONTROL")


def _config(member: str, default: Any = None) -> Callable[[Facts], Any]:
    return lambda facts: facts["check"]["HealthCheckConfig"].get(member, default)


def _judge_type(facts: Sequence[Facts]) -> Verdicts:
    types = [one["check"]["HealthCheckConfig"]["Type"] for one in facts]
    verdicts: Verdicts = []
    for kind in types:
        said = ["A calculated health check cannot be checked for readiness."] if kind == "CALCULATED" else []
        if len(set(types)) > 1:
            said.append(f"The health checks differ in their type: this one is {kind}.")
        verdicts.append(said)
    return verdicts


def _disabled(facts: Facts) -> str:
    return "The health check is disabled." if facts["check"]["HealthCheckConfig"].get("Disabled") else ""


def _status(facts: Facts) -> str:
    bad = [each for each in facts["observations"] if not str(each["StatusReport"]["Status"]).startswith("Success")]
    if not bad:
        return ""
    return f"{len(bad)} of {len(facts['observations'])} checkers report: {bad[0]['StatusReport']['Status']}"


def _alarm(facts: Facts) -> Any:
    alarm = dict(facts["check"].get("CloudWatchAlarmConfiguration") or {})
    alarm.pop("Dimensions", None)  # they name the resource, which differs between the replicas
    return alarm


def _equal(id: str, member: str, what: str, default: Any = None) -> Rule:
    return same(id, ALL, what, _config(member, default))


RULES = (
    Rule(
        "R53HealthCheckType",
        "Inspects each Route 53 health check to ensure that it is not CALCULATED and that all are of the same type.",
        _judge_type,
    ),
    each("R53HealthCheckDisabled", "Inspects each Route 53 health check to ensure that it is not disabled.", _disabled),
    each(
        "R53HealthCheckStatus", "Inspects each Route 53 health check to ensure that it has a SUCCESS status.", _status
    ),
    _equal("R53HealthCheckRequestInterval", "RequestInterval", "request interval"),
    _equal("R53HealthCheckFailureThreshold", "FailureThreshold", "failure threshold"),
    _equal("R53HealthCheckEnableSNI", "EnableSNI", "SNI setting"),
    _equal("R53HealthCheckSearchString", "SearchString", "search string", ""),
    _equal("R53HealthCheckRegions", "Regions", "list of Regions", ()),
    _equal("R53HealthCheckMeasureLatency", "MeasureLatency", "latency measuring"),
    _equal("R53HealthCheckInsufficientDataHealthStatus", "InsufficientDataHealthStatus", "status without data"),
    _equal("R53HealthCheckInverted", "Inverted", "inversion"),
    _equal("R53HealthCheckResourcePath", "ResourcePath", "resource path", ""),
    same("R53HealthCheckCloudWatchAlarm", ALL, "settings of the CloudWatch alarm", _alarm),
)
