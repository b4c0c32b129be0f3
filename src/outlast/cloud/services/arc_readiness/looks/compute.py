"""Lambda functions and API Gateway stages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from outlast.cloud.contract import Fault
from outlast.cloud.services.arc_readiness.looks.caller import Ask, Misread, split
from outlast.cloud.services.arc_readiness.model import Part

MAX_RESOURCES = 500
_STAGE = re.compile(r"([^/]+)/stages/([^/]+)")


async def function(ask: Ask, part: Part) -> dict[str, Any]:
    """Facts of a function; an alias or version in the ARN is honoured."""
    region, name = split(part.arn, "lambda", "function:")
    name, _, qualifier = name.partition(":")
    params = {"FunctionName": name} | ({"Qualifier": qualifier} if qualifier else {})
    configuration = await ask("lambda", "GetFunctionConfiguration", params, region)
    concurrency = await ask("lambda", "GetFunctionConcurrency", {"FunctionName": name}, region)
    return {"function": configuration, "reserved": concurrency.get("ReservedConcurrentExecutions")}


async def stage(ask: Ask, part: Part) -> dict[str, Any]:
    """Facts of a REST API's stage."""
    region, rest = split(part.arn, "apigateway", "/restapis/")
    match = _STAGE.fullmatch(rest)
    if match is None:
        raise Misread(f"{part.arn} is not the ARN of a stage.")
    api_id, stage_name = match[1], match[2]
    api = await ask("apigateway", "GetRestApi", {"restApiId": api_id}, region)
    described = await ask("apigateway", "GetStage", {"restApiId": api_id, "stageName": stage_name}, region)
    resources = await ask(
        "apigateway", "GetResources", {"restApiId": api_id, "limit": MAX_RESOURCES, "embed": ["methods"]}, region
    )
    mappings, domains = await _domains(ask, region, api_id, stage_name)
    methods = {
        f"{verb} {resource['path']}": _method(method)
        for resource in resources.get("items", ())
        for verb, method in (resource.get("resourceMethods") or {}).items()
    }
    return {"api": api, "stage": described, "methods": methods, "mappings": mappings, "domains": domains}


def _method(method: Mapping[str, Any]) -> dict[str, Any]:
    """What must be alike in two Regions; the integration's address names its Region and is left out."""
    integration = method.get("methodIntegration") or {}
    return {
        "authorization": method.get("authorizationType"),
        "key required": bool(method.get("apiKeyRequired")),
        "integration": integration.get("type"),
        "timeout": integration.get("timeoutInMillis"),
    }


async def _domains(
    ask: Ask, region: str, api_id: str, stage_name: str
) -> tuple[list[tuple[str, str]], list[dict[str, Any]]]:
    """The base path mappings that lead to the stage, as (base path, domain), and their domains."""
    mappings: list[tuple[str, str]] = []
    domains: list[dict[str, Any]] = []
    listed = await ask("apigateway", "GetDomainNames", {"limit": MAX_RESOURCES}, region)
    for domain in listed.get("items", ()):
        name = domain["domainName"]
        try:
            found = await ask("apigateway", "GetBasePathMappings", {"domainName": name, "limit": MAX_RESOURCES}, region)
        except Fault:
            continue  # deleted since it was listed
        own = [
            (str(each.get("basePath", "(none)")), str(name))
            for each in found.get("items", ())
            if each.get("restApiId") == api_id and each.get("stage") == stage_name
        ]
        mappings += own
        domains += [domain] if own else []
    return mappings, domains
