"""Gateway responses: what an API answers when its integration does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.apigateway import patching
from outlast.cloud.services.apigateway.documents import check_templates, check_values
from outlast.cloud.services.apigateway.errors import BadRequestException, NotFoundException
from outlast.cloud.services.apigateway.operations.common import Document, operation, page
from outlast.cloud.services.apigateway.serving.refusals import STANDARD, TYPES
from outlast.cloud.services.apigateway.state import ApiState

RULES: Final = {
    "/statusCode": patching.keyed(patching.text, "statusCode"),
    "/responseParameters/{name}": patching.keyed(patching.text, "responseParameters", "{name}"),
    "/responseTemplates/{type}": patching.keyed(patching.text, "responseTemplates", "{type}"),
}


def _standard(kind: str) -> Document:
    known = STANDARD.get(kind)
    shown: Document = {
        "responseType": kind,
        "responseParameters": {},
        "responseTemplates": {"application/json": '{"message":$context.error.messageString}'},
        "defaultResponse": True,
    }
    if known is not None and not kind.startswith("DEFAULT_"):
        shown["statusCode"] = str(known.status)
    return shown


def checked(document: Mapping[str, Any]) -> Document:
    """A gateway response; raises BadRequestException."""
    status = document.get("statusCode")
    if status and not (str(status).isdigit() and 100 <= int(status) <= 599):
        raise BadRequestException(f"Invalid status code specified: {status}")
    made: Document = {
        "responseType": document["responseType"],
        "responseParameters": check_values(document.get("responseParameters"), "gatewayresponse.header."),
        "responseTemplates": check_templates(document.get("responseTemplates")),
        "defaultResponse": False,
    }
    if status:
        made["statusCode"] = str(status)
    return made


@operation()
def put_gateway_response(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    response_type: str,
    status_code: str | None = None,
    response_parameters: Mapping[str, str] | None = None,
    response_templates: Mapping[str, str] | None = None,
) -> Reply:
    """Say what a type of refusal looks like."""
    api = call.state.api(rest_api_id)
    response = checked(
        {
            "responseType": response_type,
            "statusCode": status_code,
            "responseParameters": response_parameters,
            "responseTemplates": response_templates,
        }
    )
    api["gatewayResponses"][response_type] = response
    call.state.put_api(api)
    return response


def _response(api: Mapping[str, Any], kind: str) -> Document:
    if kind not in TYPES:
        raise NotFoundException("Invalid Gateway Response type specified")
    return api["gatewayResponses"].get(kind) or _standard(kind)


@operation()
def get_gateway_response(call: Call[ApiState], *, rest_api_id: str, response_type: str) -> Reply:
    """One gateway response, the standard one when the API has none of its own."""
    return _response(call.state.api(rest_api_id), response_type)


@operation()
def get_gateway_responses(
    call: Call[ApiState], *, rest_api_id: str, position: str | None = None, limit: int | None = None
) -> Reply:
    """All gateway responses, standard ones too."""
    api = call.state.api(rest_api_id)
    return page([_response(api, kind) for kind in sorted(TYPES)], position, limit, key="responseType")


@operation()
def update_gateway_response(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    response_type: str,
    patch_operations: Sequence[Mapping[str, Any]] | None = None,
) -> Reply:
    """Change a gateway response."""
    api = call.state.api(rest_api_id)
    changed = checked(patching.apply(_response(api, response_type), patch_operations, RULES))
    api["gatewayResponses"][response_type] = changed
    call.state.put_api(api)
    return changed


@operation()
def delete_gateway_response(call: Call[ApiState], *, rest_api_id: str, response_type: str) -> Reply:
    """Go back to the standard response."""
    api = call.state.api(rest_api_id)
    if response_type not in api["gatewayResponses"]:
        raise NotFoundException("Gateway response type not defined on API")
    del api["gatewayResponses"][response_type]
    call.state.put_api(api)
    return {}
