"""Rules for DNS target resources. Facts: `zone` (id), `private`, `records` (those of the name), `target` (a domain)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlast.cloud.services.arc_readiness.rules.kit import Facts, Rule, Verdicts, each

MAX_TTL_S = 300
ROUTED = ("Weight", "Region", "Failover", "MultiValueAnswer", "GeoLocation")


def _ttls(facts: Facts) -> list[int]:
    return sorted({int(record["TTL"]) for record in facts["records"] if "TTL" in record})


def _judge_zone(facts: Sequence[Facts]) -> Verdicts:
    zones = {one["zone"] for one in facts}
    verdicts: Verdicts = []
    for one in facts:
        said = ["The hosted zone is private."] if one["private"] else []
        if len(zones) > 1:
            said.append(f"The DNS targets are in different hosted zones: this one is in {one['zone']}.")
        verdicts.append(said)
    return verdicts


def _judge_records(facts: Sequence[Facts]) -> Verdicts:
    all_ttls = [_ttls(one) for one in facts]
    verdicts: Verdicts = []
    for one, ttls in zip(facts, all_ttls, strict=True):
        said = [] if one["records"] else ["There is no such record."]
        said += [f"The TTL of {ttl} s is over {MAX_TTL_S} s." for ttl in ttls if ttl > MAX_TTL_S]
        if any(other != all_ttls[0] for other in all_ttls):
            said.append(f"The DNS targets differ in TTL: this one has {ttls}.")
        verdicts.append(said)
    return verdicts


def _routing(facts: Facts) -> str:
    wanted = facts["target"]
    aliases = [record["AliasTarget"]["DNSName"] for record in facts["records"] if "AliasTarget" in record]
    if not wanted or not aliases or any(_plain(alias) == _plain(wanted) for alias in aliases):
        return ""
    return f"No alias record leads to {wanted}."


def _plain(name: Any) -> str:
    return str(name).rstrip(".").lower()


def _health(facts: Facts) -> str:
    routed = [record for record in facts["records"] if any(member in record for member in ROUTED)]
    bare = [
        record
        for record in routed
        if "HealthCheckId" not in record and not record.get("AliasTarget", {}).get("EvaluateTargetHealth")
    ]
    if bare:
        return f"{len(bare)} of {len(routed)} routed records have no health check."
    simple = [record for record in facts["records"] if record not in routed and "HealthCheckId" in record]
    return "A simple record has a health check, which has no effect." if simple else ""


RULES = (
    Rule(
        "DnsTargetResourceHostedZoneConfigurationRule",
        "Inspects all DNS target resources to ensure that they have the same hosted zone, which is not private. "
        "This rule does not affect readiness status.",
        _judge_zone,
        counts=False,
    ),
    Rule(
        "DnsTargetResourceRecordSetConfigurationRule",
        f"Inspects all DNS target resources to ensure that they have the same TTL, of at most {MAX_TTL_S} seconds.",
        _judge_records,
    ),
    each(
        "DnsTargetResourceRoutingRule",
        "Inspects each DNS target resource with an alias record to ensure that it leads to the target's DNS name. "
        "This rule does not affect readiness status.",
        _routing,
        counts=False,
    ),
    each(
        "DnsTargetResourceHealthCheckRule",
        "Inspects all DNS target resources to ensure that health checks stand where they have an effect. "
        "This rule does not affect readiness status.",
        _health,
        counts=False,
    ),
)
