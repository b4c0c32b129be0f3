"""Methods of resources, and what they may answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.apigateway import patching
from outlast.cloud.services.apigateway.documents import (
    check_authorization,
    check_method,
    check_parameters,
    method_of,
    resource_of,
)
from outlast.cloud.services.apigateway.errors import BadRequestException, ConflictException, NotFoundException
from outlast.cloud.services.apigateway.operations.common import Document, operation, present, refuse
from outlast.cloud.services.apigateway.state import ApiState

RULES: Final = {
    "/authorizationType": patching.replacing(check_authorization, "authorizationType"),
    "/apiKeyRequired": patching.replacing(patching.refused("apiKeyRequired"), "apiKeyRequired"),
    "/operationName": patching.keyed(patching.text, "operationName"),
    "/requestValidatorId": patching.keyed(patching.text, "requestValidatorId"),
    "/requestModels/{type}": patching.keyed(patching.text, "requestModels", "{type}"),
    "/requestParameters/{name}": patching.keyed(patching.boolean, "requestParameters", "{name}"),
}
RESPONSE_RULES: Final = {
    "/responseParameters/{name}": patching.keyed(patching.boolean, "responseParameters", "{name}"),
    "/responseModels/{type}": patching.keyed(patching.text, "responseModels", "{type}"),
}


def method_shape(method: Mapping[str, Any]) -> Document:
    """The Method shape: the document without empty maps."""
    return {name: value for name, value in method.items() if value not in ({}, None)}


def _check_references(api: Mapping[str, Any], method: Mapping[str, Any]) -> None:
    validator = method.get("requestValidatorId")
    if validator and validator not in api["validators"]:
        raise BadRequestException("Invalid Request Validator identifier specified")
    for model in (method.get("requestModels") or {}).values():
        if model not in api["models"]:
            raise BadRequestException("Invalid model identifier specified: " + str(model))


@operation()
def put_method(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    resource_id: str,
    http_method: str,
    authorization_type: str,
    authorizer_id: str | None = None,
    api_key_required: bool = False,
    operation_name: str | None = None,
    request_parameters: Mapping[str, bool] | None = None,
    request_models: Mapping[str, str] | None = None,
    request_validator_id: str | None = None,
    authorization_scopes: Sequence[str] | None = None,
) -> Reply:
    """Add a method to a resource."""
    api = call.state.api(rest_api_id)
    resource = resource_of(api, resource_id)
    name = check_method(http_method)
    refuse(
        {
            "authorizerId": authorizer_id,
            "apiKeyRequired": api_key_required,
            "authorizationScopes": authorization_scopes,
        }
    )
    if name in resource["methods"]:
        raise ConflictException("Method already exists for this resource")
    method = present(
        {
            "httpMethod": name,
            "authorizationType": check_authorization(authorization_type),
            "apiKeyRequired": False,
            "operationName": operation_name,
            "requestParameters": check_parameters(request_parameters),
            "requestModels": dict(request_models or {}),
            "requestValidatorId": request_validator_id or None,
            "methodResponses": {},
        }
    )
    _check_references(api, method)
    resource["methods"][name] = method
    call.state.put_api(api)
    return method_shape(method)


@operation()
def get_method(call: Call[ApiState], *, rest_api_id: str, resource_id: str, http_method: str) -> Reply:
    """One method with its integration."""
    return method_shape(method_of(call.state.api(rest_api_id), resource_id, http_method))


@operation()
def update_method(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    resource_id: str,
    http_method: str,
    patch_operations: Sequence[Mapping[str, Any]] | None = None,
) -> Reply:
    """Change a method."""
    api = call.state.api(rest_api_id)
    method = patching.apply(method_of(api, resource_id, http_method), patch_operations, RULES)
    check_parameters(method.get("requestParameters"))
    _check_references(api, method)
    resource_of(api, resource_id)["methods"][method["httpMethod"]] = method
    call.state.put_api(api)
    return method_shape(method)


@operation()
def delete_method(call: Call[ApiState], *, rest_api_id: str, resource_id: str, http_method: str) -> Reply:
    """Remove a method."""
    api = call.state.api(rest_api_id)
    name = method_of(api, resource_id, http_method)["httpMethod"]
    del resource_of(api, resource_id)["methods"][name]
    call.state.put_api(api)
    return {}


def _response(method: Mapping[str, Any], status: str) -> Document:
    response: Document | None = method["methodResponses"].get(status)
    if response is None:
        raise NotFoundException("Invalid Response status code specified")
    return response


@operation()
def put_method_response(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    resource_id: str,
    http_method: str,
    status_code: str,
    response_parameters: Mapping[str, bool] | None = None,
    response_models: Mapping[str, str] | None = None,
) -> Reply:
    """Say that a method may answer with a status."""
    api = call.state.api(rest_api_id)
    method = method_of(api, resource_id, http_method)
    if status_code in method["methodResponses"]:
        raise ConflictException("Response already exists for this resource")
    if not (status_code.isdigit() and 100 <= int(status_code) <= 599):
        raise BadRequestException("Invalid status code specified")
    response = present(
        {
            "statusCode": status_code,
            "responseParameters": dict(response_parameters) if response_parameters else None,
            "responseModels": dict(response_models) if response_models else None,
        }
    )
    method["methodResponses"][status_code] = response
    call.state.put_api(api)
    return response


@operation()
def get_method_response(
    call: Call[ApiState], *, rest_api_id: str, resource_id: str, http_method: str, status_code: str
) -> Reply:
    """One method response."""
    return _response(method_of(call.state.api(rest_api_id), resource_id, http_method), status_code)


@operation()
def update_method_response(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    resource_id: str,
    http_method: str,
    status_code: str,
    patch_operations: Sequence[Mapping[str, Any]] | None = None,
) -> Reply:
    """Change a method response."""
    api = call.state.api(rest_api_id)
    method = method_of(api, resource_id, http_method)
    changed = patching.apply(_response(method, status_code), patch_operations, RESPONSE_RULES)
    method["methodResponses"][status_code] = changed
    call.state.put_api(api)
    return changed


@operation()
def delete_method_response(
    call: Call[ApiState], *, rest_api_id: str, resource_id: str, http_method: str, status_code: str
) -> Reply:
    """Remove a method response."""
    api = call.state.api(rest_api_id)
    method = method_of(api, resource_id, http_method)
    _response(method, status_code)
    del method["methodResponses"][status_code]
    call.state.put_api(api)
    return {}
