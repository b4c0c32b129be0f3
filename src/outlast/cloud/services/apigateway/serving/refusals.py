"""Answers that API Gateway gives itself, by their gateway response type.

https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from outlast.cloud.contract import Fault
from outlast.cloud.services.apigateway.serving.plan import Customised, choose
from outlast.cloud.services.apigateway.serving.templates import Inputs
from outlast.cloud.wire import Response


@dataclass(frozen=True, slots=True)
class Standard:
    """What a type answers unless the API says otherwise."""

    status: int
    error: str
    message: str


STANDARD: Final[Mapping[str, Standard]] = {
    "ACCESS_DENIED": Standard(403, "AccessDeniedException", "User is not authorized to access this resource"),
    "API_CONFIGURATION_ERROR": Standard(500, "InternalServerErrorException", "Internal server error"),
    "BAD_REQUEST_BODY": Standard(400, "BadRequestException", "Invalid request body"),
    "BAD_REQUEST_PARAMETERS": Standard(400, "BadRequestException", "Missing required request parameters"),
    "DEFAULT_4XX": Standard(400, "BadRequestException", "Bad Request"),
    "DEFAULT_5XX": Standard(500, "InternalServerErrorException", "Internal server error"),
    "EXPIRED_TOKEN": Standard(403, "ExpiredTokenException", "The security token included in the request is expired"),
    "INTEGRATION_FAILURE": Standard(504, "InternalServerErrorException", "Network error communicating with endpoint"),
    "INTEGRATION_TIMEOUT": Standard(504, "InternalServerErrorException", "Endpoint request timed out"),
    "INVALID_SIGNATURE": Standard(403, "InvalidSignatureException", "The signature does not match"),
    "MISSING_AUTHENTICATION_TOKEN": Standard(
        403, "MissingAuthenticationTokenException", "Missing Authentication Token"
    ),
    "REQUEST_TOO_LARGE": Standard(413, "RequestTooLargeException", "Request Too Long"),
    "RESOURCE_NOT_FOUND": Standard(404, "NotFoundException", "Not Found"),
    "THROTTLED": Standard(429, "TooManyRequestsException", "Too Many Requests"),
    "UNAUTHORIZED": Standard(401, "UnauthorizedException", "Unauthorized"),
    "UNSUPPORTED_MEDIA_TYPE": Standard(415, "BadRequestException", "Unsupported Media Type"),
}
TYPES: Final = frozenset(
    {
        *STANDARD,
        "AUTHORIZER_CONFIGURATION_ERROR",
        "AUTHORIZER_FAILURE",
        "INVALID_API_KEY",
        "QUOTA_EXCEEDED",
        "WAF_FILTERED",
    }
)
SIGNATURE_TYPES: Final = {
    "ExpiredTokenException": "EXPIRED_TOKEN",
    "MissingAuthenticationTokenException": "MISSING_AUTHENTICATION_TOKEN",
}


class Refusal(Exception):
    """The request ends here with a gateway response.

    `status` overrides the type's own; `member` is the JSON member that holds the message; `log` is for the API's owner.
    """

    def __init__(
        self, kind: str, message: str = "", *, status: int | None = None, error: str = "", member: str = "message",
        log: str = "", validation: str = "",
    ) -> None:  # fmt: skip
        standard = STANDARD[kind]
        super().__init__(kind)
        self.kind = kind
        self.message = message or standard.message
        self.status = status or standard.status
        self.error = error or standard.error
        self.member = member
        self.log = log
        self.validation = validation
        self.integration_ms: int | None = None
        self.integration_status: int | None = None


def of_signature(fault: Fault) -> Refusal:
    """What a bad signature is answered with."""
    kind = SIGNATURE_TYPES.get(fault.code, "INVALID_SIGNATURE")
    return Refusal(kind, fault.message, error=fault.code)


def of_injected(fault: Fault) -> Refusal:
    """What a fault of the world at API Gateway itself is answered with."""
    if (fault.status or 400) == 429 or fault.code == "ThrottlingException":
        return Refusal("THROTTLED")
    return Refusal("DEFAULT_5XX", status=fault.status if (fault.status or 0) >= 500 else 500)


def render(refusal: Refusal, customised: Mapping[str, Customised], inputs: Inputs, accept: str) -> Response:
    """The response: the API's own for the type, or for its class of status, else the standard one."""
    general = "DEFAULT_5XX" if refusal.status >= 500 else "DEFAULT_4XX"
    own = customised.get(refusal.kind) or customised.get(general)
    headers = [("x-amzn-ErrorType", refusal.error)]
    if own is None:
        body = orjson.dumps({refusal.member: refusal.message})
        return Response(refusal.status, (("Content-Type", "application/json"), *headers), body)
    status = own.status or refusal.status
    headers += [(name, value(inputs, "")) for name, value in own.headers]
    media = accept.partition(",")[0].partition(";")[0].strip() or "application/json"
    template = choose(own.templates, media)
    if template is None:
        media = "application/json"
        template = choose(own.templates, media)
    text = orjson.dumps({refusal.member: refusal.message}) if template is None else template.render(inputs).encode()
    return Response(status, (("Content-Type", media), *headers), text)
