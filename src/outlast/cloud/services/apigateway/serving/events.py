"""The event a Lambda function gets from a proxy integration, and the answer read back from it (format 1.0).

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import base64
import binascii
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from outlast.cloud.services.apigateway.serving.facts import Facts

ANSWER_KEYS: Final = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})
DROPPED: Final = frozenset({"content-length", "connection", "transfer-encoding", "keep-alive", "upgrade", "expect"})
"""Headers of the client's connection, which no integration sees."""
LOST: Final = frozenset({"transfer-encoding", "keep-alive", "upgrade"})
REMAPPED: Final = {
    name: f"x-amzn-Remapped-{name.capitalize()}"
    for name in ("authorization", "connection", "content-length", "date", "server", "www-authenticate")
}
"""Headers of a function's answer that go out under another name.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
"""


class Malformed(Exception):
    """The function's answer is not of the form that a proxy integration needs."""


@functools.lru_cache(1024)
def header_name(lower: str) -> str:
    """A header's name as clients usually write it; the wire's own case is not kept."""
    return "-".join(part.capitalize() for part in lower.split("-"))


def query_of(raw: str) -> dict[str, list[str]]:
    """The query string's parameters, decoded, each with all its values."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(raw, keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return found


def headers_of(received: Mapping[str, str], facts: Facts, port: int) -> dict[str, str]:
    """The request's headers as the function sees them, those that API Gateway adds included."""
    headers = {header_name(name): value for name, value in received.items() if name not in DROPPED}
    forwarded = headers.get("X-Forwarded-For")
    headers["X-Forwarded-For"] = f"{forwarded}, {facts.source_ip}" if forwarded else facts.source_ip
    headers["X-Forwarded-Port"] = str(port)
    headers["X-Forwarded-Proto"] = "https"
    headers["X-Amzn-Trace-Id"] = facts.trace_id
    headers["Host"] = facts.domain
    return headers


def identity_of(facts: Facts) -> dict[str, Any]:
    """`requestContext.identity`."""
    principal = facts.principal
    return {
        "cognitoIdentityPoolId": None,
        "accountId": principal.account_id if facts.signed else None,
        "cognitoIdentityId": None,
        "caller": principal.user_id if facts.signed else None,
        "sourceIp": facts.source_ip,
        "principalOrgId": None,
        "accessKey": principal.access_key_id if facts.signed else None,
        "cognitoAuthenticationType": None,
        "cognitoAuthenticationProvider": None,
        "userArn": principal.arn if facts.signed else None,
        "userAgent": facts.user_agent or None,
        "user": principal.user_id if facts.signed else None,
    }


def request_context(facts: Facts) -> dict[str, Any]:
    """`requestContext`."""
    return {
        "resourceId": facts.resource_id,
        "resourcePath": facts.resource_path,
        "httpMethod": facts.method,
        "extendedRequestId": facts.extended_id,
        "requestTime": facts.request_time,
        "path": facts.path,
        "accountId": facts.account_id,
        "protocol": "HTTP/1.1",
        "stage": facts.stage,
        "domainPrefix": facts.domain.partition(".")[0],
        "requestTimeEpoch": facts.now_ms,
        "requestId": facts.request_id,
        "identity": identity_of(facts),
        "domainName": facts.domain,
        "deploymentId": facts.deployment_id,
        "apiId": facts.api_id,
    }


def event_of(
    facts: Facts,
    headers: Mapping[str, str],
    query: Mapping[str, list[str]],
    path_parameters: Mapping[str, str],
    event_path: str,
    body: bytes,
    *,
    binary: bool,
) -> bytes:
    """The event as JSON."""
    text: str | None = None
    if body:
        text = base64.b64encode(body).decode() if binary else body.decode("utf-8", "replace")
    return orjson.dumps(
        {
            "resource": facts.resource_path,
            "path": event_path,
            "httpMethod": facts.method,
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
            "multiValueQueryStringParameters": query or None,
            "pathParameters": path_parameters or None,
            "stageVariables": facts.variables or None,
            "requestContext": request_context(facts),
            "body": text,
            "isBase64Encoded": bool(body) and binary,
        }
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What the function answers."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def answer_of(payload: bytes, *, decode: bool) -> Answer:
    """Read a function's answer; `decode` says whether a base64 body goes out as the bytes it stands for.

    Raises Malformed for what AWS answers with 502.
    """
    try:
        answer = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise Malformed("it is no JSON") from error
    if not isinstance(answer, dict) or not answer.keys() <= ANSWER_KEYS:
        raise Malformed("it is not an object with statusCode, headers, multiValueHeaders, body and isBase64Encoded")
    body = answer.get("body")
    if body is not None and not isinstance(body, str):
        raise Malformed("its body is no text")
    data = (body or "").encode()
    if answer.get("isBase64Encoded") and decode:
        try:
            data = base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise Malformed("its body is no base64") from error
    return Answer(_status(answer.get("statusCode", 200)), tuple(_answer_headers(answer)), data)


def _status(value: Any) -> int:
    try:
        status = int(value)
    except (TypeError, ValueError) as error:
        raise Malformed("its statusCode is no number") from error
    if isinstance(value, bool) or not 100 <= status <= 599:
        raise Malformed("its statusCode is no HTTP status")
    return status


def _answer_headers(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    single = answer.get("headers") or {}
    several = answer.get("multiValueHeaders") or {}
    if not isinstance(single, dict) or not isinstance(several, dict):
        raise Malformed("its headers are no object")
    found: list[tuple[str, str]] = []
    for name, values in several.items():
        if not isinstance(values, list):
            raise Malformed("a multi-value header has no list of values")
        found += [(name, _header_text(value)) for value in values]
    known = {(name.lower(), value) for name, value in found}
    for name, value in single.items():
        text = _header_text(value)
        if (name.lower(), text) not in known:
            found.append((name, text))
    return [(REMAPPED.get(name.lower(), name), value) for name, value in found if name.lower() not in LOST]


def _header_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise Malformed("a header's value is no text")
    text = str(value)
    if "\r" in text or "\n" in text:
        raise Malformed("a header's value has more than one line")
    return text
