"""Integrations of methods, and how their answers are turned into the method's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.apigateway import patching
from outlast.cloud.services.apigateway.documents import (
    check_integration,
    check_integration_response,
    integration_of,
    method_of,
)
from outlast.cloud.services.apigateway.errors import BadRequestException, NotFoundException
from outlast.cloud.services.apigateway.operations.common import Document, operation
from outlast.cloud.services.apigateway.state import ApiState

RULES: Final = {
    "/uri": patching.replacing(patching.text, "uri"),
    "/httpMethod": patching.replacing(patching.text, "httpMethod"),
    "/timeoutInMillis": patching.replacing(patching.whole, "timeoutInMillis"),
    "/passthroughBehavior": patching.replacing(patching.text, "passthroughBehavior"),
    "/requestTemplates/{type}": patching.keyed(patching.text, "requestTemplates", "{type}"),
}
RESPONSE_RULES: Final = {
    "/selectionPattern": patching.keyed(patching.text, "selectionPattern"),
    "/responseParameters/{name}": patching.keyed(patching.text, "responseParameters", "{name}"),
    "/responseTemplates/{type}": patching.keyed(patching.text, "responseTemplates", "{type}"),
}


def shape(integration: Mapping[str, Any]) -> Document:
    """The Integration shape: the document without empty maps."""
    return {name: value for name, value in integration.items() if value not in ({}, None)}


@operation(role="credentials")
def put_integration(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    resource_id: str,
    http_method: str,
    type: str,
    integration_http_method: str | None = None,
    uri: str | None = None,
    connection_type: str | None = None,
    connection_id: str | None = None,
    credentials: str | None = None,
    request_parameters: Mapping[str, str] | None = None,
    request_templates: Mapping[str, str] | None = None,
    passthrough_behavior: str | None = None,
    cache_namespace: str | None = None,
    cache_key_parameters: Sequence[str] | None = None,
    content_handling: str | None = None,
    timeout_in_millis: int | None = None,
    tls_config: Mapping[str, Any] | None = None,
    response_transfer_mode: str | None = None,
) -> Reply:
    """Say what answers a method."""
    api = call.state.api(rest_api_id)
    method = method_of(api, resource_id, http_method)
    given = {
        "type": type, "httpMethod": integration_http_method, "uri": uri,
        "connectionType": connection_type or "INTERNET", "connectionId": connection_id, "credentials": credentials,
        "requestParameters": request_parameters, "requestTemplates": request_templates,
        "passthroughBehavior": passthrough_behavior, "cacheNamespace": cache_namespace or resource_id,
        "cacheKeyParameters": cache_key_parameters, "contentHandling": content_handling,
        "timeoutInMillis": timeout_in_millis, "tlsConfig": tls_config,
        "responseTransferMode": response_transfer_mode or "BUFFERED",
    }  # fmt: skip
    known = method.get("methodIntegration") or {}
    method["methodIntegration"] = {
        **check_integration(given),
        "integrationResponses": known.get("integrationResponses", {}),
    }
    call.state.put_api(api)
    return shape(method["methodIntegration"])


@operation()
def get_integration(call: Call[ApiState], *, rest_api_id: str, resource_id: str, http_method: str) -> Reply:
    """A method's integration."""
    return shape(integration_of(call.state.api(rest_api_id), resource_id, http_method))


@operation(role="credentials")
def update_integration(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    resource_id: str,
    http_method: str,
    patch_operations: Sequence[Mapping[str, Any]] | None = None,
) -> Reply:
    """Change an integration."""
    api = call.state.api(rest_api_id)
    known = integration_of(api, resource_id, http_method)
    changed = check_integration(patching.apply(known, patch_operations, RULES))
    changed["integrationResponses"] = known.get("integrationResponses", {})
    method_of(api, resource_id, http_method)["methodIntegration"] = changed
    call.state.put_api(api)
    return shape(changed)


@operation()
def delete_integration(call: Call[ApiState], *, rest_api_id: str, resource_id: str, http_method: str) -> Reply:
    """Take a method's integration away."""
    api = call.state.api(rest_api_id)
    integration_of(api, resource_id, http_method)
    del method_of(api, resource_id, http_method)["methodIntegration"]
    call.state.put_api(api)
    return {}


def _response(integration: Mapping[str, Any], status: str) -> Document:
    response: Document | None = integration.get("integrationResponses", {}).get(status)
    if response is None:
        raise NotFoundException("Invalid Integration Response identifier specified")
    return response


@operation()
def put_integration_response(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    resource_id: str,
    http_method: str,
    status_code: str,
    selection_pattern: str | None = None,
    response_parameters: Mapping[str, str] | None = None,
    response_templates: Mapping[str, str] | None = None,
    content_handling: str | None = None,
) -> Reply:
    """Say how the integration's answer becomes the method's."""
    api = call.state.api(rest_api_id)
    method = method_of(api, resource_id, http_method)
    integration = integration_of(api, resource_id, http_method)
    if status_code not in method["methodResponses"]:
        raise NotFoundException("Invalid Response status code specified")
    declared = method["methodResponses"][status_code].get("responseParameters") or {}
    for name in response_parameters or ():
        if name not in declared:
            raise BadRequestException(f"Invalid mapping expression parameter specified: {name}")
    response = check_integration_response(
        {
            "statusCode": status_code,
            "selectionPattern": selection_pattern,
            "responseParameters": response_parameters,
            "responseTemplates": response_templates,
            "contentHandling": content_handling,
        }
    )
    integration.setdefault("integrationResponses", {})[status_code] = response
    call.state.put_api(api)
    return shape(response)


@operation()
def get_integration_response(
    call: Call[ApiState], *, rest_api_id: str, resource_id: str, http_method: str, status_code: str
) -> Reply:
    """One integration response."""
    return shape(_response(integration_of(call.state.api(rest_api_id), resource_id, http_method), status_code))


@operation()
def update_integration_response(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    resource_id: str,
    http_method: str,
    status_code: str,
    patch_operations: Sequence[Mapping[str, Any]] | None = None,
) -> Reply:
    """Change an integration response."""
    api = call.state.api(rest_api_id)
    integration = integration_of(api, resource_id, http_method)
    patched = patching.apply(_response(integration, status_code), patch_operations, RESPONSE_RULES)
    changed = check_integration_response(patched)
    integration["integrationResponses"][status_code] = changed
    call.state.put_api(api)
    return shape(changed)


@operation()
def delete_integration_response(
    call: Call[ApiState], *, rest_api_id: str, resource_id: str, http_method: str, status_code: str
) -> Reply:
    """Remove an integration response."""
    api = call.state.api(rest_api_id)
    integration = integration_of(api, resource_id, http_method)
    _response(integration, status_code)
    del integration["integrationResponses"][status_code]
    call.state.put_api(api)
    return {}
