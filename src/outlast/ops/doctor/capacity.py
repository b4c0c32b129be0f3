"""Room in the survivor: the sum of all Regions' traffic, against what each one alone may take.

https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html,
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html,
https://docs.aws.amazon.com/servicequotas/latest/userguide/intro.html and
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from outlast.ops.doctor import throughput
from outlast.ops.doctor.facts import Facts, RegionFacts
from outlast.ops.doctor.findings import Finding, Severity, unequal
from outlast.ops.plan.room import HEADROOM
from outlast.ops.plan.throughput import NOW, Load, loads

EVERY_METHOD: Final = "*/*"
TOLD: Final = frozenset({"lambda/L-B99A9384", "apigateway/L-8A5B8E43"})
"""Concurrent executions and API Gateway's throttle: the services' own answers are compared."""


def rules(facts: Facts) -> Iterator[Finding]:
    """All findings on room."""
    coming = total(facts)
    known = {region.name: throughput.of(region, facts.at_s) for region in facts.regions}
    everywhere = facts.deployment.kind == "aws"
    for region in facts.regions:
        part = facts.deployment.region(region.name)
        stage_arn = f"arn:aws:apigateway:{region.name}::/restapis/{part.api_id}/stages/{part.stage}"
        settings = ((region.stage or {}).get("methodSettings") or {}).get(EVERY_METHOD, {})
        account = (region.api_account or {}).get("throttleSettings") or {}
        yield from _room(region, stage_arn, "requests a second", coming["requests"],
                         settings.get("throttlingRateLimit"), "the stage's throttle")  # fmt: skip
        yield from _room(region, stage_arn, "requests a second", coming["requests"],
                         account.get("rateLimit"), "the account's throttle of API Gateway")  # fmt: skip
        yield from _runs(region, coming["runs"])
        for load in loads(region.name, known, writes_counted_everywhere=everywhere):
            yield from _units(region, load)
    yield from _quotas(facts)


def total(facts: Facts) -> dict[str, float | None]:
    """Requests a second and concurrent runs of all Regions together, each at its busiest; None if one is not known."""
    return {
        "requests": _sum([region.traffic.requests_per_s for region in facts.regions]),
        "runs": _sum([region.traffic.concurrent_runs for region in facts.regions]),
    }


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _room(
    region: RegionFacts, resource: str, unit: str, coming: float | None, limit: Any, whose: str
) -> Iterator[Finding]:
    if coming is None or limit is None or float(limit) < 0 or coming <= HEADROOM * float(limit):
        return
    full = coming > float(limit)
    severity: Severity = "serious" if full else "warning"
    what = f"{coming:.1f} {unit} of all Regions at their busiest, {float(limit):g} let in here by {whose}"
    why = "the survivor throttles customers" if full else f"the survivor is over {HEADROOM:.0%} full"
    fix = f"Raise {whose} in {region.name} before it is needed: quotas take days."
    yield Finding(severity, "survivor's room", region.name, resource, what, why, fix)


def _runs(region: RegionFacts, coming: float | None) -> Iterator[Finding]:
    arn = str((region.function or {}).get("FunctionArn", region.name))
    if region.reserved is not None:
        if region.reserved == 0:
            what, why = "the function's reserved concurrency is 0", "it is switched off: every request is throttled"
            yield Finding("serious", "survivor's room", region.name, arn, what, why, "Remove or raise it.")
        yield from _room(region, arn, "runs at once", coming, region.reserved, "the function's reserved concurrency")
        return
    limit = ((region.lambda_account or {}).get("AccountLimit") or {}).get("UnreservedConcurrentExecutions")
    yield from _room(region, arn, "runs at once", coming, limit, "the account's concurrency")


def _units(region: RegionFacts, load: Load) -> Iterator[Finding]:
    name = load.resource.partition("/")[0]
    copy = region.tables.get(name)
    arn = str(copy.table.get("TableArn", name)) if copy else load.resource
    for found in _room(region, arn, load.unit, load.coming, load.limit, load.whose):
        if load.whose != NOW:
            yield found
            continue
        why = "the survivor throttles customers until autoscaling has grown, which takes minutes"
        fix = f"Raise the minimum of autoscaling in {region.name} to what both Regions need."
        yield replace(found, severity="warning", why=why, fix=fix)


def _quotas(facts: Facts) -> Iterator[Finding]:
    """Quotas are per Region and raised one by one: whoever raised one forgot the other."""
    seen = [
        ("concurrency", {each.name: ((each.lambda_account or {}).get("AccountLimit") or {}).get("ConcurrentExecutions")
                         for each in facts.regions}),
        ("API throttle", {each.name: ((each.api_account or {}).get("throttleSettings") or {}).get("rateLimit")
                          for each in facts.regions}),
        ("table write quota", {each.name: (each.table_limits or {}).get("TableMaxWriteCapacityUnits")
                               for each in facts.regions}),
    ]  # fmt: skip
    for what, values in seen:
        known = {name: value for name, value in values.items() if value is not None}
        difference = unequal(known)
        if difference:
            least = min(known, key=lambda name: float(known[name]))
            why = "the one that survives may be the smaller one"
            fix = f"Ask for the same quota in {least}."
            yield Finding("serious", "quotas", least, least, f"the account's {what} differs: {difference}", why, fix)
    yield from _service_quotas(facts)


def _service_quotas(facts: Facts) -> Iterator[Finding]:
    """Of Service Quotas: each that is not the same in every Region. Those told of above are left out."""
    held: dict[str, dict[str, float]] = {}
    names: dict[str, str] = {}
    for region in facts.regions:
        for quota in region.quotas or ():
            ident = f"{quota['ServiceCode']}/{quota['QuotaCode']}"
            names[ident] = str(quota.get("QuotaName", ident))
            held.setdefault(ident, {})[region.name] = float(quota["Value"])
    for ident, values in sorted(held.items()):
        difference = unequal(values, lambda value: f"{value:g}")
        if difference and ident not in TOLD:
            least = min(values, key=lambda name: values[name])
            what = f"the quota {names[ident]} ({ident}) differs: {difference}"
            why = "the one that survives may be the smaller one"
            fix = f"Ask for the same quota in {least}: `aws service-quotas request-service-quota-increase`."
            yield Finding("warning", "quotas", least, ident, what, why, fix)
