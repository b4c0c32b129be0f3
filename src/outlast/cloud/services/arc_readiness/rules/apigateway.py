"""Rules for API Gateway stages.

Facts: `stage`, `api`, `methods` (path and verb to the method, without what names the Region), `mappings` (base path and
domain pairs) and `domains` (GetDomainName of each).
"""

from __future__ import annotations

from outlast.cloud.services.arc_readiness.rules.kit import Facts, each, greatest, same

ALL = "API Gateway stages"


def _domain_status(facts: Facts) -> str:
    bad = [
        f"{domain['domainName']} is {domain['domainNameStatus']}"
        for domain in facts["domains"]
        if domain.get("domainNameStatus", "AVAILABLE") != "AVAILABLE"
    ]
    return f"Domain names are not available: {', '.join(bad)}." if bad else ""


def _cache_status(facts: Facts) -> str:
    stage = facts["stage"]
    status = stage.get("cacheClusterStatus", "NOT_AVAILABLE")
    return f"The cache cluster is {status}." if stage.get("cacheClusterEnabled") and status != "AVAILABLE" else ""


RULES = (
    same("ApiGwV1ApiKeySource", ALL, "API key source", lambda facts: facts["api"].get("apiKeySource", "HEADER")),
    same("ApiGwV1BasePath", ALL, "base paths", lambda facts: sorted(path for path, _ in facts["mappings"])),
    same(
        "ApiGwV1BinaryMediaTypes",
        ALL,
        "binary media types",
        lambda facts: sorted(facts["api"].get("binaryMediaTypes", ())),
    ),
    same(
        "ApiGwV1CacheClusterEnabled",
        ALL,
        "cache cluster setting",
        lambda facts: bool(facts["stage"].get("cacheClusterEnabled")),
        description=f"Inspects all {ALL} to ensure that either all have a cache cluster, or none has.",
    ),
    greatest(
        "ApiGwV1CacheClusterSize",
        ALL,
        "cache cluster size",
        lambda facts: float(facts["stage"].get("cacheClusterSize") or 0),
    ),
    each(
        "ApiGwV1CacheClusterStatus",
        f"Inspects all {ALL} to ensure that their cache cluster is in the AVAILABLE state.",
        _cache_status,
    ),
    same(
        "ApiGwV1DisableExecuteApiEndpoint",
        ALL,
        "setting of the execute-api endpoint",
        lambda facts: bool(facts["api"].get("disableExecuteApiEndpoint")),
    ),
    same("ApiGwV1DomainName", ALL, "domain names", lambda facts: sorted(domain for _, domain in facts["mappings"])),
    same(
        "ApiGwV1EndpointConfiguration",
        ALL,
        "endpoint configuration of their domains",
        lambda facts: [(domain.get("endpointConfiguration") or {}).get("types") for domain in facts["domains"]],
    ),
    each(
        "ApiGwV1EndpointDomainNameStatus",
        f"Inspects all {ALL} to ensure that the domain name that they are linked to is in the AVAILABLE state.",
        _domain_status,
    ),
    same("ApiGwV1MethodSettings", ALL, "method settings", lambda facts: facts["stage"].get("methodSettings") or {}),
    same(
        "ApiGwV1MutualTlsAuthentication",
        ALL,
        "mutual TLS setting",
        lambda facts: [bool(domain.get("mutualTlsAuthentication")) for domain in facts["domains"]],
    ),
    same(
        "ApiGwV1Policy",
        ALL,
        "use of a resource policy",
        lambda facts: bool(facts["api"].get("policy")),
        description=f"Inspects all {ALL} to ensure that either all have an API policy, or none has.",
    ),
    same("ApiGwV1ResourceMethodConfigs", ALL, "resources and methods", lambda facts: facts["methods"]),
    same(
        "ApiGwV1SecurityPolicy",
        ALL,
        "security policy",
        lambda facts: [domain.get("securityPolicy") for domain in facts["domains"]],
    ),
)
