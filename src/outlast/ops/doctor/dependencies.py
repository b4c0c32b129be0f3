"""Hidden dependencies on one Region: what an application Region needs of another to serve, or of a control plane.

https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/global-services.html (control planes that
live in one Region) and .../appendix-a---partitional-service-guidance.html on the same site
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from outlast.ops.doctor.facts import Facts, RegionFacts
from outlast.ops.doctor.findings import Finding

REGION: Final = re.compile(r"\b(?:us|eu|ap|sa|ca|me|af|il|mx|cn)(?:-gov)?-(?:[a-z]+)-\d\b")
GLOBAL_HOSTS: Final = ("sts.amazonaws.com", "iam.amazonaws.com", "route53.amazonaws.com", "organizations.us-east-1")
CONTROL_PLANES: Final[Mapping[str, str]] = {
    "route53:ChangeResourceRecordSets": "Route 53's control plane is in us-east-1 alone",
    "iam:CreateRole": "IAM's control plane is in us-east-1 alone",
    "iam:PutRolePolicy": "IAM's control plane is in us-east-1 alone",
    "iam:AttachRolePolicy": "IAM's control plane is in us-east-1 alone",
    "route53-recovery-control-config:DescribeCluster": "ARC's configuration is in us-west-2 alone",
    "cloudfront:UpdateDistribution": "CloudFront's control plane is in us-east-1 alone",
    "lambda:UpdateFunctionConfiguration": "a control plane is the first to fail and the last to recover",
    "dynamodb:UpdateTable": "a control plane is the first to fail and the last to recover",
    "autoscaling:UpdateAutoScalingGroup": "a control plane is the first to fail and the last to recover",
}
"""One action of each control plane that has no business on the way of a request."""


def rules(facts: Facts) -> Iterator[Finding]:
    """All findings on hidden dependencies."""
    for region in facts.regions:
        yield from _function(region)
        yield from _policies(region)
        yield from _integrations(region)
        yield from _keys(region)


def others_in(text: str, region: str) -> list[str]:
    """The Regions other than `region` that a text names."""
    return sorted(set(REGION.findall(text)) - {region})


def _function(region: RegionFacts) -> Iterator[Finding]:
    function = region.function
    if function is None:
        return
    arn = str(function.get("FunctionArn", ""))
    variables: Mapping[str, str] = (function.get("Environment") or {}).get("Variables") or {}
    for name, value in variables.items():
        foreign = others_in(str(value), region.name)
        hosts = [host for host in GLOBAL_HOSTS if host in str(value)]
        if foreign or hosts:
            what = f"the environment variable {name} names {', '.join(foreign or hosts)}"
            why = "this Region fails when that one does"
            fix = "Name resources of the function's own Region; let the SDK choose the Regional endpoint."
            yield Finding("serious", "single-Region dependency", region.name, arn, what, why, fix)
    if variables.get("AWS_STS_REGIONAL_ENDPOINTS") == "legacy":
        what, why = "the function asks the global endpoint of STS", "it is served from us-east-1"
        yield Finding("serious", "single-Region dependency", region.name, arn, what, why, "Set it to regional.")
    held = [("layer", str(layer["Arn"])) for layer in function.get("Layers") or []]
    held.append(("key", str(function.get("KMSKeyArn", ""))))
    held.append(("dead-letter target", str((function.get("DeadLetterConfig") or {}).get("TargetArn", ""))))
    for kind, value in held:
        foreign = others_in(value, region.name)
        if foreign:
            what, why = f"the function's {kind} is in {', '.join(foreign)}", "this Region fails when that one does"
            yield Finding("serious", "single-Region dependency", region.name, arn, what, why, f"Have the {kind} here.")


def _policies(region: RegionFacts) -> Iterator[Finding]:
    role = str((region.function or {}).get("Role", region.name))
    for statement in region.statements or ():
        if statement.get("Effect") != "Allow":
            continue
        patterns = _listed(statement.get("Action"))
        for action, reason in CONTROL_PLANES.items():
            if any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns):
                what, why = f"the function's role may {action}", reason
                fix = "Take it out of the way of a request: prepare beforehand, switch by data planes."
                yield Finding("warning", "control plane", region.name, role, what, why, fix)
        foreign = others_in(json.dumps(_listed(statement.get("Resource"))), region.name)
        if foreign:
            name = statement.get("Sid", patterns[0] if patterns else "")
            what = f"the role's statement {name} is about {', '.join(foreign)}"
            why = "the function is meant to use another Region's resources"
            yield Finding("serious", "single-Region dependency", region.name, role, what, why, "Use this Region's own.")


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _integrations(region: RegionFacts) -> Iterator[Finding]:
    for method in region.methods or ():
        foreign = others_in(method.uri, region.name)
        if foreign:
            what, why = f"{method.name} calls {', '.join(foreign)}", "this Region fails when that one does"
            fix = "Integrate this Region's own function."
            yield Finding("serious", "single-Region dependency", region.name, method.uri, what, why, fix)


def _keys(region: RegionFacts) -> Iterator[Finding]:
    """A replica that another Region's key encrypts is lost with it."""
    for name, copy in region.tables.items():
        key = str((copy.table.get("SSEDescription") or {}).get("KMSMasterKeyArn", ""))
        foreign = others_in(key, region.name)
        if foreign:
            what, why = f"{name} is encrypted with a key of {foreign[0]}", "it cannot be read when that Region is lost"
            arn, fix = str(copy.table.get("TableArn", name)), "Use a key of this Region."
            yield Finding("serious", "single-Region dependency", region.name, arn, what, why, fix)
