"""REST APIs themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from outlast.cloud.contract import Call, Region, Reply
from outlast.cloud.identity.statements import MalformedPolicy, compile_statements
from outlast.cloud.services.apigateway import openapi, patching
from outlast.cloud.services.apigateway.documents import new_api
from outlast.cloud.services.apigateway.errors import BadRequestException
from outlast.cloud.services.apigateway.operations.common import Document, operation, page, present, refuse
from outlast.cloud.services.apigateway.state import ApiState

SHOWN: Final = (
    "id", "name", "description", "createdDate", "version", "binaryMediaTypes", "apiKeySource",
    "endpointConfiguration", "tags", "disableExecuteApiEndpoint", "rootResourceId",
)  # fmt: skip
RULES: Final = {
    "/name": patching.replacing(patching.text, "name"),
    "/description": patching.replacing(patching.text, "description"),
    "/version": patching.replacing(patching.text, "version"),
    "/policy": patching.keyed(patching.text, "policy"),
    "/disableExecuteApiEndpoint": patching.replacing(patching.boolean, "disableExecuteApiEndpoint"),
    "/binaryMediaTypes/{type}": patching.listing("binaryMediaTypes", "{type}"),
    "/minimumCompressionSize": patching.keyed(patching.refused("minimumCompressionSize"), "minimumCompressionSize"),
    "/apiKeySource": patching.replacing(patching.text, "apiKeySource"),
}


def shape(document: Mapping[str, Any]) -> Document:
    """The RestApi shape; the policy's quotes are escaped once more, as AWS sends it."""
    shown = {name: document[name] for name in SHOWN if document.get(name) is not None}
    if document.get("policy"):
        shown["policy"] = document["policy"].replace("\\", "\\\\").replace('"', '\\"')
    return shown


def policy_of(text: str | None, api: str, region: Region) -> str | None:
    """A resource policy as kept, with short resource names made whole; raises BadRequestException."""
    if not text:
        return None
    try:
        document = orjson.loads(text)
        statements = document["Statement"]
        listed = statements if isinstance(statements, list) else [statements]
        for statement in listed:
            for member in ("Resource", "NotResource"):
                if member in statement:
                    statement[member] = _whole(statement[member], region.arn("execute-api", api))
        compile_statements(document, "resource")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, MalformedPolicy) as error:
        raise BadRequestException(
            "Invalid policy document. Please check the policy syntax and ensure that Principals are valid."
        ) from error
    return orjson.dumps(document).decode()


def _whole(resource: Any, head: str) -> Any:
    if isinstance(resource, list):
        return [_whole(each, head) for each in resource]
    return head + resource.removeprefix("execute-api:") if resource.startswith("execute-api:/") else resource


def check_endpoint(configuration: Mapping[str, Any] | None) -> Document:
    """The endpoint configuration; only Regional endpoints exist here. Raises BadRequestException."""
    given = dict(configuration or {"types": ["REGIONAL"]})
    types = given.get("types") or ["REGIONAL"]
    if types != ["REGIONAL"]:
        raise BadRequestException(f"The endpoint type {types[0]} is not supported by this cloud; use REGIONAL.")
    refuse({"endpointConfiguration.vpcEndpointIds": given.get("vpcEndpointIds")})
    return {"types": ["REGIONAL"], "ipAddressType": given.get("ipAddressType", "ipv4")}


@operation()
def create_rest_api(
    call: Call[ApiState],
    *,
    name: str,
    description: str | None = None,
    version: str | None = None,
    binary_media_types: Sequence[str] | None = None,
    api_key_source: str | None = None,
    endpoint_configuration: Mapping[str, Any] | None = None,
    policy: str | None = None,
    tags: Mapping[str, str] | None = None,
    disable_execute_api_endpoint: bool = False,
) -> Reply:
    """Make an API with its root resource."""
    if not name:
        raise BadRequestException("API name must not be empty")
    ident = call.state.identifier(10)
    document = new_api(ident, name, call.state.identifier(10), call.now_s)
    document |= present(
        {
            "description": description,
            "version": version,
            "binaryMediaTypes": list(binary_media_types) if binary_media_types else None,
            "apiKeySource": api_key_source or "HEADER",
            "endpointConfiguration": check_endpoint(endpoint_configuration),
            "policy": policy_of(policy, ident, call.region),
            "tags": dict(tags) if tags else None,
            "disableExecuteApiEndpoint": disable_execute_api_endpoint,
        }
    )
    call.state.put_api(document)
    return shape(document)


@operation()
def get_rest_api(call: Call[ApiState], *, rest_api_id: str) -> Reply:
    """One API."""
    return shape(call.state.api(rest_api_id))


@operation()
def get_rest_apis(call: Call[ApiState], *, position: str | None = None, limit: int | None = None) -> Reply:
    """All APIs, by id."""
    return page([shape(document) for _, document in call.state.apis.items()], position, limit)


@operation()
def update_rest_api(
    call: Call[ApiState], *, rest_api_id: str, patch_operations: Sequence[Mapping[str, Any]] | None = None
) -> Reply:
    """Change an API's own settings; resource policies take effect with the next deployment."""
    document = patching.apply(call.state.api(rest_api_id), patch_operations, RULES)
    document["policy"] = policy_of(document.get("policy"), rest_api_id, call.region)
    call.state.put_api(document)
    return shape(document)


@operation()
def delete_rest_api(call: Call[ApiState], *, rest_api_id: str) -> Reply:
    """Remove an API with all it has. Domain names that are mapped to it must let go first."""
    call.state.api(rest_api_id)
    for domain in call.state.domains.values():
        if any(mapping["restApiId"] == rest_api_id for mapping in domain["mappings"].values()):
            raise BadRequestException("Please remove all base path mappings related to the API in your account")
    call.state.remove_api(rest_api_id)
    return {}


@operation()
def import_rest_api(
    call: Call[ApiState],
    *,
    body: bytes,
    fail_on_warnings: bool = False,
    parameters: Mapping[str, str] | None = None,
) -> Reply:
    """Make an API from an OpenAPI document."""
    _check_parameters(parameters)
    ident = call.state.identifier(10)
    document = new_api(ident, "", call.state.identifier(10), call.now_s)
    document |= {"apiKeySource": "HEADER", "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "ipv4"}}
    imported = openapi.merge(document, openapi.read(body), call.state.identifier, overwrite=True)
    imported["policy"] = policy_of(imported.get("policy"), ident, call.region)
    call.state.put_api(imported)
    return shape(imported)


@operation()
def put_rest_api(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    body: bytes,
    mode: str = "merge",
    fail_on_warnings: bool = False,
    parameters: Mapping[str, str] | None = None,
) -> Reply:
    """Change an API by an OpenAPI document: merge into it, or overwrite it."""
    _check_parameters(parameters)
    document = call.state.api(rest_api_id)
    imported = openapi.merge(document, openapi.read(body), call.state.identifier, overwrite=mode == "overwrite")
    imported["policy"] = policy_of(imported.get("policy"), rest_api_id, call.region)
    call.state.put_api(imported)
    return shape(imported)


def _check_parameters(parameters: Mapping[str, str] | None) -> None:
    unknown = sorted(set(parameters or ()) - {"endpointConfigurationTypes", "basepath", "ignore"})
    if unknown:
        raise BadRequestException(f"The import parameter {unknown[0]} is not supported by this cloud.")
    if (parameters or {}).get("endpointConfigurationTypes", "REGIONAL") != "REGIONAL":
        raise BadRequestException("Only REGIONAL endpoints are supported by this cloud.")
    if (parameters or {}).get("basepath", "ignore") != "ignore":
        raise BadRequestException("Only basepath=ignore is supported by this cloud.")
