"""Alarms and canaries: they must be there in every Region, on, and loud when their signal falls silent.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from outlast.ops.act.standby import NAMESPACE
from outlast.ops.doctor.facts import Document, Facts, RegionFacts
from outlast.ops.doctor.findings import Finding, unequal

CANARIES: Final = "CloudWatchSynthetics"
SETTINGS: Final = (
    "Threshold",
    "ComparisonOperator",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Period",
    "Statistic",
    "ExtendedStatistic",
    "TreatMissingData",
    "AlarmRule",
)


def rules(facts: Facts) -> Iterator[Finding]:
    """All findings on alarms and canaries."""
    yield from _parity(facts)
    for region in facts.regions:
        yield from _judged(region.name, region.alarms or ())
        yield from _canary(region, facts)
    yield from _judged(facts.deployment.observer_region, facts.observer_alarms or ())
    yield from _needed(facts)
    yield from _heard(facts)


def _parity(facts: Facts) -> Iterator[Finding]:
    """Alarms of the same name are the same; whoever has one has all."""
    seen = {region.name: {str(each["AlarmName"]): each for each in region.alarms} for region in facts.regions
            if region.alarms is not None}  # fmt: skip
    for name in sorted({name for alarms in seen.values() for name in alarms}):
        lacking = [region for region, alarms in seen.items() if name not in alarms]
        holder = next(alarms[name] for alarms in seen.values() if name in alarms)
        arn = str(holder.get("AlarmArn", name))
        if lacking:
            what = f"there is no alarm {name} in {', '.join(lacking)}"
            why = "the survivor's troubles are not noticed"
            yield Finding("serious", "alarm exists", lacking[0], arn, what, why, "Deploy the same alarms everywhere.")
            continue
        values = {
            region: {member: _plain(alarms[name].get(member)) for member in SETTINGS} for region, alarms in seen.items()
        }
        if unequal(values):
            differing = [member for member in SETTINGS if unequal({r: v[member] for r, v in values.items()})]
            told = "; ".join(f"{member} {unequal({r: v[member] for r, v in values.items()})}" for member in differing)
            why = "the same trouble rings in one Region and not in the other"
            fix = "Deploy the same alarms everywhere."
            yield Finding("serious", "alarm settings", "", arn, f"{name} differs: {told}", why, fix)


def _plain(value: Any) -> Any:
    """A number the same however it is written: 90 and 90.0 are one threshold."""
    return float(value) if isinstance(value, int | float) else value


def _judged(region: str, alarms: Sequence[Document]) -> Iterator[Finding]:
    for alarm in alarms:
        name, arn = str(alarm["AlarmName"]), str(alarm.get("AlarmArn", alarm["AlarmName"]))
        if alarm.get("ActionsEnabled") is False:
            what, why = f"the actions of {name} are switched off", "it rings and nobody hears"
            yield Finding("serious", "alarm actions", region, arn, what, why, "EnableAlarmActions.")
        if alarm.get("Namespace") == CANARIES and alarm.get("TreatMissingData") != "breaching":
            treated = alarm.get("TreatMissingData", "missing")
            what = f"{name} treats a canary's silence as {treated}"
            why = "a Region that is gone runs no canary: silence is the loudest signal"
            yield Finding("serious", "alarm missing data", region, arn, what, why, "Set TreatMissingData to breaching.")
        if alarm.get("MetricName") == "ReplicationLatency" and alarm.get("TreatMissingData") == "notBreaching":
            what = f"{name} takes missing data for good"
            why = "replication's metric stops, and does not rise, when the link is cut"
            fix = "Set TreatMissingData to missing, and watch the heartbeat."
            yield Finding("warning", "alarm missing data", region, arn, what, why, fix)
        if alarm.get("StateValue") == "ALARM" and alarm.get("Namespace") != NAMESPACE:
            what, why = f"{name} is in alarm", "a drill or an evacuation begins from an unhealthy state"
            yield Finding("serious", "alarm state", region, arn, what, why, "Find out why before the night comes.")


def _canary(region: RegionFacts, facts: Facts) -> Iterator[Finding]:
    if region.canary is None:
        return
    name = facts.deployment.region(region.name).canary
    state = (region.canary.get("Status") or {}).get("State")
    if state != "RUNNING":
        what, why = f"the canary {name} is {state}", "the Region's own word on itself is missing"
        yield Finding("serious", "canary runs", region.name, name, what, why, f"Start it: StartCanary {name}.")


def _needed(facts: Facts) -> Iterator[Finding]:
    """The alarms that the deployment file names exist."""
    deployment = facts.deployment
    wanted = [(deployment.observer_region, part.observer_alarm, facts.observer_alarms) for part in deployment.regions]
    for region in facts.regions:
        wanted.append((region.name, deployment.region(region.name).alarm, region.alarms))
    for where, name, alarms in wanted:
        if alarms is not None and name not in {each["AlarmName"] for each in alarms}:
            what, why = f"there is no alarm {name}", "a vantage point of the decision is missing"
            yield Finding("serious", "alarm exists", where, name, what, why, "Run `outlast deploy` again.")


def _heard(facts: Facts) -> Iterator[Finding]:
    """Somebody is told: at least one alarm has an action."""
    groups = [*(region.alarms for region in facts.regions), facts.observer_alarms]
    if any(group is None for group in groups):
        return
    alarms = [alarm for group in groups for alarm in group or ()]
    if alarms and not any(alarm.get("AlarmActions") for alarm in alarms):
        what, why = "no alarm has an action", "nobody is woken: somebody must be looking already"
        fix = "Give the composite alarms an SNS topic, in a Region that is not the one they watch."
        yield Finding("note", "alarm actions", "", facts.deployment.application, what, why, fix)
