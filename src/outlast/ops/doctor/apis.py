"""Endpoints: methods, stages, domain names and certificates.

https://docs.aws.amazon.com/r53recovery/latest/dg/recovery-readiness.rules-resources.html (API Gateway stages) and
https://docs.aws.amazon.com/acm/latest/userguide/managed-renewal.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from outlast.ops.doctor.facts import Document, Facts, RegionFacts
from outlast.ops.doctor.findings import Finding, Severity, unequal

CLOSE_S: Final = 14 * 86_400.0
NEAR_S: Final = 45 * 86_400.0
"""ACM begins to renew sixty days before the end: one that is nearer than this was not renewed."""
STAGE: Final = ("throttlingRateLimit", "throttlingBurstLimit", "cachingEnabled", "loggingLevel", "metricsEnabled")


def rules(facts: Facts) -> Iterator[Finding]:
    """All findings on endpoints."""
    yield from _methods(facts)
    yield from _stages(facts)
    yield from _domains(facts)
    yield from _answers(facts)
    for region in facts.regions:
        yield from _serving(region, facts)
        yield from _certificate(region, facts)


def _stage_arn(facts: Facts, region: str) -> str:
    part = facts.deployment.region(region)
    return f"arn:aws:apigateway:{region}::/restapis/{part.api_id}/stages/{part.stage}"


def _answers(facts: Facts) -> Iterator[Finding]:
    """Each Region's API serves whoever comes: by name, certificate and answer."""
    for region, problem in facts.answers.items():
        if not problem:
            continue
        arn = _stage_arn(facts, region)
        what = f"the API in {region} does not serve the operator: {problem}"
        if problem == "status 403":
            fix = "Allow execute-api:Invoke on it; without that `outlast status` has no probes of its own."
            yield Finding("warning", "endpoint answers", region, arn, what, "nobody has seen it serve", fix)
            continue
        why = "customers who are sent there are let down, whatever the Region says of itself"
        fix = "See to its name, its certificate and the way there; `outlast status` looks on."
        yield Finding("serious", "endpoint answers", region, arn, what, why, fix)


def _methods(facts: Facts) -> Iterator[Finding]:
    seen = {region.name: region.methods for region in facts.regions if region.methods is not None}
    sets = {
        name: sorted(f"{each.name} ({each.authorization}, {each.kind})" for each in methods)
        for name, methods in seen.items()
    }
    if not unequal(sets):
        return
    everywhere = set.intersection(*(set(each) for each in sets.values()))
    told = "; ".join(f"only in {name}: {', '.join(extra)}" for name, each in sorted(sets.items())
                     if (extra := [method for method in each if method not in everywhere]))  # fmt: skip
    arn = f"arn:aws:apigateway:{next(iter(seen))}::/restapis/{facts.deployment.region(next(iter(seen))).api_id}"
    why = "what one Region answers the other refuses"
    fix = "Deploy the same API to every Region, and a fresh deployment of it: `outlast deploy`."
    yield Finding("serious", "api methods", "", arn, f"the APIs differ: {told}", why, fix)


def _settings(stage: Document) -> dict[str, Any]:
    held: Mapping[str, Mapping[str, Any]] = stage.get("methodSettings") or {}
    return {path: {name: each.get(name) for name in STAGE} for path, each in held.items()}


def _stages(facts: Facts) -> Iterator[Finding]:
    stages = {region.name: region.stage for region in facts.regions if region.stage is not None}
    for what, read, why in (
        ("settings", _settings, "the survivor lets in less than the lost Region did, or tells less"),
        ("variables", lambda stage: stage.get("variables") or {}, "one Region is configured otherwise"),
        ("web ACL", lambda stage: bool(stage.get("webAclArn")), "one Region is guarded and the other is not"),
    ):
        difference = unequal(
            {name: read(stage) for name, stage in stages.items()}, lambda value: json.dumps(value, sort_keys=True)
        )
        if difference:
            arn = _stage_arn(facts, next(iter(stages)))
            fix = "Give both stages the same, in the template."
            yield Finding("serious", f"stage {what}", "", arn, f"{what} of the stages differ: {difference}", why, fix)


def _domains(facts: Facts) -> Iterator[Finding]:
    domains = {region.name: region.domain for region in facts.regions if region.domain is not None}
    difference = unequal({name: domain.get("securityPolicy") for name, domain in domains.items()})
    if difference:
        arn = str(next(iter(domains.values())).get("domainNameArn", facts.deployment.service_name))
        what, why = f"TLS policies differ: {difference}", "old clients are served by one Region and not by the other"
        yield Finding("warning", "domain policy", "", arn, what, why, "Give both domain names the same SecurityPolicy.")


def _serving(region: RegionFacts, facts: Facts) -> Iterator[Finding]:
    """Whether the Region answers to the customers' name, with the API, at the address that DNS gives."""
    part = facts.deployment.region(region.name)
    name = facts.deployment.service_name
    if region.api is not None and region.api.get("disableExecuteApiEndpoint"):
        what, why = "the API's own endpoint is switched off", "canaries and probes judge a Region by it"
        fix = "Enable execute-api, or give each Region a name of its own."
        yield Finding("warning", "api endpoint", region.name, _stage_arn(facts, region.name), what, why, fix)
    if region.domain is not None:
        arn = str(region.domain.get("domainNameArn", name))
        status = region.domain.get("domainNameStatus", "AVAILABLE")
        if status != "AVAILABLE":
            what, why = f"{name} is {status} here", "customers that are sent here are not answered"
            yield Finding("serious", "domain status", region.name, arn, what, why, "See domainNameStatusMessage.")
        address = region.domain.get("regionalDomainName")
        if address and address != part.domain:
            what = f"the deployment file says {part.domain}, the domain name is at {address}"
            why = "the file that an evacuation goes by is stale"
            yield Finding("serious", "domain address", region.name, arn, what, why, "Run `outlast prepare`.")
    if region.mappings is not None and not any(
        each.get("restApiId") == part.api_id and each.get("stage") == part.stage for each in region.mappings
    ):
        what, why = f"{name} does not lead to the API here", "customers that are sent here get 403"
        fix = "Add a base path mapping to the stage."
        yield Finding("serious", "domain mapping", region.name, name, what, why, fix)


def _certificate(region: RegionFacts, facts: Facts) -> Iterator[Finding]:
    if region.certificate is None:
        return
    arn = str(region.certificate.get("CertificateArn", ""))
    status = region.certificate.get("Status")
    if status != "ISSUED":
        what, why = f"the certificate is {status}", "TLS fails for every customer that is sent here"
        yield Finding("serious", "certificate status", region.name, arn, what, why, "Issue a certificate and use it.")
    end = region.certificate.get("NotAfter")
    if not isinstance(end, datetime):
        return
    left_s = end.timestamp() - facts.at_s
    if left_s > NEAR_S:
        return
    days = left_s / 86_400
    what = f"the certificate {'has ended' if days < 0 else f'ends in {days:.0f} days'}"
    why = "renewal fails unseen while its validation record is missing; a standby Region's is noticed last"
    fix = "See RenewalSummary of DescribeCertificate; put the validation record back."
    severity: Severity = "serious" if left_s < CLOSE_S else "warning"
    yield Finding(severity, "certificate end", region.name, arn, what, why, fix)
