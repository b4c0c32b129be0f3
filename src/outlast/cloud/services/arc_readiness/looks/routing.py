"""Route 53 health checks and DNS targets."""

from __future__ import annotations

from typing import Any

from outlast.cloud.services.arc_readiness.looks.caller import Ask, split
from outlast.cloud.services.arc_readiness.model import Part

UNPROBED = ("CALCULATED", "CLOUDWATCH_METRIC", "RECOVERY_CONTROL")


async def health_check(ask: Ask, part: Part) -> dict[str, Any]:
    """Facts of a health check; those without endpoint checkers have no observations."""
    _, check_id = split(part.arn, "route53", "healthcheck/")
    check = (await ask("route53", "GetHealthCheck", {"HealthCheckId": check_id}))["HealthCheck"]
    observations: list[Any] = []
    if check["HealthCheckConfig"]["Type"] not in UNPROBED:
        status = await ask("route53", "GetHealthCheckStatus", {"HealthCheckId": check_id})
        observations = status["HealthCheckObservations"]
    return {"check": check, "observations": observations}


async def dns_target(ask: Ask, part: Part) -> dict[str, Any]:
    """Facts of a DNS target: its records in its hosted zone."""
    target = part.target or {}
    _, zone_id = split(target.get("HostedZoneArn", ""), "route53", "hostedzone/")
    zone = (await ask("route53", "GetHostedZone", {"Id": zone_id}))["HostedZone"]
    name = str(target.get("DomainName", "")).rstrip(".").lower() + "."
    kind, set_id = target.get("RecordType"), target.get("RecordSetId")
    params: dict[str, Any] = {"HostedZoneId": zone_id, "StartRecordName": name}
    if kind:
        params["StartRecordType"] = kind
    listed = await ask("route53", "ListResourceRecordSets", params)
    records = [
        record
        for record in listed["ResourceRecordSets"]
        if str(record["Name"]).lower() == name
        and kind in (None, record["Type"])
        and set_id in (None, record.get("SetIdentifier"))
    ]
    wanted = ((target.get("TargetResource") or {}).get("R53Resource") or {}).get("DomainName", "")
    private = bool((zone.get("Config") or {}).get("PrivateZone"))
    return {"zone": zone_id, "private": private, "records": records, "target": wanted}
