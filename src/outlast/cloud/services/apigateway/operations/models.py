"""Models (JSON schemas) and request validators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.apigateway import patching
from outlast.cloud.services.apigateway.documents import check_schema
from outlast.cloud.services.apigateway.errors import BadRequestException, ConflictException, NotFoundException
from outlast.cloud.services.apigateway.operations.common import Document, operation, page, present
from outlast.cloud.services.apigateway.state import ApiState

MODEL_RULES: Final = {
    "/schema": patching.replacing(patching.text, "schema"),
    "/description": patching.replacing(patching.text, "description"),
}
VALIDATOR_RULES: Final = {
    "/name": patching.replacing(patching.text, "name"),
    "/validateRequestBody": patching.replacing(patching.boolean, "validateRequestBody"),
    "/validateRequestParameters": patching.replacing(patching.boolean, "validateRequestParameters"),
}


def _model(api: Mapping[str, Any], name: str) -> Document:
    model: Document | None = api["models"].get(name)
    if model is None:
        raise NotFoundException(f"Invalid model name specified: {name}")
    return model


def _validator(api: Mapping[str, Any], ident: str) -> Document:
    validator: Document | None = api["validators"].get(ident)
    if validator is None:
        raise NotFoundException("Invalid Request Validator identifier specified")
    return validator


def _methods(api: Mapping[str, Any]) -> list[Document]:
    return [method for resource in api["resources"].values() for method in resource["methods"].values()]


@operation()
def create_model(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    name: str,
    content_type: str,
    description: str | None = None,
    schema: str | None = None,
) -> Reply:
    """Add a model."""
    api = call.state.api(rest_api_id)
    if name in api["models"]:
        raise ConflictException(f"Model name already exists for this REST API: {name}")
    if not name.isalnum():
        raise BadRequestException("Model name must be alphanumeric: " + name)
    model = present(
        {
            "id": call.state.identifier(6),
            "name": name,
            "description": description,
            "schema": check_schema(api, schema),
            "contentType": content_type,
        }
    )
    api["models"][name] = model
    call.state.put_api(api)
    return model


@operation()
def get_model(call: Call[ApiState], *, rest_api_id: str, model_name: str) -> Reply:
    """One model."""
    return _model(call.state.api(rest_api_id), model_name)


@operation()
def get_models(
    call: Call[ApiState], *, rest_api_id: str, position: str | None = None, limit: int | None = None
) -> Reply:
    """All models, by id."""
    models = sorted(call.state.api(rest_api_id)["models"].values(), key=lambda each: str(each["id"]))
    return page(models, position, limit)


@operation()
def update_model(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    model_name: str,
    patch_operations: Sequence[Mapping[str, Any]] | None = None,
) -> Reply:
    """Change a model."""
    api = call.state.api(rest_api_id)
    model = patching.apply(_model(api, model_name), patch_operations, MODEL_RULES)
    check_schema(api, model.get("schema"))
    api["models"][model_name] = model
    call.state.put_api(api)
    return model


@operation()
def delete_model(call: Call[ApiState], *, rest_api_id: str, model_name: str) -> Reply:
    """Remove a model that no method uses."""
    api = call.state.api(rest_api_id)
    _model(api, model_name)
    if any(model_name in method.get("requestModels", {}).values() for method in _methods(api)):
        raise ConflictException(f"Cannot delete model '{model_name}', is referenced in method request")
    del api["models"][model_name]
    call.state.put_api(api)
    return {}


@operation()
def create_request_validator(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    name: str | None = None,
    validate_request_body: bool = False,
    validate_request_parameters: bool = False,
) -> Reply:
    """Add a request validator."""
    api = call.state.api(rest_api_id)
    ident = call.state.identifier(6)
    validator = present(
        {
            "id": ident,
            "name": name,
            "validateRequestBody": validate_request_body,
            "validateRequestParameters": validate_request_parameters,
        }
    )
    api["validators"][ident] = validator
    call.state.put_api(api)
    return validator


@operation()
def get_request_validator(call: Call[ApiState], *, rest_api_id: str, request_validator_id: str) -> Reply:
    """One request validator."""
    return _validator(call.state.api(rest_api_id), request_validator_id)


@operation()
def get_request_validators(
    call: Call[ApiState], *, rest_api_id: str, position: str | None = None, limit: int | None = None
) -> Reply:
    """All request validators, by id."""
    validators = sorted(call.state.api(rest_api_id)["validators"].values(), key=lambda each: str(each["id"]))
    return page(validators, position, limit)


@operation()
def update_request_validator(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    request_validator_id: str,
    patch_operations: Sequence[Mapping[str, Any]] | None = None,
) -> Reply:
    """Change a request validator."""
    api = call.state.api(rest_api_id)
    known = _validator(api, request_validator_id)
    api["validators"][request_validator_id] = patching.apply(known, patch_operations, VALIDATOR_RULES)
    call.state.put_api(api)
    validator: Document = api["validators"][request_validator_id]
    return validator


@operation()
def delete_request_validator(call: Call[ApiState], *, rest_api_id: str, request_validator_id: str) -> Reply:
    """Remove a request validator that no method uses."""
    api = call.state.api(rest_api_id)
    _validator(api, request_validator_id)
    if any(method.get("requestValidatorId") == request_validator_id for method in _methods(api)):
        raise ConflictException("Cannot delete a request validator that a method uses")
    del api["validators"][request_validator_id]
    call.state.put_api(api)
    return {}
