"""What an API's document holds, and the checks that keep it deployable.

A document is JSON by AWS's member names: the API's own settings, `resources` (id -> resource with `methods`),
`models` (by name), `validators` (by id) and `gatewayResponses` (by type).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from outlast.cloud.services.apigateway.errors import BadRequestException, NotFoundException
from outlast.cloud.services.apigateway.serving.plan import DEFAULT_TIMEOUT_MS, LAMBDA_URI
from outlast.cloud.services.apigateway.serving.schema import BadSchema, compile_schema
from outlast.cloud.services.apigateway.serving.templates import BadTemplate, compile_template
from outlast.cloud.services.apigateway.serving.values import compile_value

Document = dict[str, Any]
METHODS: Final = frozenset({"ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
PART: Final = re.compile(r"[a-zA-Z0-9._:\-]+|\{[a-zA-Z0-9._\-]+\+?\}")
PARAMETER: Final = re.compile(r"method\.request\.(path|querystring|header)\.[\w.$+!*'()-]+")
TIMEOUTS_MS: Final = (50, 29_000)
EMPTY_MODELS: Final[Mapping[str, Mapping[str, Any]]] = {
    "Empty": {"title": "Empty Schema", "type": "object"},
    "Error": {"title": "Error Schema", "type": "object", "properties": {"message": {"type": "string"}}},
}


def new_api(ident: str, name: str, root: str, now_s: float) -> Document:
    """An API with its root resource and the two models that every API has."""
    schema = {"$schema": "http://json-schema.org/draft-04/schema#"}
    models = {
        kind: {
            "id": f"{ident[:5]}{kind[0].lower()}",
            "name": kind,
            "description": f"This is a default {kind.lower()} schema model",
            "schema": orjson.dumps({**schema, **each}).decode(),
            "contentType": "application/json",
        }
        for kind, each in EMPTY_MODELS.items()
    }
    return {
        "id": ident,
        "name": name,
        "createdDate": now_s,
        "rootResourceId": root,
        "resources": {root: {"id": root, "path": "/", "methods": {}}},
        "models": models,
        "validators": {},
        "gatewayResponses": {},
    }


def resource_of(api: Mapping[str, Any], ident: str) -> Document:
    """A resource; raises NotFoundException."""
    resource: Document | None = api["resources"].get(ident)
    if resource is None:
        raise NotFoundException.of("Resource")
    return resource


def method_of(api: Mapping[str, Any], resource: str, http_method: str) -> Document:
    """A method; raises NotFoundException."""
    method: Document | None = resource_of(api, resource)["methods"].get(http_method.upper())
    if method is None:
        raise NotFoundException("Invalid Method identifier specified")
    return method


def integration_of(api: Mapping[str, Any], resource: str, http_method: str) -> Document:
    """A method's integration; raises NotFoundException."""
    integration: Document | None = method_of(api, resource, http_method).get("methodIntegration")
    if integration is None:
        raise NotFoundException("Invalid Integration identifier specified")
    return integration


def check_part(part: str) -> str:
    """A path part; raises BadRequestException."""
    if not PART.fullmatch(part):
        raise BadRequestException(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the "
            "beginning and the end."
        )
    return part


def check_method(name: str) -> str:
    """An HTTP method in capitals; raises BadRequestException."""
    if name.upper() not in METHODS:
        raise BadRequestException(f"Invalid HTTP method {name} specified.")
    return name.upper()


def check_authorization(kind: str) -> str:
    """AWS_IAM or NONE; raises BadRequestException for the others, by name."""
    if kind not in ("AWS_IAM", "NONE"):
        raise BadRequestException(
            f"The authorization type {kind} is not supported by this cloud; it has AWS_IAM and NONE."
        )
    return kind


def check_parameters(parameters: Mapping[str, Any] | None) -> dict[str, bool]:
    """Request parameters of a method; raises BadRequestException."""
    for name in parameters or ():
        if not PARAMETER.fullmatch(name):
            raise BadRequestException(f"Invalid mapping expression specified: {name}")
    return {name: bool(needed) for name, needed in (parameters or {}).items()}


def check_templates(templates: Mapping[str, str] | None) -> dict[str, str]:
    """Mapping templates; raises BadRequestException that names what is not supported."""
    for text in (templates or {}).values():
        try:
            compile_template(text or "")
        except BadTemplate as error:
            raise BadRequestException(f"Invalid mapping template: {error}") from error
    return {media: text or "" for media, text in (templates or {}).items()}


def check_values(parameters: Mapping[str, str] | None, prefix: str) -> dict[str, str]:
    """Header mappings of a response; raises BadRequestException."""
    for target, text in (parameters or {}).items():
        if not target.startswith(prefix):
            raise BadRequestException(f"Invalid mapping expression specified: {target}")
        try:
            compile_value(text)
        except BadTemplate as error:
            raise BadRequestException(f"Invalid mapping expression specified: {error}") from error
    return dict(parameters or {})


def check_schema(api: Mapping[str, Any], text: str | None) -> str:
    """A model's schema; raises BadRequestException."""
    if not text:
        return ""
    try:
        compile_schema(orjson.loads(text), lambda name: orjson.loads(api["models"][name]["schema"]))
    except (orjson.JSONDecodeError, BadSchema, KeyError) as error:
        raise BadRequestException(f"Invalid model schema specified: {error}") from error
    return text


def check_integration(document: Mapping[str, Any]) -> Document:
    """An integration; raises BadRequestException for kinds and settings that this cloud does not have."""
    kind = document["type"]
    if kind not in ("AWS_PROXY", "MOCK"):
        raise BadRequestException(
            f"The integration type {kind} is not supported by this cloud; it has AWS_PROXY and MOCK."
        )
    for member in (
        "connectionId",
        "credentials",
        "requestParameters",
        "cacheKeyParameters",
        "contentHandling",
        "tlsConfig",
    ):
        if document.get(member):
            raise BadRequestException(f"The integration's {member} is not supported by this cloud.")
    if document.get("connectionType", "INTERNET") != "INTERNET":
        raise BadRequestException("The integration's connectionType VPC_LINK is not supported by this cloud.")
    if document.get("responseTransferMode", "BUFFERED") != "BUFFERED":
        raise BadRequestException("The integration's responseTransferMode STREAM is not supported by this cloud.")
    made: Document = {
        "type": kind,
        "passthroughBehavior": document.get("passthroughBehavior") or "WHEN_NO_MATCH",
        "timeoutInMillis": document.get("timeoutInMillis") or DEFAULT_TIMEOUT_MS,
        "cacheNamespace": document["cacheNamespace"],
        "cacheKeyParameters": [],
        "requestTemplates": check_templates(document.get("requestTemplates")),
    }
    if not TIMEOUTS_MS[0] <= made["timeoutInMillis"] <= TIMEOUTS_MS[1]:
        raise BadRequestException("Timeout should be between 50 ms and 29000 ms")
    if kind == "AWS_PROXY":
        uri = document.get("uri") or ""
        if not LAMBDA_URI.fullmatch(uri):
            raise BadRequestException(
                "Invalid ARN specified in the request"
                if not uri
                else f"Only functions of Lambda can be integrated in this cloud; {uri} is none."
            )
        if (document.get("httpMethod") or "").upper() != "POST":
            raise BadRequestException("The integration method of a Lambda function must be POST.")
        made |= {"uri": uri, "httpMethod": "POST"}
    return made


def check_integration_response(document: Mapping[str, Any]) -> Document:
    """An integration response; raises BadRequestException."""
    if document.get("contentHandling"):
        raise BadRequestException("The response's contentHandling is not supported by this cloud.")
    pattern = document.get("selectionPattern")
    try:
        re.compile(pattern or "")
    except re.error as error:
        raise BadRequestException(f"Invalid selection pattern specified: {pattern}") from error
    made: Document = {
        "statusCode": str(document["statusCode"]),
        "responseParameters": check_values(document.get("responseParameters"), "method.response.header."),
        "responseTemplates": check_templates(document.get("responseTemplates")),
    }
    if pattern:
        made["selectionPattern"] = pattern
    return made


def check_deployable(api: Mapping[str, Any]) -> None:
    """Raise BadRequestException for an API that cannot be deployed."""
    methods = [method for resource in api["resources"].values() for method in resource["methods"].values()]
    if not methods:
        raise BadRequestException("The REST API doesn't contain any methods")
    if any("methodIntegration" not in method for method in methods):
        raise BadRequestException("No integration defined for method")
    for method in methods:
        validator = method.get("requestValidatorId")
        if validator and validator not in api["validators"]:
            raise BadRequestException("Invalid Request Validator identifier specified")
        for model in method.get("requestModels", {}).values():
            if model not in api["models"]:
                raise BadRequestException(f"Invalid model identifier specified: {model}")
