"""Health checks.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHealthCheck.html and its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from outlast.cloud.contract import Call, Fault, Reply
from outlast.cloud.services.route53.errors import (
    HealthCheckAlreadyExists,
    HealthCheckInUse,
    HealthCheckVersionMismatch,
    InvalidInput,
    TooManyHealthChecks,
    no_such_check,
)
from outlast.cloud.services.route53.health import View
from outlast.cloud.services.route53.model import Check
from outlast.cloud.services.route53.operations.pages import page
from outlast.cloud.services.route53.operations.zones import LOCATION
from outlast.cloud.services.route53.rules import completed, reset
from outlast.cloud.services.route53.service import CHECK, route53
from outlast.cloud.services.route53.state import State

MOST_CHECKS: Final = 200


def described(check: Check) -> dict[str, Any]:
    """As the API's HealthCheck."""
    return {
        "Id": check.id,
        "CallerReference": check.caller_reference,
        "HealthCheckConfig": dict(check.config),
        "HealthCheckVersion": check.version,
    }


@route53.operation(resource="*")
def create_health_check(call: Call[State], *, caller_reference: str, health_check_config: Mapping[str, Any]) -> Reply:
    """Make a health check; the same request with the same reference gives the same one."""
    checks = call.state.board.checks
    config = completed(health_check_config, checks, None)
    for check in checks.values():
        if check.caller_reference == caller_reference:
            if dict(check.config) != config:
                raise HealthCheckAlreadyExists(
                    f"A health check with the same caller reference but different settings exists: {caller_reference}"
                )
            return _created(check)
    if len(checks) >= MOST_CHECKS:
        raise TooManyHealthChecks(
            f"Limits Exceeded: MAX_HEALTH_CHECKS_BY_OWNER - Cannot create more than {MOST_CHECKS}."
        )
    check = Check(call.region.entropy.uuid(), caller_reference, 1, config)
    call.state.put_check(check)
    return _created(check)


def _created(check: Check) -> Reply:
    return {"HealthCheck": described(check), "Location": f"{LOCATION}/healthcheck/{check.id}"}


@route53.operation(resource=CHECK)
async def get_health_check(call: Call[State], *, health_check_id: str) -> Reply:
    """Describe a health check; one that follows an alarm with what the alarm looks at now."""
    check = call.state.check(health_check_id)
    shown = described(check)
    if check.kind == "CLOUDWATCH_METRIC":
        shown |= await _alarm_configuration(call, check)
    return {"HealthCheck": shown}


ALARM_MEMBERS: Final = (
    "EvaluationPeriods",
    "Threshold",
    "ComparisonOperator",
    "Period",
    "MetricName",
    "Namespace",
    "Statistic",
    "Dimensions",
)


async def _alarm_configuration(call: Call[State], check: Check) -> dict[str, Any]:
    """CloudWatchAlarmConfiguration of a simple alarm that can be reached; nothing otherwise."""
    alarm_region, name = check.alarm
    try:
        reply = await call.region.aws(
            "cloudwatch",
            "DescribeAlarms",
            {"AlarmNames": [name], "AlarmTypes": ["MetricAlarm"]},
            principal=call.region.linked("route53"),
            region=alarm_region,
        )
    except Fault:
        return {}
    for alarm in reply.get("MetricAlarms", ()):
        shown = {member: alarm[member] for member in ALARM_MEMBERS if member in alarm}
        if shown.keys() >= set(ALARM_MEMBERS[:-1]):
            return {"CloudWatchAlarmConfiguration": shown}
    return {}


@route53.operation(resource=CHECK)
def update_health_check(
    call: Call[State],
    *,
    health_check_id: str,
    health_check_version: int | None = None,
    ip_address: str | None = None,
    port: int | None = None,
    resource_path: str | None = None,
    fully_qualified_domain_name: str | None = None,
    search_string: str | None = None,
    failure_threshold: int | None = None,
    inverted: bool | None = None,
    disabled: bool | None = None,
    health_threshold: int | None = None,
    child_health_checks: Sequence[str] | None = None,
    enable_sni: bool | None = None,
    regions: Sequence[str] | None = None,
    alarm_identifier: Mapping[str, str] | None = None,
    insufficient_data_health_status: str | None = None,
    reset_elements: Sequence[str] = (),
) -> Reply:
    """Change the elements that are given; checkers begin anew with the new version."""
    check = call.state.check(health_check_id)
    if health_check_version is not None and health_check_version != check.version:
        raise HealthCheckVersionMismatch(
            "The value of HealthCheckVersion in the request doesn't match the value of HealthCheckVersion in the "
            "health check."
        )
    given = {
        "IPAddress": ip_address,
        "Port": port,
        "ResourcePath": resource_path,
        "FullyQualifiedDomainName": fully_qualified_domain_name,
        "SearchString": search_string,
        "FailureThreshold": failure_threshold,
        "Inverted": inverted,
        "Disabled": disabled,
        "HealthThreshold": health_threshold,
        "ChildHealthChecks": None if child_health_checks is None else list(child_health_checks),
        "EnableSNI": enable_sni,
        "Regions": None if regions is None else list(regions),
        "AlarmIdentifier": alarm_identifier,
        "InsufficientDataHealthStatus": insufficient_data_health_status,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    config = completed({**reset(check.config, reset_elements), **changes}, call.state.board.checks, check.id)
    changed = replace(check, config=config, version=check.version + 1)
    call.state.put_check(changed)
    return {"HealthCheck": described(changed)}


@route53.operation(resource=CHECK)
def delete_health_check(call: Call[State], *, health_check_id: str) -> Reply:
    """Delete a health check that no calculated health check refers to; record sets may go on naming it, as on AWS."""
    check = call.state.check(health_check_id)
    parents = [use for use in call.state.uses_of(check.id) if use.startswith("health check")]
    if parents:
        raise HealthCheckInUse(f"The health check {check.id} is in use by {parents[0]}.")
    call.state.delete_check(check.id)
    return {}


@route53.operation(resource="*")
def list_health_checks(call: Call[State], *, marker: str | None = None, max_items: str | None = None) -> Reply:
    """List health checks, by id."""
    checks = call.state.board.checks
    if marker is not None and marker not in checks:
        raise no_such_check(marker)
    found = page([checks[key] for key in sorted(checks) if key >= (marker or "")], max_items)
    reply: dict[str, Any] = {
        "HealthChecks": [described(check) for check in found.items],
        "IsTruncated": found.following is not None,
        "MaxItems": str(found.size),
    }
    if marker is not None:
        reply["Marker"] = marker
    if found.following is not None:
        reply["NextMarker"] = found.following.id
    return reply


@route53.operation(resource="*")
def get_health_check_count(call: Call[State]) -> Reply:
    """How many health checks there are."""
    return {"HealthCheckCount": len(call.state.board.checks)}


@route53.operation(resource="*")
def get_checker_ip_ranges(call: Call[State]) -> Reply:
    """Where probes come from: loopback."""
    return {
        "CheckerIpRanges": sorted({f"{host}/32" for host in call.region.addresses.hosts.values()} | {"127.0.0.1/32"})
    }


@route53.operation(resource=CHECK)
def get_health_check_status(call: Call[State], *, health_check_id: str) -> Reply:
    """What each Region's checker said last."""
    views = _views(call, health_check_id)
    return {
        "HealthCheckObservations": [
            _observation(call, region, view.last.reason, view.last.at_ms) for region, view in views.items()
        ]
    }


@route53.operation(resource=CHECK)
def get_health_check_last_failure_reason(call: Call[State], *, health_check_id: str) -> Reply:
    """The last failure of each Region's checker, of those that had one."""
    views = _views(call, health_check_id)
    return {
        "HealthCheckObservations": [
            _observation(call, region, view.failure.reason, view.failure.at_ms)
            for region, view in views.items()
            if view.failure is not None
        ]
    }


def _views(call: Call[State], check_id: str) -> dict[str, View]:
    check = call.state.check(check_id)
    if check.kind == "CALCULATED":
        raise InvalidInput("The status of a calculated health check cannot be requested.")
    return call.state.board.views(check.id)


def _observation(call: Call[State], region: str, status: str, at_ms: int) -> dict[str, Any]:
    return {
        "Region": region,
        "IPAddress": call.region.addresses.hosts.get(region, "127.0.0.1"),
        "StatusReport": {"Status": status, "CheckedTime": at_ms / 1000},
    }
