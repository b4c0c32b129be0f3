"""DNS: records that let go of a Region in time, and health checks that can say so.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-complex-configs.html and
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-creating-values.html (invert, disable)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from outlast.ops.act.standby import alarm_name, holder_of
from outlast.ops.deployment import RegionPart
from outlast.ops.doctor.facts import Document, Facts
from outlast.ops.doctor.findings import Finding

SLOW_TTL_S: Final = 60
ROUTED: Final = frozenset({"A", "AAAA", "CNAME"})


def rules(facts: Facts) -> Iterator[Finding]:
    """All findings on records and health checks."""
    if facts.names.records is not None:
        for record in ours(facts):
            yield from _record(record, facts)
        yield from _weights(facts)
        yield from _answers(facts)
    for part in facts.deployment.regions:
        yield from _follows(part, facts)
    for ident, check in facts.names.checks.items():
        yield from _check(ident, check)


def ours(facts: Facts) -> list[Document]:
    """The records that customers are led by: the service's name, and the names below it that it leads to."""
    name = f"{facts.deployment.service_name}."
    names = {name, *(f"{region}.{name}" for region in facts.deployment.region_names)}
    return [each for each in facts.names.records or () if each["Name"] in names and each["Type"] in ROUTED]


def _named(record: Document) -> str:
    return f"{record['Name']} {record['Type']} {record.get('SetIdentifier', '')}".strip()


def _record(record: Document, facts: Facts) -> Iterator[Finding]:
    name, zone = _named(record), f"arn:aws:route53:::hostedzone/{facts.deployment.zone_id}"
    ttl_s = record.get("TTL")
    if ttl_s is not None and ttl_s > SLOW_TTL_S:
        what, why = f"{name} may be kept for {ttl_s} s", "customers stay that much longer in a Region that was left"
        yield Finding("serious", "record TTL", "", zone, what, why, f"Lower it to {SLOW_TTL_S} s or less.")
    elif ttl_s is not None and ttl_s != facts.deployment.record_ttl_s:
        what = f"{name} has a TTL of {ttl_s} s, the deployment file says {facts.deployment.record_ttl_s}"
        why = "the plan of an evacuation reckons with the wrong time"
        yield Finding("warning", "record TTL", "", zone, what, why, "Run `outlast prepare`.")
    alias = record.get("AliasTarget")
    if alias is not None and not alias.get("EvaluateTargetHealth") and not record.get("HealthCheckId"):
        what, why = f"{name} does not ask for its target's health", "a Region that is switched off stays in the answer"
        yield Finding("serious", "record health", "", zone, what, why, "Set EvaluateTargetHealth.")
    if alias is None and record.get("SetIdentifier") and not record.get("HealthCheckId"):
        what, why = f"{name} has no health check", "switching its Region off does not take it out of the answer"
        yield Finding("serious", "record health", "", zone, what, why, "Give it the Region's health check.")
    ident = record.get("HealthCheckId")
    if ident and ident not in {part.health_check_id for part in facts.deployment.regions}:
        what = f"{name} follows {ident}, which is no health check of this deployment"
        why = "the operator's switch does not move it"
        yield Finding("serious", "record health", "", zone, what, why, "Give it the Region's health check.")


def _weights(facts: Facts) -> Iterator[Finding]:
    """Between drills each Region's side is its own: 100 home, 0 away."""
    zone = f"arn:aws:route53:::hostedzone/{facts.deployment.zone_id}"
    for record in ours(facts):
        wanted = {"home": 100, "away": 0}.get(str(record.get("SetIdentifier")))
        if "Weight" in record and wanted is not None and record["Weight"] != wanted:
            what = f"{_named(record)} has weight {record['Weight']}, not {wanted}"
            why = "a failback was left half done: traffic does not go where it seems to"
            yield Finding("warning", "record weight", "", zone, what, why, "Finish it: `outlast failback REGION`.")


def _answers(facts: Facts) -> Iterator[Finding]:
    """Every Region is an answer, at the address that it has."""
    zone = f"arn:aws:route53:::hostedzone/{facts.deployment.zone_id}"
    held = {str(value["Value"]).rstrip(".") for record in ours(facts) for value in record.get("ResourceRecords", [])}
    for part in facts.deployment.regions:
        if part.domain not in held:
            what, why = f"no record leads to {part.domain}", "no customer can be sent to this Region"
            yield Finding("serious", "record target", part.name, zone, what, why, "Run `outlast deploy` again.")


def _follows(part: RegionPart, facts: Facts) -> Iterator[Finding]:
    ident = part.health_check_id
    check = facts.names.checks.get(ident)
    if check is None:
        return
    config, deployment = check["HealthCheckConfig"], facts.deployment
    why = "the operator's switch moves nothing"
    if deployment.switch == "standby-takes-over":
        holder = holder_of(deployment, part.name)
        wanted = {"Name": alarm_name(deployment.application, part.name), "Region": holder}
        if config.get("Type") != "CLOUDWATCH_METRIC" or config.get("AlarmIdentifier") != wanted:
            what = f"the health check {ident} does not follow {wanted['Name']} in {holder}"
            fix = "Run `outlast deploy` again, or `outlast prepare`."
            yield Finding("serious", "health check", part.name, ident, what, why, fix)
        elif config.get("InsufficientDataHealthStatus") != "LastKnownStatus":
            what = f"the health check {ident} does not keep its last known status"
            why = "a standby that dies moves customers, or calls back those that were moved"
            yield Finding("serious", "health check", part.name, ident, what, why, "Set LastKnownStatus.")
    elif config.get("Type") != "RECOVERY_CONTROL" or config.get("RoutingControlArn") != part.routing_control_arn:
        what = f"the health check {ident} does not follow the Region's routing control"
        fix = "Make it RECOVERY_CONTROL with the Region's control, or run `outlast prepare`."
        yield Finding("serious", "health check", part.name, ident, what, why, fix)


def _check(ident: str, check: Document | None) -> Iterator[Finding]:
    if check is None:
        what, why = f"there is no health check {ident}", "a record that follows it counts as healthy for ever"
        yield Finding("serious", "health check", "", ident, what, why, "Make it again and give it to the record.")
        return
    config = check["HealthCheckConfig"]
    if config.get("Disabled"):
        what, why = f"the health check {ident} is disabled", "a disabled health check is always healthy"
        yield Finding("serious", "health check", "", ident, what, why, "Enable it.")
    if config.get("Inverted"):
        what, why = f"the health check {ident} is inverted", "switching a Region off sends everybody there"
        yield Finding("serious", "health check", "", ident, what, why, "Clear Inverted.")
