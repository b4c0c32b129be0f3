"""Custom domain names and their base path mappings.

https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-custom-domains.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from outlast.cloud.contract import Call, Fault, Reply
from outlast.cloud.services.apigateway import patching
from outlast.cloud.services.apigateway.errors import BadRequestException, ConflictException, NotFoundException
from outlast.cloud.services.apigateway.operations.apis import check_endpoint
from outlast.cloud.services.apigateway.operations.common import Document, operation, page, refuse
from outlast.cloud.services.apigateway.serving.arriving import NO_BASE
from outlast.cloud.services.apigateway.state import ApiState
from outlast.cloud.services.apigateway.zones import zone_of

RULES: Final = {
    "/regionalCertificateArn": patching.replacing(patching.text, "regionalCertificateArn"),
    "/securityPolicy": patching.replacing(patching.text, "securityPolicy"),
}
MAPPING_RULES: Final = {
    "/basePath": patching.replacing(patching.text, "basePath"),
    "/restapiId": patching.replacing(patching.text, "restApiId"),
    "/restApiId": patching.replacing(patching.text, "restApiId"),
    "/stage": patching.keyed(patching.text, "stage"),
}


def shape(document: Mapping[str, Any]) -> Document:
    """The DomainName shape."""
    return {name: value for name, value in document.items() if name != "mappings" and value not in (None, {})}


async def check_certificate(call: Call[ApiState], arn: str, name: str) -> None:
    """Raise BadRequestException unless ACM has issued the certificate for this name, in this Region."""
    try:
        found = await call.region.aws(
            "acm", "DescribeCertificate", {"CertificateArn": arn}, principal=call.region.linked("apigateway")
        )
    except Fault as fault:
        raise BadRequestException(f"Invalid certificate ARN specified: {arn}. {fault.message}") from fault
    certificate = found["Certificate"]
    if certificate.get("Status") != "ISSUED":
        raise BadRequestException(f"The certificate {arn} has not been issued: it is {certificate.get('Status')}.")
    names = certificate.get("SubjectAlternativeNames") or [certificate.get("DomainName", "")]
    if not any(_covers(each, name) for each in names):
        raise BadRequestException(f"The provided certificate does not match {name}.")


def _covers(pattern: str, name: str) -> bool:
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:]
    return pattern.lower() == name


@operation(ignored=("endpointAccessMode",))
async def create_domain_name(
    call: Call[ApiState],
    *,
    domain_name: str,
    certificate_arn: str | None = None,
    regional_certificate_name: str | None = None,
    regional_certificate_arn: str | None = None,
    endpoint_configuration: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    security_policy: str | None = None,
    mutual_tls_authentication: Mapping[str, Any] | None = None,
    routing_mode: str | None = None,
) -> Reply:
    """Make a Regional custom domain name with a certificate of ACM."""
    name = domain_name.lower()
    refuse({"certificateArn": certificate_arn, "mutualTlsAuthentication": mutual_tls_authentication})
    if routing_mode not in (None, "BASE_PATH_MAPPING_ONLY"):
        raise BadRequestException(f"The routing mode {routing_mode} is not supported by this cloud.")
    if security_policy == "TLS_1_0":
        raise BadRequestException("The security policy TLS_1_0 is not supported by this cloud; use TLS_1_2.")
    endpoint = check_endpoint(endpoint_configuration)
    if not regional_certificate_arn:
        raise BadRequestException("A regional certificate must be specified.")
    if name in call.state.domains:
        raise ConflictException("The domain name you provided already exists.")
    await check_certificate(call, regional_certificate_arn, name)
    region = call.region.name
    document: Document = {
        "domainName": name,
        "domainNameArn": f"arn:aws:apigateway:{region}::/domainnames/{name}",
        "regionalCertificateArn": regional_certificate_arn,
        "regionalCertificateName": regional_certificate_name,
        "regionalDomainName": f"d-{call.state.identifier(10)}.execute-api.{region}.amazonaws.com",
        "regionalHostedZoneId": zone_of(region),
        "endpointConfiguration": endpoint,
        "domainNameStatus": "AVAILABLE",
        "securityPolicy": security_policy or "TLS_1_2",
        "certificateUploadDate": call.now_s,
        "routingMode": "BASE_PATH_MAPPING_ONLY",
        "tags": dict(tags or {}),
        "mappings": {},
    }
    call.state.put_domain(document)
    return shape(document)


@operation()
def get_domain_name(call: Call[ApiState], *, domain_name: str) -> Reply:
    """One custom domain name."""
    return shape(call.state.domain(domain_name.lower()))


@operation()
def get_domain_names(call: Call[ApiState], *, position: str | None = None, limit: int | None = None) -> Reply:
    """All custom domain names, by name."""
    found = [shape(document) for _, document in sorted(call.state.domains.items())]
    return page(found, position, limit, key="domainName")


@operation()
async def update_domain_name(
    call: Call[ApiState], *, domain_name: str, patch_operations: Sequence[Mapping[str, Any]] | None = None
) -> Reply:
    """Change a custom domain name's certificate."""
    document = call.state.domain(domain_name.lower())
    changed = patching.apply(document, patch_operations, RULES)
    if changed["regionalCertificateArn"] != document["regionalCertificateArn"]:
        await check_certificate(call, changed["regionalCertificateArn"], document["domainName"])
    call.state.put_domain(changed)
    return shape(changed)


@operation()
def delete_domain_name(call: Call[ApiState], *, domain_name: str) -> Reply:
    """Remove a custom domain name with its mappings."""
    call.state.domain(domain_name.lower())
    call.state.remove_domain(domain_name.lower())
    return {}


def _key(base_path: str | None) -> str:
    path = (base_path or "").strip("/")
    return path or NO_BASE


def _mapping(document: Mapping[str, Any], base_path: str) -> Document:
    mapping: Document | None = document["mappings"].get(_key(base_path))
    if mapping is None:
        raise NotFoundException("Invalid base path mapping identifier specified")
    return mapping


def _check_mapping(call: Call[ApiState], mapping: Mapping[str, Any]) -> None:
    if mapping["restApiId"] not in call.state.apis:
        raise BadRequestException("Invalid REST API identifier specified")
    stage = mapping.get("stage")
    if stage and f"{mapping['restApiId']}/{stage}" not in call.state.stages:
        raise BadRequestException("Invalid stage identifier specified")


@operation()
def create_base_path_mapping(
    call: Call[ApiState],
    *,
    domain_name: str,
    rest_api_id: str,
    base_path: str | None = None,
    stage: str | None = None,
) -> Reply:
    """Serve an API's stage below a base path of a custom domain name."""
    document = call.state.domain(domain_name.lower())
    key = _key(base_path)
    if key in document["mappings"]:
        raise ConflictException("Base path already exists for this domain name")
    mapping: Document = {"basePath": key, "restApiId": rest_api_id}
    if stage:
        mapping["stage"] = stage
    _check_mapping(call, mapping)
    document["mappings"][key] = mapping
    call.state.put_domain(document)
    return mapping


@operation()
def get_base_path_mapping(call: Call[ApiState], *, domain_name: str, base_path: str) -> Reply:
    """One mapping; `(none)` names the one without a base path."""
    return _mapping(call.state.domain(domain_name.lower()), base_path)


@operation()
def get_base_path_mappings(
    call: Call[ApiState], *, domain_name: str, position: str | None = None, limit: int | None = None
) -> Reply:
    """All mappings of a custom domain name, by base path."""
    mappings = call.state.domain(domain_name.lower())["mappings"]
    return page([mapping for _, mapping in sorted(mappings.items())], position, limit, key="basePath")


@operation()
def update_base_path_mapping(
    call: Call[ApiState],
    *,
    domain_name: str,
    base_path: str,
    patch_operations: Sequence[Mapping[str, Any]] | None = None,
) -> Reply:
    """Change what a base path leads to."""
    document = call.state.domain(domain_name.lower())
    mapping = patching.apply(_mapping(document, base_path), patch_operations, MAPPING_RULES)
    mapping["basePath"] = _key(mapping["basePath"])
    _check_mapping(call, mapping)
    del document["mappings"][_key(base_path)]
    if mapping["basePath"] in document["mappings"]:
        raise ConflictException("Base path already exists for this domain name")
    document["mappings"][mapping["basePath"]] = mapping
    call.state.put_domain(document)
    return mapping


@operation()
def delete_base_path_mapping(call: Call[ApiState], *, domain_name: str, base_path: str) -> Reply:
    """Remove a mapping."""
    document = call.state.domain(domain_name.lower())
    _mapping(document, base_path)
    del document["mappings"][_key(base_path)]
    call.state.put_domain(document)
    return {}
